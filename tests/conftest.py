"""Markers by suite, so that a part of the tests can be chosen: `pytest -m fast`."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent

FAST = ("spec", "problems", "results", "storage", "gating", "trend", "reports", "tracking")
"""The suites of `tests/unit` that load no TensorFlow and train nothing."""

ONCE = (
    "deploy/test_ci.py",
    "unit/batch/test_baseline_update.py",
    *(f"unit/inference/test_{name}.py" for name in (
        "contexts", "ensembles", "length_batches", "pointer_search", "random_models", "token_models",
        "transformer_search",
    )),
    *(f"unit/models/test_{name}.py" for name in ("monotonic", "plain_keras", "pointer")),
    "unit/running/test_cluster_spread.py",
    "unit/running/test_evaluate_again.py",
    "unit/running/test_model_cache.py",
    "unit/test_every_choice.py",
    *(f"unit/training/test_{name}.py" for name in (
        "fit", "golden_runs", "joined_training", "pointer_training", "recipes", "replicas", "saved_state",
        "threads", "token_batches",
    )),
    *(f"integration/test_{name}.py" for name in (
        "baseline", "choosing", "clusters", "custom_model", "custom_problem", "data_replaced",
        "kills", "notifications", "queue", "quickstart", "readme", "recipe", "seed_ensembles",
        "series_command", "shards", "signals", "start_from", "streams", "text_input",
        "trained_once",
    )),
)  # fmt: skip
"""Files of commands and signals, long and alike on every Python: `tox -e once` runs them on one, and the
tests of TensorFlow's numerics that are marked so."""

FIRST = "test_combinations.py"
"""The file that takes longest: started last, it would be waited for alone."""


def suite_of(path):
    """Return the marker of a test file: `fast`, `tensorflow`, or the name of its directory below tests/."""
    first, *rest = path.relative_to(TESTS).parts
    if first != "unit":
        return first
    return "fast" if len(rest) > 1 and rest[0] in FAST else "tensorflow"


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != FIRST)
    for item in items:
        if not item.get_closest_marker("exhaustive"):  # which a choice by suite leaves out, too
            item.add_marker(getattr(pytest.mark, suite_of(item.path)))
            if item.path.relative_to(TESTS).as_posix() in ONCE:
                item.add_marker(pytest.mark.once)


def pytest_ignore_collect(collection_path, config):
    """Do not even import what `-m fast` leaves out: TensorFlow takes seconds."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    if config.option.markexpr == "fast" and is_test and suite_of(collection_path) != "fast":
        return True
    return None
