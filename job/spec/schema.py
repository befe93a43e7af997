"""The spec's data model: every key, its default, its bounds and its unit. The one source of truth.

Frozen pydantic models that forbid unknown keys and do not coerce types. A `JobSpec` is one resolved job:
defaults and matrix are applied before it is built (see `matrix`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from job.metrics import METRICS, Family, gate_key
from job.storage.file_names import JOB_NAME
from job.storage.local_paths import is_address, refusal

Normalization = Literal["none", "NFC", "NFKC"]

Device = Literal["auto", "gpu"]

Separator = Literal["", " "]
"""What joins tokens in text: nothing for characters, a space for all others."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


# --- problems ---------------------------------------------------------------------------------------------


class _Problem(_Section):
    @property
    def families(self) -> tuple[Family, ...]:
        """Which families of metrics the problem has."""
        return ("tokens", "timing")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The names of all files that the problem reads, as the spec has them."""
        return ()

    @property
    def validates(self) -> bool:
        """Whether there are validation examples, so that early stopping has something to go by."""
        return True

    @property
    def sizes(self) -> tuple[str, ...]:
        """The keys whose values may be others when a trained model is evaluated (`evaluation.also`)."""
        return ()

    @property
    def target_separator(self) -> Separator | None:
        """What joins a target's tokens in text; None where the spec does not say."""
        return None


class _IntegerProblem(_Problem):
    source_length: int = Field(ge=1, le=1000, description="Length of every source, in tokens.")
    cardinality: int = Field(
        ge=2,
        le=1_000_000,
        description="Number of classes: values are drawn from 1..cardinality-1, 0 is padding and start.",
    )

    @property
    def sizes(self) -> tuple[str, ...]:
        """The length."""
        return ("source_length",)

    @property
    def target_separator(self) -> Separator:
        """A space."""
        return " "


class ReversedPrefixSpec(_IntegerProblem):
    """The tutorial's problem: the target is the first `target_length` source elements, reversed."""

    kind: Literal["reversed_prefix"]
    target_length: int = Field(ge=1, le=1000, description="Length of every target, in tokens.")

    @property
    def sizes(self) -> tuple[str, ...]:
        """Both lengths."""
        return ("source_length", "target_length")

    @field_validator("target_length")
    @classmethod
    def _target_fits(cls, target_length: int, info: ValidationInfo) -> int:
        source_length = info.data.get("source_length", target_length)  # absent when it is wrong itself
        if target_length > source_length:
            raise ValueError(
                f"target_length {target_length} is longer than source_length {source_length}; "
                "the target is a prefix of the source, so it can be at most as long"
            )
        return target_length


class ReverseSpec(_IntegerProblem):
    """The target is the whole source, reversed."""

    kind: Literal["reverse"]


class CopySpec(_IntegerProblem):
    """The target is the source itself."""

    kind: Literal["copy"]


class SortSpec(_IntegerProblem):
    """The target is the source in ascending order."""

    kind: Literal["sort"]


class AdditionSpec(_Problem):
    """Sums as characters: `12+345` -> `357`. Operand lengths from 1 to `digits` are equally likely."""

    kind: Literal["addition"]
    digits: int = Field(ge=1, le=8, description="Most digits of an operand.")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The digits."""
        return ("digits",)

    @property
    def target_separator(self) -> Separator:
        """Nothing: a target's tokens are its characters."""
        return ""


class SplitSpec(_Section):
    """Shares of the sources that go to each side; a source's side is fixed by a hash of its text."""

    validation: float = Field(default=0.05, gt=0, lt=1, description="Share of the sources, a fraction.")
    test: float = Field(default=0.05, gt=0, lt=1, description="Share of the sources, a fraction.")

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitSpec:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test is {self.validation + self.test:g}; nothing is left to train on"
            )
        return self


def _on_this_machine(name: str) -> str:
    if is_address(name):
        raise ValueError(refusal(name))
    return name


