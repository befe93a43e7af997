"""What is known of the Git repository of a spec, with real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from job.process.git import MAX_COMMITS, commits_between, git_commit, git_dirty

VARIABLES = ("SEQ2SEQ_JOB_GIT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("number", range(len(VARIABLES)))
def test_the_commit_comes_from_the_first_ci_variable_that_is_set(monkeypatch, tmp_path, number):
    for i, name in enumerate(VARIABLES):
        monkeypatch.setenv(name, f"from-{name}" if i >= number else "")
    assert git_commit(tmp_path) == f"from-{VARIABLES[number]}"


def test_the_commit_comes_from_git_where_there_is_a_repository(repository):
    assert git_commit(repository.root) is None
    head = repository.commit("first")
    assert git_commit(repository.root) == head


def test_a_repository_is_dirty_if_a_tracked_file_differs(repository):
    spec = repository.root / "jobs.yaml"
    spec.write_text("one")
    repository.git("add", "jobs.yaml")
    repository.commit("first")
    (repository.root / "untracked").touch()
    assert git_dirty(repository.root) is False
    spec.write_text("two")
    assert git_dirty(repository.root) is True


def test_the_commits_between_two_are_listed_the_newest_first(repository):
    first, second, third = (repository.commit(f"change {number}") for number in range(3))
    lines, count = commits_between(repository.root, first, third)
    assert [line.partition(" ")[2] for line in lines] == ["change 2", "change 1"]
    assert count == 2
    assert all(full.startswith(line.split()[0]) for line, full in zip(lines, (third, second), strict=True))
    assert commits_between(repository.root, third, third) == ([], 0)


def test_of_many_commits_the_newest_are_listed(repository):
    first, *_, last = (repository.commit(f"change {number}") for number in range(MAX_COMMITS + 6))
    lines, count = commits_between(repository.root, first, last)
    assert (len(lines), count) == (MAX_COMMITS, MAX_COMMITS + 5)


@pytest.mark.parametrize("before", [None, "0" * 40, "--output=/tmp/x", "HEAD"])
def test_unknown_commits_have_nothing_between_them(repository, before):
    assert commits_between(repository.root, before, repository.commit("one")) == ([], 0)


@pytest.mark.parametrize("error", [FileNotFoundError, subprocess.TimeoutExpired("git", 10)])
def test_without_git_nothing_is_known(monkeypatch, tmp_path, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert git_commit(tmp_path) is None
    assert git_dirty(tmp_path) is None
    assert commits_between(tmp_path, "a" * 40, "b" * 40) == ([], 0)


def test_outside_a_repository_nothing_is_known(tmp_path):
    assert (git_commit(tmp_path), git_dirty(tmp_path)) == (None, None)
