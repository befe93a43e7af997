"""A batch that ended red, with drawings and a comparison, for tests of the reports: nothing is trained."""

import json
import math
import random
from dataclasses import replace
from datetime import timedelta

from nightly_runs import START

from job.gating.batch_verdict import decide
from job.reports.plots import drawings
from job.reports.report_files import build_report
from job.results.comparison_records import (
    ChangedSetting,
    Comparison,
    FlippedExample,
    JobComparison,
    MetricComparison,
)
from job.results.data_facts import DataFacts
from job.results.job_result import Artifact, Failure, GateOutcome, JobResult
from job.results.predictions import Prediction

FILES = ("curves.svg", "accuracy.svg", "contexts.svg", "attention.svg")
NAMES = ("tutorial", "addition", "copy", "g2p", "inflection", "broken", "translation", "short")
WORDS = ("abandon", "letter", "sequence", "gradient", "phoneme", "nightly")
SPEC = {
    "problem": {
        "kind": "text_pairs",
        "source_tokens": "characters",
        "target_tokens": "words",
        "path": "d.tsv",
    },
    "model": {"cell": "lstm", "units": 128, "layers": 1, "attention": "luong_general", "bidirectional": True},
    "training": {"examples": 50_000, "epochs": 12, "batch_size": 64, "optimizer": {"learning_rate": 0.003}},
    "evaluation": {"examples": 2000, "decoder": "greedy"},
}


def red_night(output, jobs=8):
    """Leave the drawings of a batch in an output directory and return its report.

    Job `g2p` is worse than its baseline, `broken` failed and `short` failed its gate; the others are well.
    """
    names = [NAMES[n % 8] + (f"-{n // 8 + 1}" if n >= 8 else "") for n in range(jobs)]
    results = [_finished(name, 0.458 if name == "g2p" else 0.97 + 0.0005 * n) for n, name in enumerate(names)]
    results = [_failed(job) if job.name == "broken" else job for job in results]
    drawn = _drawn(output, results[0])
    for job in results:
        if job.metrics:
            directory = output.job(job.name).directory
            directory.mkdir(parents=True, exist_ok=True)
            for file, text in drawn.items():
                (directory / file).write_text(text.replace(names[0], job.name), "utf-8")
    against = Comparison(
        *("main/report.json", "2026-02-28T01:12:00+00:00", "5f1c0de5f1c0", tuple(map(_compared, results))),
        commits=("a1b2c3d Learning rate of the night",),
        commit_count=1,
    )
    return build_report(
        results,
        started_at=START,
        finished_at=START + timedelta(minutes=42),
        verdict=decide(names, results, comparison=against),
        comparison=against,
    )


