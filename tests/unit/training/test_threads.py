"""How many operations run at once decides nothing but the time: each worker count gives the same result."""

import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys
from job.process.tensorflow_loading import check_tensorflow, load_tensorflow
load_tensorflow()
assert not {"matplotlib", "pandas"} & sys.modules.keys()
import matplotlib.colors
check_tensorflow(threads=int(sys.argv[1]))
import keras
import tensorflow as tf
from job.models.seq2seq import build_training_model
from job.problems.integers import Copy
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import CopySpec
from job.spec.training_section import TrainingSpec
from job.training.compiled_loop import compile_loop
from job.training.fit import fit
assert tf.config.threading.get_inter_op_parallelism_threads() == int(sys.argv[1])
keras.utils.set_random_seed(1)
problem = Copy(CopySpec(kind="copy", source_length=5, cardinality=30), 1)
model = build_training_model(ModelSpec(units=64, dropout=0.1), 30, 30, masked=False, kernel="fused")
spec = TrainingSpec(examples=5000, batch_size=128)
fit(compile_loop(model, problem, spec), problem, spec, problem.examples("validation", 500))
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


@pytest.fixture(scope="module")
def weights():
    """The checksum of what is trained with that many threads."""
    return {
        threads: subprocess.run(
            [sys.executable, "-c", PROGRAM, threads], capture_output=True, text=True, check=True, timeout=300
        ).stdout
        for threads in ("1", "2")
    }


def test_two_threads_train_the_same_bits_as_one(weights):
    assert len(weights["1"].strip()) == 64
    assert weights["1"] == weights["2"]
