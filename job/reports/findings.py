"""What a result says beyond its scores -> Markdown: at other sizes, where it is right, where it looked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from job.reports.escaping import code, prose, url_path
from job.reports.formatting import metric_names, percent, plain, quantity, ranges, span
from job.reports.markup import table
from job.results.records import JobResult

_COLUMNS = 12
"""Positions or lengths side by side; where there are more, ranges of them are."""

_CONFUSIONS = 10


def findings(result: JobResult) -> Iterator[str]:
    """Yield the blocks of a job's findings, none where its result has none."""
    yield from _other_sizes(result)
    yield from _accuracy(result)
    yield from _mistakes(result.analysis)
    for file, title, text in (
        ("attention.svg", "Attention", "Where {} looked as it wrote each token of the samples"),
        ("contexts.svg", "Contexts", "Context vectors of {}'s test sources on two axes"),
    ):
        pictures = [*picture(result, file, text.format(result.name))]
        yield from [f"### {title}", *pictures] if pictures else []


def picture(result: JobResult, file: str, text: str) -> Iterator[str]:
    """Yield a picture that the job left, if it did; `text` says what is in it."""
    if any(artifact.path == file for artifact in result.artifacts):
        yield f"![{prose(text)}](jobs/{url_path(result.name)}/{file})"


def _other_sizes(result: JobResult) -> Iterator[str]:
    """Yield a row a size, after one of the size that was trained on."""
    if not result.also:
        return
    names = metrics_elsewhere(result)
    trained = ("as trained", result.data.test_examples, result.metrics)
    others = [(_sizes(other["sizes"]), other["examples"], other["metrics"]) for other in result.also]
    rows = [
        [
            sizes,
            "" if count is None else f"{count:,}",
            *(quantity(name, metrics[name]) if name in metrics else "" for name in names),
        ]
        for sizes, count, metrics in [trained, *others]
    ]
    yield "### At other sizes than it was trained on"
    yield table(["size", "examples", *(prose(plain(name)) for name in names)], rows, "lr" + "r" * len(names))


def metrics_elsewhere(result: JobResult) -> list[str]:
    """Return the names of the metrics that were measured at other sizes."""
    return [n for n in metric_names([result]) if any(n in other["metrics"] for other in result.also)]


def _sizes(sizes: Mapping[str, Any]) -> str:
    return ", ".join(f"{prose(key)} {code(str(value))}" for key, value in sizes.items())


def _accuracy(result: JobResult) -> Iterator[str]:
    blocks = [block for profile in profiles(result.analysis) for block in _profile_blocks(profile)]
    if blocks:
        yield "### Accuracy by position and by length"
        yield from picture(result, "accuracy.svg", f"Accuracy of {result.name} by position and by length")
        yield from blocks


@dataclass(frozen=True)
class Profile:
    """Accuracy by position or by length, in at most `_COLUMNS` groups.

    Args:
        name: what the groups are of.
        right: what the shares count.
        spans: of each group its first and last place, as text.
        shares, counts: of each group.
        places: how many there are; more than groups where they are taken together.
    """

    name: str
    right: str
    spans: list[str]
    shares: list[float]
    counts: list[int]
    places: int


def profiles(analysis: Mapping[str, Any]) -> Iterator[Profile]:
    """Yield what there is of accuracy by position and by length; one row alone says what the metrics say."""
    positions = [{**row, "place": row["position"] + 1} for row in analysis.get("by_position", ())]
    lengths = [{**row, "place": row["length"]} for row in analysis.get("by_source_length", ())]
    for rows, name, right in (
        (positions, "position in the target", "tokens right"),
        (lengths, "tokens of the source", "sequences right"),
    ):
        if len(rows) > 1:
            yield _profile(rows, name, right)


def _profile(rows: Sequence[Mapping[str, Any]], name: str, right: str) -> Profile:
    groups = ranges((row["place"] for row in rows), _COLUMNS)
    members = [[row for row in rows if first <= row["place"] <= last] for first, last in groups]
    counts = [sum(row["count"] for row in group) for group in members]
    shares = [
        sum(row["count"] * row["accuracy"] for row in group) / count
        for group, count in zip(members, counts, strict=True)
    ]
    return Profile(name, right, [span(*group) for group in groups], shares, counts, len(rows))


def _profile_blocks(profile: Profile) -> Iterator[str]:
    """Yield a table on its side."""
    cells = [
        [profile.right, *map(percent, profile.shares)],
        ["of", *(f"{count:,}" for count in profile.counts)],
    ]
    yield table([profile.name, *profile.spans], cells, "l" + "r" * len(profile.spans))
    if len(profile.spans) < profile.places:
        yield f"Taken together in ranges; `report.json` has each of the {profile.places:,}."


def _mistakes(analysis: Mapping[str, Any]) -> Iterator[str]:
    confusions, worst = analysis.get("confusions", ()), analysis.get("worst_mistakes", ())
    if not worst:
        return
    yield "### Mistakes"
    if confusions:
        pairs = [
            f"{code(pair['target'])} → {code(pair['predicted'])} ({pair['count']:,})"
            for pair in confusions[:_CONFUSIONS]
        ]
        more = f"; `report.json` has {len(confusions) - len(pairs)} more" if confusions[len(pairs) :] else ""
        yield f"The commonest confusions, target → predicted: {', '.join(pairs)}{more}."
    columns = ["id", "source", "target", "predicted"]
    rows = [[*(code(row[key]) for key in columns), f"{row['edit_distance']:,}"] for row in worst]
    yield "The worst, by the edits that would set them right:"
    yield table([*columns, "edits"], rows, "llllr")
