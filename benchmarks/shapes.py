"""What the contenders learn: jobs, as a spec writes them, that differ from the tutorial's in a few keys."""

from __future__ import annotations

from typing import Any

Job = dict[str, Any]

SECTIONS = ("problem", "model", "training", "evaluation")


def find_job(spec: dict[str, Any], name: str) -> Job:
    """Return one job of a spec's YAML as it stands there."""
    found: list[Job] = [job for job in spec["jobs"] if job["name"] == name]
    if len(found) != 1:
        raise ValueError(f"the spec has {len(found)} jobs named {name!r}, expected 1")
    return found[0]


def changed(job: Job, name: str, **sections: dict[str, Any]) -> Job:
    """Return a job with another name and some keys of its sections changed, and no gate."""
    kept = {section: {**job.get(section, {}), **sections.get(section, {})} for section in SECTIONS}
    return {"name": name, **{section: keys for section, keys in kept.items() if keys}}


def alone(spec: dict[str, Any], *jobs: Job, seed: int = 1) -> dict[str, Any]:
    """Return the spec with these jobs in place of its own."""
    return {**spec, "seed": seed, "jobs": list(jobs)}


def peer_shapes(spec: dict[str, Any]) -> dict[str, Job]:
    """Return what every peer is held against: the tutorial's job in two batch sizes, a long one, real data.

    All but the tutorial's are trained on fewer examples, for they cost far more each. `classes` is of a
    translation's size: 8,000 target classes, whose output layer dominates.
    """
    tutorial = find_job(spec, "tutorial")
    long = {"kind": "reverse", "source_length": 20, "cardinality": 51}
    pronouncing = {"name": "", "problem": find_job(spec, "g2p")["problem"]}
    many = {"kind": "reverse", "source_length": 20, "cardinality": 8001}
    attention = {"inputs": "embedding", "embedding_size": 64, "attention": "luong_general"}
    return {
        "tutorial": changed(tutorial, "tutorial"),
        "tutorial-32": changed(tutorial, "tutorial-32", training={"batch_size": 32}),
        "long": changed(
            {"name": "", "problem": long},
            "long",
            model={"units": 256},
            training={"examples": 6400},
            evaluation={"examples": 2048},
        ),
        "g2p": changed(
            pronouncing,
            "g2p",
            model={"units": 256, "layers": 2, **attention},
            training={"examples": 6400},
            evaluation={"examples": 2048},
        ),
        "transformer": changed(
            pronouncing,
            "transformer",
            model={"architecture": "transformer", "units": 256, "layers": 4, "positions": "sinusoidal"},
            training={"examples": 6400},
            evaluation={"examples": 2048},
        ),
        "classes": changed(
            {"name": "", "problem": many},
            "classes",
            model={"units": 256, **attention},
            training={"examples": 1280},
            evaluation={"examples": 1024},
        ),
    }
