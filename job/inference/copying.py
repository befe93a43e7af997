"""What a pointer-generator can copy between two vocabularies."""

from __future__ import annotations

from job.models.pointer import NOWHERE, Copying
from job.problems.unknown_ids import copy_table
from job.problems.vocabulary import Vocabulary


def copying_between(source: Vocabulary, target: Vocabulary) -> Copying:
    """Return the ids of both sides, and the target id of each source token: tokens of equal spelling."""
    return Copying(
        table=copy_table(source, target, NOWHERE),
        source_size=len(source),
        target_size=len(target),
        source_unknown=source.unknown if source.numbered else None,
        target_unknown=target.unknown,
    )
