"""Weights of an earlier model for a new one: rows of a vocabulary by token, all others as they are.

Only names decide, so that it works for every architecture whose layers have the names of `seq2seq` and
`transformer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

Side = Literal["source", "target"]
Weights = Mapping[str, NDArray[np.floating]]
"""Name of a variable, see `weights_of` -> its value."""


@dataclass(frozen=True, kw_only=True)
class SharedIds:
    """The tokens of one side that both models know.

    Args:
        old_size, new_size: size of each vocabulary.
        old, new: ids of the same tokens in the old and in the new vocabulary, each (n,) int.
    """

    old_size: int
    new_size: int
    old: NDArray[np.intp]
    new: NDArray[np.intp]


_AXES: tuple[tuple[str, int, Side], ...] = (
    (r"source_embedding/.*", 0, "source"),
    (r"embedding/.*", 0, "source"),
    (r"target_embedding/.*", 0, "target"),
    (r"generation_input/.*", 0, "target"),
    (r"(monotonic_output/)?logits/kernel", 1, "target"),
    (r"(monotonic_output/)?logits/bias", 0, "target"),
)
_ONE_HOT_AXES: tuple[tuple[str, int, Side], ...] = (
    (r"encoder(_backward)?_1/cell/kernel", 0, "source"),
    (r"decoder_1/cell/kernel|decoder/cell_1/kernel", 0, "target"),
)
"""Pattern of the name of a variable -> the axis that begins with one entry for each token of a side."""


def weights_of(model: keras.Model) -> dict[str, NDArray[np.floating]]:
    """Return a model's weights by name, in the order of `get_weights`.

    The names are the paths of the variables; the cell of a recurrent layer is called `cell`, for a loaded
    layer calls its cell by another name than a layer that was built.
    """
    names = (re.sub(r"/\w+_cell/", "/cell/", variable.path) for variable in model.weights)
    return dict(zip(names, model.get_weights(), strict=True))


def transferred_weights(
    old: Weights, new: Weights, shared: Mapping[Side, SharedIds], *, one_hot: bool
) -> tuple[dict[str, NDArray[np.floating]], list[str]]:
    """Return the weights that a new model starts with, and a clause for each that cannot be taken over.

    Args:
        old: the weights of the earlier model.
        new: the initial weights of the new model, which tokens keep that the earlier one does not know.
        shared: the common tokens of each side; empty if both models read numbers.
        one_hot: whether tokens enter the recurrent layers as one-hot vectors, whose kernels have a row for
            each token.
    """
    taken, wrong = {}, []
    for path, value in new.items():
        axis = _vocabulary_axis(path, one_hot) if shared else None
        if path not in old:
            wrong.append(f"{path} is missing")
        elif axis is not None:
            found = _by_token(old[path], value, axis[0], shared[axis[1]])
            if found is None:
                wrong.append(f"{path} has shape {old[path].shape}, expected {value.shape} but for tokens")
            else:
                taken[path] = found
        elif old[path].shape != value.shape:
            wrong.append(f"{path} has shape {old[path].shape}, expected {value.shape}")
        else:
            taken[path] = old[path]
    return taken, wrong


def _vocabulary_axis(path: str, one_hot: bool) -> tuple[int, Side] | None:
    patterns = _AXES + (_ONE_HOT_AXES if one_hot else ())
    return next(((axis, side) for pattern, axis, side in patterns if re.fullmatch(pattern, path)), None)


def _by_token(
    old: NDArray[np.floating], new: NDArray[np.floating], axis: int, shared: SharedIds
) -> NDArray[np.floating] | None:
    """Return the new weights with the entries of common tokens; None if the shapes differ elsewhere.

    Behind the tokens an axis may have entries of other inputs, which are taken over in their order.
    """
    old, result = np.moveaxis(old, axis, 0), np.moveaxis(new.copy(), axis, 0)
    behind = len(old) - shared.old_size
    if old.shape[1:] != result.shape[1:] or behind != len(result) - shared.new_size or behind < 0:
        return None
    result[shared.new] = old[shared.old]
    result[shared.new_size :] = old[shared.old_size :]
    return np.moveaxis(result, 0, axis)


def shared_ids(
    old: Iterable[tuple[str, int]], new: Iterable[tuple[str, int]], sizes: tuple[int, int]
) -> SharedIds:
    """Return the tokens that two vocabularies have in common.

    Args:
        old, new: the tokens of each vocabulary with their ids, each once; reserved ids under names of their
            own, which no token has.
        sizes: number of ids of the old and of the new vocabulary.
    """
    known = dict(old)
    pairs = [(known[token], i) for token, i in new if token in known]
    olds, news = zip(*pairs, strict=True) if pairs else ((), ())
    return SharedIds(
        old_size=sizes[0],
        new_size=sizes[1],
        old=np.array(olds, np.intp),
        new=np.array(news, np.intp),
    )
