"""`make gpu-check` where there is no GPU: it says so, and its checks work with the CPU in place of one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_check import NO_GPU, Row, rows_of

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]
TRAINING = "tests/gpu/test_training_on_device.py::test_"
LEFT_OUT = (  # for the sake of time: on a CPU they say nothing that the others do not
    "the_kernel_of_a_training[dropped-keras-keras]",
    "mixed_precision_learns_as_single_precision_does[float16]",
    "masks_of_ragged_lengths_agree_with_the_cpu[forward-gru]",
    "masks_of_ragged_lengths_agree_with_the_cpu[forward-lstm]",
    "masks_of_ragged_lengths_agree_with_the_cpu[bidirectional-gru]",
)


def checked(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", *arguments],
        cwd=ROOT, env={**os.environ, **variables},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def test_without_a_gpu_it_says_so_and_succeeds():
    done = checked(CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stdout) == (0, NO_GPU + "\n")


def test_every_check_passes_on_the_cpu_and_one_table_shows_them():
    done = checked("--rehearse", "--", *(f"--deselect={TRAINING}{name}" for name in LEFT_OUT))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert sum(" passed " in line for line in lines) == 7
    assert re.search(
        r"tutorial: seq2seq-job +measured +[\d,]+ examples/s, greedy [\d,]+/s, on cpu", done.stdout
    )
    assert re.search(r"tutorial: PyTorch +not run", done.stdout)
    for figure in (
        " fused ",
        " resumed from step ",
        " ResourceExhaustedError ",
        " 2 workers ",
        " 2 devices, ",
    ):
        assert figure in done.stdout


def test_a_check_that_fails_or_is_skipped_says_why(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase name="test_a_mask" time="1.5"><failure message="1 == 2&#10;more">at</failure></testcase>
        <testcase name="test_all_gpus" time="0"><skipped message="only one GPU is visible"/></testcase>
        <testcase name="test_kernels" time="2">
        <properties><property name="figure" value="cudnn"/></properties>
        </testcase></testsuite></testsuites>"""
    )
    assert rows_of(report) == [
        Row(name="a mask", outcome="FAILED", figure="1 == 2", seconds=1.5),
        Row(name="all gpus", outcome="skipped", figure="only one GPU is visible"),
        Row(name="kernels", outcome="passed", figure="cudnn", seconds=2.0),
    ]
