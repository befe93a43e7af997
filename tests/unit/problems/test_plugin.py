import itertools
import re

import numpy as np
import pytest
from offered import install

from job.errors import DataErrors
from job.problems import build_problem
from job.problems.addition import Addition
from job.problems.base import Examples
from job.problems.checking import check_jobs
from job.problems.integers import Copy
from job.problems.plugin import BrokenPromiseError, check_problem
from job.problems.vocabulary import Vocabulary
from job.spec.loading import load_located
from job.spec.problem_sections import AdditionSpec, CopySpec, PluginSpec

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
    """Install a package of one module; its name is new each time, so that no import is remembered."""
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


def test_it_is_given_options_seed_and_directory(offer, tmp_path):
    offer(raising('options["deep"].append(1); raise ValueError(f"{options} {seed} {directory}")'))
    spec = PluginSpec(kind="plugin", name="mine", options={"deep": [2]})
    with pytest.raises(DataErrors, match=re.escape(f"{{'deep': [2, 1]}} 7 {tmp_path}")):
        build_problem(spec, 7, tmp_path)
    assert spec.options == {"deep": [2]}, "the spec is its own"


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
def test_refused_options(offer, tmp_path, statement, expected):
    offer(raising(statement))
    assert errors_of(tmp_path, length=4) == expected


def test_a_file_of_the_options_is_named_with_its_line(offer, tmp_path):
    offer(raising('raise DataError("is bad", file=directory / "f", line=3, key="file")'))
    with pytest.raises(DataErrors) as caught:
        build_problem(PluginSpec(kind="plugin", name="mine", options={"file": "f"}), 7, tmp_path)
    (error,) = caught.value.errors
    assert (error.file, error.line, error.key) == (tmp_path / "f", 3, "options.file")


def test_a_bug_is_blamed_on_its_package_and_line(offer, tmp_path):
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
def test_what_cannot_be_loaded_or_called(offer, tmp_path, code, fields, message):
    offer(code, **fields)
    ((key, found),) = errors_of(tmp_path)
    assert key == "name"
    assert "has a bug: " in found
    assert message in found


# --- finding ----------------------------------------------------------------------------------------------


def test_none_is_installed(tmp_path):
    ((key, message),) = errors_of(tmp_path)
    assert key == "name"
    assert "no installed package offers a problem 'mine'; none is installed; install the package" in message


def test_the_nearest_of_those_installed(offer, tmp_path):
    offer(COPY, name="roman_numerals")
    offer(COPY, name="caesar")
    ((_, message),) = errors_of(tmp_path, name="roman_numeral")
    assert "'roman_numeral'; did you mean 'roman_numerals'?; installed are: caesar, roman_numerals" in message


def test_a_name_that_two_packages_offer(offer, tmp_path):
    packages = offer(COPY), offer(COPY)
    ((key, message),) = errors_of(tmp_path, length=4)
    assert key == "name"
    assert f"'mine' is offered by {packages[0]} 1.0, {packages[1]} 1.0; uninstall" in message


def test_complaints_have_their_lines(offer, tmp_path):
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


def test_sizes_to_evaluate_at_besides(offer, tmp_path):
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


# --- promises ---------------------------------------------------------------------------------------------


def sums():
    return Addition(AdditionSpec(kind="addition", digits=2), 7)


def copies():
    return Copy(CopySpec(kind="copy", source_length=3, cardinality=5), 7)


def with_arrays(change):
    """A problem whose arrays are changed before they are handed out."""

    def build():
        problem, draw = sums(), sums().draw
        problem.draw = lambda generator, count: change(*draw(generator, count))
        return problem

    return build


def with_attribute(name, value, build=sums):
    def changed():
        problem = build()
        setattr(problem, name, value)
        return problem

    return changed


def at(array, column, value):
    changed = array.copy()
    changed[:, column] = value
    return changed


def with_texts(**texts):
    return with_attribute("examples", lambda *_: Examples(*sums().batch(0, 0, 2, 2), **texts))


