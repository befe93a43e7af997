"""Train a job without a break, and again with one, and compare the weights: `resume_program.py DIR JOB`."""

import sys
from dataclasses import replace
from pathlib import Path

from job.process.tensorflow_loading import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from two_devices import AfterAWhile, leave, task  # noqa: E402

from job.process.stopping import Stopped  # noqa: E402
from job.running.model_cache import ModelCache  # noqa: E402
from job.running.run_job import run_job  # noqa: E402


def main(root, job):
    whole, broken = (task(root, job, "none", name) for name in ("whole", "broken"))
    cache = ModelCache()
    leave(whole, cache=cache)
    try:
        run_job(broken, stop=AfterAWhile(), cache=cache)
    except Stopped:
        result = leave(replace(broken, attempt=2), cache=cache)
    else:
        sys.exit("training was over before it was stopped")
    models = [keras.models.load_model(each.paths.model / "train.keras") for each in (whole, broken)]
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    if not all(np.array_equal(first, second) for first, second in pairs):
        sys.exit("the weights after a resume are not those of an unbroken training")
    print(f"resumed from step {result.data.resumed_from_step}")


main(Path(sys.argv[1]), sys.argv[2])
