"""Predicted ids -> predictions as text, beside the reference targets of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from job.evaluation.scores import edit_distances
from job.problems.base import Examples, Ids, TextSides
from job.problems.example_texts import reference_texts, source_text, splits_at_separator
from job.problems.unknown_ids import spelled
from job.problems.vocabulary import Vocabulary
from job.results.predictions import Prediction


def token_predictions(problem: TextSides, test: Examples, predicted: Ids) -> tuple[Prediction, ...]:
    """Return a prediction for each example.

    Args:
        problem: the source of the examples.
        test: the test set, n examples.
        predicted: predicted ids, (n, T) int32, 0 after a row's end.

    Returns:
        n predictions with the texts of the data; with `edits` if only the problem can split targets into
        tokens.
    """
    target = problem.target_vocabulary
    split = None if splits_at_separator(target) else target.split
    rows = []
    for i in range(len(test)):
        references, source = reference_texts(target, test, i), source_text(problem.source_vocabulary, test, i)
        vocabulary, ids = spelled(target, predicted[i], problem.source_vocabulary.model_tokens(source))
        text, unknown = vocabulary.decode(ids), vocabulary.unknown_spans(ids)
        row = Prediction(
            id=str(i),
            source=source,
            target=references[0],
            predicted=text,
            correct=_can_be_correct(target, test, i) and not unknown and text in references,
            references=references if len(references) > 1 else (),
            unknown=unknown,
        )
        rows.append(row if split is None else replace(row, edits=_edits(row, split)))
    return tuple(rows)


def _edits(prediction: Prediction, split: Callable[[str], list[str]]) -> tuple[int, int]:
    """Return the edit distance to the nearest reference, and its number of tokens."""
    references = [split(text) for text in prediction.targets]
    return edit_distances([split(prediction.scored)], [references])


def _can_be_correct(vocabulary: Vocabulary, test: Examples, i: int) -> bool:
    """Return whether a prediction can equal a reference target of an example.

    It cannot if a target has an unknown token and the problem does not provide its text.
    """
    return bool(test.references) or vocabulary.unknown not in vocabulary.text_ids(test.target[i])
