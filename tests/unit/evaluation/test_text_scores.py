import math
import random
import re
from collections import Counter

import pytest
import sacrebleu
from pydantic import ValidationError

from job.evaluation.text_scores import (
    SCORE_FROM_COUNTS,
    bleu_is_defined,
    recorded_tokenization,
    text_counts,
    text_scores,
)
from job.reports.formatting import quantity
from job.spec.gate_section import GateSpec
from job.spec.schema import JobSpec

WORDS = ["I_JUMP", "I_RUN", "I_LOOK", "I_WALK", "I_TURN_LEFT"]


def rows(count=60, most_references=3):
    """Predictions that are right in part, and one to three references of each."""
    chance = random.Random(4)
    predicted, references = [], []
    for _ in range(count):
        right = chance.choices(WORDS, k=chance.randint(6, 12))
        near = [word if chance.random() < 0.85 else chance.choice(WORDS) for word in right]
        others = [chance.choices(WORDS, k=chance.randint(5, 12)) for _ in range(most_references - 1)]
        predicted.append(" ".join(near))
        references.append([" ".join(words) for words in [right, *others[: chance.randint(0, 2)]]])
    return predicted, references


@pytest.mark.parametrize("tokenize", ["none", "13a"])
def test_tokenized_texts_are_scored_without_advice_on_standard_error(tokenize, caplog):
    texts = [f"w{number} is a word ." for number in range(150)]
    scores = text_scores(texts, [[text] for text in texts], words=True, tokenize=tokenize)
    assert scores.scores["bleu"] == pytest.approx(100.0)
    assert caplog.records == []


def grams(sequence, n):
    return Counter(tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1))


def bleu_by_the_paper(predicted, references):
    """Papineni et al. 2002, sections 2.1.1 and 2.3: clipped counts of the corpus, brevity penalty."""
    found, total = Counter(), Counter()
    c = r = 0
    for text, texts in zip(predicted, references, strict=True):
        candidate, options = text.split(), [t.split() for t in texts]
        c += len(candidate)
        r += min((abs(len(option) - len(candidate)), len(option)) for option in options)[1]
        for n in range(1, 5):
            most = Counter()
            for option in options:
                most |= grams(option, n)
            found[n] += sum((grams(candidate, n) & most).values())
            total[n] += max(0, len(candidate) - n + 1)
    brevity = 1.0 if c > r else math.exp(1 - r / c)
    return 100 * brevity * math.exp(sum(math.log(found[n] / total[n]) for n in range(1, 5)) / 4)


def chrf_by_the_paper(predicted, references):
    """Popovic 2015: of the n-grams of 1 to 6 characters without spaces, precision and recall, beta 2.

    The corpus has the summed counts; each text has its best reference (Post 2018 does so).
    """

    def counts(text, reference):
        text, reference = text.replace(" ", ""), reference.replace(" ", "")
        return [
            (sum((a & b).values()), sum(a.values()), sum(b.values()))
            for a, b in ((grams(text, n), grams(reference, n)) for n in range(1, 7))
        ]

    def score(counted):
        usable = [(m, h, r) for m, h, r in counted if h and r]
        precision, recall = (sum(m / row[i] for m, *row in usable) / len(usable) for i in (0, 1))
        return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0

    total = [(0, 0, 0)] * 6
    for text, texts in zip(predicted, references, strict=True):
        best = max((counts(text, reference) for reference in texts), key=score)
        total = [tuple(map(sum, zip(a, b, strict=True))) for a, b in zip(total, best, strict=True)]
    return 100 * score(total)


@pytest.mark.parametrize("most_references", [1, 3])
def test_scores_are_those_of_the_papers(most_references):
    predicted, references = rows(most_references=most_references)
    found = text_scores(predicted, references, words=True).scores
    assert 20 < found["bleu"] < 95
    assert found["bleu"] == pytest.approx(bleu_by_the_paper(predicted, references))
    assert 20 < found["chrf"] < 99
    assert found["chrf"] == pytest.approx(chrf_by_the_paper(predicted, references))


