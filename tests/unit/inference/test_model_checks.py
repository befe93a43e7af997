"""`check_model` accepts models that keep the interface, and says of each other one what is wrong."""

from pathlib import Path

import keras
import pytest
from keras import ops
from offered import install_example

from job.inference.model_checks import BrokenPromiseError, check_model
from job.models.architecture_plugin import Encoded, Step

pytestmark = pytest.mark.once


class Recurrent:
    """A GRU that reads the source, and one that writes the target, with dot attention."""

    def __init__(self, sizes):
        self.numbers, dense = sizes.numbers, keras.layers.Dense
        enters = dense if sizes.numbers else lambda size, **named: keras.layers.Embedding(size, 4, **named)
        self.source = enters(4 if sizes.numbers else sizes.source, name="source_embedding")
        self.target = enters(4 if sizes.numbers else sizes.target, name="target_embedding")
        self.encoder = keras.layers.GRU(4, return_sequences=True, return_state=True, name="encoder")
        self.decoder = keras.layers.GRU(4, return_sequences=True, return_state=True, name="decoder")
        self.output = dense(sizes.target, name="output")

    def encode(self, source, mask):
        outputs, last = self.encoder(self.source(source), mask=mask)
        hidden = ops.zeros_like(outputs[:, :, 0])
        if mask is not None:
            hidden = ops.where(mask, 0.0, -1e9)
        return Encoded(context=last, states={"h": last}, memory={"outputs": outputs, "hidden": hidden})

    def decode(self, inputs, encoded):
        x, _ = self.decoder(self.target(inputs), initial_state=encoded.states["h"])
        return self.attended(x, encoded.memory)[0]

    def step(self, inputs, states, memory):
        x, after = self.decoder(self.target(inputs), initial_state=states["h"])
        output, weights = self.attended(x, memory)
        return Step(output=output, states={"h": after}, attention=weights)

    def attended(self, x, memory):
        scores = ops.matmul(x, ops.transpose(memory["outputs"], (0, 2, 1)))
        weights = ops.softmax(scores + memory["hidden"][:, None], axis=-1)
        return self.output(x + ops.matmul(weights, memory["outputs"])), weights


class SelfAttention:
    """A decoder of one self-attention layer, whose keys and values of earlier positions are caches."""

    def __init__(self, sizes):
        self.source = keras.layers.Embedding(sizes.source, 6, name="source_embedding")
        self.target = keras.layers.Embedding(sizes.target, 6, name="target_embedding")
        self.projections = [keras.layers.Dense(6, name=name) for name in ("query", "key", "value")]
        self.output = keras.layers.Dense(sizes.target, name="output")

    def encode(self, source, mask):
        real = 1.0 if mask is None else ops.cast(mask, "float32")[:, :, None]
        mean = ops.tanh(ops.sum(self.source(source) * real, axis=1, keepdims=True))
        return Encoded(context=mean[:, 0], memory={"mean": mean}, caches={"keys": (2, 3), "values": (2, 3)})

    def decode(self, inputs, encoded):
        query, key, value = self.heads(inputs, encoded.memory)
        at = ops.cumsum(ops.ones_like(inputs), axis=1)
        future = ops.where(at[:, None, :, None] >= at[:, None, None, :], 0.0, -1e9)
        return self.read(query, key, value, future)

    def step(self, inputs, states, memory):
        query, key, value = self.heads(inputs, memory)
        keys = ops.concatenate([states["keys"], key], axis=2)
        values = ops.concatenate([states["values"], value], axis=2)
        return Step(output=self.read(query, keys, values, 0.0), states={"values": values, "keys": keys})

    def heads(self, inputs, memory):
        x = self.target(inputs) + memory["mean"]
        split = keras.layers.Reshape((-1, 2, 3))
        return [ops.transpose(split(dense(x)), (0, 2, 1, 3)) for dense in self.projections]

    def read(self, query, keys, values, hidden):
        scores = ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2)))
        x = ops.matmul(ops.softmax(scores + hidden, axis=-1), values)
        return self.output(keras.layers.Reshape((-1, 6))(ops.transpose(x, (0, 2, 1, 3))))