SEPARATORS: dict[str, Separator] = {"characters": "", "words": " "}
"""What joins the tokens of a side, by `source_tokens` and `target_tokens`."""

FileName = Annotated[
    str,
    AfterValidator(_on_this_machine),
    Field(
        min_length=1,
        max_length=4096,
        description="Path relative to the spec, or `package:NAME/PATH` for a file of an installed package.",
    ),
]


# tagged, so that a wrong value is complained about once and not once for each way to write it
FileNames = Annotated[
    Annotated[FileName, Tag("name")] | Annotated[list[FileName], Field(min_length=1), Tag("names")],
    Discriminator(lambda names: "names" if isinstance(names, list | tuple) else "name"),
]


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


class PairFiles(_Section):
    """Where parallel text lies: one file with both sides, or two files whose lines belong together.

    Several files, given as a list, are read one after the other. A file whose name ends in `.gz` is read
    compressed.
    """

    file: FileNames | None = Field(default=None, description="What holds both sides (see `format`).")
    source_file: FileNames | None = Field(default=None, description="One source a line.")
    target_file: FileNames | None = Field(
        default=None, description="One target a line, parallel to source_file, file by file."
    )

    @model_validator(mode="after")
    def _one_way(self) -> PairFiles:
        if (self.file is None) == (self.source_file is None):
            raise ValueError("give either file, or source_file and target_file")
        if (self.source_file is None) != (self.target_file is None):
            raise ValueError("source_file and target_file go together; give both")
        sources, targets = _listed(self.source_file), _listed(self.target_file)
        if len(sources) != len(targets):
            raise ValueError(
                f"target_file names {len(targets)} of the files that belong to the {len(sources)} of "
                "source_file; name as many"
            )
        return self

    @property
    def keyed(self) -> dict[str, str]:
        """The file names given, in a fixed order, by their keys: `file`, or `file[0]` in a list."""
        given = {"file": self.file, "source_file": self.source_file, "target_file": self.target_file}
        return {
            f"{key}[{i}]" if isinstance(names, list) else key: name
            for key, names in given.items()
            for i, name in enumerate(_listed(names))
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The file names given, in a fixed order."""
        return tuple(self.keyed.values())


class TextPairsSpec(_Problem):
    """Parallel text from files. A source that stands on several lines has several right targets."""

    kind: Literal["text_pairs"]
    data: PairFiles | None = Field(
        default=None, description="All pairs, to be split by a hash of the source."
    )
    train: PairFiles | None = Field(
        default=None, description="Training pairs, where the split is given by files."
    )
    validation: PairFiles | None = Field(default=None, description="Validation pairs, with `train`.")
    test: PairFiles | None = Field(default=None, description="Test pairs, with `train`.")
    split: SplitSpec = Field(default=SplitSpec(), description="Shares for `data`.")
    format: Literal["tsv", "in_out", "cmudict"] = Field(
        default="tsv",
        description="How `file` is read: `tsv` is source TAB target a line; `in_out` is `IN: source OUT: "
        "target` a line; `cmudict` is the CMU Pronouncing Dictionary's format, stress marks removed.",
    )
    source_tokens: Literal["characters", "words"] = Field(
        default="characters", description="A source's tokens: its characters, or what whitespace separates."
    )
    target_tokens: Literal["characters", "words"] = Field(
        default="characters", description="A target's tokens: its characters, or what whitespace separates."
    )
    lowercase: bool = Field(default=False, description="Letters of both sides are made small.")
    normalize: Normalization = Field(
        default="none", description="Unicode normalisation form of both sides (UAX 15), or `none`."
    )
    shared_vocabulary: bool = Field(
        default=False,
        description="Both sides have one vocabulary, learned from both; else each has its own.",
    )
    max_length: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Pairs with a longer side, in tokens, are left out and counted.",
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
        """Which families of metrics the problem has."""
        return ("tokens", "text", *(("words",) if self.target_tokens == "words" else ()), "timing")

    @property
    def target_separator(self) -> Separator:
        """What `target_tokens` says."""
        return SEPARATORS[self.target_tokens]

    @property
    def files(self) -> dict[str, PairFiles]:
        """The file groups given, by their key."""
        groups = {"data": self.data, "train": self.train, "validation": self.validation, "test": self.test}
        return {key: group for key, group in groups.items() if group is not None}

    @property
    def data_files(self) -> tuple[str, ...]:
        """Every file of every group."""
        return tuple(name for group in self.files.values() for name in group.names)


class TimeSeriesSpec(_Problem):
    """Rows of a CSV file in the order of time: `source_length` of them -> the next `target_length` values.

    The last `test` rows are the test, the `validation` rows before them are for validation, all rows before
    those for training. `model.inputs` and `evaluation.decoder` say nothing about numbers and are passed over.
    """

    kind: Literal["time_series"]
    file: FileName = Field(
        description="A CSV file whose first line names the columns. Relative to the spec, or "
        "`package:NAME/PATH` for a file of an installed package."
    )
    column: str = Field(min_length=1, description="Name of the column that is forecast.")
    covariates: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Strict(False)] = Field(
        default=(), description="Names of further columns that the encoder reads beside it."
    )
    unit: str = Field(default="", max_length=40, description="What `column` is measured in, for reports.")
    source_length: int = Field(ge=1, le=1000, description="Rows that a forecast is made from.")
    target_length: int = Field(ge=1, le=1000, description="Values that are forecast, one after the other.")
    logarithm: bool = Field(
        default=False,
        description="Forecast the logarithm of `column`: for numbers above 0 whose changes grow with them.",
    )
    differencing: int = Field(
        default=0,
        ge=0,
        le=1,
        description="1 to forecast the changes of `column` (or of its logarithm) from row to row; "
        "`source_length` rows have source_length - 1 changes.",
    )
    scaling: Literal["none", "standard", "minmax"] = Field(
        default="standard",
        description="What the model sees, by the training rows alone: values less their mean over their "
        "standard deviation, values from -1 to 1, or values as they are.",
    )
    test: int = Field(ge=1, le=1_000_000, description="How many of the last rows are the test.")
    validation: int = Field(
        default=0, ge=0, le=1_000_000, description="How many rows before those are for validation."
    )

    @property
    def families(self) -> tuple[Family, ...]:
        """Which families of metrics the problem has."""
        return ("numbers", "timing")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The one file."""
        return (self.file,)

    @property
    def validates(self) -> bool:
        """Whether there are validation rows."""
        return self.validation > 0

    @field_validator("covariates")
    @classmethod
    def _each_column_once(cls, covariates: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        columns = [info.data.get("column"), *covariates]
        twice = sorted({name for name in covariates if columns.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} would be read twice; name each column once")
        return covariates

    @field_validator("differencing")
    @classmethod
    def _leaves_a_source(cls, differencing: int, info: ValidationInfo) -> int:
        if differencing >= info.data.get("source_length", differencing + 1):
            raise ValueError("one row has no change to read; set source_length to 2 or more")
        return differencing


class PluginSpec(_Problem):
    """A problem of the user's own, which an installed package offers (see docs/custom_problems.md)."""

    kind: Literal["plugin"]
    name: str = Field(
        min_length=1, max_length=200, description="The entry point's name, of the group seq2seq_job.problems."
    )
    options: dict[str, Any] = Field(
        default={}, description="What the problem is made with; its package says what may stand here."
    )

    @property
    def sizes(self) -> tuple[str, ...]:
        """The options that are whole numbers."""
        return tuple(key for key, value in self.options.items() if type(value) is int)


ProblemSpec = Annotated[
    ReversedPrefixSpec
    | ReverseSpec
    | CopySpec
    | SortSpec
    | AdditionSpec
    | TextPairsSpec
    | TimeSeriesSpec
    | PluginSpec,
    Field(discriminator="kind"),
]


def recorded_separator(problem: Mapping[str, Any]) -> Separator | None:
    """Return what joins a target's tokens, by the problem's section in a result's spec.

    For results of versions that did not record it. The section is not checked: it may be of another version.
    """
    for spec in get_args(get_args(ProblemSpec)[0]):
        if problem.get("kind") in get_args(spec.model_fields["kind"].annotation):
            with suppress(KeyError, TypeError):
                separator: Separator | None = spec.model_construct(**problem).target_separator
                return separator
    return None


# --- model, training, evaluation ----------------------------------------------------------------------------


class ModelSpec(_Section):
    """The encoder-decoder."""

    cell: Literal["lstm", "gru"] = Field(default="lstm", description="Recurrent cell of encoder and decoder.")
    units: int = Field(default=128, ge=1, le=8192, description="Width of a recurrent layer's state.")
    layers: int = Field(
        default=1, ge=1, le=16, description="Stacked recurrent layers, encoder and decoder alike."
    )
    bidirectional: bool = Field(
        default=False, description="The encoder also reads from right to left; both states are joined."
    )
    attention: Literal["none", "luong_dot", "luong_general", "bahdanau"] = Field(
        default="none",
        description="How the decoder looks back at the encoder's outputs: Luong et al. 2015, or Bahdanau et "
        "al. 2015, whose context enters the recurrence (slower).",
    )
    input_feeding: bool = Field(
        default=False,
        description="The last attentional output enters the next step, with `luong_*` (slower).",
    )
    inputs: Literal["one_hot", "embedding"] = Field(
        default="one_hot",
        description="How tokens enter: one-hot vectors made inside the model, or an embedding.",
    )
    embedding_size: int = Field(
        default=64, ge=1, le=8192, description="Width of the embedding, with `embedding`."
    )
    tied_embeddings: bool = Field(
        default=False, description="Source and target share one embedding, where their vocabularies are one."
    )
    residual: bool = Field(
        default=False, description="Each layer above the first adds its input to its output."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the inputs of layers (one-hot apart) dropped in training.",
    )
    recurrent_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of a recurrent layer's states dropped in training (rules out the fast kernels).",
    )
    kernel_initializer: Literal["glorot_uniform", "glorot_normal", "he_normal"] = Field(
        default="glorot_uniform", description="First values of the input kernels."
    )
    recurrent_initializer: Literal["orthogonal", "glorot_uniform"] = Field(
        default="orthogonal", description="First values of the recurrent kernels."
    )

    @field_validator("input_feeding")
    @classmethod
    def _feeds_luong(cls, feeding: bool, info: ValidationInfo) -> bool:
        if feeding and info.data.get("attention") not in ("luong_dot", "luong_general", None):
            raise ValueError("input_feeding needs attention luong_dot or luong_general")
        return feeding

    @field_validator("tied_embeddings")
    @classmethod
    def _ties_embeddings(cls, tied: bool, info: ValidationInfo) -> bool:
        if tied and info.data.get("inputs") == "one_hot":
            raise ValueError("tied_embeddings needs inputs embedding")
        return tied

    @property
    def attends_in_recurrence(self) -> bool:
        """Whether a decoder step depends on the step before through attention too."""
        return self.attention == "bahdanau" or self.input_feeding


class OptimizerSpec(_Section):
    """Adam (Kingma and Ba 2015) with a linear warm-up."""

    name: Literal["adam"] = Field(default="adam", description="The optimizer.")
    learning_rate: float = Field(default=0.008, gt=0, le=10, description="Peak learning rate.")
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="After the warm-up: cosine decay to 0 at the last step, or none."
    )
    warmup_fraction: float = Field(
        default=0.05, ge=0, le=1, description="Share of all steps in which the rate rises linearly from 0."
    )
    clip_norm: float | None = Field(
        default=1.0, gt=0, le=1e6, description="Largest global gradient norm; null for no clipping."
    )


class EarlyStoppingSpec(_Section):
    """Stop when the validation loss no longer falls, and go back to the best weights."""

    patience: int = Field(
        ge=1, le=10_000, description="Epochs without a better validation loss before stopping."
    )
    min_delta: float = Field(
        default=0.0, ge=0, description="Smallest fall of the loss that counts as better."
    )


class TrainingSpec(_Section):
    """How the model is fitted: teacher forcing, cross-entropy."""

    examples: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["all"] = Field(
        default=100_000,
        description="Examples an epoch: fresh ones each epoch for generated problems; at most this many of a "
        "file's pairs, `all` for every one.",
    )
    epochs: int = Field(default=1, ge=1, le=100_000, description="Passes over the examples.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Examples a step.")
    optimizer: OptimizerSpec = Field(default=OptimizerSpec(), description="The optimizer and its schedule.")
    early_stopping: EarlyStoppingSpec | None = Field(default=None, description="Off when absent.")
    distribution: Literal["none", "mirrored"] = Field(
        default="none",
        description="`mirrored`: on all GPUs of the machine at once, each computing its share of a batch. "
        "The result is that of one device but for rounding, and for what dropout drops.",
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        gt=0,
        le=10_080,
        description="Minutes between checkpoints, from which a training that was cut off goes on; there is "
        "one at the end of an epoch too.",
    )


class EvaluationSpec(_Section):
    """What the trained model is tested on, and how it decodes."""

    examples: int = Field(
        default=10_000, ge=1, le=10_000_000, description="Test examples; at most what the test file holds."
    )
    validation_examples: int = Field(
        default=1000, ge=1, le=1_000_000, description="Validation examples, looked at after each epoch."
    )
    decoder: Literal["greedy", "beam"] = Field(default="greedy", description="How a target is searched for.")
    beam_width: int = Field(default=4, ge=1, le=100, description="Hypotheses kept, with `beam`.")
    length_penalty: float = Field(
        default=0.6, ge=0, le=10, description="Alpha of GNMT's length penalty, with `beam`; 0 for none."
    )
    max_length: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Most tokens decoded, the end included; null: as many as the longest target has.",
    )
    max_length_factor: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="Most tokens decoded for a token of the source, rounded up; null: no such limit.",
    )
    also: list[Annotated[dict[str, int], Field(min_length=1)]] = Field(
        default=[],
        max_length=100,
        description="Sizes of the problem that the trained model is evaluated at besides, though it never "
        "saw them: `[{source_length: 12}, {source_length: 20}]`.",
    )