def test_a_token_is_one_word_whatever_it_is_made_of():
    """sacrebleu's default would take `I_JUMP` for three words."""
    predicted, references = ["I_JUMP I_RUN I_RUN I_JUMP"], [["I_JUMP I_RUN I_RUN I_LOOK"]]
    found = text_scores(predicted, references, words=True)
    # 3 of 4 words, 2 of 3 pairs, 1 of 2 triples and none of 1 quadruple, smoothed to half a one
    assert found.scores["bleu"] == pytest.approx(100 * (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)
    assert sacrebleu.corpus_bleu(predicted, references).score != pytest.approx(found.scores["bleu"])


def test_the_signature_says_how_a_score_was_made():
    predicted, references = rows()
    found = text_scores(predicted, references, words=True)
    version = f"version:{sacrebleu.__version__}"
    assert found.signatures == {
        "chrf": f"nrefs:var|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}",
        "bleu": f"nrefs:var|case:mixed|eff:no|tok:none|smooth:exp|{version}",
    }
    one = text_scores(["a b"], [["a c"]], words=True, lowercase=True)
    assert all(re.match(r"nrefs:1\|case:lc\|", signature) for signature in one.signatures.values())


def test_raw_text_is_split_by_the_default_of_sacrebleu():
    predicted = ["A dog, which is (very) brown, runs.", "Two men sit."]
    references = [["A dog, which is very brown, runs!"], ["Two men are sitting.", "Two men sit down."]]
    found = text_scores(predicted, references, words=True, tokenize="13a")
    streams = [[texts[min(i, len(texts) - 1)] for texts in references] for i in range(2)]
    assert found.scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(predicted, streams).score)
    assert "|tok:13a|" in found.signatures["bleu"]
    as_words = text_scores(predicted, references, words=True)
    assert found.scores["bleu"] != pytest.approx(as_words.scores["bleu"])
    assert found.scores["chrf"] == as_words.scores["chrf"]
    counts = text_counts(predicted, references, words=True, tokenize="13a")["bleu"]
    assert SCORE_FROM_COUNTS["bleu"](counts.sum(axis=0)) == pytest.approx(found.scores["bleu"])
    assert [recorded_tokenization(each.signatures) for each in (found, as_words)] == ["13a", "none"]


def test_punctuation_counts_among_the_four_tokens_that_bleu_needs_only_where_it_is_split_off():
    assert not bleu_is_defined([["Two men sit."]])
    assert bleu_is_defined([["Two men sit."]], "13a")


def test_characters_have_no_bleu():
    found = text_scores(["iksample"], [["example", "sample"]], words=False)
    assert found.scores.keys() == found.signatures.keys() == {"chrf"}


def test_any_of_the_references_is_right():
    found = text_scores(["a b c d", "b b b b"], [["x y", "a b c d"], ["b b b b"]], words=True)
    assert found.scores == {"chrf": 100.0, "bleu": 100.0}


def test_the_order_of_references_does_not_matter():
    predicted, references = rows()
    turned = [texts[::-1] for texts in references]
    assert text_scores(predicted, references, words=True).scores == pytest.approx(
        text_scores(predicted, turned, words=True).scores
    )


def test_nothing_said_is_nothing_right():
    assert text_scores(["", ""], [["a"], ["b", "c"]], words=True).scores == {"chrf": 0.0, "bleu": 0.0}


# --- counts for resampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predicted", "references"),
    [
        rows(),
        rows(count=3, most_references=1),
        (["", ""], [["a"], ["b", "c"]]),
        (["a b c d e"], [["a b c d e"]]),
        (["a x c y e"], [["a b c d e"]]),  # no pair of words, nor more
        (["a b", "c d e"], [["a b"], ["c d e"]]),  # nothing of four words
        (["x", "a b c d"], [["", "y"], ["b a c d"]]),
    ],
)
def test_summed_counts_give_the_scores_of_the_whole(predicted, references):
    counts = text_counts(predicted, references, words=True)
    scores = text_scores(predicted, references, words=True).scores
    assert counts.keys() == scores.keys() == SCORE_FROM_COUNTS.keys()
    for metric, score in SCORE_FROM_COUNTS.items():
        assert score(counts[metric].sum(axis=0)) == pytest.approx(scores[metric], abs=1e-9)
        assert score(counts[metric]).shape == (len(predicted),)


def test_characters_have_no_counts_for_bleu():
    assert text_counts(["iksample"], [["example"]], words=False).keys() == {"chrf"}


# --- in a spec and in a report ----------------------------------------------------------------------------


def job_with(gate, **problem):
    pairs = {"kind": "text_pairs", "data": {"file": "f"}}
    return JobSpec.model_validate({"name": "a", "problem": problem or pairs, "gate": gate})


def test_gates_on_scores_of_text():
    words = {"kind": "text_pairs", "data": {"file": "f"}, "target_tokens": "words"}
    gate = job_with({"min_bleu": 35, "min_chrf": 60.5}, **words).gate
    assert gate.thresholds() == {"bleu": 35, "chrf": 60.5}
    assert job_with({"min_chrf": 60}).gate.thresholds() == {"chrf": 60}


@pytest.mark.parametrize(
    ("gate", "problem", "message"),
    [
        ({"min_bleu": 35}, {}, "problem text_pairs has no bleu of characters"),
        ({"min_chrf": 35}, {"kind": "addition", "digits": 2}, "problem addition has no chrf"),
        ({"min_bleu": 35}, {"kind": "addition", "digits": 2}, "problem addition has no bleu"),
    ],
)
def test_no_gate_on_a_score_that_there_is_not(gate, problem, message):
    with pytest.raises(ValidationError, match=message):
        job_with(gate, **problem)


def test_a_bar_is_at_most_100():
    assert GateSpec(min_bleu=100).thresholds() == {"bleu": 100}
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        GateSpec(min_bleu=101)


def test_points_have_two_decimals_and_no_unit():
    assert quantity("bleu", 27.5) == "27.50"
    assert quantity("chrf", 100.0) == "100.00"
