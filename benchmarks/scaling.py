"""`python -m benchmarks.scaling`: one model by two processes, against one, and what that means for machines.

For each shape it measures training by one process on two cores, by one on one core, and by two on a core each
(`multi_worker` over the loopback), with the batch of the shape, with larger ones and with accumulated
gradients; and the bytes that each sends a step. A model of the cost is fitted to that, which says on paper up
to how many machines it pays. Prints tables in Markdown, and writes all figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.scaling_model import Computation, Network, fit_network, machines_worth, ring_bytes
from benchmarks.shapes import Job, alone, changed, peer_shapes
from benchmarks.workload import write_spec
from job.process.tensorflow_loading import VARIABLES

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 300
"""Time after which a run has failed."""

LARGER = 4
"""Times the batch of the shape, by a larger batch or by as many accumulated ones."""

LINKS = {
    "1 Gbit/s": Network(latency=1e-4, bandwidth=1e9 / 8),
    "10 Gbit/s": Network(latency=5e-5, bandwidth=1e10 / 8),
    "100 Gbit/s": Network(latency=2e-5, bandwidth=1e11 / 8),
}
"""Assumed, not measured: what is said of machines that these connect is on paper."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Who trains, and on what.

    Attributes:
        processes: number of processes that train together.
        cores: number of cores of each.
        batch: times the batch of the shape.
        accumulate: batches a step.
    """

    processes: int
    cores: int
    batch: float = 1
    accumulate: int = 1

    @property
    def name(self) -> str:
        """As the table shows it."""
        who = f"{self.processes} x {self.cores} core" + ("s" if self.cores > 1 else "")
        return who + (f", accumulate {self.accumulate}" if self.accumulate > 1 else "")


SETTINGS = (
    Setting(processes=1, cores=2),
    Setting(processes=1, cores=1),
    Setting(processes=1, cores=1, batch=0.5),
    Setting(processes=1, cores=1, batch=LARGER / 2),
    Setting(processes=2, cores=1),
    Setting(processes=2, cores=1, batch=LARGER),
    Setting(processes=2, cores=1, accumulate=LARGER),
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a setting took at a shape; bytes are what each process has sent on average."""

    shape: str
    setting: Setting
    batch: int
    parameters: int
    steps: int
    step_seconds: float
    examples_per_second: float
    sent_bytes_a_step: float


def shapes(spec: dict[str, Any]) -> dict[str, Job]:
    """Return the tutorial's shape, that of g2p, and a Transformer of 10 million parameters."""
    peers = peer_shapes(spec)
    reversing = {"kind": "reverse", "source_length": 10, "cardinality": 51}
    sizes = {"units": 352, "layers": 3, "heads": 8, "feed_forward": 1408}
    transformer = changed(
        {"name": "", "problem": reversing},
        "transformer-10m",
        model={"architecture": "transformer", **sizes},
        training={"batch_size": 32},
    )
    return {"tutorial": peers["tutorial"], "g2p": peers["g2p"], "transformer-10m": transformer}


def main() -> None:
    """Measure, fit, and print."""
    arguments = _parser().parse_args()
    os.chdir(ROOT)
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two cores are needed")
    spec = yaml.safe_load(Path("jobs.yaml").read_text(encoding="utf-8"))
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, job in shapes(spec).items():
            if name not in (arguments.only or [name]):
                continue
            for number, setting in enumerate(SETTINGS):
                place = Path(scratch) / f"{name}-{number}"
                runs.append(measured(name, job, setting, spec, place, cores, arguments.seconds))
                last = runs[-1]
                print(
                    f"{name}: {setting.name}: {last.examples_per_second:,.0f}/s", file=sys.stderr, flush=True
                )
    figures = conclusions(runs)
    print(as_markdown(runs, figures))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    record = {"runs": [asdict(run) for run in runs], **figures}
    arguments.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


# --- measuring ----------------------------------------------------------------------------------------------


def measured(
    name: str,
    job: Job,
    setting: Setting,
    spec: dict[str, Any],
    place: Path,
    cores: Sequence[int],
    seconds: float,
) -> Run:
    """Train a shape in a setting for some seconds.

    Raises:
        subprocess.SubprocessError: a process failed, or took too long; what it said is on standard error.
    """
    batch = round(job.get("training", {}).get("batch_size", 128) * setting.batch)
    training = {"batch_size": batch, "accumulate": setting.accumulate, "epochs": 100, "examples": 10_000_000}
    if job["problem"]["kind"] == "text_pairs":  # as many as there are
        training = {**training, "examples": "all", "epochs": 1000}
    write_spec(place, alone(spec, changed(job, name, training=training)))
    said = run_processes(place, setting, cores, seconds)
    mean = {key: sum(each[key] for each in said) / len(said) for key in said[0]}
    return Run(
        shape=name,
        setting=setting,
        batch=batch * setting.accumulate,
        parameters=round(mean["parameters"]),
        steps=round(mean["steps"]),
        step_seconds=mean["step_seconds"],
        examples_per_second=mean["examples_per_second"],
        sent_bytes_a_step=mean["sent_bytes_a_step"],
    )


