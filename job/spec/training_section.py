"""The `training` section: examples, optimizer, early stopping, devices and checkpoints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from job.errors import no_implementation
from job.spec.base_section import Section, readable_place

OptimizerName = Literal["adam", "adamw", "adadelta", "sgd"]
Schedule = Literal["cosine", "constant", "linear", "inverse_sqrt", "plateau"]
Average = Literal["none", "ema", "best"]
Precision = Literal["float32", "bfloat16", "float16"]
Distribution = Literal["none", "mirrored", "multi_worker"]
ModelPart = Literal["encoder", "decoder", "embeddings", "output"]
StoppingMetric = Literal[
    "loss", "sequence_accuracy", "token_accuracy", "edit_rate", "bleu", "chrf", "rmse", "mae"
]


class OptimizerSpec(Section):
    """The optimizer, with a linear warm-up of its learning rate."""

    name: OptimizerName = Field(
        default="adam",
        description="`adam` (Kingma and Ba 2015), `adamw` (with weight decay; Loshchilov and Hutter 2019), "
        "`adadelta` (Zeiler 2012) or `sgd` with momentum.",
    )
    learning_rate: float = Field(default=0.008, gt=0, le=10, description="Peak learning rate.")
    schedule: Schedule = Field(
        default="cosine",
        description="Learning rate after the warm-up: `cosine` or `linear` decay to 0 at the last step, "
        "`constant`, `inverse_sqrt` (it falls with the square root of the step), or `plateau` (it is reduced "
        "when the validation loss no longer falls).",
    )
    plateau_factor: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="Schedule `plateau`: factor by which the learning rate is reduced.",
    )
    plateau_patience: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Schedule `plateau`: epochs without a lower validation loss before a reduction.",
    )
    warmup_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Fraction of all steps in which the learning rate rises linearly from 0.",
    )
    clip_norm: float | None = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="Maximum global norm of the gradient, to which it is clipped; null for no clipping.",
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Decoupled weight decay of matrices, not of biases: a step subtracts the learning rate "
        "times this times the weight. For every optimizer but `adam`.",
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Optimizer `sgd`: share of the velocity that a step keeps."
    )

    @model_validator(mode="after")
    def _decay_is_that_of_adamw(self) -> OptimizerSpec:
        if self.name == "adam" and self.weight_decay:
            raise ValueError("weight_decay has no effect with adam; give name: adamw or drop weight_decay")
        return self


class EarlyStoppingSpec(Section):
    """Stop when a metric of the validation examples no longer improves, and restore the best weights."""

    metric: StoppingMetric = Field(
        default="loss",
        description="Metric of the validation examples at the end of each epoch: the `loss` with teacher "
        "forcing, or a metric of the problem, for which the examples are decoded greedily.",
    )
    patience: int = Field(
        ge=1, le=10_000, description="Number of epochs without improvement after which training stops."
    )
    min_delta: float = Field(
        default=0.0, ge=0, description="Minimum change of the metric that counts as an improvement."
    )


class TrainingSpec(Section):
    """How the model is trained: teacher forcing, cross-entropy loss."""

    examples: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["all"] = Field(
        default=100_000,
        description="Number of examples per epoch: new ones in each epoch for generated problems; at most "
        "this many of a file's pairs, or `all` of them.",
    )
    epochs: int = Field(default=1, ge=1, le=100_000, description="Number of passes over the examples.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Number of examples per step.")
    tokens_per_batch: int | None = Field(
        default=None,
        ge=2,
        le=100_000_000,
        description="Number of tokens of a batch at most, padding included, in place of `batch_size`, for "
        "`text_pairs`: examples times the sum of the longest source and the longest target, of which the end "
        "is a token. Batches are of examples of similar length.",
    )
    optimizer: OptimizerSpec = Field(default=OptimizerSpec(), description="The optimizer and its schedule.")
    early_stopping: EarlyStoppingSpec | None = Field(
        default=None, description="Early stopping; off when absent."
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=4096,
        description="Number of batches per step: their gradients are computed one after the other and added, "
        "so that a step has `batch_size` (or `tokens_per_batch`) times `accumulate` with the memory of one "
        "batch.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the target probability that is spread over the whole vocabulary in training "
        "(Szegedy et al. 2016); validation is without.",
    )
    joined_pairs: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the pairs of each epoch that are continued by another pair, drawn anew, with a "
        "reserved symbol between the two on both sides, for `text_pairs`: with little data the model then "
        "keeps its place in long examples better (Kondo et al. 2021).",
    )
    scheduled_sampling: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability, at the last step, that an input of the decoder is the model's own "
        "prediction and not the target; it rises linearly from 0 (Bengio et al. 2015). All predictions "
        "are made at once by a first pass with the targets as inputs (Mihaylova and Martins 2019).",
    )
    average: Average = Field(
        default="none",
        description="Weights that are validated, evaluated and saved: those of the last step; `ema`, an "
        "exponential moving average over the steps; or `best`, those of the epoch with the best validation "
        "loss, without stopping early. With early stopping they are always those of the best epoch.",
    )
    ema_decay: float = Field(
        default=0.999, gt=0, lt=1, description="Average `ema`: share of the average that a step keeps."
    )
    precision: Precision = Field(
        default="float32",
        description="Type of the numbers in the layers while training. With `bfloat16` and `float16` the "
        "weights, the optimizer, the loss and the saved model stay float32, and so does evaluation; "
        "`float16` scales the loss (Micikevicius et al. 2018).",
    )
    start_from: Annotated[str, AfterValidator(readable_place)] | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Start from the weights of a trained model of the same architecture: the name of a job "
        "of this spec, which is trained first; the directory of a finished job, relative to the spec; or the "
        "URL of one in a store, `s3://BUCKET/PATH/jobs/NAME`. Text pairs keep the tokens of the earlier "
        "model; tokens that it does not know get new weights. If both jobs have `seeds`, each run starts "
        "from the earlier job's run with the same seed.",
    )
    freeze: list[ModelPart] = Field(
        default=[],
        max_length=3,
        description="With `start_from`: parts of the model whose weights stay as they are.",
    )
    distribution: Distribution = Field(
        default="none",
        description="`mirrored` trains on all GPUs of the machine, each computing its share of every batch; "
        "`multi_worker` on those of all processes of `--cluster`, or on their CPUs. The result equals that "
        "of one device except for rounding and the random choices of dropout.",
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        gt=0,
        le=10_080,
        description="Minutes between checkpoints, from which an interrupted training resumes; there is also "
        "one at the end of each epoch.",
    )

    @model_validator(mode="after")
    def _one_size_of_batches(self, info: ValidationInfo) -> TrainingSpec:
        if self.tokens_per_batch is not None and self.is_written("batch_size", info):
            raise ValueError("tokens_per_batch takes the place of batch_size; give one of the two")
        if self.tokens_per_batch is not None and self.joined_pairs:
            raise ValueError(
                "tokens_per_batch cannot be combined with joined_pairs, whose epochs have different lengths; "
                "give batch_size instead"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what does not apply: without the keys of later versions fingerprints are as before."""
        values: dict[str, Any] = handler(self)
        values.pop("tokens_per_batch" if self.tokens_per_batch is None else "batch_size", None)
        for key in ("start_from", "freeze", "joined_pairs"):
            if not values[key]:
                del values[key]
        return values

    @field_validator("freeze")
    @classmethod
    def _freezes_trained_parts(cls, parts: list[ModelPart], info: ValidationInfo) -> list[ModelPart]:
        if len(set(parts)) < len(parts):
            raise ValueError("name each part once")
        if parts and info.data.get("start_from", "") is None:
            raise ValueError("freeze needs start_from: weights that stay as they are must be trained ones")
        return parts

    @property
    def step_examples(self) -> int:
        """Number of examples per step at most."""
        if self.tokens_per_batch is not None:
            return self.tokens_per_batch // 2 * self.accumulate  # each has a token of its source and an end
        return self.batch_size * self.accumulate

    @property
    def keeps_best(self) -> bool:
        """Whether training ends with the weights of its best epoch, so that validation examples decide."""
        match self.average:
            case "best":
                return True
            case "none" | "ema":
                return self.early_stopping is not None
            case unknown:
                no_implementation("training.average", unknown)

    @property
    def best_by(self) -> StoppingMetric:
        """The metric by which an epoch is the best."""
        return "loss" if self.early_stopping is None else self.early_stopping.metric
