"""Print a ranking of jobs as a table on the terminal, or write it in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from job.reports.escaping import code, prose, terminal
from job.reports.formatting import p_value, plain, quantity
from job.reports.tables import Column, markdown_table, print_table
from job.results.ranking_records import RankedJob, Ranking

_RIGHT = (False, True, True, True, True, False)
"""Which columns hold numbers."""


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print a row for each job, the best first, then remarks and the jobs without the metric."""
    titles = [title if "%" in title else title.replace(" ", "\n") for title in _titles(ranking)]
    columns = [Column(title, right=right) for title, right in zip(titles, _RIGHT, strict=True)]
    print_table(columns, [[job.name, *_cells(ranking, job)] for job in ranking.jobs], console)
    for text in remarks(ranking):
        console.print(Text(f"  - {terminal(text)}"), soft_wrap=True)


def ranking_markdown(ranking: Ranking) -> str:
    """Return the ranking in Markdown."""
    rows = [[code(job.name), *map(prose, _cells(ranking, job))] for job in ranking.jobs]
    alignment = "".join("r" if right else "l" for right in _RIGHT)
    table = markdown_table([*map(prose, _titles(ranking))], rows, alignment)
    return "\n\n".join([table, "\n".join(f"- {prose(text)}" for text in remarks(ranking))]) + "\n"


def _titles(ranking: Ranking) -> list[str]:
    return [
        "job",
        plain(ranking.metric).replace(".", " "),
        "95 % interval",
        "examples",
        "p",
        "against the best",
    ]


def _cells(ranking: Ranking, job: RankedJob) -> list[str]:
    name = ranking.metric.rpartition(".")[2]
    interval = " to ".join(quantity(name, end) for end in job.interval) if job.interval else ""
    return [
        quantity(name, job.value),
        interval,
        "" if job.examples is None else f"{job.examples:,}",
        "" if job.p_value is None else p_value(job.p_value),
        standing(job),
    ]


def standing(job: RankedJob) -> str:
    """Return how a job stands against the best one, in words."""
    if job.comparison == "best":
        return "best"
    if job.tied_with_best is None:
        return "not comparable"
    words = "cannot be told apart" if job.tied_with_best else "worse"
    return f"{words}, unpaired" if job.comparison == "unpaired" else words


def remarks(ranking: Ranking) -> Iterator[str]:
    """Yield what the table does not say: the test, and the jobs that it does not hold for."""
    if any(job.p_value is not None for job in ranking.jobs):
        yield (
            f"p: two-sided, paired bootstrap over the same examples unless said otherwise, adjusted for the "
            f"number of comparisons (Holm); above {ranking.alpha:g} a job cannot be told apart from the best"
        )
    for job in ranking.jobs:
        if job.detail:
            yield f"{job.name}: {standing(job)}: {job.detail}"
    for left_out in ranking.left_out:
        yield f"{left_out.name}: not ranked: {left_out.reason}"
