"""The real command with standard streams that are closed, full, or have lost their other end; and signals."""

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import PATIENCE, checkpointed, children, ended, kill, read, start, steps_taken, wait_until
from test_signals import SPEC as ENDLESS
from test_signals import first_process

import job

SPEC = """\
version: 1
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 4}
    training: {examples: 64, batch_size: 32}
    evaluation: {examples: 8, validation_examples: 8}
    gate: {min_sequence_accuracy: 1.0}
"""
"""Its gate fails: an exit code of its own, that the batch must keep."""

REPORTS = {"report.json", "report.md", "report.html", "junit.xml", "metrics.prom"}


def shell(line, cwd):
    """Run a line of bash with the command as `job`; return its exit code and both outputs."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables |= {"PYTHONPATH": str(Path(job.__file__).parents[1]), "COLUMNS": "200"}
    script = f'job() {{ {shlex.quote(sys.executable)} -m job "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("trained")
    (cwd / "jobs.yaml").write_text(SPEC)
    assert shell("job", cwd).returncode == 3
    return cwd


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("job >&-", marks=pytest.mark.exhaustive),
        pytest.param("job 2>&-", marks=pytest.mark.exhaustive),
        "job <&- >&- 2>&-",
        "job >/dev/full 2>/dev/full",
        "{ job; echo $? >code; } 2>&1 | true; exit $(cat code)",
        "{ job --log-format json 2>&1 >/dev/null; echo $? >code; } | head -1 >first; exit $(cat code)",
    ],
)
def test_a_batch_needs_no_standard_streams(tmp_path, line):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    done = shell(line, tmp_path)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    output = tmp_path / "output"
    assert read(output / "report.json")["exit_code"] == 3
    assert {path.name for path in output.iterdir()} == REPORTS | {"plan.json", "jobs"}
    assert read(output / "jobs" / "tiny" / "result.json")["status"] == "gate_failed"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("job validate", 0),
        ("job plan", 1),
        ("job schema", 1),
        ("job report output", 3),
        ("job compare output output", 3),
        ("job trend output", 0),
        ("job --version", 0),
        ("yes '1 2' | head -5 | job predict output/jobs/tiny", 1),
    ],
)
def test_a_reader_that_has_gone_ends_a_command_quietly(trained, line, code):
    """With the exit code that it comes to, unless what it prints is all that it is for."""
    reader, writer = os.pipe()
    os.close(reader)
    variables = {"PYTHONPATH": str(Path(job.__file__).parents[1])}
    script = f'job() {{ {shlex.quote(sys.executable)} -m job "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=trained,
        env={**os.environ, **variables},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == code, done.stderr
    assert all(line.startswith("job tiny failed its gate: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("job plan >/dev/full", 1, "standard output: No space left on device; the output is incomplete"),
        ("job schema >/dev/full", 1, "standard output: No space left on device"),
        ("echo '1 2' | job predict output/jobs/tiny >/dev/full", 1, "standard output: No space left"),
        ("job predict output/jobs/tiny <&-", 2, "standard input is closed"),
        ("job encode output/jobs/tiny <&-", 2, "standard input is closed"),
        ("echo '1 2' | job predict output/jobs/tiny >&-", 2, "standard output is closed"),
    ],
)
def test_unusable_standard_streams_are_reported(trained, line, code, sentence):
    done = shell(line, trained)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (trained / "contexts.npz").exists()


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_printing_needs_no_other_stream(trained, streams):
    assert shell(f"job validate {streams}", trained).returncode == 0
    assert shell(f"job report output {streams}", trained).returncode == 3


# --- signals ------------------------------------------------------------------------------------------------


@pytest.fixture
def endless(tmp_path):
    (tmp_path / "jobs.yaml").write_text(ENDLESS)
    return tmp_path / "output"


def test_sighup_saves_as_sigterm_does(endless):
    process = start("--workers", 1, cwd=endless.parent)
    try:
        wait_until(lambda: steps_taken(endless / "jobs" / "endless"), process)
        code, said = ended(process, signal.SIGHUP)
    finally:
        if process.poll() is None:
            kill(process)
    assert code == 129, said
    report = read(endless / "report.json")
    assert (report["exit_code"], report["totals"]["interrupted"]) == (129, 2)
    assert checkpointed(endless / "jobs" / "endless") > 0
    assert "Exit code 129: interrupted by SIGHUP" in said


@pytest.mark.exhaustive
def test_a_terminal_that_goes_away_costs_nothing(endless):
    """Progress is drawn, the terminal is closed, the kernel sends SIGHUP, and nobody reads any more."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(endless.parent)
        variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
        os.execve(sys.executable, [sys.executable, "-m", "job", "--workers", "1"], variables)
    deadline = time.monotonic() + PATIENCE
    while not steps_taken(endless / "jobs" / "endless"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
        os.set_blocking(terminal, False)
        try:
            os.read(terminal, 1 << 16)
        except BlockingIOError:
            continue
    os.close(terminal)
    while not (ending := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)  # its worker ends with it
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ending[1]) == 129
    assert read(endless / "report.json")["exit_code"] == 129
    assert checkpointed(endless / "jobs" / "endless") > 0