def run_processes(
    place: Path, setting: Setting, cores: Sequence[int], seconds: float
) -> list[dict[str, float]]:
    """Run the processes of a setting at once, each on its own cores; return what they print."""
    command = [sys.executable, "-m", "benchmarks.programs.together", str(place), str(seconds)]
    processes = []
    try:
        for rank, config in enumerate(cluster_variables(setting.processes)):
            own = cores if setting.cores > 1 else cores[rank : rank + 1]
            pinned = ["taskset", "-c", ",".join(map(str, own)), *command, str(setting.cores)]
            variables = {**os.environ, **VARIABLES, **config, "PYTHONPATH": str(ROOT)}
            with (place / f"{rank}.stderr").open("w") as errors:
                processes.append(
                    subprocess.Popen(pinned, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)
                )
        said = []
        for rank, process in enumerate(processes):
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
            if process.returncode:
                print((place / f"{rank}.stderr").read_text(), file=sys.stderr)
                raise subprocess.CalledProcessError(process.returncode, command)
            said.append(json.loads(output.splitlines()[-1]))
        return said
    finally:
        for process in processes:
            process.kill()


def cluster_variables(processes: int) -> Iterator[dict[str, str]]:
    """Yield the environment variables of each process; none for a single one."""
    if processes == 1:
        yield {}
        return
    sockets = [socket.create_server(("localhost", 0)) for _ in range(processes)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    for rank in range(processes):
        task = {"type": "worker", "index": rank}
        yield {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})}


# --- conclusions --------------------------------------------------------------------------------------------


def conclusions(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the fitted costs: of computation by shape, of the loopback, and the machines that pay."""
    by_shape = {run.shape: [each for each in runs if each.shape == run.shape] for run in runs}
    costs = {name: _computation(each) for name, each in by_shape.items()}
    exchanges = [
        (run.parameters, run.setting.processes, run.step_seconds - costs[run.shape].seconds(run.batch / 2))
        for run in runs
        if run.setting.processes > 1 and run.setting.accumulate == 1
    ]
    loopback = fit_network([exchange for exchange in exchanges if exchange[2] > 0])
    networks = {**({"loopback, as fitted": loopback} if loopback else {}), **LINKS}
    worth = {
        name: {
            link: {
                str(times): machines_worth(
                    costs[name], network, parameters=each[0].parameters, batch=times * each[0].batch
                )
                for times in (1, LARGER, 4 * LARGER)
            }
            for link, network in networks.items()
        }
        for name, each in by_shape.items()
    }
    return {
        "computation": {name: asdict(cost) for name, cost in costs.items()},
        "loopback": asdict(loopback) if loopback else None,
        "machines": worth,
    }


def _computation(runs: Sequence[Run]) -> Computation:
    """Return the cost of computation on one core."""
    on_one = [run for run in runs if (run.setting.processes, run.setting.cores) == (1, 1)]
    return Computation.fitted([(run.batch, run.step_seconds) for run in on_one])


def as_markdown(runs: Sequence[Run], figures: dict[str, Any]) -> str:
    """Return the tables of docs/clusters.md."""
    lines = [
        "| shape | parameters | processes | examples a step | examples/s | ms | MB sent | of a ring |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        needed = ring_bytes(run.parameters, run.setting.processes) / 1e6
        sent = f"{run.sent_bytes_a_step / 1e6:.2f} | {needed:.2f}" if run.setting.processes > 1 else "- | -"
        lines.append(
            f"| {run.shape} | {run.parameters:,} | {run.setting.name} | {run.batch:,} "
            f"| {run.examples_per_second:,.0f} | {1e3 * run.step_seconds:.1f} | {sent} |"
        )
    lines += ["", _fitted(figures["loopback"])]
    times = list(next(iter(next(iter(figures["machines"].values())).values())))
    head = " | ".join("this batch" if t == "1" else f"{t} times" for t in times)
    lines += ["", f"| shape | network | {head} |", "| --- | --- |" + " --- |" * len(times)]
    lines += [
        f"| {shape} | {link} | " + " | ".join(str(numbers[t]) for t in times) + " |"
        for shape, links in figures["machines"].items()
        for link, numbers in links.items()
    ]
    return "\n".join(lines)


def _fitted(loopback: dict[str, float] | None) -> str:
    if loopback is None:
        return "No exchange took measurable time: the machine was not quiet."
    latency, bandwidth = 1e3 * loopback["latency"], loopback["bandwidth"] / 1e6
    return f"Fitted to the loopback: {latency:.2f} ms a turn, {bandwidth:,.0f} MB/s."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__.partition("\n")[0]
    )
    names = ["tutorial", "g2p", "transformer-10m"]
    parser.add_argument(
        "--only", action="append", choices=names, help="this shape; may be given several times"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="of steady steps of each run (default: 6)")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "benchmarks" / "results" / "scaling.json", metavar="FILE"
    )
    return parser


if __name__ == "__main__":
    main()
