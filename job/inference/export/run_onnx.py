"""A program that decodes sources with exported ONNX files, by onnxruntime and NumPy alone.

Its arguments:

- the directory of the files;
- a `.npz` file with `batches`, `start`, `end` (0 for none), `columns` (the maximum number of symbols), and
  for each batch `source_0` (n, S) int32 and `limits_0` (n,) int32, the maximum number of symbols of each
  source;
- a `.npz` file to write: `ids_0`, ... (n, T) int32, and `seconds`, the time of decoding;
- the number of threads.
"""

from __future__ import annotations

import sys
import time
from typing import Any

if __name__ == "__main__":
    for blocked in ("job", "keras", "tensorflow"):
        sys.modules[blocked] = None  # type: ignore[assignment]

import numpy as np


def run(session: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Run a file with those of the arrays that it reads; return its outputs by name."""
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {i.name: given[i.name] for i in session.get_inputs()})
    return dict(zip(names, values, strict=True))


def decode(encoder: Any, step: Any, source: Any, limits: Any, *, start: int, end: int, columns: int) -> Any:
    """Return the ids that greedy search finds, (n, T) int32, 0 after the end of each."""
    given = {"source": source, **run(encoder, {"source": source})}
    ids, ended = np.zeros((len(source), columns), np.int32), np.zeros(len(source), bool)
    symbol = np.full(len(source), start, np.int32)
    for t in range(columns):
        found = run(step, {**given, "symbol": symbol})
        symbol = np.where(ended, 0, found["logits"].argmax(axis=1)).astype(np.int32)
        ids[:, t] = symbol
        ended |= (symbol == end) & (end > 0) | (t + 1 >= limits)
        if ended.all():
            break
        given |= {name.removeprefix("next_"): x for name, x in found.items() if name != "logits"}
    return spelled(ids, given, found["logits"].shape[1])


def spelled(ids: Any, given: dict[str, Any], width: int) -> Any:
    """Return ids with the columns of a pointer replaced by the source ids that they refer to."""
    if "copied_ids" not in given:
        return ids
    copied = given["copied_ids"]
    size = width - copied.shape[1]
    place = np.maximum(ids - size, 0)
    return np.where(ids < size, ids, np.take_along_axis(copied, place, axis=1)).astype(np.int32)


def main(directory: str, given: str, output: str, threads: str) -> None:
    """Decode the batches, the first one twice: once before the time is taken."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    encoder, step = (
        onnxruntime.InferenceSession(
            f"{directory}/{name}.onnx", sess_options=options, providers=["CPUExecutionProvider"]
        )
        for name in ("encoder", "decoder_step")
    )
    with np.load(given) as file:
        batches = [(file[f"source_{i}"], file[f"limits_{i}"]) for i in range(int(file["batches"]))]
        search = {name: int(file[name]) for name in ("start", "end", "columns")}
    decode(encoder, step, *batches[0], **search)
    began = time.perf_counter()
    found = [decode(encoder, step, *batch, **search) for batch in batches]
    seconds = time.perf_counter() - began
    np.savez(output, seconds=seconds, **{f"ids_{i}": ids for i, ids in enumerate(found)})


if __name__ == "__main__":
    main(*sys.argv[1:])
