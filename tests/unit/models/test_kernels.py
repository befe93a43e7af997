import keras
import pytest

from job.models.kernels import choose_kernel
from job.models.recurrent import FusedGRU, FusedLSTM
from job.models.seq2seq import build_training_model
from job.spec.model_section import ModelSpec

CASES = [
    # what the model has besides the defaults; on a CPU; on a GPU
    ({}, "fused", "cudnn"),
    ({"cell": "gru"}, "fused", "cudnn"),
    ({"layers": 3, "residual": True}, "fused", "cudnn"),
    ({"bidirectional": True}, "fused", "cudnn"),
    ({"inputs": "embedding"}, "fused", "cudnn"),
    ({"dropout": 0.5}, "fused", "cudnn"),  # of a layer's inputs: outside the recurrence
    ({"attention": "luong_dot"}, "fused", "cudnn"),
    ({"attention": "luong_general", "input_feeding": True}, "fused", "cudnn"),  # so runs the encoder
    ({"attention": "bahdanau"}, "fused", "cudnn"),
    ({"attention": "monotonic"}, "fused", "cudnn"),
    ({"recurrent_dropout": 0.1}, "keras", "keras"),
    ({"architecture": "transformer", "dropout": 0.1}, "keras", "keras"),
    ({"cell": "gru", "recurrent_dropout": 0.1}, "keras", "keras"),
    ({"attention": "bahdanau", "recurrent_dropout": 0.1, "dropout": 0.5}, "keras", "keras"),
]


@pytest.mark.parametrize(("keys", "on_cpu", "on_gpu"), CASES)
def test_the_fastest_kernel_that_computes_the_model_right(keys, on_cpu, on_gpu):
    spec = ModelSpec(**keys)
    assert (choose_kernel(spec, gpu=False), choose_kernel(spec, gpu=True)) == (on_cpu, on_gpu)


@pytest.mark.parametrize("units", [1, 8192])
def test_the_choice_does_not_depend_on_sizes(units):
    assert choose_kernel(ModelSpec(units=units), gpu=False) == "fused"
    assert choose_kernel(ModelSpec(units=units), gpu=True) == "cudnn"


@pytest.mark.parametrize(
    ("kernel", "cell", "layer", "use_cudnn"),
    [
        ("fused", "lstm", FusedLSTM, "auto"),
        ("fused", "gru", FusedGRU, "auto"),
        ("keras", "lstm", keras.layers.LSTM, "auto"),
        ("keras", "gru", keras.layers.GRU, "auto"),
        ("cudnn", "lstm", keras.layers.LSTM, True),  # or an error, where Keras could not
        ("cudnn", "gru", keras.layers.GRU, True),
    ],
)
def test_a_model_runs_on_the_kernel_that_it_is_built_over(kernel, cell, layer, use_cudnn):
    spec = ModelSpec(cell=cell, units=2, bidirectional=True)
    model = build_training_model(spec, 5, 5, masked=True, kernel=kernel)
    recurrent = [found for found in model.layers if isinstance(found, keras.layers.RNN)]
    assert [found.name for found in recurrent] == ["encoder_1", "encoder_backward_1", "decoder_1"]
    assert {(type(found), found.use_cudnn) for found in recurrent} == {(layer, use_cudnn)}
