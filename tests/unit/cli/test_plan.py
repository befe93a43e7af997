"""The command `plan`: the keys in which jobs differ, and `--shards`."""

import json
import re

from command_options import SPEC

UNEQUAL = """\
version: 1
defaults: {training: {examples: 64000}}
jobs:
  - name: copy
    matrix: {model.units: [16, 64, 256], problem.source_length: [2, 10, 40]}
    problem: {kind: copy, cardinality: 6}
"""


def seconds(clock):
    hours, minutes, rest = map(int, clock.split(":"))
    return 3600 * hours + 60 * minutes + rest


def shard_rows(out):
    """The number of jobs and the estimate of each shard, and the two times of the last line."""
    rows = re.findall(r"^(\d+)/\d+ +(\d+) +(\d\d:\d\d:\d\d)", out, re.MULTILINE)
    last = re.search(r"all shards: (\d\d:\d\d:\d\d) .* ideal is (\d\d:\d\d:\d\d) \(\+([\d.]+)%\)", out)
    return [(int(jobs), seconds(time)) for _, jobs, time in rows], [seconds(last[1]), seconds(last[2])]


def test_plan_shows_the_load_of_each_shard_and_the_ideal(command, here):
    (here / "jobs.yaml").write_text(UNEQUAL)
    code, out, err = command("plan", "--shards", "3")
    assert (code, err) == (0, "")
    rows, (makespan, ideal) = shard_rows(out)
    assert len(rows) == 3
    assert sum(jobs for jobs, _ in rows) == 9
    assert makespan == max(time for _, time in rows)
    assert ideal >= sum(time for _, time in rows) / 3 - 2
    assert ideal <= makespan <= 4 / 3 * ideal + 1
    assert not (here / "output").exists()


def test_a_saved_division_is_shown_until_the_spec_changes(command, here):
    assert command("plan", "--shards", "2", "--save-shards")[0] == 0
    path = here / "output" / "shards.json"
    path.write_text(path.read_text().replace('"shard": 1', '"shard": 2'))
    rows, _ = shard_rows(command("plan", "--shards", "2")[1])
    assert [jobs for jobs, _ in rows] == [0, 3]
    (here / "jobs.yaml").write_text(SPEC.replace("examples: 1000", "examples: 2000"))
    rows, _ = shard_rows(command("plan", "--shards", "2")[1])
    assert sorted(jobs for jobs, _ in rows) == [1, 2]


def test_saving_needs_the_number_of_shards(command, here):
    code, _, err = command("plan", "--save-shards")
    assert code == 2
    assert "expected --shards too" in err
    assert command("plan", "--shards", "0")[0] == 2
    assert not (here / "output").exists()


def test_plan_shows_the_keys_in_which_jobs_of_one_kind_differ(command, here):
    variants = "variants: {small: {model.units: 16}, beam: {model.units: 64, evaluation.decoder: beam}}"
    other = "  - {name: alone, problem: {kind: addition, digits: 2}}\n"
    (here / "jobs.yaml").write_text(
        UNEQUAL.split("    matrix", maxsplit=1)[0] + f"    matrix: {{{variants}}}\n"
        "    problem: {kind: copy, source_length: 2, cardinality: 6}\n" + other
    )
    out = command("plan")[1]
    assert "units 16, decoder greedy" in out
    assert "units 64, decoder beam" in out
    code, text, err = command("plan", "--format", "json")
    assert (code, err) == (0, "")
    jobs = {job["name"]: job for job in json.loads(text)["jobs"]}
    assert {name: job["differs"] for name, job in jobs.items()} == {
        "copy-small": {"model.units": 16, "evaluation.decoder": "greedy"},
        "copy-beam": {"model.units": 64, "evaluation.decoder": "beam"},
        "alone": {},
    }
    assert {job["action"] for job in jobs.values()} == {"train"}
    assert (
        command("plan", "--format", "xml")[0] == command("plan", "--format", "json", "--shards", "2")[0] == 2
    )


def test_each_of_many_variants_is_described_by_what_was_varied_in_it(command, here):
    variants = (
        "variants: {base: {}, wide: {model.units: 64}, deep: {model.layers: 2}, copied: {model.dropout: 0.3},"
        " slow: {training.optimizer.learning_rate: 0.001}, attention: {model.attention: luong_dot}}"
    )
    (here / "jobs.yaml").write_text(
        UNEQUAL.split("    matrix", maxsplit=1)[0] + f"    matrix: {{{variants}}}\n"
        "    problem: {kind: copy, source_length: 2, cardinality: 6}\n"
    )
    shown = re.findall(r"^copy-.* train +(.*)$", command("plan")[1], re.MULTILINE)
    expected = ["", "units 64", "layers 2", "dropout 0.3", "learning_rate 0.001", "attention luong_dot"]
    assert [text.strip() for text in shown] == expected
