"""How a line of text is read before it is taken apart into tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from job.spec.text_pairs_section import Normalization


@dataclass(frozen=True)
class TextNormalization:
    """What is done to a text so that its spellings become one; the same in training and in use.

    Reading a text twice gives what reading it once gives.

    Args:
        lowercase: letters are made small.
        normalize: the Unicode normalisation form (UAX 15), or `none`.
    """

    lowercase: bool = False
    normalize: Normalization = "none"

    def read(self, text: str) -> str:
        """Return the text in its one spelling."""
        text = self._normalized(text)
        # a small letter may come out in pieces, or change for another once it is normalised: so once more
        return self._normalized(text.lower()) if self.lowercase else text

    def _normalized(self, text: str) -> str:
        return text if self.normalize == "none" else unicodedata.normalize(self.normalize, text)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TextNormalization:
        """Build what `to_json` described.

        Raises:
            ValueError: `data` does not describe a reading.
        """
        try:
            reading = cls(**data)
        except TypeError as error:
            raise ValueError(f"not a reading: {error}") from None
        if type(reading.lowercase) is not bool:
            raise ValueError("not a reading: lowercase must be true or false")
        if reading.normalize not in get_args(Normalization):
            raise ValueError(f"not a reading: normalize must be one of {', '.join(get_args(Normalization))}")
        return reading

    def to_json(self) -> dict[str, Any]:
        """Return the reading as JSON values."""
        return asdict(self)


UNCHANGED = TextNormalization()
"""Nothing is done."""
