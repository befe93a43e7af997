"""Write the commands and actions of examples/compositional.yaml: python examples/compositional/generate.py

The grammar and its meaning are those that Lake and Baroni (2018, "Generalization without systematicity",
appendix) describe:

    C -> S and S | S after S | S
    S -> V twice | V thrice | V
    V -> D | U | U opposite T | U around T | turn opposite T | turn around T
    D -> U T | turn T
    U -> walk | look | run | jump
    T -> left | right

`left` turns before it acts, `opposite` turns twice, `around` turns and acts four times; of `after`, the
second half is done first. There are 20,910 commands. All are written, in the order of the grammar, so nothing
is drawn by chance; the longest ones have a file of their own.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""The words of a command, and its actions."""

SHORT = 22
"""Most actions of a command that is not long; the commands above have 24 to 48."""

TIMES = {"twice": 2, "thrice": 3}


def verbs() -> Iterator[Pair]:
    """Yield what the grammar calls V."""
    acts = {word: (f"I_{word.upper()}",) for word in ("walk", "look", "run", "jump")}
    for word, act in acts.items():
        yield (word,), act
    for (word, act), side in itertools.product([*acts.items(), ("turn", ())], ("left", "right")):
        turn = (f"I_TURN_{side.upper()}",)
        yield (word, side), turn + act
        yield (word, "opposite", side), turn + turn + act
        yield (word, "around", side), (turn + act) * 4


def sentences() -> Iterator[Pair]:
    """Yield what the grammar calls S."""
    for words, actions in verbs():
        yield words, actions
        for word, times in TIMES.items():
            yield (*words, word), actions * times


def commands() -> Iterator[Pair]:
    """Yield every command with its actions."""
    yield from sentences()
    for (first, acts), (second, others) in itertools.product(sentences(), repeat=2):
        yield (*first, "and", *second), acts + others
        yield (*first, "after", *second), others + acts


def file_of(pair: Pair) -> str:
    """Return where a pair goes: long ones apart, and one in twenty of the others by a hash of its command."""
    words, actions = pair
    if len(actions) > SHORT:
        return "long"
    digest = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
    return "short-validation" if int.from_bytes(digest, "big") % 20 == 0 else "short-train"


def files() -> dict[str, str]:
    """Return the content of each file by its name."""
    lines: dict[str, list[str]] = {"short-train": [], "short-validation": [], "long": []}
    for words, actions in commands():
        lines[file_of((words, actions))].append(f"IN: {' '.join(words)} OUT: {' '.join(actions)}\n")
    return {f"{name}.txt.gz": "".join(text) for name, text in lines.items()}


def main() -> None:
    """Write the files beside this one."""
    for name, text in files().items():
        Path(__file__).with_name(name).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
