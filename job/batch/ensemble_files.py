"""The files of an ensemble: read a recorded result, and write a new one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from job.batch.ensemble_members import PlannedEnsemble, fingerprint_of, models_of
from job.evaluation.text_scores import recorded_tokenization
from job.gating.ensemble_gains import Scored, ensemble_metrics
from job.gating.metric_tests import target_splitter
from job.results.checksums import sha256_of
from job.results.ensemble_records import EnsembleResult
from job.results.job_result import JobResult
from job.results.predictions import Prediction
from job.running.ensemble_task import DecodedEnsemble
from job.storage.artifacts import OutputPaths, write_text
from job.storage.documents import read_regular
from job.storage.ensemble_paths import EnsemblePaths, ensemble_paths
from job.storage.links import refuse_link


def prepare_directory(paths: EnsemblePaths) -> None:
    """Make the directory of an ensemble; raises `OutputError` if it is a symbolic link."""
    for folder in (paths.directory.parent, paths.directory, paths.parts):
        refuse_link(folder)
    paths.directory.mkdir(parents=True, exist_ok=True)


def recorded_ensemble(paths: EnsemblePaths, fingerprint: str) -> EnsembleResult | None:
    """Return the recorded result of the same members with whole files; None if there is none."""
    try:
        result = EnsembleResult.from_json(read_regular(paths.result))
        whole = all(sha256_of(paths.directory / name) == sha for name, sha in result.files.items())
    except (OSError, ValueError):
        return None
    same = result.fingerprint == fingerprint and result.status == "computed" and result.files
    return replace(result, reused=True) if whole and same else None


def write_ensemble(
    ensemble: PlannedEnsemble, members: list[JobResult], output: OutputPaths, decoded: DecodedEnsemble
) -> EnsembleResult:
    """Write the files of an ensemble, `result.json` last, and return its result."""
    paths, models, together = ensemble_paths(output, ensemble.name), models_of(members), decoded.together
    singles = {member.name: _single(member, output, decoded) for member in members}
    metrics = ensemble_metrics(
        Scored(metrics=together.metrics, predictions=together.predictions),
        singles,
        target_splitter(members[0]),
        recorded_tokenization(together.signatures),
    )
    texts = {
        paths.models: models.to_json(),
        paths.predictions: "".join(f"{prediction.to_line()}\n" for prediction in together.predictions),
    }
    for path, text in texts.items():
        write_text(path, text)
    result = EnsembleResult(
        name=ensemble.name,
        members=ensemble.members,
        status="computed",
        fingerprint=fingerprint_of(models),
        examples=len(together.predictions),
        test_of=members[0].name,
        metrics=metrics,
        signatures=together.signatures,
        not_measured=together.not_measured,
        decode_seconds=round(together.seconds, 4),
        files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in texts},
    )
    write_text(paths.result, result.to_json())
    return result


def _single(member: JobResult, output: OutputPaths, decoded: DecodedEnsemble) -> Scored:
    alone = decoded.alone.get(member.name)
    if alone is not None:
        return Scored(metrics=alone.metrics, predictions=alone.predictions)
    lines = read_regular(output.job(member.name).predictions).splitlines()
    return Scored(metrics=member.metrics, predictions=[Prediction.from_line(line) for line in lines])
