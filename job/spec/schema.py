"""One resolved job (`JobSpec`) and a whole resolved spec (`Spec`); each section has a module of its own.

The data model of the spec is the one source of every key, its default, its range and its unit: validation and
the JSON Schema follow from it. A `JobSpec` is built after defaults, matrix and seeds are applied (see
`spec_loading`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from job.metrics import METRICS, gate_key
from job.results.export_result import ExportFormat
from job.spec.base_section import Section
from job.spec.evaluation_section import EvaluationSpec
from job.spec.gate_section import GateSpec
from job.spec.model_section import ModelSpec
from job.spec.problem_sections import ProblemSpec
from job.spec.seed_expansion import base_name
from job.spec.training_section import TrainingSpec
from job.storage.file_names import JOB_NAME

Device = Literal["auto", "gpu"]


class JobSpec(Section):
    """One resolved job: one model to train and evaluate."""

    name: str = Field(pattern=JOB_NAME, description="Name of the job: unique, and safe as a file name.")
    seed: int = Field(
        default=7,
        ge=0,
        lt=2**32,
        description="Seed of data, initial weights, shuffling and dropout; that of the spec unless the job "
        "has its own.",
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(max_length=1000)] = Field(
        default=[],
        description="Train the job once with each of these seeds, as NAME-seed-SEED, and report mean, "
        "standard deviation and 95 % confidence interval; in place of `seed`.",
    )
    problem: ProblemSpec = Field(description="The problem to learn.")
    model: ModelSpec = Field(default=ModelSpec(), description="The architecture of the encoder-decoder.")
    training: TrainingSpec = Field(default=TrainingSpec(), description="How the model is trained.")
    evaluation: EvaluationSpec = Field(default=EvaluationSpec(), description="How the model is evaluated.")
    export: Annotated[list[ExportFormat], Field(max_length=3)] = Field(
        default=[],
        description="Runtimes for which the trained model is also written, below `export/` in the job's "
        "directory: `saved_model` for TensorFlow and TensorFlow Serving, `onnx` for onnxruntime (needs "
        "`seq2seq-job[export]`). Each one must predict what the model predicts, or the job fails. "
        "`onnx_int8`, in addition to `onnx`, has 8-bit weights; the report has its accuracy.",
    )
    gate: GateSpec = Field(default=GateSpec(), description="The thresholds that the job must pass.")
    device: Device = Field(
        default="auto",
        description="`auto` computes on a GPU if there is one, else on the CPU; `gpu` fails at once if there "
        "is none.",
    )
    timeout_minutes: float | None = Field(
        default=None,
        gt=0,
        le=525_600,
        description="Maximum duration of the job, in minutes, after which it is stopped and has failed; null "
        "for no limit.",
    )
    retries: int = Field(
        default=1,
        ge=0,
        le=10,
        description="Number of retries after the job's process was lost (killed, out of memory); a retry "
        "resumes from the last checkpoint. A job that fails with an error is not retried.",
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

    @field_validator("export")
    @classmethod
    def _exports_tokens_once(cls, export: list[ExportFormat], info: ValidationInfo) -> list[ExportFormat]:
        problem = info.data.get("problem")
        if export and problem is not None and problem.kind == "time_series":
            raise ValueError("export is for models of tokens, but this problem forecasts numbers; drop it")
        if len(set(export)) < len(export):
            raise ValueError("has a format twice; name each once")
        if "onnx_int8" in export and "onnx" not in export:
            raise ValueError("onnx_int8 is made of onnx and compared with it; name onnx too")
        return sorted(export, key=lambda name: name == "onnx_int8")  # which comes last

    @model_serializer(mode="wrap")
    def _without_later_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys of later versions at their defaults: then fingerprints are as before."""
        values: dict[str, Any] = handler(self)
        if not values.get("export", True):
            del values["export"]
        return values

    @property
    def family(self) -> str:
        """The name of the job in the spec, which several runs share if it has `seeds`."""
        return base_name(self.name, self.seed) if self.seeds else self.name

    @field_validator("model")
    @classmethod
    def _monotonic_attention_is_for_tokens(cls, model: ModelSpec, info: ValidationInfo) -> ModelSpec:
        problem = info.data.get("problem")
        if model.attention == "monotonic" and problem is not None and problem.kind == "time_series":
            raise ValueError(
                "attention monotonic is for tokens, but this problem forecasts numbers; "
                "choose luong_general or another attention"
            )
        return model

    @field_validator("model")
    @classmethod
    def _output_bias_is_for_tokens(cls, model: ModelSpec, info: ValidationInfo) -> ModelSpec:
        problem = info.data.get("problem")
        if model.output_bias != "zero" and problem is not None and problem.kind == "time_series":
            raise ValueError(
                "output_bias frequencies counts tokens, but this problem forecasts numbers; drop it"
            )
        return model

    @field_validator("training")
    @classmethod
    def _best_epoch_can_be_found(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        problem = info.data.get("problem")  # absent if it is invalid itself
        if problem is None:
            return training
        key = "early_stopping" if training.early_stopping is not None else "average: best"
        if training.keeps_best and not problem.validates:
            raise ValueError(
                f"{key} needs validation examples, but problem.validation is 0; "
                f"give validation rows or drop {key}"
            )
        metric = training.best_by
        if metric != "loss" and METRICS[metric].family not in problem.families:
            raise ValueError(
                f"early_stopping.metric {metric} cannot be measured: problem {problem.kind} has no {metric}"
                + (" of characters" if METRICS[metric].family == "words" else "")
            )
        if training.optimizer.schedule == "plateau" and not problem.validates:
            raise ValueError(
                "optimizer.schedule: plateau needs the validation loss, but problem.validation is 0; "
                "give validation rows or choose another schedule"
            )
        return training

    @field_validator("training")
    @classmethod
    def _label_smoothing_is_for_tokens(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        problem = info.data.get("problem")
        if training.label_smoothing and problem is not None and problem.kind == "time_series":
            raise ValueError("label_smoothing is for tokens, but this problem forecasts numbers; drop it")
        return training

    @field_validator("training")
    @classmethod
    def _tokens_per_batch_are_for_text(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        problem = info.data.get("problem")
        if training.tokens_per_batch is not None and problem is not None and problem.kind != "text_pairs":
            raise ValueError(
                f"tokens_per_batch is for problem text_pairs, not {problem.kind}; give batch_size instead"
            )
        if training.tokens_per_batch is not None and problem is not None and problem.mixture:
            raise ValueError(
                "tokens_per_batch cannot be combined with mixed training data, whose epochs have different "
                "examples; give batch_size instead"
            )
        return training

    @field_validator("training")
    @classmethod
    def _joins_text_pairs(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        problem = info.data.get("problem")
        if training.joined_pairs and problem is not None and problem.kind != "text_pairs":
            raise ValueError(f"joined_pairs is for problem text_pairs, not {problem.kind}; drop it")
        return training

    @field_validator("model")
    @classmethod
    def _copies_tokens_of_one_kind(cls, model: ModelSpec, info: ValidationInfo) -> ModelSpec:
        problem = info.data.get("problem")
        if not model.pointer or problem is None:
            return model
        if problem.kind == "time_series":
            raise ValueError("pointer copies tokens, but this problem forecasts numbers; drop it")
        if problem.kind == "text_pairs":
            kinds = [problem.source_tokens, problem.target_tokens]
            if kinds.count("subwords") == 1:
                raise ValueError(
                    "pointer copies source tokens, but only one side has subwords; use subwords on both "
                    "sides or on neither"
                )
        return model

    @field_validator("training")
    @classmethod
    def _freezes_named_parts(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        model = info.data.get("model")
        if training.freeze and model is not None and model.architecture == "plugin":
            raise ValueError(
                "freeze names parts of the built-in architectures, not of a plugin; drop it, and let an "
                "option of the plugin set layer.trainable"
            )
        problem = info.data.get("problem")
        if training.freeze and model is not None and problem is not None:
            there = model.parts(numbers=problem.kind == "time_series")
            if missing := [part for part in training.freeze if part not in there]:
                raise ValueError(
                    f"freeze has no effect on {missing[0]}, which this model does not have; drop it"
                )
            if there <= {*training.freeze}:
                raise ValueError("freeze leaves nothing to train; drop a part of the model from it")
        return training

    @field_validator("evaluation")
    @classmethod
    def _coverage_needs_attention(cls, evaluation: EvaluationSpec, info: ValidationInfo) -> EvaluationSpec:
        model = info.data.get("model")
        if evaluation.coverage_penalty and model is not None and not model.has_attention:
            raise ValueError("coverage_penalty needs a model with attention; set model.attention or drop it")
        return evaluation

    @field_validator("evaluation")
    @classmethod
    def _ensemble_needs_seeds(cls, evaluation: EvaluationSpec, info: ValidationInfo) -> EvaluationSpec:
        if evaluation.ensemble and len(info.data.get("seeds", (0, 1))) < 2:
            raise ValueError(
                "ensemble needs the models of several seeds, but this job does not have two `seeds`; give "
                "`seeds: [1, 2, 3]`, or set ensemble: false for this job"
            )
        return evaluation

    @field_validator("gate")
    @classmethod
    def _gate_on_known_metrics(cls, gate: GateSpec, info: ValidationInfo) -> GateSpec:
        problem = info.data.get("problem")  # absent if it is invalid itself
        if problem is None:
            return gate
        for metric in gate.thresholds():
            if METRICS[metric].family not in problem.families:
                raise ValueError(
                    f"{gate_key(metric)} cannot be checked: problem {problem.kind} has no {metric}"
                    + (" of characters" if METRICS[metric].family == "words" else "")
                )
        return gate


class Spec(Section):
    """A whole spec: its resolved jobs in their order.

    Args:
        path: the spec file, as the user named it; data files are relative to its directory.
        jobs: the resolved jobs.
    """

    path: Path
    jobs: tuple[JobSpec, ...]
