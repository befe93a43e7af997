import json
from types import SimpleNamespace

import numpy as np
import pytest
import sacrebleu

from job.evaluation import timed_decoding
from job.evaluation.outcome import TokenFacts
from job.evaluation.text_scores import text_scores
from job.evaluation.token_evaluation import evaluate_tokens
from job.gating.example_counts import example_counts
from job.gating.metric_tests import target_splitter
from job.inference import length_batches
from job.problems.base import Examples
from job.problems.subwords import Subwords
from job.problems.vocabulary import END, Vocabulary, pad
from job.results.data_facts import Separators, TokenCounts
from job.results.predictions import Prediction
from job.spec.text_pairs_section import SubwordSpec

LETTERS = Vocabulary.learn("abc", "")
WORDS = Vocabulary.learn(["one", "two", "three"], " ")
PROBLEM = SimpleNamespace(source_vocabulary=LETTERS, target_vocabulary=WORDS, source_space=81)


def sources(*texts):
    return pad([LETTERS.encode(text) for text in texts])


def targets(*texts):
    return pad([[*WORDS.encode(text.split()), END] for text in texts])


def decoder(predicted):
    """A decoder that knows its lines, and how it was called."""
    calls = []

    def decode(source):
        calls.append(len(source))
        return predicted[: len(source)]

    return decode, calls


def evaluated(predicted, test, seen):
    decode, _ = decoder(predicted)
    return evaluate_tokens(decode, PROBLEM, test, np.array(seen))


TEST = Examples(sources("a", "ab", "abc", "c"), targets("one", "two one", "three", "one two"))
PREDICTED = targets("one", "two two", "three", "one two three")


def test_scores_by_hand():
    found = evaluated(PREDICTED, TEST, [True, True, False, False])
    assert found.metrics == pytest.approx(
        {
            "sequence_accuracy": 2 / 4,
            "unseen_sequence_accuracy": 1 / 2,
            "token_accuracy": 8 / 10,  # the end of a row is a token
            "edit_rate": 2 / 6,  # and is not text
        }
    )


def test_every_prediction_is_kept_as_text_in_order():
    found = evaluated(PREDICTED, TEST, [False] * 4)
    assert found.predictions == (
        Prediction("0", "a", "one", "one", True),
        Prediction("1", "ab", "two one", "two two", False),
        Prediction("2", "abc", "three", "three", True),
        Prediction("3", "c", "one two", "one two three", False),
    )


@pytest.mark.parametrize(
    ("seen", "unseen_accuracy"),
    [
        ([False, False, False, False], 0.5),
        ([False, True, False, True], 1.0),
        ([True, False, True, False], 0.0),
        ([True, True, True, True], None),
    ],
)
def test_accuracy_over_sources_that_training_never_had(seen, unseen_accuracy):
    found = evaluated(PREDICTED, TEST, seen)
    assert found.metrics.get("unseen_sequence_accuracy") == unseen_accuracy
    assert found.seen_in_training == sum(seen)
    assert found.source_space == 81


def test_any_reference_counts_and_the_nearest_one_for_the_edit_rate():
    test = Examples(
        sources("a", "b", "c"),
        targets("one", "one two", "three"),
        references=(("one", "two three"), ("one two", "two", "two one three"), ("three",)),
    )
    found = evaluated(targets("two three", "two one", "two"), test, [False] * 3)
    assert found.predictions == (
        Prediction("0", "a", "one", "two three", True, ("one", "two three")),
        Prediction("1", "b", "one two", "two one", False, ("one two", "two", "two one three")),
        Prediction("2", "c", "three", "two", False),
    )
    assert found.metrics["sequence_accuracy"] == pytest.approx(1 / 3)
    assert found.metrics["edit_rate"] == pytest.approx((0 + 1 + 1) / (2 + 3 + 1))


def test_the_unknown_token_never_matches_a_token_unseen_in_training():
    test = Examples(sources("a"), targets("four"), references=(("four",),))
    assert test.target.tolist() == [[WORDS.unknown, END]]
    found = evaluated(test.target, test, [False])
    assert not found.predictions[0].correct


