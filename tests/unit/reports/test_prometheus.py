"""`metrics.prom`, parsed by the grammar of Prometheus' text format."""

import re
from dataclasses import dataclass, field, replace

import pytest
from sample_results import TUTORIAL

from job.reports.prometheus import metrics_text
from job.results.job_result import STATUSES

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
GO_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass
class Family:
    help: str
    kind: str = ""
    samples: dict = field(default_factory=dict)


def labels_of(text):
    found, rest = {}, text
    while rest:
        match = LABEL.match(rest)
        assert match, text
        assert match[1] not in found
        found[match[1]] = re.sub(r"\\.", lambda escape: UNESCAPED[escape[0]], match[2])
        rest = rest[match.end() :]
    return frozenset(found.items())


def parse(text):
    """Return the metric families by name; each must have HELP, TYPE and samples in this order."""
    assert text.endswith("\n")
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if match := re.fullmatch(rf"# HELP ({NAME}) (.*)", line):
            current = match[1]
            assert current not in families
            families[current] = Family(match[2])
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (gauge|counter|untyped)", line):
            assert (match[1], families[current].kind, families[current].samples) == (current, "", {})
            families[current].kind = match[2]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == current
            assert families[current].kind
            assert GO_FLOAT.fullmatch(match[3]), line
            labels = labels_of(match[2] or "")
            assert labels not in families[current].samples
            families[current].samples[labels] = float(match[3])
    return {name.removeprefix("seq2seq_job_"): family for name, family in families.items()}


def value(families, family, **labels):
    return families[family].samples[frozenset(labels.items())]


def test_the_parser_rejects_invalid_text():
    for wrong in ("a 1", "# HELP a x\n# TYPE a gauge\na nope\n", '# HELP a x\n# TYPE a gauge\na{b="\n"} 1\n'):
        with pytest.raises(AssertionError):
            parse(wrong)


def test_metrics_of_the_batch(mixed):
    families = parse(metrics_text(mixed))
    assert value(families, "exit_code") == mixed.exit_code
    assert value(families, "started_timestamp_seconds") == 1772366400
    assert value(families, "finished_timestamp_seconds") == 1772366520
    assert {name: value(families, "jobs", status=name) for name in mixed.totals} == mixed.totals
    assert all(family.kind == "gauge" and family.help for family in families.values())


def test_every_job_has_one_status(mixed):
    samples = parse(metrics_text(mixed))["status"].samples
    held = {dict(labels)["name"]: dict(labels)["status"] for labels, flag in samples.items() if flag}
    assert held == {**{job.name: job.status for job in mixed.jobs}, "never-run": "missing"}
    assert len(samples) == len(held) * (len(STATUSES) + 1)
    assert sorted(samples.values()) == [0] * (len(samples) - len(held)) + [1] * len(held)


def test_metrics_of_jobs(mixed):
    families = parse(metrics_text(mixed))
    assert value(families, "metric", name="tutorial", metric="sequence_accuracy") == 0.999975
    assert value(families, "timing", name="tutorial", timing="train_seconds") == 8.831
    assert value(families, "peak_memory_bytes", name="tutorial") == 700 * 2**20
    assert value(families, "reused", name="tutorial") == 1
    assert value(families, "reused", name="broken") == 0
    count = sum(len(job.metrics) for job in mixed.jobs)
    assert len(families["metric"].samples) == count


def test_unknown_values_are_left_out(make_report):
    families = parse(metrics_text(make_report()))
    assert families.keys() == {"exit_code", "jobs", "started_timestamp_seconds", "finished_timestamp_seconds"}


@pytest.mark.parametrize("text", ['quo"te', "back\\slash", "line\nfeed", "\\n", 'ä, b="c"} 1'])
def test_label_values_are_escaped(make_report, text):
    report = make_report(replace(TUTORIAL, name=text))
    assert value(parse(metrics_text(report)), "reused", name=text) == 0


def test_small_and_large_numbers_keep_their_value(make_report):
    metrics = {"edit_rate": 1e-12, "bleu": 100.0, "rmse": 1.2345678901234567e22}
    families = parse(metrics_text(make_report(replace(TUTORIAL, metrics=metrics))))
    assert {name: value(families, "metric", name="tutorial", metric=name) for name in metrics} == metrics


def test_shards_in_one_directory_have_no_sample_in_common(mixed):
    texts = [metrics_text(mixed, shard=shard) for shard in ("1-of-2", "2-of-2")]
    samples = [
        {(name, labels) for name, family in parse(text).items() for labels in family.samples}
        for text in texts
    ]
    assert not samples[0] & samples[1]
    assert value(parse(texts[0]), "exit_code", shard="1-of-2") == mixed.exit_code
