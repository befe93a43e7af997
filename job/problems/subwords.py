"""Subword tokens: a SentencePiece model, learned from the training texts of one side or of both."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from job.errors import DataError
from job.process.installed_versions import installed
from job.spec.text_pairs_section import SubwordSpec

SPACE = "\u2581"
"""The character that marks the beginning of a word in a piece."""

MAX_CHARACTERS = 1 << 25
"""Number of characters from which SentencePiece learns at most: each takes about 25 bytes of memory."""

_LONGEST_TEXT = 1 << 24
"""Maximum bytes of a text to learn from: SentencePiece would leave out longer ones without a word."""


def require_sentencepiece(key: str) -> None:
    """Raise `DataError` if the package sentencepiece is not installed.

    Args:
        key: the key of the spec that needs it.
    """
    if installed("sentencepiece") is None:
        raise DataError(
            "subwords need the package sentencepiece; install it with `pip install seq2seq-job[subwords]`",
            key=key,
        )


@dataclass(frozen=True)
class Subwords:
    """A SentencePiece model (Kudo and Richardson 2018), which splits a text into pieces and joins them again.

    Args:
        model: the serialized model.
    """

    model: bytes

    @classmethod
    def learn(cls, texts: Iterable[str], spec: SubwordSpec) -> Subwords:
        """Learn pieces from texts that are already normalized; the result depends on nothing else.

        If they have more than `MAX_CHARACTERS`, a part evenly chosen is used, and all characters that occur.

        Args:
            texts: the training texts, in a fixed order; they are read twice.
            spec: number of pieces and algorithm. Texts with less variety than that give fewer pieces.

        Raises:
            DataError: a text has the character that marks spaces, or the texts need more pieces than `size`.
        """
        import sentencepiece

        written = io.BytesIO()
        chosen, characters = _sample(texts)
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=chosen,
                required_chars=characters,
                model_writer=written,
                vocab_size=spec.size,
                model_type=spec.algorithm,
                hard_vocab_limit=False,
                character_coverage=1.0,
                normalization_rule_name="identity",  # the spec says how text is normalized
                max_sentence_length=_LONGEST_TEXT,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,  # sums in another order would give other pieces
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(
                f"no {spec.algorithm} model with {spec.size} pieces can be learned from the training texts: "
                f"{_last_sentence(error)}; change the size",
                key="subwords.size",
            ) from None
        return cls(written.getvalue())

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    @property
    def pieces(self) -> tuple[str, ...]:
        """All pieces, in the model's order."""
        model = self._processor
        return tuple(model.id_to_piece(i) for i in range(len(model)) if not model.is_unknown(i))

    def split(self, text: str) -> list[str]:
        """Return the pieces of a text; characters that no piece has stand for themselves."""
        pieces: list[str] = self._processor.encode(text, out_type=str)
        return pieces

    def unknown_characters(self, texts: Iterable[str]) -> set[str]:
        """Return the characters of normalized texts that no piece has.

        Raises:
            DataError: a text has the character that marks spaces.
        """
        pieces, unknown = frozenset(self.pieces), set[str]()
        for text in texts:
            _check_spaces_can_be_marked(text)
            for piece in self.split(text):
                if piece not in pieces:
                    unknown.update(piece)
        return unknown - pieces

    @staticmethod
    def join(pieces: Sequence[str]) -> str:
        """Return the text of pieces, with one space between words."""
        return " ".join("".join(pieces).replace(SPACE, " ").split(" ")).strip(" ")

    def to_json(self) -> str:
        """Return the model as text, for `vocabulary.json`."""
        return base64.b64encode(self.model).decode()

    @classmethod
    def from_json(cls, data: str) -> Subwords:
        """Read the result of `to_json`.

        Raises:
            ValueError: it is not a SentencePiece model, or the package sentencepiece is not installed.
        """
        if installed("sentencepiece") is None:
            raise ValueError("it needs the package sentencepiece: pip install seq2seq-job[subwords]")
        try:
            subwords = cls(base64.b64decode(data, validate=True))
            subwords._processor.encode("")
        except (binascii.Error, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"its subwords are not a SentencePiece model: {error}") from None
        return subwords


def _sample(texts: Iterable[str]) -> tuple[Iterator[str], str]:
    """Return the texts to learn from, and characters that have a piece even if these texts lack them.

    Args:
        texts: all texts; they are read twice.

    Raises:
        DataError: a text has the character that marks spaces.
    """
    total, characters = 0, set[str]()
    for text in texts:
        _check_spaces_can_be_marked(text)
        total += len(text)
        characters.update(text)
    if total <= MAX_CHARACTERS:
        return iter(texts), ""
    steps = ((i * MAX_CHARACTERS // total, text) for i, text in enumerate(texts, 1))
    evenly = (text for i, (step, text) in enumerate(steps) if step > i * MAX_CHARACTERS // total)
    return evenly, "".join(sorted(characters - {" "}))


def _check_spaces_can_be_marked(text: str) -> None:
    if SPACE in text:
        raise DataError(
            f"a training text has the character {SPACE} (U+2581), with which subwords mark spaces: "
            f"{text[:60]!r}; replace it in the data",
            key="subwords",
        )


def _last_sentence(error: RuntimeError) -> str:
    """Return the reason at the end of one of SentencePiece's messages, which begin with a source line."""
    return str(error).strip().rpartition("] ")[2].strip().rstrip(".") or "there are too few texts"
