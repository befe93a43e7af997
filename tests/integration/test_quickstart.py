"""docs/quickstart.md, followed with a file of pairs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import job

PAGE = (Path(__file__).parents[2] / "docs/quickstart.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_quickstart_trains_and_predicts(tmp_path):
    (spec,), (commands,) = blocks("yaml"), blocks("sh")
    (tmp_path / "jobs.yaml").write_text(spec.replace("epochs: 30", "epochs: 2"), "utf-8")
    lines = (f"{word}-{word[::-1]}\t{word}\n" for n in range(300) for word in [f"{n * 7919 % 1000:03d}"])
    (tmp_path / "pairs.tsv").write_text("forty-two\t42\n" + "".join(lines), "utf-8")
    command = tmp_path / "bin" / "seq2seq-job"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n')
    command.chmod(0o755)
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    variables["PATH"] = f"{command.parent}{os.pathsep}{variables['PATH']}"
    codes = []
    for line in commands.splitlines():
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        codes.append(done.returncode)
    assert codes[0] == 0, "validate"
    assert codes[1] in (0, 3), "two epochs may pass the gate or not"
    assert codes[2] == 0, "predict"
    assert done.stdout.count("\n") == 1
    assert (tmp_path / "output" / "report.html").is_file()
