"""Names of jobs that fit a narrow terminal."""

import pytest

from job.batch.short_names import short_name

SEEDS = [f"g2p-units-{units}-seed-{seed}" for units in (64, 128) for seed in (1, 2)]


def test_a_name_that_fits_is_not_changed():
    assert [short_name(name, SEEDS, 20) for name in SEEDS] == SEEDS


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (19, ["g2p-units-64-seed-1", "g2p-units-64-seed-2", "…units-128-seed-1", "…units-128-seed-2"]),
        (12, ["…64-seed-1", "…64-seed-2", "…128-seed-1", "…128-seed-2"]),
        (9, ["…64-1", "…64-2", "…128-1", "…128-2"]),
    ],
)
def test_a_name_that_does_not_fit_shows_what_differs(width, shown):
    assert [short_name(name, SEEDS, width) for name in SEEDS] == shown


@pytest.mark.parametrize("width", range(6, 21))
def test_no_two_jobs_are_shown_alike(width):
    names = [*SEEDS, "seed-1", "tutorial", "a" * 30, "a" * 29 + "b" + "a" * 5, "a" * 15 + "c" + "a" * 18]
    shown = []
    for name in names:
        shown.append(short_name(name, names, width, shown))
        assert len(shown[-1]) <= width
    assert len({*shown}) == len(names)


def test_an_end_that_another_name_has_too_is_not_shown():
    names = ["a-long-name-of-a-job-seed-1", "another-long-name-seed-1"]
    assert [short_name(name, names, 12) for name in names] == ["…job-seed-1", "…name-seed-1"]