BROKEN = {
    "number": (lambda: 3, "it lacks source_vocabulary"),
    "kind": (with_attribute("target_kind", "numbers"), "target_kind must be 'tokens'"),
    "vocabulary": (with_attribute("source_vocabulary", ["a"]), "source_vocabulary must be a job.problems"),
    "no end": (with_attribute("target_vocabulary", Vocabulary.integers(20)), "no end id"),
    "float": (with_arrays(lambda s, t: (s, t.astype(float))), "the target of a batch must be an array"),
    "list": (with_arrays(lambda s, t: (s.tolist(), t)), "the source of a batch must be an array"),
    "flat": (with_arrays(lambda s, t: (s.ravel(), t)), "the source of a batch must be an array (n, length)"),
    "nothing": (with_arrays(lambda s, t: (s * 0, t)), "a source of a batch is empty"),
    "no column": (with_arrays(lambda s, t: (s[:, :0], t)), "a source of a batch is empty"),
    "too large": (with_arrays(lambda s, t: (at(s, 0, 14), t)), "ids that its vocabulary of 14 lacks"),
    "negative": (with_arrays(lambda s, t: (at(s, 0, -1), t)), "ids that its vocabulary of 14 lacks"),
    "padded on the left": (with_arrays(lambda s, t: (s, at(at(t, 1, 0), 2, 4))), "padded on the right alone"),
    "rows": (with_arrays(lambda s, t: (s, t[:1])), "not as many sources as targets"),
    "too long": (
        with_arrays(lambda s, t: (s, np.concatenate([np.full((2, 9), 4, np.int32), t], axis=1))),
        "but max_target_length is 4",
    ),
    "too short though fixed": (
        with_attribute("max_target_length", 4, copies),
        "lengths are fixed, but a target of a batch has 3 ids and max_target_length is 4",
    ),
    "not closed": (with_arrays(lambda s, t: (s, at(t, slice(None), 4))), "does not end in the end id"),
    "padded though fixed": (with_attribute("fixed_length", True), "of a batch is padded"),
    "no examples": (
        with_attribute("examples", lambda split, count: sums().examples(split, 0)),
        "the validation split has 0 examples",
    ),
    "more than asked for": (
        with_attribute("examples", lambda split, count: sums().examples(split, 5)),
        "the validation split has 5 examples where 1 or 2",
    ),
    "a pair for examples": (
        with_attribute("examples", lambda split, count: sums().batch(0, 0, 2, 2)),
        "the validation split must be a job.problems.base.Examples",
    ),
    "test split": (
        with_attribute(
            "examples",
            lambda split, count: Examples(*(a * (split != "test") for a in sums().batch(0, 0, 2, 2))),
        ),
        "a source of the test split is empty",
    ),
    "a text too few": (with_texts(sources=("1+2",)), "the validation split has 1 sources for 2 examples"),
    "references too many": (with_texts(references=(("3",),) * 3), "has 3 references for 2 examples"),
    "no reference": (with_texts(references=(("3",), ())), "has an example without a reference target"),
    "description": (with_attribute("describe", lambda: {"n": np.int64(3)}), "must give JSON values"),
    "description that is a text": (
        with_attribute("describe", lambda: "a text"),
        "must return a dict, not str",
    ),
    "description of no number": (with_attribute("describe", lambda: {"n": float("nan")}), "must give JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_promises(case):
    build, message = BROKEN[case]
    with pytest.raises(BrokenPromiseError, match=re.escape(message)):
        check_problem(build())


@pytest.mark.parametrize("build", [sums, copies])
def test_our_own_problems_keep_theirs(build):
    check_problem(build())


def test_a_batch_must_not_change():
    problem = copies()
    value = itertools.cycle([1, 2])
    problem.batch = lambda *_: (np.full((2, 3), next(value), np.int32),) * 2
    with pytest.raises(BrokenPromiseError, match="another when it is asked for again"):
        check_problem(problem)
