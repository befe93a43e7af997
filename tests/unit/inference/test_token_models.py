import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from oracle.seq2seq import EncoderDecoder

from job.errors import InputError, ModelDirectoryError
from job.inference import length_batches
from job.inference import tokens as inference
from job.inference.model_facts import ModelFacts, Search
from job.inference.source_lines import read_sources
from job.inference.tokens import TrainedModel, encode, load_model, predict, predict_best
from job.models.seq2seq import build_models
from job.problems.normalization import TextNormalization
from job.problems.vocabulary import Vocabulary, pad
from job.running.outputs import save_models
from job.spec.model_section import ModelSpec

SUMS = Vocabulary.learn("0123456789+", "", closed=True)
WORDS = Vocabulary.learn(["the", "cat", "sat"], " ")
NUMBERS = Vocabulary.integers(51)
FIXED = ModelFacts(NUMBERS, NUMBERS, fixed_length=True, source_length=3, max_target_length=2)
FREE = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=4)
OPEN = ModelFacts(WORDS, WORDS, fixed_length=False, source_length=None, max_target_length=4)
SMALL = Vocabulary.learn("caf\u00e9 ", "", reading=TextNormalization(lowercase=True, normalize="NFC"))
READ = ModelFacts(SMALL, SMALL, fixed_length=False, source_length=None, max_target_length=4)


@pytest.fixture(scope="module")
def model(trained_job):
    return load_model(trained_job.paths.directory)


@pytest.fixture(scope="module")
def evaluated(trained_job):
    """The lines of `predictions.jsonl`."""
    return [json.loads(line) for line in trained_job.paths.predictions.read_text("utf-8").splitlines()]


def sources_of(evaluated):
    return [SUMS.encode(line["source"]) for line in evaluated]


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "lines", "expected"),
    [
        (FREE, ["1+2\n", "33+4"], [SUMS.encode("1+2"), SUMS.encode("33+4")]),
        (FREE, ["1+2\r\n", "\n", "3+4\n"], [SUMS.encode("1+2"), [], SUMS.encode("3+4")]),
        (FIXED, ["5  6\t7\n", "\n", " 1 2 3 "], [[5, 6, 7], [], [1, 2, 3]]),
        (OPEN, ["the dog sat"], [[WORDS.encode(["the"])[0], WORDS.unknown, WORDS.encode(["sat"])[0]]]),
        (READ, [" Cafe\u0301\r\n", "  \n"], [SMALL.encode("caf\u00e9"), []]),  # as in training
        (FREE, [], []),
    ],
)
def test_lines_become_ids(facts, lines, expected):
    assert list(read_sources(lines, facts, "in.txt")) == expected