@pytest.mark.exhaustive
def test_a_batch_continues_under_nohup(endless):
    process = start("--workers", 1, cwd=endless.parent, before=["nohup"])
    try:
        wait_until(lambda: steps_taken(endless / "jobs" / "endless"), process)
        for pid in (process.pid, *children(process.pid)):
            os.kill(pid, signal.SIGHUP)
        time.sleep(1)
        assert process.poll() is None
        code, _ = ended(process, signal.SIGTERM)
        assert code == 143
        assert read(endless / "jobs" / "endless" / "result.json")["error"]["message"].startswith(
            "stopped by SIGTERM"
        )
    finally:
        if process.poll() is None:
            kill(process)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGUSR1, 143)],
)
@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_while_the_command_is_imported_ends_it_with_a_sentence(tmp_path, number, code, ignored):
    script = (
        "import os, signal, job.process.early_signals as early\n"
        f"signal.signal({int(number)}, signal.SIG_IGN if {ignored} else signal.getsignal({int(number)}))\n"
        f"early.exit_on_signals()\nos.kill(os.getpid(), {int(number)})\nimport job.cli.app\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = "" if ignored else f"error: stopped by {number.name}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0 if ignored else code, "", said)


EVERY_MOMENT = [
    (moment, command, number, code)
    for moment in ("loading", "reading")
    for command in ("predict", "encode")
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129))
]
USUAL_MOMENTS = [*EVERY_MOMENT[:6:2], EVERY_MOMENT[6], EVERY_MOMENT[10]]
"""Every signal, command and moment at least once: waiting for a process to be idle takes seconds."""


@pytest.mark.parametrize(
    ("moment", "command", "number", "code"),
    [
        pytest.param(*each, marks=[] if each in USUAL_MOMENTS else pytest.mark.exhaustive)
        for each in EVERY_MOMENT
    ],
)
def test_predict_and_encode_obey_signals_as_the_first_process(
    trained, tmp_path, command, number, code, moment
):
    before = first_process()
    if not before:
        pytest.skip("no name space for processes of its own can be made here")
    model = trained / "output" / "jobs" / "tiny"
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "job", command, str(model)],
        cwd=tmp_path,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (inner := children(process.pid)) or not listens(inner[0], signal.SIGUSR1):
            assert time.monotonic() < deadline  # SIGUSR1 is the last for which a handler is installed
            time.sleep(0.01)
        if moment == "reading":
            process.stdin.write("1 2\n")
            process.stdin.flush()
            wait_until(lambda: blocked_in_read(inner[0]), process)
        os.kill(inner[0], number)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == code, err
    assert f"stopped by {signal.Signals(number).name}" in err
    assert "Traceback" not in err
    assert out == "" or out.endswith("\n")
    assert [*tmp_path.iterdir()] == []


def listens(pid, number):
    """Whether a process has a reaction to a signal."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1) and "python" in status


def blocked_in_read(pid):
    """Whether a process has loaded TensorFlow and computes no more: it waits for its standard input."""
    if "tensorflow" not in Path(f"/proc/{pid}/maps").read_text():
        return False
    before = user_ticks(pid)
    time.sleep(0.5)
    return user_ticks(pid) == before


def user_ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11])