def of(network):
    """Return an architecture that builds a network."""

    class Mine:
        def build(self, sizes):
            return network(sizes)

    return Mine()


@pytest.mark.parametrize(
    ("network", "numbers"), [(Recurrent, False), (Recurrent, True), (SelfAttention, False)]
)
def test_models_that_keep_the_interface(network, numbers):
    check_model(of(network), numbers=numbers)


def test_the_example(tmp_path, monkeypatch):
    site = install_example(Path(__file__).parents[3] / "examples" / "custom_model", tmp_path)
    monkeypatch.syspath_prepend(site)
    from gated_convolutions import GatedConvolutions

    check_model(GatedConvolutions({"units": 4, "layers": 1, "dropout": 0.3}))
    (site / "gated_convolutions-1.0.dist-info" / "entry_points.txt").write_text("")
    with pytest.raises(BrokenPromiseError, match="offers the layers of 'gated-convolutions'"):
        check_model(GatedConvolutions({"units": 4, "layers": 1}))


# --- what is wrong ------------------------------------------------------------------------------------------


class Lookahead(Recurrent):
    def decode(self, inputs, encoded):
        return super().decode(ops.flip(inputs, axis=1), encoded)


class Unmasked(Recurrent):
    def encode(self, source, mask):
        return super().encode(source, None)


class UnmaskedContext(Recurrent):
    def encode(self, source, mask):
        encoded = super().encode(source, mask)
        context = ops.mean(self.source(source), axis=1)
        return Encoded(context=context, states=encoded.states, memory=encoded.memory)


class Unnamed(Recurrent):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.output = keras.layers.Dense(sizes.target)


class Twice(keras.layers.Layer):
    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.inner = [keras.layers.Dense(size, name="inner") for _ in range(2)]

    def call(self, x):
        return self.inner[1](self.inner[0](x))


class SameNames(Recurrent):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.output = Twice(sizes.target, name="output")


class OtherWeights(Recurrent):
    def step(self, inputs, states, memory):
        found = super().step(inputs, states, memory)
        again = keras.layers.Dense(found.output.shape[-1], name="again")(found.output)
        return Step(output=again, states=found.states)


class Unused(Recurrent):
    def decode(self, inputs, encoded):
        unused = keras.layers.Dense(1, name="unused")(encoded.context)[:, None]
        return super().decode(inputs, encoded) + ops.stop_gradient(unused)


class RandomWithoutState(Recurrent):
    def decode(self, inputs, encoded):
        return super().decode(inputs, encoded) + keras.random.normal((1,))


class Noise(keras.layers.Layer):
    def call(self, x, training=False):
        return x + keras.random.normal(ops.shape(x)) if training else x


class NoisyTraining(Recurrent):
    def decode(self, inputs, encoded):
        return Noise(name="noise")(super().decode(inputs, encoded))


class OverRows(Recurrent):
    def decode(self, inputs, encoded):
        output = super().decode(inputs, encoded)
        return output - ops.mean(output, axis=0, keepdims=True)

    def step(self, inputs, states, memory):
        found = super().step(inputs, states, memory)
        output = found.output - ops.mean(found.output, axis=0, keepdims=True)
        return Step(output=output, states=found.states)


