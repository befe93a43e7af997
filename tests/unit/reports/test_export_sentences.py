"""What reports say of a job's exports."""

from dataclasses import replace

from sample_results import TUTORIAL

from job.reports.job_content import data_sentences
from job.reports.markdown_sections import section
from job.results.export_result import Approximation, ExportResult
from job.results.job_result import JobResult

EXPORTS = (
    ExportResult(
        format="saved_model",
        directory="export/saved_model",
        bytes=3 << 19,
        examples=10_000,
        near_ties=0,
        sequences_per_second=1234.5,
        versions={"tensorflow": "2.21.0"},
    ),
    ExportResult(
        format="onnx",
        directory="export/onnx",
        bytes=1 << 20,
        examples=1,
        near_ties=1,
        sequences_per_second=7.0,
        versions={"onnxruntime": "1.32.0"},
    ),
    ExportResult(
        format="onnx_int8",
        directory="export/onnx_int8",
        bytes=1 << 19,
        examples=10_000,
        near_ties=0,
        sequences_per_second=15.0,
        versions={"onnxruntime": "1.32.0"},
        approximation=Approximation(
            differing=1234,
            metrics={"sequence_accuracy": 0.5, "edit_rate": 0.125},
            model_metrics={"sequence_accuracy": 0.625, "edit_rate": 0.1},
        ),
    ),
)
RESULT = replace(TUTORIAL, exports=EXPORTS)


def test_each_export_has_a_sentence_with_its_size_its_near_ties_and_its_speed():
    assert [*data_sentences(RESULT)][-3:] == [
        "Exported as a SavedModel, 1.5 MiB in export/saved_model: by greedy search tensorflow 2.21.0 "
        "predicts what the model predicts for 10,000 test examples, at 1,234 sequences/s on the CPU.",
        "Exported as ONNX, 1.0 MiB in export/onnx: by greedy search onnxruntime 1.32.0 predicts what the "
        "model predicts for 1 test example, but for 1 near tie, at 7 sequences/s on the CPU.",
        "Exported as ONNX with 8-bit weights, 0.5 MiB in export/onnx_int8: by greedy search with "
        "onnxruntime 1.32.0, sequence accuracy 50.00 % (the model's 62.50 %), edit rate 12.50 % (the model's "
        "10.00 %); it predicts something else than the model for 1,234 of 10,000 test examples, at 15 "
        "sequences/s on the CPU.",
    ]
    assert "Exported as ONNX" in section(RESULT)
    assert "Exported" not in section(TUTORIAL)


def test_a_result_with_exports_is_read_as_it_was_written():
    assert JobResult.from_json(RESULT.to_json()) == replace(RESULT, reused=False)
