"""Normalization of text before it is split into tokens: letter case and Unicode form."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from job.spec.text_pairs_section import Normalization


@dataclass(frozen=True)
class TextNormalization:
    """Settings that map equivalent spellings of a text to one; the same for training and prediction.

    Normalization is idempotent.

    Args:
        lowercase: whether to convert letters to lower case.
        normalize: the Unicode normalization form (UAX #15), or `none`.
    """

    lowercase: bool = False
    normalize: Normalization = "none"

    def read(self, text: str) -> str:
        """Return the normalized text."""
        text = self._normalized(text)
        # lower case letters may be decomposed, or change when normalized, so normalize again
        return self._normalized(text.lower()) if self.lowercase else text

    def _normalized(self, text: str) -> str:
        return text if self.normalize == "none" else unicodedata.normalize(self.normalize, text)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TextNormalization:
        """Build a normalization from the result of `to_json`.

        Raises:
            ValueError: `data` does not describe a normalization.
        """
        try:
            reading = cls(**data)
        except TypeError as error:
            raise ValueError(f"not a text normalization: {error}") from None
        if type(reading.lowercase) is not bool:
            raise ValueError("not a text normalization: lowercase must be true or false")
        if reading.normalize not in get_args(Normalization):
            known = ", ".join(get_args(Normalization))
            raise ValueError(f"not a text normalization: normalize must be one of {known}")
        return reading

    def to_json(self) -> dict[str, Any]:
        """Return the normalization as JSON values."""
        return asdict(self)


UNCHANGED = TextNormalization()
"""Text is left unchanged."""
