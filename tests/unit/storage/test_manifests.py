"""Manifests: written and read, of any origin."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import flaky_store

from job.storage.manifests import Manifest, read_manifests
from job.storage.remote_files import Content

CONTENT = Content("a" * 64, 3)
MANIFEST = Manifest(
    "jobs/sums", {"result.json": (CONTENT,), "model/train.keras": (Content("b" * 64, 0), CONTENT)}
)


def test_a_manifest_is_read_as_it_was_written():
    for manifest in (MANIFEST, Manifest("report-1-of-2.json", {"report-1-of-2.json": (CONTENT,)})):
        assert Manifest.from_json(manifest.to_json().encode()) == manifest
    assert MANIFEST.path == "manifests/jobs/sums.json"
    assert MANIFEST.place("model/train.keras") == "jobs/sums/model/train.keras"
    assert Manifest("plan.json", {}).place("plan.json") == "plan.json"


@given(st.data())
def test_any_damage_is_found(data):
    text = MANIFEST.to_json().encode()
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255))
    damaged = text[:place] + bytes([byte]) + text[place + 1 :]
    with suppress(ValueError):
        assert Manifest.from_json(damaged) == MANIFEST


@pytest.mark.parametrize("cut", [0, 1, 50, -2])
def test_a_torn_manifest_is_none(cut):
    with pytest.raises(ValueError, match=r"^it is "):
        Manifest.from_json(MANIFEST.to_json().encode()[:cut])


@pytest.mark.parametrize(
    "unit", ["jobs/..", "jobs/a/b", "/etc", "../x", "cache/x", "jobs", "passwd", "jobs/.tmp-1-a"]
)
def test_a_manifest_names_only_parts_of_an_output_directory(unit):
    with pytest.raises(ValueError, match="is no part of an output directory"):
        Manifest.from_json(Manifest(unit, {}).to_json().encode())


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", ""])
def test_a_manifest_names_only_files_inside(name):
    with pytest.raises(ValueError, match="is not the path of a file in the job directory"):
        Manifest.from_json(Manifest("jobs/a", {name: (CONTENT,)}).to_json().encode())


def test_files_without_checksums_are_refused():
    for contents in ((), (Content("x", 1),), (Content("a" * 64, -1),)):
        with pytest.raises(ValueError, match="without a checksum"):
            Manifest.from_json(Manifest("jobs/a", {"x": contents}).to_json().encode())


def test_what_cannot_be_read_is_named_and_the_rest_is_used():
    remote, _ = flaky_store()
    remote.put_bytes(MANIFEST.path, MANIFEST.to_json().encode())
    remote.put_bytes("manifests/jobs/torn.json", b"{")
    remote.put_bytes("manifests/jobs/other.json", MANIFEST.to_json().encode())
    remote.put_bytes("manifests/jobs/newer.json", json.dumps({"schema_version": 99}).encode())
    found, problems = read_manifests(remote)
    assert found == {"jobs/sums": MANIFEST}
    assert [problem.partition(" is ignored: ")[0] for problem in problems] == [
        f"flaky://run/manifests/jobs/{name}.json" for name in ("newer", "other", "torn")
    ]
    assert read_manifests(remote, ["jobs/sums"]) == ({"jobs/sums": MANIFEST}, [])
