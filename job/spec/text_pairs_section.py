"""The `problem` section of parallel text: which files, how lines are read, how text becomes tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from job.metrics import Family
from job.spec.base_section import FileName, FileProblemSection, Licence, Section, Separator

Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]

Tokens = Literal["characters", "words", "subwords"]

SEPARATORS: dict[Tokens, Separator] = {"characters": "", "words": " ", "subwords": " "}
"""The separator of a side's tokens in its text, by `source_tokens` or `target_tokens`; subwords are
scored as the words of their text."""


class SubwordSpec(Section):
    """Subwords are pieces of words that SentencePiece learns from the training side."""

    size: int = Field(
        default=8000,
        ge=8,
        le=1_000_000,
        description="Maximum number of pieces; texts with little variety give fewer.",
    )
    algorithm: Literal["unigram", "bpe"] = Field(
        default="unigram",
        description="`unigram` (Kudo 2018) or byte-pair encoding, `bpe` (Sennrich et al. 2016).",
    )


class VocabularySpec(Section):
    """Limits of the vocabularies; other tokens of the training side become unknown too."""

    min_count: int = Field(
        default=1,
        ge=1,
        le=1_000_000_000,
        description="Number of times a token must occur on the training side.",
    )
    max_size: int | None = Field(
        default=None,
        ge=1,
        le=100_000_000,
        description="Maximum number of tokens, the most frequent ones; null for no limit.",
    )


class ColumnsSpec(Section):
    """Columns of a file with format `tsv`, from 1; other columns are not read."""

    source: int = Field(default=1, ge=1, le=1000, description="Column of the source.")
    target: int = Field(default=2, ge=1, le=1000, description="Column of the target.")
    features: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Column of the features of a pair, such as `N;NOM;PL`: further tokens of the source, "
        "which differ from all tokens of its text. A line of `predict` is then the source, a tab and the "
        "features.",
    )

    @model_validator(mode="after")
    def _different(self) -> ColumnsSpec:
        chosen = [self.source, self.target, *([] if self.features is None else [self.features])]
        if len(set(chosen)) < len(chosen):
            raise ValueError("source, target and features must be different columns")
        return self


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


# tagged, so that a wrong value gets one complaint and not one for each way to write it; no key is like a tag
FileNames = Annotated[
    Annotated[FileName, Tag("<name>")] | Annotated[list[FileName], Field(min_length=1), Tag("<names>")],
    Discriminator(lambda names: "<names>" if isinstance(names, list | tuple) else "<name>"),
]


def group_name(key: str) -> str:
    """Return `train` for the key of a group of files such as `train` or `train[0]`."""
    return key.partition("[")[0]


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


class MixedFiles(PairFiles):
    """One part of mixed training data: files, and how often their pairs are trained on."""

    weight: float = Field(
        gt=0,
        le=1_000_000,
        description="Weight of the files: a training example is drawn from them with a probability of their "
        "weight divided by the sum of all weights.",
    )


# tagged, so that a wrong value gets one complaint and not one for each way to write it
TrainingFiles = Annotated[
    Annotated[PairFiles, Tag("<files>")] | Annotated[list[MixedFiles], Field(min_length=1), Tag("<mixed>")],
    Discriminator(lambda given: "<mixed>" if isinstance(given, list | tuple) else "<files>"),
]

_GROUPS = ("data", "train", "validation", "test")


class TextPairsSpec(FileProblemSection):
    """Parallel text from files. A source that occurs on several lines has several reference targets."""

    kind: Literal["text_pairs"]
    data: TrainingFiles | None = Field(
        default=None,
        description="All pairs, which `split` divides by a hash of the source. A list mixes files with "
        "weights.",
    )
    train: TrainingFiles | None = Field(
        default=None,
        description="Training pairs, where files define the split. A list mixes files with weights.",
    )
    validation: PairFiles | None = Field(default=None, description="Validation pairs, with `train`.")
    test: PairFiles | None = Field(default=None, description="Test pairs, with `train`.")
    split: SplitSpec = Field(default=SplitSpec(), description="How `data` is split.")
    format: Literal["tsv", "in_out", "cmudict"] = Field(
        default="tsv",
        description="Format of the lines of `file`: `tsv` is source TAB target; `in_out` is `IN: source OUT: "
        "target`; `cmudict` is the format of the CMU Pronouncing Dictionary, stress marks removed.",
    )
    source_tokens: Tokens = Field(
        default="characters",
        description="Tokens of a source: its characters, words between whitespace, or subwords.",
    )
    target_tokens: Tokens = Field(
        default="characters",
        description="Tokens of a target: its characters, words between whitespace, or subwords.",
    )
    subwords: SubwordSpec = Field(
        default=SubwordSpec(),
        description="How subwords are learned; one model for both sides with shared_vocabulary.",
    )
    vocabulary: VocabularySpec = Field(
        default=VocabularySpec(), description="Limits of the vocabularies of characters and words."
    )
    columns: ColumnsSpec | None = Field(
        default=None,
        description="Columns of a `tsv` file. Without it each line has exactly two: source TAB target.",
    )
    features_separator: str = Field(
        default=";",
        min_length=1,
        max_length=10,
        description="What separates two features in their column.",
    )
    lowercase: bool = Field(default=False, description="Convert both sides to lower case.")
    normalize: Normalization = Field(
        default="none",
        description="Unicode normalization form of both sides (UAX 15), or `none`. `NFD` splits characters: "
        "a Korean syllable into its letters, `é` into `e` and an accent. Predictions are split, too.",
    )
    shared_vocabulary: bool = Field(
        default=False,
        description="Use one vocabulary for both sides, learned from both, instead of one for each.",
    )
    max_length: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Maximum length of either side, in tokens (in words for subwords); longer pairs are left "
        "out and counted.",
    )
    licence: Licence = ""

    @field_validator("shared_vocabulary")
    @classmethod
    def _tokens_of_one_kind(cls, shared: bool, info: ValidationInfo) -> bool:
        tokens = {info.data.get(key) for key in ("source_tokens", "target_tokens")} - {None}
        if shared and len(tokens) > 1:
            raise ValueError("shared_vocabulary needs source_tokens and target_tokens to be the same")
        return shared

    @model_validator(mode="after")
    def _keys_have_an_effect(self, info: ValidationInfo) -> TextPairsSpec:
        sides = {self.source_tokens, self.target_tokens}
        if self.is_written("subwords", info) and "subwords" not in sides:
            raise ValueError("subwords needs source_tokens or target_tokens to be subwords")
        if self.is_written("vocabulary", info) and sides == {"subwords"}:
            raise ValueError("vocabulary has no effect on subwords; set subwords.size")
        if self.columns is not None and self.format != "tsv":
            raise ValueError(f"columns are for format tsv, not {self.format}")
        if self.is_written("features_separator", info) and (
            self.columns is None or self.columns.features is None
        ):
            raise ValueError("features_separator needs columns.features")
        if self.features is not None and self.source_tokens == "subwords":
            raise ValueError("columns.features need source_tokens: characters or words, not subwords")
        if self.features_separator.strip() != self.features_separator or "\t" in self.features_separator:
            raise ValueError("features_separator must not begin or end with whitespace")
        if self.columns is not None and self.columns.features is not None and self.shared_vocabulary:
            raise ValueError("features belong to the source; they cannot be in a shared_vocabulary")
        return self

    @model_validator(mode="after")
    def _one_split(self, info: ValidationInfo) -> TextPairsSpec:
        explicit = (self.train, self.validation, self.test)
        if self.data is not None and any(explicit):
            raise ValueError("data is split by a hash, train/validation/test are given; use one of the two")
        if self.data is None and not all(explicit):
            raise ValueError("give data, or all of train, validation and test")
        if self.data is None and self.is_written("split", info):
            raise ValueError("split belongs to data; train, validation and test are the split already")
        return self

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of metrics: those of words only for targets of words."""
        of_words: dict[Tokens, tuple[Family, ...]] = {
            "characters": (),
            "words": ("words",),
            "subwords": ("words",),
        }
        return ("tokens", "text", *of_words[self.target_tokens], "timing")

    @property
    def features(self) -> str | None:
        """The separator of a source's features; None if there are none."""
        given = self.columns is not None and self.columns.features is not None
        return self.features_separator if given else None

    @property
    def target_separator(self) -> Separator:
        """The separator that belongs to `target_tokens`."""
        return SEPARATORS[self.target_tokens]

    @property
    def files(self) -> dict[str, PairFiles]:
        """The groups of files that are given, by their keys: `train`, or `train[0]` in a list."""
        groups: dict[str, PairFiles] = {}
        for key in _GROUPS:
            given = getattr(self, key)
            if isinstance(given, list):
                groups |= {f"{key}[{i}]": part for i, part in enumerate(given)}
            elif given is not None:
                groups[key] = given
        return groups

    @property
    def training_files(self) -> dict[str, PairFiles]:
        """Those of `files` that have training pairs."""
        return {key: group for key, group in self.files.items() if group_name(key) in ("data", "train")}

    @property
    def mixture(self) -> tuple[MixedFiles, ...]:
        """The parts of mixed training data; empty if the data are not mixed."""
        given = self.train if self.data is None else self.data
        return tuple(given) if isinstance(given, list) else ()

    @property
    def data_files(self) -> tuple[str, ...]:
        """The names of all files of all groups."""
        return tuple(name for group in self.files.values() for name in group.names)