UNSEEN = Examples(
    sources("ax", "yb"),
    targets("four", "one five six"),
    references=(("four",), ("one five six",)),
    sources=("ax", "yb"),
)


def test_what_is_recorded_is_the_text_of_the_data():
    found = evaluated(targets("four", "one two six"), UNSEEN, [False] * 2)
    first, second = found.predictions
    assert (first.source, first.target, first.predicted) == ("ax", "four", "<unk>")
    assert (second.source, second.target, second.predicted) == ("yb", "one five six", "one two <unk>")
    assert (first.unknown, second.unknown) == (((0, 5),), ((8, 13),))
    assert json.loads(second.to_line())["unknown"] == [[8, 13]]
    assert Prediction.from_line(second.to_line()) == second


def test_a_predicted_unknown_is_never_right_and_one_token():
    found = evaluated(UNSEEN.target, UNSEEN, [False] * 2)
    assert found.metrics["sequence_accuracy"] == 0
    assert found.metrics["token_accuracy"] == 3 / 6  # `one` and both ends
    assert found.metrics["edit_rate"] == 3 / 4
    assert found.analysis["by_position"][0] == {"position": 0, "count": 2, "accuracy": 1 / 2}
    assert found.analysis["by_source_length"] == [{"length": 2, "count": 2, "accuracy": 0.0}]


def test_an_unknown_token_in_characters_is_one_character():
    problem = SimpleNamespace(source_vocabulary=LETTERS, target_vocabulary=LETTERS, source_space=None)
    written = pad([[*LETTERS.encode("a?c"), END]])
    test = Examples(written, written, references=(("axc",),), sources=("axc",))
    found = evaluate_tokens(lambda source: written, problem, test, np.array([False]), words=False)
    (prediction,) = found.predictions
    assert (prediction.source, prediction.predicted, prediction.unknown) == ("axc", "a<unk>c", ((1, 6),))
    assert found.metrics["edit_rate"] == 1 / 3
    assert found.analysis["by_source_length"] == [{"length": 3, "count": 1, "accuracy": 0.0}]
    assert found.analysis["confusions"] == [
        {"target": "x", "predicted": "<unk>", "count": 1, "unknown": True}
    ]
    assert found.metrics["chrf"] == pytest.approx(text_scores(["a?c"], [["axc"]], words=False).scores["chrf"])


def test_a_token_spelled_like_the_unknown_one_is_right_and_the_unknown_one_is_not():
    words = Vocabulary.learn(["<unk>", "<end>", "<start>", "<pad>"], " ")
    problem = SimpleNamespace(source_vocabulary=words, target_vocabulary=words, source_space=None)
    ids = pad([[*words.encode(["<unk>", "<end>", "<start>", "<pad>"]), END]])
    test = Examples(ids, ids)
    right = evaluate_tokens(lambda source: ids, problem, test, np.array([False]), words=True)
    assert right.metrics == pytest.approx(
        dict.fromkeys(("sequence_accuracy", "token_accuracy", "unseen_sequence_accuracy"), 1)
        | {"edit_rate": 0, "bleu": 100, "chrf": 100}
    )
    unknown = ids.copy()
    unknown[0, 0] = words.unknown
    wrong = evaluate_tokens(lambda source: unknown, problem, test, np.array([False]), words=True)
    assert wrong.predictions[0].predicted == right.predictions[0].predicted
    assert not wrong.predictions[0].correct
    assert wrong.metrics["edit_rate"] == wrong.analysis["worst_mistakes"][0]["edit_distance"] / 4 == 1 / 4
    assert wrong.metrics["bleu"] < 80 > wrong.metrics["chrf"]
    assert wrong.analysis["worst_mistakes"][0]["unknown"] == [[0, 5]]


def test_the_bleu_of_subwords_is_that_of_raw_text():
    texts = ["a dog runs, fast.", "a brown dog sits, now."] * 20
    vocabulary = Vocabulary.of_subwords(Subwords.learn(texts, SubwordSpec(size=30)))
    problem = SimpleNamespace(source_vocabulary=vocabulary, target_vocabulary=vocabulary, source_space=None)
    ids = pad([[*vocabulary.encode(vocabulary.model_tokens(text)), END] for text in texts[:2]])
    test = Examples(ids, ids)
    swapped = ids[::-1]
    found = evaluate_tokens(
        lambda source: swapped[: len(source)], problem, test, np.zeros(2, bool), words=True
    )
    assert "|tok:13a|" in found.signatures["bleu"]
    expected = sacrebleu.corpus_bleu(texts[1::-1], [texts[:2]]).score
    assert found.metrics["bleu"] == pytest.approx(expected)