@pytest.mark.parametrize(
    ("facts", "lines", "message"),
    [
        (FREE, ["1+2", "1-2"], "in.txt:2: token '-' is not one the model knows; known are +, 0, 1, "),
        (FREE, ["1 2"], "in.txt:1: token ' ' is not one the model knows"),
        (FIXED, ["1 2 51"], "in.txt:1: token '51' is not one the model knows; known are 1, 2, ..., 50"),
        (FIXED, ["1 2 0"], "in.txt:1: token '0' is not one the model knows"),
        (FIXED, ["1 2 x"], "in.txt:1: token 'x' is not one the model knows"),
        (FIXED, ["1 2 3", "", "1 2"], "in.txt:3: 2 tokens, but this model reads exactly 3"),
        (FIXED, ["1 2 3 4"], "in.txt:1: 4 tokens, but this model reads exactly 3"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(facts, lines, message):
    with pytest.raises(InputError) as caught:
        list(read_sources(lines, facts, "in.txt"))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_lines_before_a_bad_one_are_read():
    reader = read_sources(["1+2", "?"], FREE, "in.txt")
    assert next(reader) == SUMS.encode("1+2")


@pytest.mark.parametrize("facts", [FIXED, FREE, OPEN])
def test_what_one_must_know_to_use_a_model_survives_json(facts):
    assert ModelFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


# --- predicting ---------------------------------------------------------------------------------------------


def test_a_loaded_model_predicts_what_the_evaluation_predicted(model, evaluated):
    assert list(predict(model, sources_of(evaluated))) == [line["predicted"] for line in evaluated]
    assert 0 < sum(line["correct"] for line in evaluated) < len(evaluated)


def test_an_empty_line_gives_an_empty_line(model, evaluated):
    some = sources_of(evaluated)[:3]
    expected = [line["predicted"] for line in evaluated[:3]]
    given = [[], some[0], [], [], some[1], some[2], []]
    assert list(predict(model, given)) == ["", expected[0], "", "", expected[1], expected[2], ""]
    assert list(predict(model, [[], []])) == ["", ""]
    assert list(predict(model, [])) == []


def test_a_prediction_does_not_depend_on_its_batch(model, evaluated):
    """Alone, in another order, beside longer sources: the same."""
    sources = sources_of(evaluated)
    decode = model.decode
    together = decode(pad(sources))
    order = np.random.default_rng(1).permutation(len(sources))
    assert np.array_equal(decode(pad(sources)[order]), together[order])
    for i in (0, 7, 50):
        assert np.array_equal(decode(pad([sources[i]])), together[i : i + 1])
        beside = [sources[i], SUMS.encode("1+1+1+1+1+1+1")]
        assert np.array_equal(decode(pad(beside))[0], together[i])


def test_the_states_of_a_source_do_not_depend_on_its_batch(model, evaluated):
    sources = sources_of(evaluated)[:20]
    together = model.states(pad(sources))
    beside = model.states(pad([*sources[::-1], SUMS.encode("1+1+1+1+1+1+1")]))
    for name, states in together.items():
        assert np.array_equal(beside[name][:20][::-1], states)


def test_many_batches_give_what_one_gives(model, evaluated, monkeypatch):
    monkeypatch.setattr(inference, "MOST_SOURCES", 64)
    expected = [line["predicted"] for line in evaluated]
    assert list(predict(model, sources_of(evaluated))) == expected
    with_gaps = [ids for source in sources_of(evaluated) for ids in (source, [])]
    assert list(predict(model, with_gaps))[::2] == expected


def test_sources_are_read_as_they_are_needed(model, evaluated, monkeypatch):
    monkeypatch.setattr(inference, "MOST_SOURCES", 2)
    read = []

    def endless():
        while True:
            read.append(1)
            yield SUMS.encode("1+2")

    answers = predict(model, endless())
    assert next(answers) == next(answers)
    assert len(read) == 2


def test_no_sources_give_no_targets(model):
    assert model.decode(np.zeros((0, 3), np.int32)).shape == (0, model.facts.max_target_length)


ALONE = """
import sys

for name in ("job", "seq2seq_job"):
    sys.modules[name] = None  # importing it fails, however it is installed
folder_of_the_test, *sources = sys.argv[1:]
{block}
for source in sources:
    ids = [facts["source"]["tokens"].index(token) for token in source]
    target = decode(np.array([ids], "int32"))
    print("".join(facts["target"]["tokens"][i] for i in target if i != facts["target"]["end"]))
"""


def by_the_documented_loop(model, sources, tmp_path):
    """Return what the loop of the documentation decodes with the model of a directory."""
    page = Path(__file__).parents[3] / "docs" / "using-a-model.md"
    (block,) = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert "output/jobs/tutorial/model" in block
    block = block.replace('"output/jobs/tutorial/model"', "folder_of_the_test")
    (tmp_path / "alone.py").write_text(ALONE.format(block=block), "utf-8")
    command = [sys.executable, "-I", str(tmp_path / "alone.py"), str(model), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_documented_loop_decodes_without_this_package(trained_job, evaluated, tmp_path):
    sources = [line["source"] for line in evaluated[:20]]
    found = by_the_documented_loop(trained_job.paths.model, sources, tmp_path)
    assert found == [line["predicted"] for line in evaluated[:20]]


def test_the_documented_loop_decodes_with_a_transformer(tmp_path):
    spec = ModelSpec(architecture="transformer", units=16, layers=2)
    models = build_models(spec, len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(3)
    models.train.set_weights([random.normal(scale=0.7, size=w.shape) for w in models.train.weights])
    save_models(models, FREE.to_json(), tmp_path / "model")
    sources = ["1+2", "33", "+", "4+5+678", "9"]
    expected = list(predict(load_model(tmp_path), [SUMS.encode(source) for source in sources]))
    assert len(set(expected)) > 1
    assert by_the_documented_loop(tmp_path / "model", sources, tmp_path) == expected


# --- searching ----------------------------------------------------------------------------------------------


def searching(model, **keys):
    """Return a model that searches otherwise."""
    return replace(model, facts=replace(model.facts, search=replace(model.facts.search, **keys)))


@pytest.fixture(scope="module")
def best(model, evaluated):
    """The five best targets of the first 40 sources, by a beam of five."""
    return list(predict_best(model.with_beam(5), sources_of(evaluated)[:40], 5))


@pytest.mark.parametrize(
    ("before", "asked", "width"),
    [
        (Search(), 2, 4),
        (Search(), 9, 9),
        (Search(decoder="beam", beam_width=6, length_penalty=1.0), 3, 6),
        (Search(decoder="beam", beam_width=6, max_length=7, max_length_factor=0.5), 8, 8),
    ],
)
def test_with_beam_is_at_least_as_wide_as_asked_and_searches_as_before_in_all_else(before, asked, width):
    model = TrainedModel(None, None, replace(FREE, search=before))
    wide = model.with_beam(asked)
    assert wide.facts == replace(FREE, search=replace(before, decoder="beam", beam_width=width))
    assert model.facts.search == before


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_of_one_predicts_what_greedy_search_predicts(model, evaluated, length_penalty):
    narrow = searching(model, decoder="beam", beam_width=1, length_penalty=length_penalty)
    assert list(predict(narrow, sources_of(evaluated))) == [line["predicted"] for line in evaluated]


def test_the_best_targets_come_best_first_and_each_once(best):
    assert len(best) == 40
    for hypotheses in best:
        scores, targets = zip(*hypotheses, strict=True)
        assert len(set(targets)) == 5
        assert list(scores) == sorted(scores, reverse=True)
        assert scores[0] < 0


def test_a_list_longer_than_there_are_targets_names_each_once(model):
    one_symbol = searching(model.with_beam(20), max_length=1)
    (hypotheses,) = predict_best(one_symbol, [SUMS.encode("1+2")], 20)
    assert sorted(target for _, target in hypotheses) == ["", *"+0123456789"]  # nothing is the end alone
    assert sum(np.exp(score) for score, _ in hypotheses) == pytest.approx(1, abs=1e-5)


def test_fewer_of_the_best_are_the_first_of_them(model, evaluated, best):
    some = sources_of(evaluated)[:40]
    wide = model.with_beam(5)
    assert list(predict(wide, some)) == [hypotheses[0][1] for hypotheses in best]
    assert list(predict_best(wide, some, 2)) == [hypotheses[:2] for hypotheses in best]


def test_a_wide_beam_finds_a_likelier_target_than_greedy_search_for_some_source(best, evaluated):
    found = [hypotheses[0][1] for hypotheses in best]
    assert found != [line["predicted"] for line in evaluated[:40]]


def test_an_empty_line_has_one_best_target_which_is_empty(model, evaluated, best):
    first, second = sources_of(evaluated)[:2]
    found = list(predict_best(model.with_beam(5), [[], first, [], [], second], 5))
    assert found == [[(0.0, "")], best[0], [(0.0, "")], [(0.0, "")], best[1]]
    assert list(predict_best(model.with_beam(5), [[], []], 5)) == [[(0.0, "")]] * 2
    assert list(predict_best(model.with_beam(5), [], 5)) == []


def test_greedy_search_has_one_target_and_no_score(model, evaluated):
    some = sources_of(evaluated)[:3]
    found = list(predict_best(model, some, 5))
    assert [[target for _, target in hypotheses] for hypotheses in found] == [
        [line["predicted"]] for line in evaluated[:3]
    ]
    assert all(np.isnan(score) for hypotheses in found for score, _ in hypotheses)


LIMITS = [  # for sources of 1, 3 and 6 tokens, where the longest target of training has 3
    ("greedy", {}, [3, 3, 3]),
    ("greedy", {"max_length": 2}, [2, 2, 2]),
    ("greedy", {"max_length": 8}, [8, 8, 8]),
    ("greedy", {"max_length_factor": 0.5}, [1, 2, 3]),
    ("greedy", {"max_length": 2, "max_length_factor": 0.4}, [1, 2, 2]),
    ("beam", {"max_length": 8, "max_length_factor": 0.3}, [1, 1, 2]),
    ("beam", {"max_length": 8, "max_length_factor": 1.0}, [1, 3, 6]),
    ("beam", {"max_length": 2}, [2, 2, 2]),
]


@pytest.mark.parametrize(("decoder", "keys", "lengths"), LIMITS)
def test_a_target_without_an_end_is_as_long_as_the_keys_allow(endless, decoder, keys, lengths):
    limited = searching(endless, decoder=decoder, **keys)
    ids, _ = limited.compile_search()(pad([SUMS.encode("1+2+34"[:length]) for length in (1, 3, 6)]))
    assert [{np.count_nonzero(row) for row in rows} for rows in ids] == [{length} for length in lengths]
    assert all(np.all(rows[:, :length] > 0) for rows, length in zip(ids, lengths, strict=True))


def test_where_lengths_are_fixed_there_is_no_other():
    limited = Search(max_length=1, max_length_factor=0.1)
    assert replace(FIXED, search=limited).columns == FIXED.max_target_length
    assert replace(FREE, search=limited).columns == 1


# --- any model ----------------------------------------------------------------------------------------------

KINDS = {
    "none": {"layers": 2},
    "luong_dot": {"attention": "luong_dot", "cell": "gru"},
    "luong_general fed": {"attention": "luong_general", "input_feeding": True, "bidirectional": True},
    "bahdanau": {"attention": "bahdanau", "cell": "gru", "layers": 2},
}
SOURCES = ["1+2", "34", "5+6+7", "8"]


@dataclass(frozen=True)
class Tiny:
    """A model with random weights, and its training model, which says what it should do."""

    spec: ModelSpec
    train: keras.Model
    trained: TrainedModel

    @property
    def sources(self):
        return pad([SUMS.encode(source) for source in SOURCES])

    def log_probabilities(self, sources, targets):
        """Return log P of every next symbol where `targets` were written, (n, T, V).

        Padding and start are never written.
        """
        before = np.concatenate([np.full_like(targets[:, :1], SUMS.start), targets[:, :-1]], axis=1)
        logits = self.train([sources, before]).numpy().astype(np.float64)
        logits[:, :, [0, SUMS.start]] = -np.inf
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def tiny_model(bias=0.0, **keys):
    """Return a random model over `SUMS`; `bias` is added to the logits of padding, start and end."""
    spec = ModelSpec(units=4, **keys)
    models = build_models(spec, len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(2)
    models.train.set_weights([random.normal(scale=0.8, size=w.shape) for w in models.train.weights])
    biases = models.train.get_layer("logits").bias
    biases.assign(biases + bias * np.isin(np.arange(len(SUMS)), [0, SUMS.start, SUMS.end]))
    facts = replace(FREE, max_target_length=3)
    return Tiny(spec, models.train, TrainedModel(models.inference_encoder, models.inference_decoder, facts))


@pytest.fixture
def endless(monkeypatch):
    """A model that writes on and on."""
    monkeypatch.setattr(length_batches, "ROWS", 4)
    return tiny_model(bias=-100.0).trained


@pytest.fixture(scope="module", params=KINDS)
def of_a_kind(request):
    return tiny_model(**KINDS[request.param])


@pytest.fixture
def tiny(of_a_kind, monkeypatch):
    monkeypatch.setattr(length_batches, "ROWS", len(SOURCES))
    return of_a_kind


def test_greedy_search_writes_the_likeliest_symbol_at_every_step(tiny):
    (found,) = zip(*tiny.trained.compile_search()(tiny.sources)[0], strict=True)
    likeliest = tiny.log_probabilities(tiny.sources, np.array(found)).argmax(axis=-1)
    for row, expected in zip(found, likeliest, strict=True):
        length = length_of(row)
        assert row[:length].tolist() == expected[:length].tolist()
        assert not row[length:].any()


def test_the_score_of_every_hypothesis_is_what_the_training_model_says_of_it(tiny):
    beam = searching(tiny.trained, decoder="beam", beam_width=3, length_penalty=0.6)
    found, scores = beam.compile_search()(tiny.sources)
    for k in range(3):
        logs = tiny.log_probabilities(tiny.sources, found[:, k])
        for row, log, score in zip(found[:, k], logs, scores[:, k], strict=True):
            length = length_of(row)
            total = sum(log[t, row[t]] for t in range(length))
            assert score == pytest.approx(total / ((5 + length) / 6) ** 0.6, rel=1e-5)


def length_of(row):
    """Symbols of a row of ids, the end counted."""
    return row.tolist().index(SUMS.end) + 1 if SUMS.end in row else len(row)


def test_attention_is_where_the_papers_decoder_looks_as_it_writes(tiny):
    assert tiny.trained.attends == (tiny.spec.attention != "none")
    if not tiny.trained.attends:
        return
    written = np.array([SUMS.encode(text) for text in ("345", "301", "999", "123")], np.int32)
    weights = tiny.trained.attention(tiny.sources, written)
    assert weights.shape == (4, 3, tiny.sources.shape[1])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    paper = EncoderDecoder(tiny.spec, tiny.train)
    for row, symbols, looked in zip(SOURCES, written, weights, strict=True):
        source = SUMS.encode(row)
        _, expected = paper.logits(source, [SUMS.start, *symbols[:-1]])
        np.testing.assert_allclose(looked[:, : len(source)], expected, atol=2e-6)
        assert not looked[:, len(source) :].any()


def test_attention_follows_the_symbols_that_were_written(model):
    sources = pad([SUMS.encode(text) for text in ("1+2", "1+2")])
    weights = model.attention(sources, pad([SUMS.encode(text) for text in ("345", "378")]))
    same = np.abs(weights[0] - weights[1]).max(axis=-1) < 1e-7
    assert same.tolist() == [True, True, False]  # the second symbol is read at the third step


# --- encoding -----------------------------------------------------------------------------------------------


def test_encode_writes_the_encoders_states(model, evaluated, tmp_path):
    sources = sources_of(evaluated)[:5]
    given = [sources[0], [], *sources[1:]]
    assert encode(model, given, tmp_path / "contexts.npz") == 5
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert set(arrays.files) == {"ids", "h1", "c1"}
        assert arrays["ids"].tolist() == [0, 2, 3, 4, 5]
        assert arrays["ids"].dtype == np.int64
        h, c, _ = model.encoder(pad(sources))
        for name, expected in (("h1", h), ("c1", c)):
            assert arrays[name].shape == (5, 16)
            assert arrays[name].dtype == np.float32
            np.testing.assert_allclose(arrays[name], expected, atol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "contexts.npz"]


def test_encode_without_a_source_writes_no_states(model, tmp_path):
    assert encode(model, [[], []], tmp_path / "contexts.npz") == 0
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert arrays["ids"].shape == (0,)


# --- loading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [".", "model"])
def test_a_model_is_loaded_from_its_jobs_directory_or_its_own(trained_job, inner):
    loaded = load_model(trained_job.paths.directory / inner)
    assert loaded.facts == FREE_AS_TRAINED


FREE_AS_TRAINED = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=3)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


DAMAGES = {
    "no_vocabulary": ("vocabulary.json", Path.unlink),
    "vocabulary_that_is_no_json": ("vocabulary.json", lambda path: path.write_text("{")),
    "vocabulary_of_another_kind": ("vocabulary.json", lambda path: path.write_text("[]")),
    "vocabulary_without_a_key": ("vocabulary.json", lambda path: path.write_text('{"source": {}}')),
    "vocabulary_with_a_key_too_many": (
        "vocabulary.json",
        lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "new": 1})),
    ),
    "no_encoder": ("inference_encoder.keras", Path.unlink),
    "decoder_that_is_no_model": ("inference_decoder.keras", lambda path: path.write_text("no model")),
    "decoder_cut_short": ("inference_decoder.keras", cut_short),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_what_is_no_trained_model_is_said_to_be_none(trained_job, tmp_path, damage):
    shutil.copytree(trained_job.paths.model, tmp_path / "model")
    name, spoil = DAMAGES[damage]
    spoil(tmp_path / "model" / name)
    with pytest.raises(ModelDirectoryError, match=r"model: not a trained model \(") as caught:
        load_model(tmp_path)
    assert "expected the model/ directory of a finished job" in str(caught.value)


def test_a_directory_that_is_not_there_is_no_trained_model(tmp_path):
    with pytest.raises(ModelDirectoryError, match="nowhere: not a trained model"):
        load_model(tmp_path / "nowhere")
