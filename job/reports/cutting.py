"""What to leave out of a text that would be too long."""

from __future__ import annotations

from collections.abc import Sequence


def size(text: str) -> int:
    """Return how many bytes a text takes in UTF-8, a lone surrogate as the `?` that is written for it."""
    return len(text.encode("utf-8", errors="replace"))


def beginning(lines: Sequence[str], room: int) -> tuple[list[str], int]:
    """Return the first lines that fit into `room` bytes, line ends included, and how many do not."""
    for number, line in enumerate(lines):
        room -= size(line) + 1
        if room < 0:
            return list(lines[:number]), len(lines) - number
    return list(lines), 0


def shrink(forms: Sequence[Sequence[str]], order: Sequence[int], room: int) -> list[int]:
    """Choose a form of each text so that together they fit into `room` bytes, if any choice does.

    All begin in their first form. One after the other they go to the second until there is room enough, then
    one after the other to the third, and so on.

    Args:
        forms: of each text its forms, from the longest to the shortest; as many of each.
        order: the texts' numbers, what is to be shortened first being first.
        room: in bytes.

    Returns:
        the number of each text's form.
    """
    sizes = [[size(form) for form in each] for each in forms]
    chosen = [0] * len(forms)
    excess = sum(each[0] for each in sizes) - room
    for number in range(1, max(map(len, forms), default=0)):
        for text in order:
            if excess <= 0:
                return chosen
            excess -= sizes[text][number - 1] - sizes[text][number]
            chosen[text] = number
    return chosen