class Biased(Recurrent):
    """Its bias, which is 0 before training, is not added in a step."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.bias = keras.layers.Embedding(1, sizes.target, embeddings_initializer="zeros", name="bias")

    def decode(self, inputs, encoded):
        return super().decode(inputs, encoded) + self.bias(ops.zeros_like(inputs))


class Saturated(Recurrent):
    def step(self, inputs, states, memory):
        found = super().step(inputs, states, memory)
        return Step(output=found.output, states=found.states, attention=found.attention * 2)


class Forgetful(Recurrent):
    def step(self, inputs, states, memory):
        found = super().step(inputs, states, memory)
        return Step(output=found.output, states={})


class Growing(Recurrent):
    def step(self, inputs, states, memory):
        found = super().step(inputs, states, memory)
        return Step(output=found.output, states={"h": ops.tile(found.states["h"], (1, 2))})


class Wide(Recurrent):
    def decode(self, inputs, encoded):
        return ops.tile(super().decode(inputs, encoded), (1, 1, 2))


class Integers(Recurrent):
    def decode(self, inputs, encoded):
        return ops.cast(super().decode(inputs, encoded), "int32")


class Flat(Recurrent):
    def encode(self, source, mask):
        return super().encode(source, mask).states


class NoContext(Recurrent):
    def encode(self, source, mask):
        encoded = super().encode(source, mask)
        return Encoded(context=encoded.memory["outputs"], states=encoded.states, memory=encoded.memory)


class WithName(Recurrent):
    def encode(self, source, mask):
        encoded = super().encode(source, mask)
        return Encoded(context=encoded.context, states={"h 1": encoded.states["h"]})


class Taken(Recurrent):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.source.name = "source"


class NoStep:
    def __init__(self, sizes):
        self.encode = self.decode = print


class NoStates(Recurrent):
    def encode(self, source, mask):
        return Encoded(context=super().encode(source, mask).context, states=None)


class CacheOfOneNumber(Recurrent):
    def encode(self, source, mask):
        encoded = super().encode(source, mask)
        return Encoded(context=encoded.context, states=encoded.states, caches={"keys": 4})


class StepWithoutStates(Recurrent):
    def step(self, inputs, states, memory):
        return Step(output=super().step(inputs, states, memory).output, states=None)


BROKEN = {
    NoStates: "states of Encoded must be a dict, found NoneType",
    CacheOfOneNumber: "cache 'keys' must be (heads, width), found 4",
    StepWithoutStates: "states of Step must be a dict, found NoneType",
    NoStep: "the result of build lacks step",
    Flat: "encode must return a job.models.architecture_plugin.Encoded",
    NoContext: "context must have shape (any, any), found (any, any, 4)",
    WithName: "the names of states and caches must be Python identifiers, found 'h 1'",
    Wide: "the result of decode must have shape (any, any, 7), found (any, any, 14)",
    Integers: "the result of decode must be floating-point, found int32",
    Forgetful: "step must return the states h, found none",
    Growing: "state 'h' must stay (any, 4) of float32 in a step, found (any, 8) of float32",
    Taken: "two layers, or a layer and a tensor of the interface, are called 'source'; rename the layer",
    Unnamed: "is called dense",
    SameNames: "two weights are called output/inner/kernel; give every layer a name",
    OtherWeights: "step uses again/kernel, a weight that training does not change",
    Unused: "the output does not depend on the weight unused/kernel, so it cannot be trained",
    NoisyTraining: "training draws random numbers that no layer keeps",
    Biased: "step and decode differ at position 1 by up to",
    Lookahead: "step and decode differ at position 1 by up to",
    Saturated: "the attention weights of a step must be (B, 1, S), and sum to 1 for each source",
    OverRows: "the output for a source depends on the others",
    Unmasked: "padding",
    UnmaskedContext: "padding of the source changes the result of encode (context)",
}


@pytest.mark.parametrize("network", BROKEN, ids=lambda network: network.__name__)
def test_what_is_wrong_is_said_in_a_sentence(network):
    with pytest.raises(BrokenPromiseError) as caught:
        check_model(of(network))
    assert BROKEN[network] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_object_that_builds_nothing_is_no_architecture():
    with pytest.raises(BrokenPromiseError, match=r"^it lacks build\(sizes\)$"):
        check_model(object())


def test_a_wrong_number_of_parameters():
    class Counting:
        def build(self, sizes):
            return Recurrent(sizes)

        def count_parameters(self, sizes):
            return 3

    with pytest.raises(BrokenPromiseError, match=r"count_parameters returns 3, but there are \d+ weights"):
        check_model(Counting())
