"""Makes `oracle` importable from every folder, and has TensorFlow compute as it does in a worker."""

import os

from job.batch.worker import VARIABLES

os.environ.update(VARIABLES)
