import re

import pytest
from nightly_runs import accuracies, read

from job.errors import InputError
from job.trend.runs import read_runs


def test_runs_come_in_the_order_of_time_whatever_they_are_called(nights):
    root = nights(*accuracies(0.1, 0.2, 0.3), names=["c", "a", "b"])
    runs, (series,) = read(root)
    assert [run.path.parent.name for run in runs] == ["c", "a", "b"]
    assert series.values == (0.1, 0.2, 0.3)
    assert series.runs == (0, 1, 2)
    assert runs[0].commit == "abc"


def test_places_may_be_files_directories_and_globs_and_overlap(nights):
    root = nights(*accuracies(0.1, 0.2, 0.3))
    file = str(root / "night-03" / "report.json")
    for places in ([str(root)], [str(root / "night-*")], [str(root / "*" / "report.json"), file, str(root)]):
        assert len(read_runs(places)[0]) == 3
    assert [run.path for run in read_runs([file])[0]] == [root / "night-03" / "report.json"]


def test_a_place_without_a_report_is_an_error_that_names_it(tmp_path):
    for place in (tmp_path, tmp_path / "gone", tmp_path / "*.json"):
        with pytest.raises(InputError, match=re.escape(f"{place}: expected a report.json")):
            read_runs([str(place)])


def test_an_unreadable_report_is_skipped_with_a_reason(nights):
    root = nights(*accuracies(0.1, 0.2))
    (root / "night-01" / "report.json").write_text("{")
    runs, skipped = read_runs([str(root)])
    assert len(runs) == 1
    assert str(skipped[0]).startswith(f"{root / 'night-01' / 'report.json'}: left out: ")
    (root / "night-02" / "report.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="no report can be read"):
        read_runs([str(root)])
