"""The types of what `import job` offers; see `__init__.py`."""

from job.inference.prediction import Alternative as Alternative
from job.inference.prediction import Encoding as Encoding
from job.inference.prediction import Prediction as Prediction
from job.inference.python_loading import load as load
from job.inference.python_model import Model as Model

__version__: str
