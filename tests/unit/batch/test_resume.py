import json

import pytest
from sample_jobs import job_result

from job.batch.resume import find_previous, make_room, read_recorded_result
from job.results.job_files import list_files
from job.spec.fingerprints import Fingerprints

TRAINING, OTHER = "a" * 64, "b" * 64
FINGERPRINTS = Fingerprints(training=TRAINING, evaluation="c" * 64)


@pytest.fixture
def paths(output):
    """A job's directory with files as a finished job leaves them, `result.json` apart."""
    paths = output.job("copy")
    paths.model.mkdir(parents=True)
    (paths.model / "train.keras").write_bytes(b"weights")
    paths.history.write_text("step,loss\n")
    paths.log.write_text("said\n")
    return paths


def leave(paths, status="passed", training=TRAINING, evaluation=FINGERPRINTS.evaluation):
    result = job_result(
        "copy",
        status,
        fingerprint=evaluation,
        training_fingerprint=training,
        artifacts=list_files(paths.directory),
    )
    paths.result.write_text(result.to_json())
    return result


# --- what counts as done ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["passed", "gate_failed"])
def test_a_job_that_came_to_its_end_is_done(paths, status):
    result = leave(paths, status)
    assert find_previous(paths, FINGERPRINTS).result == result


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_job_that_did_not_is_not(paths, status):
    leave(paths, status)
    assert find_previous(paths, FINGERPRINTS).result is None
    assert read_recorded_result(paths)[0].status == status


def test_a_result_of_another_fingerprint_is_not_this_jobs(paths):
    leave(paths)
    assert find_previous(paths, Fingerprints(training=OTHER, evaluation=OTHER)).result is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda paths: (paths.model / "train.keras").unlink(),
        lambda paths: (paths.model / "train.keras").write_bytes(b"weight"),
        lambda paths: paths.history.write_text("step,loss\n1,2\n"),
        lambda paths: paths.result.write_text(paths.result.read_text()[:-20]),
        lambda paths: paths.result.write_text("{}"),
        lambda paths: paths.result.unlink(),
    ],
    ids=["file_gone", "file_shorter", "file_longer", "result_cut", "result_empty", "result_gone"],
)
def test_a_job_whose_files_are_not_whole_is_not_done(paths, damage):
    leave(paths)
    damage(paths)
    assert find_previous(paths, FINGERPRINTS).result is None


def test_what_another_program_version_left_is_not_done(paths):
    leave(paths)
    record = {**json.loads(paths.result.read_text()), "schema_version": 99}
    paths.result.write_text(json.dumps(record))
    assert find_previous(paths, FINGERPRINTS).state == "damaged"
    assert find_previous(paths, FINGERPRINTS).result is None


def test_a_log_that_grew_does_not_undo_a_job(paths):
    leave(paths)
    paths.log.write_text("said more\n")
    assert find_previous(paths, FINGERPRINTS).result is not None


def test_an_output_directory_that_is_not_there_holds_no_results(tmp_path, output):
    assert read_recorded_result(output.job("none")) == (None, "")


# --- what is in the way -------------------------------------------------------------------------------------


def test_a_new_job_gets_an_empty_directory(output):
    make_room(output, "new", FINGERPRINTS, fresh=False)
    assert [*output.job("new").directory.iterdir()] == []
    assert not output.superseded.exists()


def test_a_result_of_another_fingerprint_is_set_aside_whole(output, paths):
    leave(paths, training=OTHER, evaluation=OTHER)
    make_room(output, "copy", FINGERPRINTS, fresh=False)
    assert [*paths.directory.iterdir()] == []
    (aside,) = output.superseded.iterdir()
    assert aside.name == f"copy-{OTHER[:8]}"
    assert (aside / "model" / "train.keras").read_bytes() == b"weights"
    assert (aside / "result.json").exists()


@pytest.mark.parametrize(("fresh", "aside"), [(True, [f"copy-{FINGERPRINTS.evaluation[:8]}"]), (False, [])])
def test_a_result_of_the_same_fingerprint_is_set_aside_only_when_asked(output, paths, fresh, aside):
    leave(paths, "failed")
    make_room(output, "copy", FINGERPRINTS, fresh=fresh)
    found = [path.name for path in output.superseded.iterdir()] if output.superseded.exists() else []
    assert found == aside
    assert paths.directory.is_dir()
    assert not paths.result.exists()


def leave_checkpoint(paths, fingerprint):
    paths.checkpoint.mkdir()
    checkpoint = paths.checkpoint / f"{fingerprint[:8]}-0000000001.npz"
    checkpoint.write_bytes(b"state")
    return checkpoint


@pytest.mark.parametrize("status", [None, "interrupted", "failed"])
def test_what_can_be_gone_on_with_stays(output, paths, status):
    checkpoint = leave_checkpoint(paths, TRAINING)
    if status:
        leave(paths, status)
    make_room(output, "copy", FINGERPRINTS, fresh=False)
    assert checkpoint.exists()
    assert not paths.result.exists()
    assert not output.superseded.exists()


@pytest.mark.parametrize(("fingerprint", "fresh"), [(OTHER, False), (TRAINING, True)])
def test_unfinished_work_that_is_not_resumed_is_set_aside(output, paths, fingerprint, fresh):
    checkpoint = leave_checkpoint(paths, fingerprint)
    make_room(output, "copy", FINGERPRINTS, fresh=fresh)
    assert [*paths.directory.iterdir()] == []
    aside = output.superseded / "copy-unfinished"
    assert (aside / "checkpoint" / checkpoint.name).read_bytes() == b"state"


def test_setting_aside_twice_keeps_both(output, paths):
    for _ in range(2):
        paths.directory.mkdir(exist_ok=True)
        leave(paths)
        make_room(output, "copy", FINGERPRINTS, fresh=True)
    assert sorted(path.name for path in output.superseded.iterdir()) == [
        f"copy-{FINGERPRINTS.evaluation[:8]}",
        f"copy-{FINGERPRINTS.evaluation[:8]}-2",
    ]


def test_only_partial_files_of_a_killed_run_are_removed(output, paths):
    temporary = paths.model / ".tmp-1234abcd-decoder.keras"
    temporary.write_bytes(b"half")
    make_room(output, "copy", FINGERPRINTS, fresh=False)
    assert not temporary.exists()
    assert (paths.model / "train.keras").exists()
    assert paths.log.exists()