class Hyphenated(Vocabulary):
    """Splits texts in a way of its own."""

    def split(self, text):
        return [part for word in text.split() for part in word.split("-")]


def test_edits_are_recorded_if_only_the_problem_can_split_a_target():
    hyphenated = Hyphenated.learn(["one-two", "three"], " ")
    problem = SimpleNamespace(**{**vars(PROBLEM), "target_vocabulary": hyphenated})
    rows = pad([[*hyphenated.encode(text.split()), END] for text in ("one-two three", "three")])
    test = Examples(sources("a", "b"), rows, references=(("one-two three", "one"), ("one-three",)))
    decode, _ = decoder(pad([[*hyphenated.encode(["one-two"]), END], [hyphenated.unknown, END]]))
    found = evaluate_tokens(decode, problem, test, np.array([False] * 2))
    assert [prediction.edits for prediction in found.predictions] == [(1, 3), (2, 2)]
    assert found.metrics["edit_rate"] == 3 / 5
    assert found.tokens.separators == Separators(source="")
    lines = [prediction.to_line() for prediction in found.predictions]
    assert tuple(map(Prediction.from_line, lines)) == found.predictions
    assert all(p.edits is None for p in evaluated(PREDICTED, TEST, [False] * 4).predictions)


def test_an_unknown_token_without_text_equals_nothing():
    test = Examples(sources("a?"), targets("one ?"))
    found = evaluated(test.target, test, [False])
    (prediction,) = found.predictions
    assert (prediction.source, prediction.target, prediction.correct) == ("a\ufffd", "one \ufffd", False)
    assert found.metrics["edit_rate"] == 1 / 2


def test_unknown_tokens_are_counted_on_each_side():
    found = evaluated(targets("one", "one two six"), UNSEEN, [False] * 2)
    assert found.tokens == TokenFacts(
        separators=Separators(source="", target=" "),
        test_tokens=TokenCounts(source=4, target=4, predicted=4),
        unknown_tokens=TokenCounts(source=2, target=3, predicted=1),
    )


def test_attention_stands_beside_the_tokens_of_the_data():
    decode, _ = decoder(targets("one ?", "two"))
    found = evaluate_tokens(decode, PROBLEM, UNSEEN, np.zeros(2, bool), attention=looking(2)).attention
    assert [row["source"] for row in found] == [["a", "x"], ["y", "b"]]
    assert [row["predicted"] for row in found] == [["one", "<unk>", "<end>"], ["two", "<end>"]]
    assert [row["reserved"] for row in found] == [[1, 2], [1]]


def test_padding_after_a_cut_prediction_has_no_attention():
    cut = pad([WORDS.encode(["one", "two"])], 4)
    (found,) = evaluate_tokens(
        lambda source: cut,
        PROBLEM,
        Examples(sources("a"), targets("one two")),
        np.zeros(1, bool),
        attention=looking(1),
    ).attention
    assert (found["predicted"], found["reserved"]) == (["one", "two"], [])


def test_an_empty_prediction_is_wrong_and_all_its_tokens_are_missing():
    found = evaluated(np.array([[END]], np.int32), Examples(sources("a"), targets("one two")), [False])
    assert found.predictions[0].predicted == ""
    assert found.metrics["edit_rate"] == 1.0
    assert found.metrics["sequence_accuracy"] == 0.0


def test_the_first_call_compiles_on_one_row_and_is_timed_apart():
    decode, calls = decoder(PREDICTED)
    found = evaluate_tokens(decode, PROBLEM, TEST, np.zeros(4, bool))
    assert calls == [1, 4]
    assert found.compile_seconds > 0
    assert found.decode_seconds > 0


