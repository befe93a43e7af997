"""The recipes of docs/nightly-ci.md for `--on-end`: a local webhook, a sendmail that keeps mail."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from recording import a_run, leave, right_and_wrong

import job

PAGE = Path(__file__).parents[2] / "docs" / "nightly-ci.md"
RECIPES = dict(re.findall(r"^```bash\n# (\S+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))


class Webhook(BaseHTTPRequestHandler):
    """Keeps what is posted; answers as its server is told."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.posted.append((self.headers["Content-Type"], self.rfile.read(length)))  # type: ignore
        self.send_response(self.server.answer)  # type: ignore
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook():
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    server.posted, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def here(tmp_path):
    """A finished batch with a missing job, and the recipes beside it."""
    leave(tmp_path / "output", [a_run("a", right_and_wrong(20, [3]))], plan=["a", "b"])
    for name, text in RECIPES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def report(here, command, **variables):
    program = [sys.executable, "-m", "job", "report", "output", "--on-end", command]
    known = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    environment = {**known, "PYTHONPATH": str(Path(job.__file__).parents[1]), **variables}
    return subprocess.run(
        program, cwd=here, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_there_is_a_recipe_each():
    assert set(RECIPES) == {"notify-chat.sh", "notify-mail.sh"}


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_a_chat_gets_the_verdict(here, webhook):
    done = report(here, "sh notify-chat.sh", CHAT_WEBHOOK=f"http://127.0.0.1:{webhook.server_port}/hook")
    assert done.returncode == 1
    assert "on-end" not in done.stderr
    ((kind, body),) = webhook.posted
    assert kind == "application/json"
    lines = json.loads(body)["text"].splitlines()
    assert lines[0] == "Exit code 1: at least one job failed"
    assert lines[1].startswith("2 jobs: ")
    assert "job b has no result" in lines[2]


@needs_curl
def test_a_chat_that_refuses_is_one_line(here, webhook):
    webhook.answer = 403
    done = report(here, "sh notify-chat.sh", CHAT_WEBHOOK=f"http://127.0.0.1:{webhook.server_port}/hook")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "on-end" in line]
    assert line.startswith("warning: the command of --on-end ended with exit code 22: curl: (22)")


def test_a_mail_has_the_verdict_and_the_report(here):
    sendmail = here / "bin" / "sendmail"
    sendmail.parent.mkdir()
    sendmail.write_text('#!/bin/sh\necho "$@" > arguments\ncat > mail\n')
    sendmail.chmod(0o755)
    done = report(here, "sh notify-mail.sh", PATH=f"{sendmail.parent}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 1
    assert "on-end" not in done.stderr
    assert (here / "arguments").read_text() == "-t\n"
    mail = email.message_from_bytes((here / "mail").read_bytes(), policy=email.policy.default)
    assert mail["To"] == "team@example.org"
    assert mail["Subject"] == "models: Exit code 1: at least one job failed"
    assert "job b has no result" in mail.get_body(("plain",)).get_content()
    (page,) = mail.iter_attachments()
    assert page.get_filename() == "report.html"
    assert page.get_content().strip() == (here / "output" / "report.html").read_text("utf-8").strip()


STAND_IN = """\
import json
def init(**given):
    return Run(given)
class Run:
    def __init__(self, given):
        self.summary, self.lines = {}, [["init", given]]
    def log(self, values, step):
        self.lines.append(["log", values, step])
    def finish(self):
        with open("logged", "a") as file:
            print(json.dumps([*self.lines, ["summary", self.summary]]), file=file)
"""


def test_the_recipe_for_weights_and_biases_maps_names_as_documented(here):
    """Against a stand-in for its client, which keeps what it gets."""
    page = (PAGE.parent / "trackers.md").read_text("utf-8")
    (recipe,) = re.findall(r"^```python\n# to_wandb.py\n(.*?)^```$", page, re.M | re.S)
    (here / "to_wandb.py").write_text(recipe, "utf-8")
    (here / "wandb.py").write_text(STAND_IN, "utf-8")
    path = here / "output" / "report.json"
    document = here / "output" / "jobs" / "a" / "result.json"
    result = json.loads(document.read_text("utf-8"))
    result["history"] = {"step": [3, 6], "loss": [1.5, 0.5], "val_loss": [None, 0.75]}
    document.write_text(json.dumps(result), "utf-8")
    done = report(here, f"{sys.executable} to_wandb.py")
    assert "on-end" not in done.stderr
    (begun, first, second, (_, summary)) = json.loads((here / "logged").read_text("utf-8"))
    assert begun[1]["name"] == "a"
    assert begun[1]["config"]["problem"]["kind"] == "copy"
    assert begun[1]["tags"] == ["passed"]
    assert first[1:] == [{"history.loss": 1.5}, 3]
    assert second[1:] == [{"history.loss": 0.5, "history.val_loss": 0.75}, 6]
    recorded = json.loads(path.read_text("utf-8"))["jobs"][0]["metrics"]
    assert summary == {f"test.{name}": value for name, value in recorded.items()}
    assert summary
