"""The base classes of all sections of a job, and the types that several sections share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
)

from job.errors import StoreError
from job.metrics import Family
from job.storage.local_paths import is_address, masked
from job.storage.store_address import address_of, is_store

if TYPE_CHECKING:
    from typing_extensions import Self

Separator = Literal["", " "]
"""The text between two tokens: nothing between characters, a space between all others."""

_RECORDED = {"recorded": True}
"""The context of the validation of a recorded section."""


class Section(BaseModel):
    """A frozen section of a job that refuses unknown keys and converts no types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def read_recorded(cls, recorded: Mapping[str, Any]) -> Self:
        """Return a section as it was recorded, in a result or in `spec.yaml`.

        A recorded section has every key: one that has no effect beside the others is not refused, as it is
        in a spec that someone has written.

        Args:
            recorded: the keys, as `model_dump` writes them.

        Raises:
            pydantic.ValidationError: the keys are not those of this version.
        """
        return cls.model_validate(recorded, context=_RECORDED)

    def is_written(self, key: str, info: ValidationInfo) -> bool:
        """Return whether someone has written a key; False for a recorded section, which has every key.

        Args:
            key: the name of the key.
            info: what the validator that asks has received.
        """
        return key in self.model_fields_set and info.context != _RECORDED


class ProblemSection(Section):
    """The `problem` section of one kind of problem; what other parts ask of every kind."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of metrics that the problem has."""
        return ("tokens", "timing")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The names of all data files, as written in the spec."""
        return ()

    @property
    def validates(self) -> bool:
        """Whether there are validation examples, without which no epoch is the best."""
        return True

    @property
    def target_words(self) -> bool | None:
        """Whether the tokens of a target are words; None if targets are not text."""
        return "words" in self.families if "text" in self.families else None

    @property
    def sizes(self) -> tuple[str, ...]:
        """The keys of sizes that `evaluation.also` may change for a trained model."""
        return ()

    @property
    def target_separator(self) -> Separator | None:
        """The separator of a target's tokens; None if only the problem's package knows it."""
        return None


class FileProblemSection(ProblemSection):
    """The `problem` section of a kind whose data are files of the user's own, with a key `licence`."""

    @model_serializer(mode="wrap")
    def _without_later_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys of later versions at their defaults: then fingerprints are as before."""
        values: dict[str, Any] = handler(self)
        if not values.get("licence"):
            values.pop("licence", None)
        return values


Licence = Annotated[
    str,
    Field(
        max_length=400,
        description="Licence of the data, for the model card, for example `CC BY-SA 3.0`. It changes "
        "no metric; after a change the job is evaluated again, which writes a new card.",
    ),
]


def readable_place(name: str) -> str:
    """Return the name of a local file, or the URL of one in a store; raise `ValueError` for another URL."""
    if is_store(name):
        try:
            address_of(name)
        except StoreError as error:
            raise ValueError(str(error)) from None
    elif is_address(name):
        raise ValueError(
            f"{masked(name)!r} is an address, but neither that of a file on this machine nor of one in a "
            "store; give a local path, s3://BUCKET/PATH or gs://BUCKET/PATH"
        )
    return name


FileName = Annotated[
    str,
    AfterValidator(readable_place),
    Field(
        min_length=1,
        max_length=4096,
        description="Path relative to the spec, `package:NAME/PATH` for a file of an installed package, or "
        "the URL of an object in a store (`s3://BUCKET/PATH`, `gs://BUCKET/PATH`).",
    ),
]