def test_what_is_compiled_is_called_for_the_test_alone():
    decode, calls = decoder(PREDICTED)
    found = evaluate_tokens(decode, PROBLEM, TEST, np.zeros(4, bool), compiled=True)
    assert calls == [4]
    assert found.compile_seconds == 0
    assert found.decode_seconds > 0


def looking(width):
    """Attention that looks at one source position per symbol, a little at all others."""

    def attention(sources, written):
        weights = np.full((len(sources), written.shape[1], sources.shape[1]), 0.1 / width, np.float32)
        for t in range(written.shape[1]):
            weights[:, t, t % width] += 0.9
        return weights

    return attention


def test_recorded_attention_covers_the_tokens_and_the_end_of_the_target():
    decode, _ = decoder(PREDICTED)
    found = evaluate_tokens(decode, PROBLEM, TEST, np.zeros(4, bool), attention=looking(2)).attention
    assert len(found) == 4
    assert found[1] == {
        "source": ["a", "b"],
        "predicted": ["two", "two", "<end>"],
        "source_tokens": 2,
        "predicted_tokens": 3,
        "reserved": [2],
        "weights": [[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]],
    }


def test_of_long_sequences_the_attention_of_the_first_tokens_is_kept():
    test = Examples(sources("abc" * 20), targets(" ".join(["one"] * 50)))
    decode, _ = decoder(test.target)
    (found,) = evaluate_tokens(decode, PROBLEM, test, np.zeros(1, bool), attention=looking(60)).attention
    assert (found["source_tokens"], found["predicted_tokens"]) == (60, 51)
    assert (len(found["source"]), len(found["predicted"]), len(found["weights"])) == (30, 30, 30)
    assert {len(row) for row in found["weights"]} == {30}


def test_teacher_forced_and_greedy_sequence_accuracy_agree(trained_job):
    """So that validation during training, which does not decode, still measures sequence accuracy."""
    import keras
    import tensorflow as tf

    from job.problems import build_problem
    from job.training.objectives import masked_loss, shifted

    job = trained_job.task.job
    test = build_problem(job.problem, job.seed, trained_job.task.directory).examples("test", 300)
    train = keras.models.load_model(trained_job.paths.model / "train.keras", compile=False)
    logits = train([tf.constant(test.source), shifted(test.target, 1)])
    right = [
        bool(masked_loss(logits[i : i + 1], test.target[i : i + 1])["correct_rows"]) for i in range(len(test))
    ]
    lines = trained_job.paths.predictions.read_text("utf-8").splitlines()
    assert right == [json.loads(line)["correct"] for line in lines]
    assert np.mean(right) == trained_job.result.metrics["sequence_accuracy"]
    assert 0 < sum(right) < len(right)


def test_recorded_predictions_give_every_recorded_metric(trained_job):
    """So that a ranking can resample them; `unseen_sequence_accuracy` needs more than they have."""
    result = trained_job.judged
    sides = [
        (result.metrics, trained_job.paths.predictions),
        (result.validation.metrics, trained_job.paths.validation_predictions),
    ]
    for metrics, path in sides:
        rows = [Prediction.from_line(line) for line in path.read_text("utf-8").splitlines()]
        counted = {
            name: example_counts(name, rows, target_splitter(result), value)
            for name, value in metrics.items()
        }
        assert {name for name, counts in counted.items() if counts is None} <= {"unseen_sequence_accuracy"}
        assert {"sequence_accuracy", "token_accuracy", "edit_rate"} <= counted.keys()


def test_decoding_is_timed_by_its_full_parts(monkeypatch):
    assert timed_decoding.PART_SIZE == length_batches.MAX_ROWS
    monkeypatch.setattr(timed_decoding, "PART_SIZE", 3)
    rows = {row.tobytes(): PREDICTED[i] for i, row in enumerate(TEST.source)}
    decoded = []
    found = evaluate_tokens(
        lambda source: np.array([rows[s.tobytes()] for s in source]),
        PROBLEM,
        TEST,
        np.ones(4, bool),
        on_decoded=decoded.append,
    )
    assert [p.predicted for p in found.predictions] == ["one", "two two", "three", "one two three"]
    assert decoded == [0, 3, 1]
    (speed,) = found.decode_speeds
    assert speed >= 3 / found.decode_seconds
