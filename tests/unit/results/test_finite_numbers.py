import math

from job.results.finite_numbers import nonfinite_places


def test_every_place_is_named():
    tree = {
        "rmse": math.nan,
        "also": [{"metrics": {"edit_rate": 0.5}}, {"metrics": {"edit_rate": math.inf}}],
        "range": (1.0, -math.inf),
        "name": "nan",
        "count": 10**400,
        "none": None,
    }
    assert list(nonfinite_places(tree)) == ["rmse", "also[1].metrics.edit_rate", "range[1]"]
    assert list(nonfinite_places(math.nan, "loss")) == ["loss"]
    assert list(nonfinite_places({"loss": 0.5})) == []