def _finished(name, accuracy):
    random.seed(name)
    words = [" ".join(random.choices(WORDS, k=4)) for _ in range(10)]
    gate = GateOutcome("sequence_accuracy", 0.99 if name == "short" else 0.4, accuracy, name != "short")
    steps = [*range(200, 8200, 200)]
    return JobResult(
        name=name,
        status="passed" if gate.passed else "gate_failed",
        fingerprint="a1" * 32,
        seed=7,
        spec={"name": name, **SPEC},
        metrics={
            "sequence_accuracy": accuracy,
            "unseen_sequence_accuracy": accuracy - 0.002,
            "token_accuracy": 1 - (1 - accuracy) / 4,
            "edit_rate": (1 - accuracy) / 3,
        },
        gates=(gate,),
        data=DataFacts(
            train_examples=50_000,
            epochs=12,
            steps=8000,
            stopped_early=False,
            test_examples=2000,
            seen_in_training=3,
            source_space=10**9,
            problem={"vocabulary": 51},
        ),
        timings={"train_seconds": 96.4, "total_seconds": 141.2, "decoded_sequences_per_second": 3120.5},
        peak_rss_bytes=700 * 2**20,
        parameters=157_747,
        environment={"python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.0", "git_commit": "a1b2c3d"},
        history={
            "step": steps,
            "loss": [2.5 * math.exp(-step / 2000) + 0.05 for step in steps],
            "val_loss": [2.5 * math.exp(-step / 2000) + 0.09 for step in steps],
        },
        samples=tuple(
            Prediction(str(n), word, word, word if n % 3 else word[:-3], n % 3 != 0)
            for n, word in enumerate(words)
        ),
        analysis={
            "by_position": [
                {"position": n, "count": 2000 - 90 * n, "accuracy": 1 - 0.01 * n} for n in range(20)
            ],
            "by_source_length": [
                {"length": n, "count": 60 * n, "accuracy": 1 - 0.012 * n} for n in range(2, 26)
            ],
            "confusions": [{"target": word, "predicted": word[:-1], "count": 9} for word in WORDS],
            "worst_mistakes": [
                {"id": str(n), "edit_distance": 9 - n // 2, "source": w, "target": w, "predicted": w[5:]}
                for n, w in enumerate(words)
            ],
        },
        attention=tuple(_attention(word.split()) for word in words[:4]),
        artifacts=tuple(
            Artifact(path, 12_345, "0" * 64) for path in (*FILES, "model.keras", "predictions.jsonl")
        ),
    )


def _attention(words):
    weights = [[0.7 if row == column else 0.1 for column in range(4)] for row in range(4)]
    return {
        "source": words,
        "predicted": words,
        "source_tokens": 4,
        "predicted_tokens": 4,
        "weights": weights,
    }


def _failed(job):
    error = Failure("NonFiniteError", "the loss is not a finite number at step 3,100", "error.txt")
    return JobResult(job.name, "failed", job.fingerprint, 7, job.spec, error=error)


def _drawn(output, job):
    """Draw a job; the drawings of the others differ in their titles."""
    paths = output.job(job.name)
    paths.directory.mkdir(parents=True, exist_ok=True)
    rows = zip(*job.history.values(), strict=True)
    lines = [",".join(job.history), *(",".join(map(str, row)) for row in rows)]
    paths.history.write_text("\n".join(lines), "utf-8")
    places = [[math.cos(7 * n) * n / 100, math.sin(7 * n)] for n in range(500)]
    contexts = {"ids": [*map(str, range(500))], "label": "tokens of the source", "explained": [0.4, 0.2]}
    contexts |= {"labels": [n % 12 for n in range(500)], "coordinates": places, "states": ["h"]}
    paths.contexts.write_text(json.dumps(contexts), "utf-8")
    return {path.name: draw() for path, draw in drawings(paths, job).items()}


def _compared(job):
    if not job.metrics:
        return JobComparison(job.name, "not_comparable", "the job has no finished result: it is failed")
    worse = job.name == "g2p"
    metrics = [_metric(job, "sequence_accuracy", 0.16 if worse else 0.0005, worse)]
    metrics.append(_metric(job, "edit_rate", -0.053 if worse else -0.0002, worse))
    text = "; ".join(f"{each.metric} was {each.before:.4g} and is {each.now:.4g}" for each in metrics)
    if not worse:
        return JobComparison(job.name, "unchanged", "no metric changed", tuple(metrics), changes=())
    lost = [
        FlippedExample(str(n), word, f"{word} a b c", f"{word} a b c", f"{word} a")
        for n, word in enumerate(3 * WORDS)
    ]
    changes = (ChangedSetting("training.optimizer.learning_rate", 0.006, 0.003),)
    compared = JobComparison(job.name, "regression", text, tuple(metrics), tuple(lost), tuple(lost[:2]))
    return replace(compared, lost_count=322, won_count=2, changes=changes)


def _metric(job, name, drop, worse):
    now = job.metrics[name]
    p_value = 2e-73 if worse else 1.0
    return MetricComparison(
        *(name, "exact McNemar", now + drop, now, -drop, p_value, p_value, 0.01, 0.005, 2000, True),
        detail="322 right before and wrong now, 2 the other way, of 2,000 examples" if worse else "of 2,000",
        change="regression" if worse else "unchanged",
    )