_MOST = {"fraction": 1.0, "point": 100.0}


def _gate_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, metric in METRICS.items():
        bound = "least" if metric.direction == "higher" else "most"
        description = f"{name} must be at {bound} this, in {metric.unit}s. {metric.description}"
        most = _MOST.get(metric.unit) if metric.direction == "higher" else None
        fields[gate_key(name)] = (float | None, Field(default=None, ge=0, le=most, description=description))
    return fields


class _Gate(_Section):
    """Bars that a job must clear, else it is `gate_failed`; what counts as a change against a baseline."""

    alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="A change against the baseline is significant where its p-value, adjusted for all the "
        "tests of the batch, is at most this: the share of batches in which nothing changed that raise an "
        "alarm.",
    )
    min_drop: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="The smallest change against the baseline that counts: of a fraction as it is, of BLEU "
        "and chrF in hundreds of points, of errors in the data's unit as a share of the baseline's.",
    )
    speed: Literal["warn", "fail"] = Field(
        default="warn",
        description="What a job does that is slower than its baseline on the same machine and versions.",
    )
    seeds: Literal["min", "mean"] = Field(
        default="min",
        description="What the bars of a job with `seeds` are held against: each seed (`min`: the worst must "
        "clear them), or their mean.",
    )
    speed_factor: float = Field(
        default=1.3, gt=1, le=1000, description="How many times slower counts as slower."
    )

    def thresholds(self) -> dict[str, float]:
        """Return metric name -> bound, for the bars that are set."""
        bounds = {name: getattr(self, gate_key(name)) for name in METRICS}
        return {name: bound for name, bound in bounds.items() if bound is not None}


