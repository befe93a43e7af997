"""How long an evaluation still takes, from what of it is decoded. Times are seconds of `time.monotonic`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from job.batch.other_work import OtherWork


@dataclass(frozen=True)
class DecodingPace:
    """The pace of an evaluation.

    Args:
        began: when it began, in seconds.
        at: when it was reported last, in seconds.
        scoring: expected seconds of all that is not decoding, about half of which follows the last report.
        share: share of its examples that were decoded then, 0 to 1.
    """

    began: float
    at: float
    scoring: float = 0.0
    share: float = 0.0

    def advanced(self, share: float, now: float) -> DecodingPace:
        """Return the pace after another report."""
        return replace(self, at=now, share=share)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the evaluation still takes, at least 0; None before a part of it is decoded."""
        if not self.share:
            return None
        decoding = (self.at - self.began) * (1 - self.share) / self.share
        scoring = self.scoring if self.share < 1 else self.scoring / 2
        return max(0.0, decoding + scoring - (now - self.at))


def next_decoding(pace: DecodingPace | None, share: float, now: float, other: OtherWork) -> DecodingPace:
    """Return the pace of an evaluation after a report; without one before, it has just begun."""
    return (pace or DecodingPace(now, now, other.scoring)).advanced(share, now)
