"""Search with pointer-generators: weights that force what is copied, and the exact scores that follow."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracle.pointer import mixed
from oracle.seq2seq import EncoderDecoder
from oracle.transformer import Transformer

import job
from job.errors import ModelDirectoryError
from job.inference.ensembles import combine
from job.inference.model_facts import ModelFacts, Search
from job.inference.source_lines import read_sources
from job.inference.token_lines import SavedTokenModel, load_model, predict_best
from job.models.seq2seq import build_models
from job.problems.unknown_ids import numbered
from job.problems.vocabulary import UNKNOWN, Vocabulary, spelling_number
from job.running.outputs import save_models
from job.spec.model_section import ModelSpec

KNOWN = Vocabulary.learn(["to", "be", "or", "not"], " ")
TARGET = Vocabulary.learn(["be", "not"], " ")
FACTS = ModelFacts(
    *numbered(KNOWN, TARGET), fixed_length=False, source_length=None, max_target_length=3
)  # fmt: skip
BIG = 60.0
"""Shuts the gate, or makes a token certain: sigmoid(-60) is 10^-26."""


def forced(*, copies_once):
    """Return the models of a job whose attention is uniform and which copies: always, or at the first step.

    At later steps it generates the end; what it reads there is the id of an unknown token.
    """
    models = build_models(
        ModelSpec(units=2, attention="luong_dot", pointer=True), len(KNOWN), len(TARGET), masked=True
    )
    for layer in models.train.layers:
        layer.set_weights([np.zeros(w.shape) for w in layer.weights])
    models.train.get_layer("generation_gate").set_weights([np.zeros((4, 1)), np.array([-BIG])])
    end = np.zeros(len(TARGET))
    end[TARGET.end] = BIG
    models.train.get_layer("logits").set_weights([np.zeros((2, len(TARGET))), end])
    if copies_once:
        after = np.zeros((len(TARGET), 1))
        after[UNKNOWN] = 2 * BIG
        models.train.get_layer("generation_input").set_weights([after])
    return models


def predicted(models, lines, count=1, **search):
    """Return the best targets of lines, with their scores."""
    facts = replace(FACTS, search=Search(length_penalty=0.0, **search))
    model = SavedTokenModel(models.inference_encoder, models.inference_decoder, facts)
    return [*predict_best(model, read_sources(lines, facts, "lines"), count)]


DECODERS = ({"decoder": "greedy"}, {"decoder": "beam", "beam_width": 4}, {"decoder": "sample"})


@pytest.mark.parametrize("search", DECODERS, ids=lambda keys: keys["decoder"])
def test_an_unknown_token_is_copied_and_read_as_unknown(search):
    """Were it read as another id, the gate would stay shut and it would be copied again."""
    models = forced(copies_once=True)
    for ((score, text),), token in zip(
        predicted(models, ["Yorick", "zoë"], **search), ("Yorick", "zoë"), strict=True
    ):
        assert text == token
        if search["decoder"] != "greedy":
            assert score == pytest.approx(0, abs=1e-6)
    ((score, text),) = predicted(forced(copies_once=False), ["Yorick"], **search)[0]
    assert text == "Yorick Yorick Yorick"


def test_an_ensemble_copies_with_the_mean_probability():
    """Both copy first; then one ends and one copies again: a half each, and a quarter at the third step."""
    facts = replace(FACTS, search=Search(decoder="beam", beam_width=4, length_penalty=0.0))
    members = {
        str(once): SavedTokenModel(models.inference_encoder, models.inference_decoder, facts)
        for once in (True, False)
        for models in [forced(copies_once=once)]
    }
    (found,) = predict_best(combine(members), read_sources(["Yorick"], facts, "lines"), 3)
    best = {text: score for score, text in found}
    assert np.exp(best["Yorick"]) == pytest.approx(0.5)
    assert np.exp(best["Yorick Yorick"]) == pytest.approx(0.25)
    assert np.exp(best["Yorick Yorick Yorick"]) == pytest.approx(0.25)


def test_models_with_and_without_a_pointer_do_not_decode_together():
    members = {}
    for pointer in (True, False):
        spec = ModelSpec(units=2, attention="luong_dot", pointer=pointer)
        models = build_models(spec, len(KNOWN), len(TARGET), masked=True)
        members[str(pointer)] = SavedTokenModel(models.inference_encoder, models.inference_decoder, FACTS)
    with pytest.raises(ModelDirectoryError, match="True and False cannot decode together: only one has a po"):
        combine(members)


def test_a_token_that_only_the_source_knows_is_copied_too():
    ((_, text),) = predicted(forced(copies_once=True), ["or"])[0]
    assert text == "or"


def test_attention_to_equal_tokens_is_summed():
    """2/3 for the token that occurs twice, and beam search finds all three targets with their scores."""
    models = forced(copies_once=True)
    (found,) = predicted(models, ["Yorick or Yorick"], 2, decoder="beam", beam_width=6)
    assert [text for _, text in found] == ["Yorick", "or"]
    assert [score for score, _ in found] == pytest.approx([np.log(2 / 3), np.log(1 / 3)], rel=1e-5)
    (greedy,) = predicted(models, ["or Yorick Yorick"])
    assert greedy[0][1] == "Yorick"


def test_rows_of_different_lengths_keep_their_own_tokens():
    lines = ["Yorick", "a b c d e f g h i b", "", "x y y"]
    assert [row[0][1] for row in predicted(forced(copies_once=True), lines)] == ["Yorick", "b", "", "y"]


def test_decoded_ids_are_those_of_numbered_targets():
    facts = replace(FACTS, search=Search())
    models = forced(copies_once=True)
    model = SavedTokenModel(models.inference_encoder, models.inference_decoder, facts)
    (ids,) = model.decode([facts.source.encode(["Yorick"])])
    assert ids.tolist() == [len(TARGET) + spelling_number("Yorick"), TARGET.end, 0]
    weights = model.attention(np.array([facts.source.encode(["Yorick", "or"])], np.int32), ids[None])
    np.testing.assert_allclose(weights, np.full((1, 3, 2), 0.5))
    assert model.states([facts.source.encode(["Yorick"])])["h1"].shape == (1, 2)


# --- random weights -----------------------------------------------------------------------------------------

LINES = ["to be or not to be", "Yorick", "be Yorick be alas", "not"]
SPECS = {
    "recurrent": ModelSpec(units=4, attention="luong_general", inputs="embedding", pointer=True),
    "transformer": ModelSpec(architecture="transformer", units=8, heads=2, pointer=True),
}


@pytest.fixture(scope="module", params=SPECS)
def random_model(request):
    """An architecture with random weights, and its oracle."""
    spec = SPECS[request.param]
    models = build_models(spec, len(KNOWN), len(TARGET), masked=True)
    random = np.random.default_rng(4)
    models.train.set_weights([random.normal(scale=0.8, size=w.shape) for w in models.train.weights])
    gate = models.train.get_layer("generation_gate")
    gate.set_weights([0.1 * gate.get_weights()[0], np.array([-1.0])])
    paper = {"recurrent": EncoderDecoder, "transformer": Transformer}[request.param]
    return models, paper(spec, models.train)


def following(oracle, line, symbols):
    """Return token -> probability after some tokens of a target, by equation 9."""
    tokens = line.split()
    known = [TARGET.tokens.index(t) if t in TARGET.tokens else UNKNOWN for t in symbols]
    p_vocab, gate, attention = oracle.pointer(KNOWN.encode(tokens), [TARGET.start, *known])[-1]
    found = mixed(p_vocab, gate, attention, [TARGET._ids.get(t, t) for t in tokens])
    named = {TARGET.tokens[t] if isinstance(t, int) else t: p for t, p in found.items()}
    possible = {t: p for t, p in named.items() if t not in ("<pad>", "<start>")}
    return {t: p / sum(possible.values()) for t, p in possible.items()}


def test_greedy_search_is_that_of_the_paper(random_model):
    models, oracle = random_model
    for line, ((_, text),) in zip(LINES, predicted(models, LINES), strict=True):
        symbols = []
        while len(symbols) < 3 and "<end>" not in symbols:
            after = following(oracle, line, symbols)
            symbols.append(max(after, key=after.get))
        assert text == " ".join(s for s in symbols if s != "<end>")


def test_scores_of_samples_and_of_beam_search_are_those_of_the_paper(random_model):
    models, oracle = random_model
    for search in DECODERS[1:]:
        for line, found in zip(LINES, predicted(models, LINES, 3, **search), strict=True):
            for score, text in found:
                symbols, total = [*text.split(), "<end>"][:3], 0.0
                for t, symbol in enumerate(symbols):
                    total += np.log(following(oracle, line, symbols[:t])[symbol])
                assert score == pytest.approx(total, abs=2e-4)


# --- saved models -------------------------------------------------------------------------------------------


@pytest.mark.once
def test_a_new_process_predicts_the_same(random_model, tmp_path):
    models, _ = random_model
    facts = replace(FACTS, search=Search(decoder="beam", beam_width=3))
    save_models(models, facts.to_json(), tmp_path / "model")
    assert load_model(tmp_path / "model").facts == facts
    expected = [*load_model(tmp_path / "model").predict_lines(LINES, "lines", 3)]
    program = (
        "import sys; from job.inference.token_lines import load_model\n"
        "for line in load_model(__import__('pathlib').Path('model')).predict_lines(sys.stdin, 'lines', 3):\n"
        "    print(line)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(LINES), capture_output=True, text=True, cwd=tmp_path, check=False,
        env={"PYTHONPATH": str(Path(job.__file__).parents[1]), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected
    assert any("Yorick" in line for line in expected)


def test_a_model_without_a_gate_does_not_copy():
    """What is copied follows from the decoder alone: a vocabulary with numbers is read as well without."""
    spec = ModelSpec(units=4, attention="luong_dot")
    models = build_models(spec, len(KNOWN), len(TARGET), masked=True)
    model = SavedTokenModel(models.inference_encoder, models.inference_decoder, FACTS)
    assert not model.copies
    assert len(model.decode([KNOWN.encode(["be"])])[0]) == 3


def test_job_load_copies_what_the_command_copies(random_model, tmp_path):
    """The same texts, the same n-best lists with their scores, and attention to every source token."""
    save_models(random_model[0], FACTS.to_json(), tmp_path)
    model, saved = job.load(tmp_path), load_model(tmp_path)
    found = list(model.predict(LINES, attention=True))
    assert [prediction.text for prediction in found] == [*saved.predict_lines(LINES, "in", None)]
    assert any("Yorick" in prediction.tokens for prediction in found)
    for line, prediction in zip(LINES, found, strict=True):
        assert prediction.attention.shape[1] == len(line.split())
    best = list(model.predict(LINES, n_best=3))
    rows = [row.split("\t") for row in saved.predict_lines(LINES, "in", 3)]
    given = [(p.score, p.text) for one in best for p in (one, *one.alternatives)]
    assert [text for _, text in given] == [text for _, _, text in rows]
    assert [f"{score:.4f}" for score, _ in given] == [f"{float(score):.4f}" for _, score, _ in rows]
