import itertools
import re

import numpy as np
import pytest
from offered import install

from job.errors import DataErrors
from job.problems import build_problem
from job.problems.checking import check_jobs
from job.problems.integers import Copy
from job.spec.problem_sections import CopySpec, PluginSpec
from job.spec.spec_loading import load_located

numbers = itertools.count()

COPY = """
    from job.errors import DataError, DataErrors
    from job.problems.integers import Copy
    from job.spec.problem_sections import CopySpec

    def build(options, seed, directory):
        return Copy(CopySpec(kind="copy", source_length=options["length"], cardinality=9), seed)
"""


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install packages of one module, each with a new name, because Python caches imports by name."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install_here(code, **fields):
        package = f"offered_{next(numbers)}"
        install(tmp_path / "site", package, code, **fields)
        return package

    return install_here


def raising(statement):
    return f"""
        from job.errors import DataError, DataErrors

        def build(options, seed, directory):
            {statement}
    """


def errors_of(tmp_path, name="mine", **options):
    with pytest.raises(DataErrors) as caught:
        build_problem(PluginSpec(kind="plugin", name=name, options=options), 7, tmp_path)
    return [(error.key, error.message) for error in caught.value.errors]


# --- building ---------------------------------------------------------------------------------------------


def test_a_problem_of_another_package(offer, tmp_path):
    offer(COPY)
    spec = PluginSpec(kind="plugin", name="mine", options={"length": 4})
    problem = build_problem(spec, 7, tmp_path)
    ours = Copy(CopySpec(kind="copy", source_length=4, cardinality=9), 7)
    assert np.array_equal(problem.batch(0, 0, 3, 3)[0], ours.batch(0, 0, 3, 3)[0])


def test_the_factory_is_called_with_options_seed_and_directory(offer, tmp_path):
    offer(raising('options["deep"].append(1); raise ValueError(f"{options} {seed} {directory}")'))
    spec = PluginSpec(kind="plugin", name="mine", options={"deep": [2]})
    with pytest.raises(DataErrors, match=re.escape(f"{{'deep': [2, 1]}} 7 {tmp_path}")):
        build_problem(spec, 7, tmp_path)
    assert spec.options == {"deep": [2]}, "the factory changed the spec"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('raise ValueError("length must be odd")', [("options.length", "length must be odd")]),
        ('raise ValueError("lengths differ")', [("options", "lengths differ")]),
        ('raise DataError("is even", key="length")', [("options.length", "is even")]),
        ('raise DataError("nothing fits")', [("options", "nothing fits")]),
        (
            'raise DataErrors([DataError("a", key="length"), DataError("b", key="other")])',
            [("options.length", "a"), ("options.other", "b")],
        ),
    ],
)
def test_rejected_options(offer, tmp_path, statement, expected):
    offer(raising(statement))
    assert errors_of(tmp_path, length=4) == expected


def test_an_error_in_a_file_of_the_options_has_its_line(offer, tmp_path):
    offer(raising('raise DataError("is bad", file=directory / "f", line=3, key="file")'))
    with pytest.raises(DataErrors) as caught:
        build_problem(PluginSpec(kind="plugin", name="mine", options={"file": "f"}), 7, tmp_path)
    (error,) = caught.value.errors
    assert (error.file, error.line, error.key) == (tmp_path / "f", 3, "options.file")


def test_an_unexpected_exception_is_reported_with_package_and_line(offer, tmp_path):
    package = offer(COPY)
    ((key, message),) = errors_of(tmp_path)
    assert key == "name"
    assert message.startswith(
        f"problem 'mine' ({package}:build of {package} 1.0) has a bug: KeyError: 'length'"
    )
    assert message.endswith(f"{package}.py:7)")


@pytest.mark.parametrize(
    ("code", "fields", "message"),
    [
        ("import no_such_module", {}, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("build = 3", {}, "TypeError: 'int' object is not callable"),
        ("", {}, "AttributeError: "),
        ("def build(options, seed): ...", {}, "TypeError: "),
        ("def build(options, seed, directory): ...", {}, "it lacks source_vocabulary, target_vocabulary"),
    ],
)
def test_entry_points_that_cannot_be_loaded_or_called(offer, tmp_path, code, fields, message):
    offer(code, **fields)
    ((key, found),) = errors_of(tmp_path)
    assert key == "name"
    assert "has a bug: " in found
    assert message in found


# --- finding ----------------------------------------------------------------------------------------------


def test_no_installed_package_offers_a_problem(tmp_path):
    ((key, message),) = errors_of(tmp_path)
    assert key == "name"
    assert "no installed package offers a problem 'mine'; none is installed; install the package" in message


def test_the_error_suggests_the_most_similar_installed_name(offer, tmp_path):
    offer(COPY, name="roman_numerals")
    offer(COPY, name="caesar")
    ((_, message),) = errors_of(tmp_path, name="roman_numeral")
    assert "'roman_numeral'; did you mean 'roman_numerals'?; installed are: caesar, roman_numerals" in message


def test_two_packages_with_the_same_problem_name(offer, tmp_path):
    packages = offer(COPY), offer(COPY)
    ((key, message),) = errors_of(tmp_path, length=4)
    assert key == "name"
    assert f"'mine' is offered by {packages[0]} 1.0, {packages[1]} 1.0; uninstall" in message


def test_complaints_have_the_line_of_their_key(offer, tmp_path):
    offer(raising('raise ValueError("length must be odd")'))
    spec = tmp_path / "jobs.yaml"
    spec.write_text(
        "version: 1\njobs:\n"
        "- name: a\n  problem:\n    kind: plugin\n    name: mine\n    options:\n      length: 4\n"
        "- name: b\n  problem:\n    kind: plugin\n    name: min\n"
        "- name: c\n  matrix: {problem.options.length: [3, 4]}\n  problem: {kind: plugin, name: mine}\n"
    )
    located = load_located(spec)
    assert not located.complaints
    problems, complaints = check_jobs(located)
    assert not problems
    assert [(complaint.line, complaint.key) for complaint in complaints] == [
        (8, "jobs[0].problem.options.length"),
        (12, "jobs[1].problem.name"),
        (14, "jobs[2].matrix.problem.options.length"),
        (14, "jobs[2].matrix.problem.options.length"),
    ]


SIZES = """\
version: 1
jobs:
- name: a
  problem: {kind: plugin, name: mine, options: {length: 4, classes: 5}}
  evaluation:
    also:
    - {length: 6}
    - {length: 0}
    - {classes: 6}
"""


def test_other_sizes_of_a_custom_problem(offer, tmp_path):
    offer(COPY.replace("cardinality=9", 'cardinality=options.get("classes", 9)'))
    spec = tmp_path / "jobs.yaml"
    spec.write_text(SIZES)
    _, complaints = check_jobs(load_located(spec))
    assert [(complaint.line, complaint.key) for complaint in complaints] == [
        (8, "jobs[0].evaluation.also[1]"),
        (9, "jobs[0].evaluation.also[2]"),
    ]
    assert "length\n  Input should be greater" in complaints[0].message
    assert "at which the problem has another vocabulary" in complaints[1].message


def test_sizes_that_the_options_do_not_have(offer, tmp_path):
    spec = tmp_path / "jobs.yaml"
    spec.write_text(SIZES + "    - {size: 3}\n")
    (complaint,) = load_located(spec).complaints
    assert (complaint.line, complaint.key) == (10, "jobs[0].evaluation.also[3].size")
    assert "is not a size of problem plugin; known here: length, classes" in complaint.message
