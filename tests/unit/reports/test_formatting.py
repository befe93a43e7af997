import pytest

from job.reports import formatting


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0.00 %"),
        (1.0, "100.00 %"),
        (0.5, "50.00 %"),
        (0.99994, "99.99 %"),
        (0.99996, "99.996 %"),
        (1 / 3, "33.33 %"),
        (0.507927, "50.79 %"),
        (0.9898, "98.98 %"),
        (0.999999, "99.9999 %"),
        (0.00001, "0.001 %"),
        (1e-9, "0.0000001 %"),
        (1 - 1e-9, "99.9999999 %"),
        (1.25, "125.00 %"),
    ],
)
def test_a_percentage_has_two_decimals_but_is_never_rounded_to_0_or_100(fraction, text):
    assert formatting.percent(fraction) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sequence_accuracy", 0.9123, "91.23 %"),
        ("train_seconds", 8.831, "8.83 s"),
        ("compile_seconds", 1234.56, "1,234.6 s"),
        ("decoded_sequences_per_second", 31234.5, "31,234 sequences/second"),
        ("decoded_sequences_per_second", 0.4, "0.4 sequences/second"),
        ("train_examples_per_second", 1.49, "1.49 examples/second"),
        ("some_later_metric", 12.3456, "12.35"),
        ("rmse", 7.584154e46, "7.58415e+46"),
    ],
)
def test_quantities_have_their_unit(name, value, text):
    assert formatting.quantity(name, value) == text


@pytest.mark.parametrize(
    ("values", "most", "expected"),
    [
        ([], 3, []),
        ([5], 3, [(5, 5)]),
        ([3, 1, 2, 3], 3, [(1, 1), (2, 2), (3, 3)]),
        (range(1, 8), 3, [(1, 3), (4, 6), (7, 7)]),
        ([1, 2, 3, 1000], 2, [(1, 2), (3, 1000)]),
    ],
)
def test_ranges_have_equal_numbers_of_distinct_values(values, most, expected):
    assert formatting.ranges(values, most) == expected
    assert [formatting.span(*each) for each in [(3, 3), (3, 5)]] == ["3", "3-5"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0312, "0.031"), (7.4e-32, "7.4e-32"), (0.0, "<1e-300"), (1.0, "1")]
)
def test_a_p_value_is_never_zero(value, text):
    assert formatting.p_value(value) == text
