"""The `problem` section of parallel text: which files, how lines are read, how text becomes tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from job.metrics import Family
from job.spec.base_section import FileName, ProblemSection, Section, Separator

Normalization = Literal["none", "NFC", "NFKC"]

Tokens = Literal["characters", "words"]

SEPARATORS: dict[Tokens, Separator] = {"characters": "", "words": " "}
"""The separator of a side's tokens, by `source_tokens` or `target_tokens`."""


class SplitSpec(Section):
    """Fractions of the sources for validation and test; a hash of its text decides a source's side."""

    validation: float = Field(
        default=0.05, gt=0, lt=1, description="Fraction of the sources used for validation."
    )
    test: float = Field(default=0.05, gt=0, lt=1, description="Fraction of the sources used for the test.")

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitSpec:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test is {self.validation + self.test:g}; nothing is left to train on"
            )
        return self


# tagged, so that a wrong value gets one complaint and not one for each way to write it
FileNames = Annotated[
    Annotated[FileName, Tag("name")] | Annotated[list[FileName], Field(min_length=1), Tag("names")],
    Discriminator(lambda names: "names" if isinstance(names, list | tuple) else "name"),
]


def _as_list(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


class PairFiles(Section):
    """The files of parallel text: `file` with both sides, or `source_file` and `target_file` line by line.

    Several files, given as a list, are read one after the other. A file whose name ends in `.gz` is
    decompressed.
    """

    file: FileNames | None = Field(
        default=None, description="A file with both sides on each line (see `format`)."
    )
    source_file: FileNames | None = Field(default=None, description="A file with one source per line.")
    target_file: FileNames | None = Field(
        default=None, description="A file with one target per line, parallel to source_file, file by file."
    )

    @model_validator(mode="after")
    def _one_way(self) -> PairFiles:
        if (self.file is None) == (self.source_file is None):
            raise ValueError("give either file, or source_file and target_file")
        if (self.source_file is None) != (self.target_file is None):
            raise ValueError("source_file and target_file go together; give both")
        sources, targets = _as_list(self.source_file), _as_list(self.target_file)
        if len(sources) != len(targets):
            raise ValueError(
                f"target_file lists {len(targets)} files, but source_file lists {len(sources)}; "
                "list equally many, in the same order"
            )
        return self

    @property
    def keyed(self) -> dict[str, str]:
        """The file names by their keys, in a fixed order: `file`, or `file[0]` in a list."""
        given = {"file": self.file, "source_file": self.source_file, "target_file": self.target_file}
        return {
            f"{key}[{i}]" if isinstance(names, list) else key: name
            for key, names in given.items()
            for i, name in enumerate(_as_list(names))
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The file names, in a fixed order."""
        return tuple(self.keyed.values())


class TextPairsSpec(ProblemSection):
    """Parallel text from files. A source that occurs on several lines has several reference targets."""

    kind: Literal["text_pairs"]
    data: PairFiles | None = Field(
        default=None, description="All pairs, which `split` divides by a hash of the source."
    )
    train: PairFiles | None = Field(default=None, description="Training pairs, where files define the split.")
    validation: PairFiles | None = Field(default=None, description="Validation pairs, with `train`.")
    test: PairFiles | None = Field(default=None, description="Test pairs, with `train`.")
    split: SplitSpec = Field(default=SplitSpec(), description="How `data` is split.")
    format: Literal["tsv", "in_out", "cmudict"] = Field(
        default="tsv",
        description="Format of the lines of `file`: `tsv` is source TAB target; `in_out` is `IN: source OUT: "
        "target`; `cmudict` is the format of the CMU Pronouncing Dictionary, stress marks removed.",
    )
    source_tokens: Tokens = Field(
        default="characters", description="Tokens of a source: its characters, or words between whitespace."
    )
    target_tokens: Tokens = Field(
        default="characters", description="Tokens of a target: its characters, or words between whitespace."
    )
    lowercase: bool = Field(default=False, description="Convert both sides to lower case.")
    normalize: Normalization = Field(
        default="none", description="Unicode normalization form of both sides (UAX 15), or `none`."
    )
    shared_vocabulary: bool = Field(
        default=False,
        description="Use one vocabulary for both sides, learned from both, instead of one for each.",
    )
    max_length: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Maximum length of either side, in tokens; longer pairs are left out and counted.",
    )

    @field_validator("shared_vocabulary")
    @classmethod
    def _tokens_of_one_kind(cls, shared: bool, info: ValidationInfo) -> bool:
        tokens = {info.data.get(key) for key in ("source_tokens", "target_tokens")} - {None}
        if shared and len(tokens) > 1:
            raise ValueError("shared_vocabulary needs source_tokens and target_tokens to be the same")
        return shared

    @model_validator(mode="after")
    def _one_split(self) -> TextPairsSpec:
        explicit = (self.train, self.validation, self.test)
        if self.data is not None and any(explicit):
            raise ValueError("data is split by a hash, train/validation/test are given; use one of the two")
        if self.data is None and not all(explicit):
            raise ValueError("give data, or all of train, validation and test")
        if self.data is None and "split" in self.model_fields_set:
            raise ValueError("split belongs to data; train, validation and test are the split already")
        return self

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of metrics: those of words only for targets of words."""
        of_words: dict[Tokens, tuple[Family, ...]] = {"characters": (), "words": ("words",)}
        return ("tokens", "text", *of_words[self.target_tokens], "timing")

    @property
    def target_separator(self) -> Separator:
        """The separator that belongs to `target_tokens`."""
        return SEPARATORS[self.target_tokens]

    @property
    def files(self) -> dict[str, PairFiles]:
        """The groups of files that are given, by their keys."""
        groups = {"data": self.data, "train": self.train, "validation": self.validation, "test": self.test}
        return {key: group for key, group in groups.items() if group is not None}

    @property
    def data_files(self) -> tuple[str, ...]:
        """The names of all files of all groups."""
        return tuple(name for group in self.files.values() for name in group.names)
