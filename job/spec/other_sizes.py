"""Problems at other sizes than the trained one, for `evaluation.also`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from job.errors import Complaint
from job.spec.complaints import check, did_you_mean
from job.spec.problem_sections import PluginSpec, ProblemSpec
from job.spec.schema import JobSpec
from job.spec.yaml_tree import Node


def resized(problem: ProblemSpec, changes: Mapping[str, int]) -> ProblemSpec:
    """Return the problem at another size, with the same vocabularies.

    Args:
        problem: the problem that the model was trained on.
        changes: new values for some of `problem.sizes`.

    Raises:
        ValueError: the problem has no such size, or cannot have that value.
    """
    unknown = changes.keys() - set(problem.sizes)
    if unknown:
        raise ValueError(f"{min(unknown)} {_not_a_size(problem, min(unknown))}")
    fields = problem.model_dump()
    if isinstance(problem, PluginSpec):
        fields["options"] |= changes
    else:
        fields |= changes
    return problem.read_recorded(fields)


def check_also(job: JobSpec, tree: Node) -> Iterator[Complaint]:
    """Yield complaints about the sizes of `evaluation.also`.

    Args:
        job: a job that is valid otherwise.
        tree: its located values.
    """
    if not job.evaluation.also:
        return
    entries = tree.entries["evaluation"].entries["also"].items
    for number, (entry, changes) in enumerate(zip(entries, job.evaluation.also, strict=True)):
        unknown = [key for key in changes if key not in job.problem.sizes]
        for key in unknown:
            yield entry.entries[key].complaint(_not_a_size(job.problem, key))
        if changes in job.evaluation.also[:number]:
            yield entry.complaint("is listed twice; leave one out")
        wrong = check(_resized_tree(tree.entries["problem"], entry), type(job.problem), partial=False)
        for complaint in [] if unknown else wrong:
            # a rule between keys may name a key that `also` does not change
            yield complaint if complaint.key.startswith(entry.key) else entry.complaint(complaint.message)


def _not_a_size(problem: ProblemSpec, key: str) -> str:
    if not problem.sizes:
        return f"problem {problem.kind} has no sizes that can be changed"
    hint = did_you_mean(key, problem.sizes)
    return f"is not a size of problem {problem.kind}{hint or ';'} known here: {', '.join(problem.sizes)}"


def _resized_tree(problem: Node, changes: Node) -> Node:
    """Return the problem's section with the changed values at their locations in the file."""
    if "options" not in problem.entries:
        return replace(problem, value={**problem.entries, **changes.entries})
    options = problem.entries["options"]
    changed = replace(options, value={**options.entries, **changes.entries})
    return replace(problem, value={**problem.entries, "options": changed})
