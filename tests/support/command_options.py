"""The commands and options that are promised to users, and a spec to try them with."""

SPEC = """\
version: 1
defaults: {training: {examples: 1000, batch_size: 10}}
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 2, cardinality: 6}
  - name: sums
    matrix: {problem.digits: [1, 2]}
    problem: {kind: addition}
"""

OPTIONS = {
    "": {
        "--spec",
        "--output-dir",
        "--only",
        "--workers",
        "--shard",
        "--queue",
        "--lease-seconds",
        "--cluster",
        "--fresh/--no-fresh",
        "--fail-fast/--no-fail-fast",
        "--time-limit",
        "--tensorboard/--no-tensorboard",
        "--mlflow",
        "--log-format",
        "--store",
        "--on-end",
        "--baseline",
        "--update-baseline",
        "--version",
    },
    "validate": {"--spec"},
    "plan": {"--spec", "--output-dir", "--shards", "--save-shards", "--format"},
    "schema": {"--of"},
    "cancel": {"DIRECTORY", "NAME"},
    "status": {"DIRECTORIES", "--watch", "--format"},
    "compare": {"BASELINE", "CANDIDATE", "--jobs", "--format"},
    "report": {
        "DIRECTORIES",
        "--output-dir",
        "--baseline",
        "--update-baseline",
        "--store",
        "--on-end",
        "--hide-test",
    },
    "rank": {"OUTPUT", "--by", "--format"},
    "trend": {"PLACES", "--output", "--fail-on-change"},
    "predict": {"MODEL_DIR", "--input", "--n-best", "--format"},
    "encode": {"MODEL_DIR", "--input", "--output"},
}
"""Other people's scripts depend on these names: one that goes is a new major version."""

ARGUMENTS = {
    "cancel": ["x", "y"],
    "status": ["x"],
    "report": ["x"],
    "compare": ["x", "y"],
    "rank": ["x"],
    "trend": ["x"],
    "predict": ["x"],
    "encode": ["x"],
}
"""By command: the arguments without which it does not start."""
