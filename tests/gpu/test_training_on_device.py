"""One model on a GPU: kernels, masks, precisions, several GPUs, and a resume to the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.gpu

LENGTHS = (9, 1, 4, 9, 2, 7, 1, 3)
"""Of the sources of a ragged batch; neither sorted nor all different."""


@pytest.fixture(scope="module")
def trained(device, tmp_path_factory):
    """A function that trains a job of `two_devices` once, and returns its result."""
    from two_devices import leave, task

    root, results = tmp_path_factory.mktemp("trained"), {}

    def result(name, distribution="none", **training):
        key = f"{name}-{distribution}-{'-'.join(map(str, training.values()))}"
        if key not in results:
            asked = task(root, name, distribution, key)
            changed = asked.job.training.model_copy(update=training)
            object.__setattr__(asked, "job", asked.job.model_copy(update={"training": changed}))
            results[key] = leave(asked)
        return results[key]

    return result


def losses(result):
    return np.array(result.history["loss"], float)


@pytest.mark.parametrize(
    ("name", "on_cpu", "on_gpu"), [("fixed", "fused", "cudnn"), ("dropped", "keras", "keras")]
)
def test_the_kernel_of_a_training(trained, device, record_property, name, on_cpu, on_gpu):
    result = trained(name)
    record_property("figure", result.environment["kernel"])
    assert result.environment["kernel"] == (on_gpu if device == "GPU" else on_cpu)
    assert losses(result)[-1] < losses(result)[0]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "bidirectional"])
def test_masks_of_ragged_lengths_agree_with_the_cpu(device, record_property, cell, bidirectional):
    """Outputs and gradients, and each row's with those of the row alone: tensorflow#60192 corrupted rows."""
    import tensorflow as tf

    from job.models.kernels import choose_kernel
    from job.models.seq2seq import build_training_model
    from job.spec.model_section import ModelSpec

    tf.config.experimental.enable_tensor_float_32_execution(False)
    spec = ModelSpec(
        cell=cell, units=24, layers=2, bidirectional=bidirectional, inputs="embedding", embedding_size=8,
        attention="luong_general",
    )  # fmt: skip
    kernel = choose_kernel(spec, gpu=device == "GPU")
    with tf.device(f"/{device}:0"):
        model = build_training_model(spec, 12, 12, masked=True, kernel=kernel)
    with tf.device("/CPU:0"):
        plain = build_training_model(spec, 12, 12, masked=True, kernel="keras")
    for layer in plain.layers:
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False
    generator = np.random.default_rng(5)
    plain.set_weights([generator.uniform(-0.5, 0.5, w.shape).astype("float32") for w in plain.get_weights()])
    model.set_weights(plain.get_weights())
    source = generator.integers(2, 12, (len(LENGTHS), max(LENGTHS))).astype("int32")
    source[np.arange(max(LENGTHS)) >= np.array(LENGTHS)[:, None]] = 0
    given = generator.integers(1, 12, (len(LENGTHS), 5)).astype("int32")
    (found, slopes), (wanted, others) = (
        computed(each, source, given, place) for each, place in ((model, device), (plain, "CPU"))
    )
    alone = [
        computed(model, source[i : i + 1, : max(length, 2)], given[i : i + 1], device)[0]
        for i, length in enumerate(LENGTHS)
    ]
    difference = max(np.abs(found - wanted).max(), np.abs(found - np.concatenate(alone)).max())
    record_property("figure", f"differs by {difference:.1e}")
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    np.testing.assert_allclose(found, np.concatenate(alone), atol=2e-5)
    for slope, other in zip(slopes, others, strict=True):
        np.testing.assert_allclose(slope, other, atol=2e-4 * max(1.0, float(np.abs(other).max())))


def computed(model, source, given, device):
    """Return a model's logits, and the gradients of the sum of their squares."""
    import tensorflow as tf

    with tf.device(f"/{device}:0"), tf.GradientTape() as tape:
        logits = model([tf.constant(source), tf.constant(given)], training=False)
        loss = tf.reduce_sum(tf.square(logits))
    slopes = tape.gradient(loss, model.trainable_variables)
    return logits.numpy(), [tf.convert_to_tensor(slope).numpy() for slope in slopes]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_as_single_precision_does(trained, record_property, precision):
    single, mixed = losses(trained("fixed")), losses(trained("fixed", precision=precision))
    record_property("figure", f"loss {mixed[-1]:.3f}, of float32 {single[-1]:.3f}")
    assert np.isfinite(mixed).all()
    assert mixed[-1] == pytest.approx(single[-1], rel=0.05)


def test_all_gpus_together_give_the_result_of_one(trained, device, record_property):
    import tensorflow as tf

    number = len(tf.config.list_logical_devices(device))
    if number < 2:
        pytest.skip("only one GPU is visible")
    one, all_of_them = losses(trained("fixed")), losses(trained("fixed", "mirrored"))
    difference = np.abs(one - all_of_them).max()
    record_property("figure", f"{number} devices, differs by {difference:.1e}")
    assert difference < (1e-5 if device == "CPU" else 1e-3)  # cuDNN rounds products to TF32


def test_a_resumed_training_ends_with_the_same_bits(device, tmp_path, record_property):
    """With deterministic operations; a process of its own, because TensorFlow reads that when it starts."""
    program = Path(__file__).with_name("resume_program.py")
    support = Path(__file__).parents[1] / "support"
    paths = os.pathsep.join(map(str, (support, Path(__file__).parents[2])))
    environment = {**os.environ, "TF_DETERMINISTIC_OPS": "1", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, program, tmp_path, "masked" if device == "GPU" else "fixed"],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record_property("figure", done.stdout.strip().splitlines()[-1])
