from xml.etree import ElementTree

import pytest

from job.reports.attention_plot import attention_svg

SVG = "{http://www.w3.org/2000/svg}"
LOOKED = {
    "source": ["5", "12", "48"],
    "predicted": ["48", "12"],
    "source_tokens": 3,
    "predicted_tokens": 2,
    "weights": [[0.1, 0.2, 0.7], [0.0, 1.0, 0.02]],
}


def sample(sources, predictions, **others):
    """Return a sample with equal weights for all source tokens."""
    weights = [[1 / len(sources)] * len(sources) for _ in predictions]
    return {
        "source": sources,
        "predicted": predictions,
        "source_tokens": len(sources),
        "predicted_tokens": len(predictions),
        "weights": weights,
        **others,
    }


def maps(svg):
    """Return the groups of the samples, in order."""
    root = ElementTree.fromstring(svg)
    return [group for group in root if group.get("id", "").startswith("sample-")]


def texts(element):
    return [text.text for text in element.iter(f"{SVG}text")]


def test_every_sample_has_a_map_with_tokens_and_correctness():
    svg = attention_svg([LOOKED, LOOKED, LOOKED], [True, False, None], title="copy: attention")
    assert [group.get("id") for group in maps(svg)] == ["sample-1", "sample-2", "sample-3"]
    titles = ["sample 1, right", "sample 2, wrong", "sample 3"]
    for group, title in zip(maps(svg), titles, strict=True):
        assert texts(group) == [title, "48", "12", "5", "12", "48"]


def test_each_weight_is_a_square_of_its_shade():
    (group,) = maps(attention_svg([LOOKED], [True], title="t"))
    squares = {path.get("d"): path.get("fill") for path in group.iter(f"{SVG}path")}
    assert squares == {
        "M0 0h18v18h-18z": "#e6eaf0",
        "M18 0h18v18h-18z": "#ced6e1",
        "M36 0h18v18h-18z": "#526e97",
        "M18 18h18v18h-18z": "#08306b",  # the weights of 0 and 0.02 are white
    }


def test_a_reserved_symbol_looks_different_from_a_token_of_the_data():
    drawn = attention_svg([sample(["a"], ["<end>", "<end>"], reserved=[1])], [True], title="t")
    (group,) = maps(drawn)
    styles = [text.get("font-style") for text in group.iter(f"{SVG}text") if text.text == "<end>"]
    assert styles == [None, "italic"]


def test_the_drawing_has_a_description_for_screen_readers():
    root = ElementTree.fromstring(
        attention_svg([LOOKED, sample(["a"], ["<end>"])], [True, None], title="a <b>")
    )
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "a <b>"
    assert root.findtext(f"{SVG}desc") == (
        "The source token with the largest weight for each predicted token. Sample 1: 48 at 48, 12 at 12. "
        "Sample 2: <end> at a."
    )


TOKENS = ["日本語", "नमस्ते", "مرحبا", "🙂", "<&>", "$x$", "_a", "]]>", '"']


def test_tokens_are_written_unchanged():
    (group,) = maps(attention_svg([sample(TOKENS, TOKENS)], [None], title="t"))
    assert texts(group)[1:] == TOKENS * 2


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" ", "␣"),
        ("\x00", "␀"),
        ("\n", "␊"),
        ("\ud800", "\ufffd"),
        ("\uffff", "\ufffd"),
        ("x" * 50, "x" * 11 + "…"),
    ],
)
def test_invisible_tokens_become_symbols_and_long_ones_are_cut(token, shown):
    (group,) = maps(attention_svg([sample([token], [token])], [None], title="t"))
    assert texts(group)[1:] == [shown] * 2


@pytest.mark.parametrize(("sources", "weights"), [(["a"], []), ([], [[], []]), ([], [])])
def test_a_sample_without_tokens_is_an_empty_map(sources, weights):
    empty = {"source": sources, "predicted": ["x"] * len(weights), "weights": weights}
    svg = attention_svg([empty, LOOKED], [False, True], title="t")
    first, second = maps(svg)
    assert not [*first.iter(f"{SVG}path")]
    assert len([*second.iter(f"{SVG}path")]) == 4
    assert "Sample 1: nothing. Sample 2: 48 at 48" in svg


def test_the_map_states_that_only_the_first_tokens_are_shown():
    cut = sample(["a"] * 30, ["b"] * 30, source_tokens=77, predicted_tokens=31)
    (group,) = maps(attention_svg([cut], [None], title="t"))
    assert texts(group)[-1] == "first 30 of 77 source tokens, first 30 of 31 predicted ones"


def test_nothing_is_drawn_outside_the_page_or_over_another_map():
    samples = [sample(["word"] * (1 + i), ["longer"] * (10 - i)) for i in range(10)]
    root = ElementTree.fromstring(attention_svg(samples, [None] * 10, title="t"))
    boxes = []
    for group in root.iter(f"{SVG}g"):
        if group.get("id") == "scale":
            continue
        x, y = map(int, group.get("transform").removeprefix("translate(").removesuffix(")").split())
        frame = group.find(f"{SVG}rect")
        boxes.append((x, y, x + int(frame.get("width")), y + int(frame.get("height"))))
    assert len(boxes) == 10
    width, height = int(root.get("width")), int(root.get("height"))
    assert all(
        left > 0 and top > 0 and right <= width and bottom <= height for left, top, right, bottom in boxes
    )
    for i, (left, top, right, bottom) in enumerate(boxes):
        for a, b, c, d in boxes[:i]:
            assert right <= a or c <= left or bottom <= b or d <= top


def test_ten_samples_of_thirty_tokens_are_a_small_reproducible_file():
    samples = [sample([str(i) for i in range(30)], ["x"] * 30) for _ in range(10)]
    svg = attention_svg(samples, [True] * 10, title="t")
    assert len(svg) < 300_000
    assert svg == attention_svg(samples, [True] * 10, title="t")
