"""Facts about the tokens of a test set: separators, numbers of tokens, unknown tokens."""

from __future__ import annotations

from job.evaluation.outcome import TokenFacts
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.example_texts import splits_at_separator
from job.problems.vocabulary import Vocabulary
from job.results.data_facts import Separators, TokenCounts


def token_facts(problem: TokenProblem, test: Examples, predicted: Ids) -> TokenFacts:
    """Return facts about the tokens of a test set.

    A side without its separator has a vocabulary that splits texts by code of its own. Counts are left out if
    no token can be unknown.

    Args:
        problem: the source of the examples.
        test: the test set, n examples.
        predicted: predicted ids, (n, length) int32.
    """
    source, target = problem.source_vocabulary, problem.target_vocabulary
    sides = {"source": source, "target": target}
    separators = Separators(
        **{name: side.separator for name, side in sides.items() if splits_at_separator(side)}
    )
    if source.unknown is None and target.unknown is None:
        return TokenFacts(separators=separators)
    sources, unknown_sources = _count_ids(source, test.source)
    targets, unknown_targets = _count_targets(target, test)
    outputs, unknown_outputs = _count_ids(target, predicted, copied=True)
    return TokenFacts(
        separators=separators,
        test_tokens=TokenCounts(source=sources, target=targets, predicted=outputs),
        unknown_tokens=TokenCounts(source=unknown_sources, target=unknown_targets, predicted=unknown_outputs),
    )


def _count_ids(vocabulary: Vocabulary, rows: Ids, *, copied: bool = False) -> tuple[int, int]:
    """Return the number of tokens in rows of ids, and the number of unknown ones.

    Tokens that are not in the vocabulary are unknown too, unless they were `copied` from the source.
    """
    tokens = [i for row in rows for i in vocabulary.text_ids(row)]
    size = len(vocabulary)
    return len(tokens), sum(i == vocabulary.unknown or (i >= size and not copied) for i in tokens)


def _count_targets(vocabulary: Vocabulary, test: Examples) -> tuple[int, int]:
    """Return the number of tokens in all reference targets, and the number of unknown ones."""
    if not test.references:
        return _count_ids(vocabulary, test.target)
    texts = [text for references in test.references for text in references]
    tokens = sum(len(vocabulary.model_tokens(text)) for text in texts)
    return tokens, sum(map(vocabulary.unknown_tokens, texts))
