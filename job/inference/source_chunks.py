"""Group the sources of an input of any length into chunks, so that memory use is limited."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

from job.errors import InputError

T = TypeVar("T")


def in_chunks(sources: Iterable[T], max_sources: int, max_tokens: float = math.inf) -> Iterator[list[T]]:
    """Yield sources in chunks, in order.

    If reading a source raises an `InputError`, the sources before it are yielded first.

    Args:
        sources: Sources of any type; lists of tokens if `max_tokens` is given.
        max_sources: Maximum number of sources of a chunk.
        max_tokens: Approximate maximum number of tokens of a chunk: the source that reaches it is the last.
    """
    chunk: list[T] = []
    tokens, error, given = 0, None, iter(sources)
    while error is None:
        try:
            source = next(given)
        except StopIteration:
            break
        except InputError as wrong:
            error = wrong
        else:
            chunk.append(source)
            tokens += len(source) if isinstance(source, list) else 0
            if len(chunk) >= max_sources or tokens >= max_tokens:
                yield chunk  # outside of `try`: a generator that is never resumed ends without a traceback
                chunk, tokens = [], 0
    if chunk:
        yield chunk
    if error is not None:
        raise error
