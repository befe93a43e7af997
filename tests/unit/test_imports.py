"""Who may import whom (see `RANKS`), read from the files. Imports inside functions count too."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from package_sources import PACKAGE, TREES, imported

ORDER = (
    "__main__",
    "cli",
    "trend",
    "tracking",
    "batch",
    "workers",
    "running",
    "reports",
    "gating",
    "training",
    "evaluation",
    "inference",
    "decoding",
    "models",
    "problems",
    "spec",
    "results",
    "storage",
    "process",
    "metrics",
    "errors",
    "",
)
"""The parts of the package, `""` being `job/__init__.py`: each imports only parts that come after it."""

RANKS = {name: len(ORDER) - place for place, name in enumerate(ORDER)}

APART = {("models", "problems"), ("problems", "models"), ("decoding", "models")}
"""A part and one below it that it must not import all the same."""

MAY_IMPORT_TENSORFLOW = {"decoding", "evaluation", "inference", "models", "running", "training"}
"""And `process.tensorflow_loading`, in two functions."""

FREE_OF_TENSORFLOW = {
    "job.evaluation.scores",
    "job.evaluation.error_analysis",
    "job.models.architecture_plugin",
    "job.models.parameter_count",
    "job.running.task",
    "job.training.checkpoints",
}
"""Modules of those parts that the parent process needs."""


def ours(name):
    return {target for target in imported(TREES[name]) if target.split(".")[0] == "job"} - {name}


def part(module):
    return module.split(".")[1] if "." in module else ""


def test_the_reader_sees_imports_wherever_they_stand():
    assert {
        "job.running.run_part",
        "job.process.tensorflow_loading",
        "job.running.task",
        "job.workers.messages",
    } <= ours("job.workers.worker")
    assert "job.spec.file_locations" in ours("job.spec.fingerprints")
    assert "job" in ours("job.process.environment")
    assert len(TREES) > 30


def test_every_part_has_a_rank():
    assert {part(module) for module in TREES} == RANKS.keys()


@pytest.mark.parametrize("module", sorted(TREES))
def test_imports_run_downward(module):
    mine = part(module)
    others = {target for target in ours(module) if part(target) != mine}
    assert not {target for target in others if RANKS[part(target)] >= RANKS[mine]}
    assert not {target for target in others if (mine, part(target)) in APART}


def test_no_imports_go_round_in_a_circle():
    """Not even inside one part, where ranks say nothing."""
    order = [*TopologicalSorter({module: ours(module) for module in TREES}).static_order()]
    assert set(order) == TREES.keys()


def test_tensorflow_and_keras_are_imported_only_where_models_are_made_or_run():
    found = {
        module
        for module, tree in TREES.items()
        if {name.split(".")[0] for name in imported(tree)} & {"tensorflow", "keras"}
    }
    assert {part(module) for module in found} <= MAY_IMPORT_TENSORFLOW | {"process"}
    assert not found & FREE_OF_TENSORFLOW


def test_the_module_that_loads_tensorflow_imports_it_inside_functions_only():
    tree = TREES["job.process.tensorflow_loading"]
    lazily = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and {"tensorflow", "keras"} & set(imported(node))
    ]
    assert lazily == ["check_tensorflow", "load_tensorflow"]
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not {"tensorflow", "keras"} & set(imported(ast.Module(at_top, [])))


def test_the_command_and_all_that_the_parent_process_runs_load_no_tensorflow():
    """`--help` is instant, and the parent never claims a GPU. Nor scipy, which only a comparison needs."""
    free = {module for module in TREES if part(module) not in MAY_IMPORT_TENSORFLOW | {"__main__"}}
    free |= FREE_OF_TENSORFLOW
    assert {
        "job.cli",
        "job.batch.run_batch",
        "job.workers.worker",
        "job.reports.plots",
        "job.gating.gates",
    } <= free
    assert not {"tensorflow", "keras", "scipy"} & loaded_by(free)


def test_what_starts_a_worker_loads_nothing_that_takes_time():
    first = {
        "job.cli",
        "job.process.installed_versions",
        "job.process.tensorflow_loading",
        "job.batch.lock",
        "job.batch.shard",
        "job.workers.limits",
        "job.workers.pool",
    }
    assert not {"pydantic", "numpy", "yaml", "rich"} & loaded_by(first)


def loaded_by(modules):
    """Return the packages that a process has which imports some of our modules."""
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\nimport importlib\n"
        f"for name in {sorted(modules)}: importlib.import_module(name)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_module_says_what_it_is_for():
    assert [module for module, tree in TREES.items() if not ast.get_docstring(tree)] == []


@pytest.mark.parametrize("word", ["util", "utils", "helper", "helpers", "common", "misc", "tools"])
def test_no_module_is_named_after_nothing(word):
    assert [module for module in TREES if word in module.split(".")] == []
