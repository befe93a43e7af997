"""The real command beside files that are called like modules: none of them is imported, by any process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import read

import job

ROOT = Path(job.__file__).parents[1]

SPEC = """\
version: 1
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 4}
    training: {examples: 64, batch_size: 32}
    evaluation: {examples: 8, validation_examples: 8}
"""

MODULES = ["random.py", "yaml/__init__.py", "numpy.py", "tensorflow/__init__.py", "keras.py", "linecache.py"]
"""What Python, TensorFlow or this package import."""

JOBS = ["job.py", "job/__init__.py", "job/__main__.py"]
"""The names of this package, and of what `python -m job` runs instead of it if they are there."""

HOSTILE = "open({!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('imported: ' + __name__)\n"


@pytest.fixture
def beside(tmp_path):
    """A directory with a spec and files called like modules, which leave a trace where they are imported."""
    directory = tmp_path / "beside"
    for name in MODULES:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(HOSTILE.format(str(tmp_path / "trace")))
    (directory / "jobs.yaml").write_text(SPEC)
    return directory


def script():
    """The installed command, or where it is not installed what it runs."""
    installed = Path(sys.executable).with_name("seq2seq-job")
    return [str(installed)] if installed.exists() else [sys.executable, str(ROOT / "seq2seq_job.py")]


def run(command, *arguments, cwd, path=None):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables.pop("PYTHONPATH", None)
    if path is not None:
        variables["PYTHONPATH"] = path
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env={**variables, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "way", ["script", pytest.param("module", marks=pytest.mark.exhaustive), "empty entry"]
)
def test_a_batch_imports_nothing_from_the_working_directory(beside, tmp_path, way):
    if way == "script":
        for name in JOBS:
            (beside / name).parent.mkdir(exist_ok=True)
            (beside / name).write_text(HOSTILE.format(str(tmp_path / "trace")))
        done = run(script(), cwd=beside)
    elif way == "module":
        done = run([sys.executable, "-m", "job"], cwd=beside, path=str(ROOT))
    else:
        done = run([sys.executable, "-m", "job"], cwd=beside, path=f"{ROOT}{os.pathsep}{os.pathsep}")
    assert done.returncode == 0, done.stderr
    assert read(beside / "output" / "report.json")["totals"]["passed"] == 1
    assert not (tmp_path / "trace").exists()


def test_a_bad_spec_runs_nothing_of_the_working_directory(beside, tmp_path):
    (beside / "jobs.yaml").write_text(SPEC.replace("copy", "nothing"))
    done = run([sys.executable, "-m", "job"], cwd=beside, path=str(ROOT))
    assert done.returncode == 2
    assert done.stderr.startswith("error: jobs.yaml:4: ")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("form", ["job.py", "job/__init__.py"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("arguments", [[], ["validate"], ["plan"]], ids=["batch", "validate", "plan"])
def test_a_second_package_called_job_is_named(beside, tmp_path, form, first, arguments):
    other = tmp_path / "plugins" / form
    other.parent.mkdir(parents=True)
    other.write_text(HOSTILE.format(str(tmp_path / "trace")))
    folders = [str(tmp_path / "plugins"), str(ROOT)]
    # python -m takes the first one on the path, so it gets this package there
    command = script() if first else [sys.executable, "-m", "job"]
    done = run(command, *arguments, cwd=beside, path=os.pathsep.join(folders if first else folders[::-1]))
    assert (done.returncode, done.stdout) == (2, "")
    place = other if form == "job.py" else other.parent
    assert done.stderr.startswith(f"error: PYTHONPATH contains another package named job: {place}, but ")
    assert str(Path(job.__file__).parent) in done.stderr
    assert not (tmp_path / "trace").exists()
    assert not (beside / "output").exists()


def test_what_pythonpath_names_is_imported_by_workers(beside, tmp_path):
    """Even if it is relative; a directory called job without `__init__.py` is no package in the way."""
    (tmp_path / "mine" / "job").mkdir(parents=True)
    (tmp_path / "mine" / "keras.py").write_text("raise ImportError('mine')\n")
    done = run([sys.executable, "-m", "job"], cwd=beside, path=f"../mine{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert "does not work here (ImportError: mine)" in done.stderr


def test_a_checkout_runs_where_it_lies(tmp_path):
    """The package itself may be in the working directory; nothing else there is imported."""
    shutil.copytree(ROOT / "job", tmp_path / "job", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "random.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "jobs.yaml").write_text(SPEC)
    done = run([sys.executable, "-m", "job"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "output" / "report.json")["totals"]["passed"] == 1
