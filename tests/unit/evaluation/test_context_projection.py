"""Principal components against the eigenvectors of the covariance matrix, and the file made of them."""

import json

import numpy as np
import pytest

from job.evaluation.context_projection import LABELS, contexts, principal_components
from job.spec.problem_sections import ProblemSpec


def drawn(count, size, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, size)) * np.geomspace(10, 0.1, size) + 3).astype(np.float32)


@pytest.mark.parametrize(("count", "size"), [(50, 4), (5, 40), (200, 2), (3, 2)])
def test_is_what_the_covariance_says(count, size):
    vectors = drawn(count, size)
    coordinates, explained = principal_components(vectors)
    values, columns = np.linalg.eigh(np.cov(vectors.astype(np.float64), rowvar=False))
    values, columns = values[::-1], columns[:, ::-1]
    expected = (vectors - vectors.mean(axis=0, dtype=np.float64)) @ columns[:, :2]
    np.testing.assert_allclose(np.abs(coordinates), np.abs(expected), atol=1e-6)
    np.testing.assert_allclose(explained, values[:2] / values.sum(), atol=1e-9)
    np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-9)


def test_the_largest_entry_of_each_direction_is_positive():
    line = np.outer([-2.0, -1, 0, 1, 2], [1.0, -3, 2])
    coordinates, explained = principal_components(line)
    np.testing.assert_allclose(coordinates[:, 0], -np.sqrt(14) * np.array([-2, -1, 0, 1, 2]), atol=1e-12)
    np.testing.assert_allclose(explained, [1, 0], atol=1e-12)
    again, _ = principal_components(-line)
    np.testing.assert_allclose(again, -coordinates, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (4, 1), (1, 1), (6, 3)])
def test_what_does_not_vary_lies_in_one_place(shape):
    coordinates, explained = principal_components(np.full(shape, 7.0, np.float32))
    assert coordinates.tolist() == [[0, 0]] * shape[0]
    assert explained.tolist() == [0, 0]


def test_one_direction_leaves_the_other_axis_empty():
    coordinates, explained = principal_components(np.array([[1.0], [3.0]], np.float32))
    assert coordinates.tolist() == [[-1, 0], [1, 0]]
    assert explained.tolist() == [1, 0]


STATES = {"h1": drawn(6, 3), "c1": drawn(6, 3, seed=1)}
SOURCES = [["4", "1"], ["7"], ["1", "2", "3"], ["50"], ["5"], ["6"]]


def test_the_file_holds_the_joined_states_of_every_source_as_json():
    found = contexts("copy", list("abcdef"), SOURCES, STATES)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    expected, explained = principal_components(np.concatenate([STATES["h1"], STATES["c1"]], axis=1))
    np.testing.assert_allclose(found["coordinates"], expected, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_allclose(found["explained"], explained, atol=1e-4)
    assert found["ids"] == list("abcdef")
    assert found["states"] == ["h1", "c1"]


def test_coordinates_are_rounded_all_to_the_same_place():
    states = {"h1": np.array([[1234.5678, 0], [-1234.5678, 0], [0, 0.0444]], np.float32)}
    assert contexts("copy", ["0", "1", "2"], SOURCES[:3], states)["coordinates"] == [
        [1234.6, 0.0],
        [-1234.6, 0.0],
        [0.0, 0.0],
    ]


@pytest.mark.parametrize(
    ("kind", "sources", "name", "labels"),
    [
        ("sort", [["4", "1"], ["50", "2"]], "first element", [4, 50]),
        ("addition", [list("12+3"), list("1+23")], "digits of the first number", [2, 1]),
        ("text_pairs", [list("abc"), list("a")], "tokens of the source", [3, 1]),
        ("plugin", [["x", "y"], ["z"]], "tokens of the source", [2, 1]),
    ],
)
def test_points_are_coloured_by_what_their_problem_is_about(kind, sources, name, labels):
    found = contexts(kind, ["0", "1"], sources, {"h1": drawn(2, 3)})
    assert (found["label"], found["labels"]) == (name, labels)


def test_every_kind_with_a_label_of_its_own_is_one_of_the_specs():
    kinds = {kind.model_fields["kind"].annotation.__args__[0] for kind in ProblemSpec.__args__[0].__args__}
    assert kinds > LABELS.keys()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_that_are_not_finite_make_no_picture_and_no_error(value):
    states = {"h1": np.array([[1, 2], [value, 1]], np.float32)}
    assert contexts("copy", ["0", "1"], SOURCES[:2], states) == {}
