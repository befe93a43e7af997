"""Predictions of two runs for the same examples."""

import pytest

from job.gating.paired_examples import pair_examples
from job.results.predictions import Prediction


@pytest.mark.parametrize(
    ("earlier", "now", "same"),
    [
        (("<unk> b", "x<unk>z"), ("a b", "xyz"), True),
        (("<unk><unk>b", "x <unk>"), ("aab", "x y"), True),
        (("<unk> b", "x"), ("ab b c", "x"), False),
        (("a<unk>", "x"), ("abc", "x"), False),
    ],
)
def test_unknown_tokens_of_earlier_results_match_the_text_of_the_data(earlier, now, same):
    old, new = Prediction("0", *earlier, "q", False), Prediction("0", *now, "q", False)
    assert pair_examples([old], [new]) == pair_examples([new], [old]) == ([(new, new)] if same else [])
