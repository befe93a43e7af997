"""Specs with values that cannot be, and the place and a part of every complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_frames import Expected, check_complaints, with_problem, with_section

SERIES = "{kind: time_series, file: s.csv, column: y, target_length: 1, test: 3"

TABLE: dict[str, tuple[str, Expected]] = {
    "mixed data without a weight": (
        with_problem("{kind: text_pairs, data: [{file: a, weight: 1}, {file: b}]}"),
        [(4, "jobs[0].problem.data[1].weight", "is required: a number (above 0, at most 1000000)")],
    ),
    "weight of zero": (
        with_problem("{kind: text_pairs, data: [{file: a, weight: 0}]}"),
        [(4, "jobs[0].problem.data[0].weight", "must be a number (above 0, at most 1000000), found 0")],
    ),
    "weight of a file that is not mixed": (
        with_problem("{kind: text_pairs, data: {file: a, weight: 1}}"),
        [(4, "jobs[0].problem.data.weight", "is not a known key; known here: file, source_file")],
    ),
    "no mixed data": (
        with_problem("{kind: text_pairs, data: []}"),
        [(4, "jobs[0].problem.data", "a list (length at least 1) or null, found an empty list")],
    ),
    "mixed data that is no mapping": (
        with_problem("{kind: text_pairs, data: [a.tsv]}"),
        [(4, "jobs[0].problem.data[0]", "must be a mapping, found 'a.tsv'")],
    ),
    "mixed data with half a pair": (
        with_problem("{kind: text_pairs, data: [{source_file: a, weight: 1}]}"),
        [(4, "jobs[0].problem.data[0].source_file", "source_file and target_file go together")],
    ),
    "mixed test data": (
        with_problem(
            "{kind: text_pairs, train: {file: a}, validation: {file: v}, test: [{file: t, weight: 1}]}"
        ),
        [(4, "jobs[0].problem.test", "must be a mapping or null, found a list")],
    ),
    "mixed data in batches of tokens": (
        with_problem("{kind: text_pairs, data: [{file: a, weight: 1}]}\n  training: {tokens_per_batch: 99}"),
        [(5, "jobs[0].training.tokens_per_batch", "cannot be combined with mixed training data")],
    ),
    "text for a whole number": (
        with_section("model: {units: many}"),
        [(5, "jobs[0].model.units", "must be a whole number from 1 to 8192, found 'many'")],
    ),
    "quoted number": (with_section("model: {units: '3'}"), [(5, "jobs[0].model.units", "found '3'")]),
    "fraction for a whole number": (
        with_section("model: {units: 2.5}"),
        [(5, "jobs[0].model.units", "found 2.5")],
    ),
    "exponent for a whole number": (
        with_section("training: {epochs: 1e3}"),
        [(5, "jobs[0].training.epochs", "must be a whole number from 1 to 100000, found 1e3; write 1000")],
    ),
    "underscore in a number": (
        with_section("training: {examples: 1_000}"),
        [(5, "jobs[0].training.examples", "a whole number from 1 to 1000000000 or 'all', found '1_000'")],
    ),
    "true for a number": (with_section("model: {layers: true}"), [(5, "jobs[0].model.layers", "found true")]),
    "yes for true": (
        with_section("model: {bidirectional: yes}"),
        [(5, "jobs[0].model.bidirectional", "must be true or false, found 'yes'")],
    ),
    "nothing for a number": (with_section("seed:"), [(5, "jobs[0].seed", "found nothing")]),
    "null for a section": (
        with_section("model: null"),
        [(5, "jobs[0].model", "must be a mapping, found null")],
    ),
    "list for a section": (
        with_section("gate: [1]"),
        [(5, "jobs[0].gate", "must be a mapping, found a list")],
    ),
    "huge number": (
        with_section(f"model: {{units: {10**80}}}"),
        [(5, "jobs[0].model.units", "found 1" + "0" * 59 + "...")],
    ),
    "zero": (
        with_section("training: {batch_size: 0}"),
        [(5, "jobs[0].training.batch_size", "from 1 to 65536")],
    ),
    "learning rate of zero": (
        with_section("training: {optimizer: {learning_rate: 0}}"),
        [(5, "jobs[0].training.optimizer.learning_rate", "must be a number (above 0, at most 10), found 0")],
    ),
    "misspelt choice": (
        with_section("model: {cell: lsmt}"),
        [(5, "jobs[0].model.cell", "must be 'lstm' or 'gru', found 'lsmt'; did you mean 'lstm'?")],
    ),
    "gate above 1": (
        with_section("gate: {min_sequence_accuracy: 99}"),
        [(5, "jobs[0].gate.min_sequence_accuracy", "must be a number from 0 to 1 or null, found 99")],
    ),
    "gate on a metric that there is not": (
        with_section("gate: {min_accuracy: 0.9}"),
        [(5, "jobs[0].gate.min_accuracy", "is not a known key; did you mean")],
    ),
    "series differenced to nothing": (
        with_problem(f"{SERIES}, source_length: 1, differencing: 1}}"),
        [
            (
                4,
                "jobs[0].problem.differencing",
                "one row has no change to read; set source_length to 2 or more",
            )
        ],
    ),
    "column and covariate are one": (
        with_problem(f"{SERIES}, source_length: 1, covariates: [a, y, b, b]}}"),
        [(4, "jobs[0].problem.covariates", "b, y would be read twice")],
    ),
    "covariates that are no list": (
        with_problem(f"{SERIES}, source_length: 1, covariates: a}}"),
        [(4, "jobs[0].problem.covariates", "must be a list, found 'a'")],
    ),
    "early stopping without validation": (
        with_problem(f"{SERIES}, source_length: 1}}") + "  training: {early_stopping: {patience: 3}}\n",
        [(5, "jobs[0].training.early_stopping", "problem.validation is 0")],
    ),
    "best weights without validation": (
        with_problem(f"{SERIES}, source_length: 1}}") + "  training: {average: best}\n",
        [(5, "jobs[0].training", "average: best needs validation examples, but problem.validation is 0")],
    ),
    "early stopping by what a series does not have": (
        with_problem(f"{SERIES}, source_length: 1, validation: 2}}")
        + "  training: {early_stopping: {metric: bleu, patience: 3}}\n",
        [
            (
                5,
                "jobs[0].training.early_stopping.metric",
                "bleu cannot be measured: problem time_series has no bleu",
            )
        ],
    ),
    "early stopping by what no job has": (
        with_problem("{kind: copy, source_length: 2, cardinality: 5}")
        + "  training: {early_stopping: {metric: accuracy, patience: 3}}\n",
        [(5, "jobs[0].training.early_stopping.metric", "loss")],
    ),
    "gate on what a series does not have": (
        with_problem(f"{SERIES}, source_length: 1}}") + "  gate: {min_token_accuracy: 0.5, max_mae: 3}\n",
        [
            (
                5,
                "jobs[0].gate.min_token_accuracy",
                "min_token_accuracy cannot be checked: problem time_series has no token_accuracy",
            )
        ],
    ),
    "gate on what tokens do not have": (
        with_section("gate: {max_rmse: 3}"),
        [(5, "jobs[0].gate.max_rmse", "max_rmse cannot be checked")],
    ),
    "no kind": (
        with_problem("{cardinality: 3}"),
        [(4, "jobs[0].problem.kind", "is required: 'addition', 'copy'")],
    ),
    "misspelt kind": (
        with_problem("{kind: revers, source_length: 3}"),
        [
            (
                4,
                "jobs[0].problem.kind",
                "'text_pairs' or 'time_series', found 'revers'; did you mean 'reverse'?",
            )
        ],
    ),
    "number as a kind": (with_problem("{kind: 5}"), [(4, "jobs[0].problem.kind", "found 5")]),
    "list as a kind": (with_problem("{kind: [copy]}"), [(4, "jobs[0].problem.kind", "found a list")]),
    "problem as text": (
        with_problem("copy"),
        [(4, "jobs[0].problem", "a mapping with the key kind, found 'copy'")],
    ),
    "problem without sizes": (
        with_problem("{kind: copy}"),
        [
            (4, "jobs[0].problem.cardinality", "is required: a whole number from 2 to 1000000"),
            (4, "jobs[0].problem.source_length", "is required: a whole number from 1 to 1000"),
        ],
    ),
    "key of another problem": (
        with_problem("{kind: addition, digits: 3, cardinality: 9}"),
        [(4, "jobs[0].problem.cardinality", "is not a known key; known here: kind, digits")],
    ),
    "cardinality 0": (
        with_problem("{kind: copy, source_length: 3, cardinality: 0}"),
        [(4, "jobs[0].problem.cardinality", "must be a whole number from 2 to 1000000, found 0")],
    ),
    "target longer than source": (
        with_problem("{kind: reversed_prefix, source_length: 3, cardinality: 9,\n    target_length: 5}"),
        [(5, "jobs[0].problem.target_length", "target_length 5 is longer than source_length 3")],
    ),
    "split with nothing to train on": (
        with_problem("{kind: text_pairs, data: {file: a}, split: {validation: 0.5, test: 0.5}}"),
        [(4, "jobs[0].problem.split.validation", "nothing is left to train on")],
    ),
    "data given in two ways": (
        with_problem("{kind: text_pairs, data: {file: a}, test: {file: b}}"),
        [(4, "jobs[0].problem.data", "use one of the two")],
    ),
    "half of a pair of files": (
        with_problem("{kind: text_pairs, data: {source_file: a}}"),
        [(4, "jobs[0].problem.data.source_file", "go together; give both")],
    ),
    "number as a file": (
        with_problem("{kind: text_pairs, data: {file: 5}}"),
        [(4, "jobs[0].problem.data.file", "4096), a list (length at least 1) or null, found 5")],
    ),
    "number among files": (
        with_problem("\n    kind: text_pairs\n    data:\n      file:\n      - a\n      - 5"),
        [
            (
                9,
                "jobs[0].problem.data.file[1]",
                "must be text (length at least 1, length at most 4096), found 5",
            )
        ],
    ),
    "empty name of a file": (
        with_problem("{kind: text_pairs, data: {file: [a, '']}}"),
        [(4, "jobs[0].problem.data.file[1]", "must be text (length at least 1, length at most 4096)")],
    ),
    "no file at all": (
        with_problem("{kind: text_pairs, data: {file: []}}"),
        [(4, "jobs[0].problem.data.file", "a list (length at least 1) or null, found an empty list")],
    ),
    "mapping as a file": (
        with_problem("{kind: text_pairs, data: {file: {a: b}}}"),
        [(4, "jobs[0].problem.data.file", "found a mapping")],
    ),
    "parallel files in unequal numbers": (
        with_problem("{kind: text_pairs, data: {source_file: [a, b],\n    target_file: c}}"),
        [(5, "jobs[0].problem.data.target_file", "lists 1 files, but source_file lists 2")],
    ),
    "one vocabulary of two kinds of tokens": (
        with_problem("{kind: text_pairs, data: {file: a}, source_tokens: words, shared_vocabulary: true}"),
        [(4, "jobs[0].problem.shared_vocabulary", "source_tokens and target_tokens to be the same")],
    ),
    "subwords without a side of them": (
        with_problem("{kind: text_pairs, data: {file: a}, subwords: {size: 100}}"),
        [(4, "jobs[0].problem.subwords", "subwords needs source_tokens or target_tokens to be subwords")],
    ),
    "limits of a vocabulary of subwords": (
        with_problem(
            "{kind: text_pairs, data: {file: a}, source_tokens: subwords, target_tokens: subwords, "
            "vocabulary: {min_count: 2}}"
        ),
        [(4, "jobs[0].problem.vocabulary", "vocabulary has no effect on subwords; set subwords.size")],
    ),
    "one column for both sides": (
        with_problem("{kind: text_pairs, data: {file: a}, columns: {source: 2, target: 2}}"),
        [(4, "jobs[0].problem.columns", "must be different columns")],
    ),
    "columns of another format": (
        with_problem("{kind: text_pairs, data: {file: a}, format: cmudict, columns: {source: 2, target: 1}}"),
        [(4, "jobs[0].problem.columns", "columns are for format tsv, not cmudict")],
    ),
    "features beside subwords": (
        with_problem("{kind: text_pairs, data: {file: a}, source_tokens: subwords, columns: {features: 3}}"),
        [(4, "jobs[0].problem.columns.features", "characters or words, not subwords")],
    ),
    "a separator of no features": (
        with_problem("{kind: text_pairs, data: {file: a}, features_separator: ','}"),
        [(4, "jobs[0].problem.features_separator", "features_separator needs columns.features")],
    ),
    "normalisation that there is not": (
        with_problem("{kind: text_pairs, data: {file: a}, normalize: NFE}"),
        [(4, "jobs[0].problem.normalize", "must be 'none', 'NFC', 'NFD', 'NFKC' or 'NFKD', found 'NFE'")],
    ),
    "sizes that the problem does not have": (
        with_section("evaluation: {also: [{source_length: 5}, {source_lenth: 5}, {cardinality: 8}]}"),
        [
            (
                5,
                "jobs[0].evaluation.also[1].source_lenth",
                "is not a size of problem copy; did you mean 'source_length'? known here: source_length",
            ),
            (
                5,
                "jobs[0].evaluation.also[2].cardinality",
                "is not a size of problem copy; known here: source_length",
            ),
        ],
    ),
    "sizes of a problem without any": (
        with_problem("{kind: text_pairs, data: {file: a}}") + "  evaluation: {also: [{max_length: 5}]}\n",
        [
            (
                5,
                "jobs[0].evaluation.also[0].max_length",
                "problem text_pairs has no sizes that can be changed",
            )
        ],
    ),
    "sizes that cannot be": (
        with_section("evaluation:\n    also:\n    - {source_length: 0}\n    - {source_length: 1001}"),
        [
            (7, "jobs[0].evaluation.also[0].source_length", "a whole number from 1 to 1000, found 0"),
            (8, "jobs[0].evaluation.also[1].source_length", "a whole number from 1 to 1000, found 1001"),
        ],
    ),
    "sizes that do not fit each other": (
        with_problem("{kind: reversed_prefix, cardinality: 9, source_length: 6, target_length: 3}")
        + "  evaluation:\n    also:\n    - {source_length: 2}\n    - {target_length: 7}\n",
        [
            (7, "jobs[0].evaluation.also[0]", "target_length 3 is longer than source_length 2"),
            (8, "jobs[0].evaluation.also[1].target_length", "7 is longer than source_length 6"),
        ],
    ),
    "the same sizes twice": (
        with_section("evaluation: {also: [{source_length: 5}, {source_length: 5}]}"),
        [(5, "jobs[0].evaluation.also[1]", "is listed twice")],
    ),
    "sizes that are none": (
        with_section("evaluation: {also: [3, {}, {source_length: five}]}"),
        [
            (5, "jobs[0].evaluation.also[0]", "must be a mapping (keys at least 1), found 3"),
            (5, "jobs[0].evaluation.also[1]", "must be a mapping (keys at least 1), found an empty mapping"),
            (5, "jobs[0].evaluation.also[2].source_length", "must be a whole number, found 'five'"),
        ],
    ),
    "sizes by a combination": (
        with_section("matrix: {problem.source_length: [3, 5]}\n  evaluation: {also: [{cardinality: 5}]}"),
        [(6, "jobs[0].evaluation.also[0].cardinality", "is not a size")],
    ),
    "no data": (with_problem("{kind: text_pairs}"), [(4, "jobs[0].problem", "give data, or all of train")]),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_every_complaint_about_values_has_its_place(tmp_path: Path, text: str, expected: Expected) -> None:
    check_complaints(tmp_path / "jobs.yaml", text, expected)