if TYPE_CHECKING:
    GateSpec = _Gate  # a type checker cannot see the generated fields; nothing reads them by name
else:
    GateSpec = create_model("GateSpec", __base__=_Gate, __doc__=_Gate.__doc__, **_gate_fields())


OPERATIONAL: dict[str, Any] = {
    "timeout_minutes": True,
    "retries": True,
    "training": {"checkpoint_minutes": True},
    "seeds": True,
    "gate": {"alpha": True, "min_drop": True, "speed": True, "speed_factor": True},
}
"""Keys of a job that decide how it is run and compared but not what comes out: they are in no fingerprint, so
that a job that took too long goes on where it was once it is given more time."""


class JobSpec(_Section):
    """One resolved job: one model to be trained and evaluated."""

    name: str = Field(pattern=JOB_NAME, description="Unique; safe as a file name.")
    seed: int = Field(default=7, ge=0, lt=2**32, description="Decides data, initial weights and dropout.")
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(max_length=1000)] = Field(
        default=[],
        description="Train the job once with each of these seeds, as NAME-seed-SEED, and report their mean, "
        "standard deviation and 95 % confidence interval; in place of `seed`.",
    )
    problem: ProblemSpec = Field(description="What is to be learned.")
    model: ModelSpec = Field(default=ModelSpec(), description="The encoder-decoder.")
    training: TrainingSpec = Field(default=TrainingSpec(), description="How it is fitted.")
    evaluation: EvaluationSpec = Field(default=EvaluationSpec(), description="How it is tested.")
    gate: GateSpec = Field(default=GateSpec(), description="Bars it must clear.")
    device: Device = Field(
        default="auto",
        description="What it computes on: `auto` takes a GPU where there is one, else the CPU; with `gpu` "
        "it fails at once where there is none.",
    )
    timeout_minutes: float | None = Field(
        default=None,
        gt=0,
        le=525_600,
        description="Longest that the job may take, in minutes; then it is killed and has failed. null for "
        "no limit.",
    )
    retries: int = Field(
        default=1,
        ge=0,
        le=10,
        description="How often the job is tried again where its process was lost (killed, out of memory); it "
        "goes on from its last checkpoint. A job that fails by itself is not tried again.",
    )

    @field_validator("name")
    @classmethod
    def _not_dots(cls, name: str) -> str:
        if name.endswith("."):
            raise ValueError("a job's name must not end in a dot")
        return name

    @field_validator("seeds")
    @classmethod
    def _each_seed_once(cls, seeds: list[int]) -> list[int]:
        twice = sorted(seed for seed, count in Counter(seeds).items() if count > 1)
        if twice:
            raise ValueError(f"{', '.join(map(str, twice))} would be trained twice; name each seed once")
        return seeds

    @property
    def family(self) -> str:
        """The name of the job in the spec, where this is a run of one with `seeds`."""
        return self.name.removesuffix(f"-seed-{self.seed}") if self.seeds else self.name

    @field_validator("training")
    @classmethod
    def _stops_by_something(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        problem = info.data.get("problem")  # absent when it is wrong itself
        if training.early_stopping is not None and problem is not None and not problem.validates:
            raise ValueError(
                "early_stopping goes by the validation loss, but problem.validation is 0; "
                "give validation rows or drop early_stopping"
            )
        return training

    @field_validator("gate")
    @classmethod
    def _gate_on_known_metrics(cls, gate: GateSpec, info: ValidationInfo) -> GateSpec:
        problem = info.data.get("problem")  # absent when it is wrong itself
        if problem is None:
            return gate
        for metric in gate.thresholds():
            if METRICS[metric].family not in problem.families:
                raise ValueError(
                    f"{gate_key(metric)} cannot be checked: problem {problem.kind} has no {metric}"
                    + (" of characters" if METRICS[metric].family == "words" else "")
                )
        return gate


class Spec(_Section):
    """A whole spec file, resolved: the jobs in their order.

    Args (fields): `path` is the file as the user named it; data files are looked up beside it.
    """

    path: Path
    jobs: tuple[JobSpec, ...]
