"""Checks of the models that other packages offer, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping

from job.errors import Complaint, DataErrors
from job.models.architecture_plugin import load_architecture
from job.models.parameter_count import count_parameters
from job.problems.base import Problem, widths
from job.spec.model_section import ModelSpec
from job.spec.spec_loading import LocatedSpec


def check_plugin_models(located: LocatedSpec, problems: Mapping[str, Problem]) -> list[Complaint]:
    """Load the model of every job with architecture `plugin`, and count its weights if its package does.

    Args:
        located: the spec with the line of each key.
        problems: by job name; jobs with wrong data are missing.

    Returns:
        the complaints about models that cannot be loaded or reject their options.
    """
    complaints: list[Complaint] = []
    found: dict[str, DataErrors | None] = {}  # jobs of one matrix often share their model
    for job in located.spec.jobs:
        if job.model.architecture != "plugin":
            continue
        problem = problems.get(job.name)
        model = f"{problem and widths(problem)} {job.model.model_dump_json()}"
        if model not in found:
            found[model] = _errors_of(job.model, problem)
        wrong = found[model]
        for error in wrong.errors if wrong else ():
            key = f"model.{error.key}" if error.key else "model"
            complaints.append(located.complaint(job.name, key, error.message))
    return complaints


def _errors_of(model: ModelSpec, problem: Problem | None) -> DataErrors | None:
    try:
        if problem is None:
            load_architecture(model)
        else:
            count_parameters(model, *widths(problem), numbers=problem.target_kind == "numbers")
    except DataErrors as errors:
        return errors
    return None
