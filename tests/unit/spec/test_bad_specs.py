"""Broken specs, one table: what is written -> every complaint as (line, key, part of the message)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from job.errors import SpecError
from job.spec.loading import load_spec

HEAD = "version: 1\njobs:\n"
GOOD = HEAD + "- name: good\n  problem: {kind: copy, source_length: 3, cardinality: 9}\n"
PROBLEM = "  problem: {kind: copy, source_length: 3, cardinality: 9}\n"

Expected = list[tuple[int, str, str]]


def with_section(text: str) -> str:
    """A spec with one job that is right but for `text`, on line 5."""
    return f"{GOOD}  {text}\n"


def with_problem(text: str) -> str:
    """A spec with one job, its problem on line 4."""
    return f"{HEAD}- name: good\n  problem: {text}\n"


def with_defaults(text: str) -> str:
    """A spec with two jobs that share `text`, on line 2."""
    return f"version: 1\ndefaults: {text}\njobs:\n- name: a\n{PROBLEM}- name: b\n{PROBLEM}"


def with_matrix(text: str) -> str:
    """A spec with one job, its matrix on line 4."""
    return (
        f"{HEAD}- name: grid\n  matrix: {text}\n  problem: {{kind: copy, source_length: 3, cardinality: 9}}\n"
    )


NOT_YAML: dict[str, tuple[str, Expected]] = {
    "empty": ("", [(0, "", "is empty")]),
    "comments only": ("# nothing\n\n", [(0, "", "is empty")]),
    "a list": (
        "- version: 1\n",
        [(1, "", "expected a mapping with the keys version and jobs, found a list")],
    ),
    "a word": ("hello\n", [(1, "", "found 'hello'")]),
    "unclosed bracket": (
        "version: 1\njobs: [\n",
        [(3, "", "is not valid YAML: expected the node content, but found '<stream end>'")],
    ),
    "two colons": ("version: 1\njobs: a: b\n", [(2, "", "mapping values are not allowed here")]),
    "tab as indent": (
        "version: 1\njobs:\n\t- name: x\n",
        [(3, "", "a tab is used where YAML requires spaces")],
    ),
    "tab after a scalar": ("version: 1\n\tjobs: []\n", [(2, "", "a tab is used where YAML requires spaces")]),
    "tab in a flow mapping": (
        "version: 1\njobs: [{name: x,\n\tseed: 1}]\n",
        [(3, "", "a tab is used where YAML requires spaces")],
    ),
    "two documents": (GOOD + "---\nversion: 1\n", [(5, "", "a spec is one document")]),
    "control character": ("version: 1\njobs: '\x07'\n", [(2, "", "YAML forbids, U+0007")]),
    "unknown alias": ("version: 1\njobs: *these\n", [(2, "", "found undefined alias 'these'")]),
    "alias in its own anchor": (
        "version: 1\njobs: &all [*all]\n",
        [(2, "", "an alias is inside its own anchor")],
    ),
    "merge of its own anchor": (
        "version: 1\nx-a: &a {<<: *a}\n",
        [(2, "", "an alias is inside its own anchor")],
    ),
    "merge bomb": (
        "version: 1\na: &a {x: 1}\n"
        + "".join(
            f"{key}: &{key} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
            for before, key in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        [(2, "", "has more than 100,000 values once its aliases are expanded")],
    ),
    "alias bomb": (
        "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{key}: &{key} [{','.join([f'*{before}'] * 9)}]\n"
            for before, key in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        [(2, "", "has more than 100,000 values once its aliases are expanded")],
    ),
    "nested without end": (
        "version: 1\njobs: " + "[" * 5000,
        [(0, "", "is nested more than 50 levels deep")],
    ),
    "nested too deeply": (
        "version: 1\njobs: " + "[" * 60 + "]" * 60,
        [(2, "", "is nested more than 50 levels deep")],
    ),
}

YAML_VALUES: dict[str, tuple[str, Expected]] = {
    "duplicate key at the top": (
        GOOD + "version: 1\n",
        [(5, "version", "given twice; the first is at line 1")],
    ),
    "duplicate key in a section": (
        with_section("model: {units: 3, layers: 1, units: 4}"),
        [(5, "jobs[0].model.units", "given twice; the first is at line 5")],
    ),
    "python object": (
        with_section("seed: !!python/object/apply:os.system ['true']"),
        [(5, "jobs[0].seed", "tags are not allowed, found !!python/object/apply:os.system")],
    ),
    "python name in a job": (
        GOOD + "- !!python/object:job.cli.app.Main {}\n",
        [(5, "jobs[1]", "tags are not allowed, found !!python/object:job.cli.app.Main")],
    ),
    "tag on the whole file": ("!mine\n" + GOOD, [(1, "", "tags are not allowed, found !mine")]),
    "standard tag": (
        with_section("seed: !!int '3'"),
        [(5, "jobs[0].seed", "found !!int; write the plain value")],
    ),
    "number as a key": (with_section("1: x"), [(5, "jobs[0]", "a key must be text, found 1")]),
    "list as a key": (with_section("? [a]\n  : x"), [(5, "jobs[0]", "a key must be text, found a list")]),
    "merge of a number": (
        with_section("model: {<<: 3}"),
        [(5, "jobs[0].model.<<", "must be a mapping or a list of mappings, such as *anchor, found 3")],
    ),
    "merge of a list with a word": (
        with_section("model: {<<: [{units: 3}, x]}"),
        [(5, "jobs[0].model.<<", "must be a mapping or a list of mappings, such as *anchor, found 'x'")],
    ),
    "two merges": (
        with_section("model: {<<: {units: 3}, <<: {layers: 2}}"),
        [(5, "jobs[0].model.<<", "is given twice; merge several with <<: [*a, *b]")],
    ),
    "merge key in quotes": (
        with_section("model: {'<<': {units: 3}}"),
        [(5, "jobs[0].model.<<", "is not a known key")],
    ),
    "wrong value that is merged": (
        "version: 1\nx-model: &model\n  units: 0\njobs:\n- name: a\n  model: {<<: *model}\n" + PROBLEM,
        [(3, "jobs[0].model.units", "must be a whole number from 1 to")],
    ),
    "x- key below the top": (
        GOOD + "  x-note: hello\n",
        [(5, "jobs[0].x-note", "is not a known key")],
    ),
    "not a number": (
        with_section("model: {dropout: .nan}"),
        [(5, "jobs[0].model.dropout", "must be a finite number, found .nan")],
    ),
    "infinite": (
        with_section("training: {optimizer: {clip_norm: -.inf}}"),
        [(5, "jobs[0].training.optimizer.clip_norm", "must be a finite number, found -.inf")],
    ),
    "float without end": (
        with_section("model: {dropout: 1e999}"),
        [(5, "jobs[0].model.dropout", "must be a finite number, found 1e999")],
    ),
    "number of 5,000 digits": (
        with_section(f"seed: {'9' * 5000}"),
        [(5, "jobs[0].seed", "a number of 5,000 characters is too long")],
    ),
}

SHAPES: dict[str, tuple[str, Expected]] = {
    "no version": (GOOD.removeprefix("version: 1\n"), [(1, "version", "is required: 1")]),
    "version of tomorrow": (GOOD.replace("1", "2", 1), [(1, "version", "must be 1, found 2")]),
    "version true": (GOOD.replace("1", "true", 1), [(1, "version", "must be 1, found true")]),
    "no jobs": ("version: 1\n", [(1, "jobs", "is required: a list (length at least 1)")]),
    "jobs without any": (
        "version: 1\njobs: []\n",
        [(2, "jobs", "must be a list (length at least 1), found an empty")],
    ),
    "jobs left blank": ("version: 1\njobs:\n", [(2, "jobs", "found nothing")]),
    "jobs as a mapping": ("version: 1\njobs: {name: x}\n", [(2, "jobs", "found a mapping")]),
    "a job that is text": (GOOD + "- other\n", [(5, "jobs[1]", "must be a mapping, found 'other'")]),
    "a job without anything": (
        GOOD + "- {}\n",
        [
            (5, "jobs[1].name", "is required"),
            (5, "jobs[1].problem", "is required: a mapping with the key kind"),
        ],
    ),
    "misspelt key at the top": (
        GOOD + "sede: 3\n",
        [(5, "sede", "did you mean 'seed'? known here: version, seed")],
    ),
    "misspelt section": (
        with_section("trainig: {}"),
        [(5, "jobs[0].trainig", "did you mean 'training'? known here: name")],
    ),
    "misspelt matrix": (with_section("matrx: {}"), [(5, "jobs[0].matrx", "did you mean 'matrix'?")]),
    "misspelt key": (
        with_section("model:\n    layers: 2\n    untis: 3"),
        [
            (
                7,
                "jobs[0].model.untis",
                "is not a known key; did you mean 'units'? known here: architecture, cell",
            )
        ],
    ),
    "key like no other": (
        with_section("model: {xyz: 1}"),
        [(5, "jobs[0].model.xyz", "known key; known here")],
    ),
    "key that cannot be printed": (
        with_section(r'model: {"a\nb": 1}'),
        [(5, r"jobs[0].model.'a\nb'", "is not a known key")],
    ),
    "defaults of another problem": (
        with_defaults("{problem: {kind: copy, digits: 3}}"),
        [(2, "defaults.problem.digits", "is not a known key")],
    ),
    "defaults as text": (with_defaults("none"), [(2, "defaults", "must be a mapping, found 'none'")]),
    "wrong defaults, said once": (
        with_defaults("{model: {units: many}}"),
        [(2, "defaults.model.units", "must be a whole number from 1 to 8192, found 'many'")],
    ),
    "wrong defaults that every job overrides": (
        f"version: 1\ndefaults: {{model: {{units: 0}}}}\njobs:\n- name: a\n  model: {{units: 3}}\n{PROBLEM}",
        [(2, "defaults.model.units", "found 0")],
    ),
    "defaults incomplete for every job": (
        with_defaults("{training: {early_stopping: {min_delta: 0.1}}}"),
        [(2, "defaults.training.early_stopping.patience", "is required: a whole number from 1 to 10000")],
    ),
    "wrong seed of the spec, said once": (
        "seed: -1\n" + GOOD,
        [(1, "seed", "at least 0, below 4294967296), found -1")],
    ),
}

SERIES = "{kind: time_series, file: s.csv, column: y, target_length: 1, test: 3"

VALUES: dict[str, tuple[str, Expected]] = {
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
    "normalisation that there is not": (
        with_problem("{kind: text_pairs, data: {file: a}, normalize: NFD}"),
        [(4, "jobs[0].problem.normalize", "must be 'none', 'NFC' or 'NFKC', found 'NFD'")],
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

NAMES: dict[str, tuple[str, Expected]] = {
    "path as a name": (GOOD.replace("good", "../x"), [(3, "jobs[0].name", "letters, digits, dots, dashes")]),
    "absolute path": (GOOD.replace("good", "/etc/passwd"), [(3, "jobs[0].name", "found '/etc/passwd'")]),
    "dot at the end": (GOOD.replace("good", "good."), [(3, "jobs[0].name", "must not end in a dot")]),
    "number as a name": (GOOD.replace("good", "7"), [(3, "jobs[0].name", "found 7")]),
    "name of 1,001 characters": (
        GOOD.replace("good", "a" * 1001),
        [(3, "jobs[0].name", "1 to 1000 letters")],
    ),
    "the same name twice": (
        GOOD + "- name: good\n" + PROBLEM,
        [(5, "jobs[1].name", "'good' is taken (jobs[0].name, line 3)")],
    ),
    "names that differ by case": (
        GOOD + "- name: Good\n" + PROBLEM,
        [(5, "jobs[1].name", "'Good' differs from 'good' only by case (jobs[0].name, line 3)")],
    ),
    "name that a matrix makes": (
        with_matrix("{model.units: [1]}") + "- name: grid-units-1\n" + PROBLEM,
        [(6, "jobs[1].name", "'grid-units-1' is taken (jobs[0].name, line 3)")],
    ),
}

MATRICES: dict[str, tuple[str, Expected]] = {
    "matrix as a list": (with_matrix("[1, 2]"), [(4, "jobs[0].matrix", "must be a mapping of dotted keys")]),
    "empty matrix": (with_matrix("{}"), [(4, "jobs[0].matrix", "found an empty mapping")]),
    "section in a matrix": (
        with_matrix("{model: [1]}"),
        [(4, "jobs[0].matrix.model", "is a whole section; name a key in it, such as model.architecture")],
    ),
    "misspelt dotted key": (
        with_matrix("{modle.units: [1]}"),
        [(4, "jobs[0].matrix.modle.units", "not a key that a matrix can set; did you mean 'model.units'?")],
    ),
    "name in a matrix": (
        with_matrix("{name: [a, b]}"),
        [(4, "jobs[0].matrix.name", "expected the dotted key of a value, such as model.units")],
    ),
    "one value": (
        with_matrix("{model.units: 3}"),
        [(4, "jobs[0].matrix.model.units", "at least one value, found 3")],
    ),
    "no value": (
        with_matrix("{model.units: []}"),
        [(4, "jobs[0].matrix.model.units", "found an empty list")],
    ),
    "list of files as a value": (
        with_matrix("{problem.data.file: [a, [b, c]]}"),
        [
            (
                4,
                "jobs[0].matrix.problem.data.file",
                "must be text, a number, true, false or null, found a list",
            )
        ],
    ),
    "list as a value": (
        with_matrix("{model.units: [[1], 2]}"),
        [(4, "jobs[0].matrix.model.units", "must be text, a number, true, false or null, found a list")],
    ),
    "wrong value, said once": (
        with_matrix("\n      model.units:\n      - 3\n      - many\n      model.layers: [1, 2, 3]\n"),
        [(7, "jobs[0].matrix.model.units", "must be a whole number from 1 to 8192, found 'many'")],
    ),
    "tag on a value": (
        with_matrix("{model.units: [!x 1]}"),
        [(4, "jobs[0].matrix.model.units[0]", "found !x")],
    ),
    "tag on a list of values": (
        with_matrix("{model.units: !x [1]}"),
        [(4, "jobs[0].matrix.model.units", "found !x")],
    ),
    "tag on a matrix": (with_matrix("!x {model.units: [1]}"), [(4, "jobs[0].matrix", "found !x")]),
    "matrix left blank": (with_matrix(""), [(4, "jobs[0].matrix", "found nothing")]),
    "the same value twice": (
        with_matrix("{model.units: [3, 3]}"),
        [(3, "jobs[0].name", "two combinations of the matrix would both be named 'grid-units-3'")],
    ),
    "values whose names differ by case": (
        with_matrix("{model.cell: [lstm, LSTM]}"),
        [
            (3, "jobs[0].name", "both be named 'grid-cell-LSTM'"),
            (4, "jobs[0].matrix.model.cell", "found 'LSTM'"),
        ],
    ),
    "too many jobs": (
        with_matrix(f"{{seed: {list(range(5000))}, model.units: [1, 2, 3]}}"),
        [(4, "jobs[0].matrix", "makes 15,000 jobs; a spec has at most 10,000 in all")],
    ),
    "include as a mapping": (
        with_matrix("{model.units: [1], include: {model.units: 2}}"),
        [(4, "jobs[0].matrix.include", "must be a list of at least one mapping, found a mapping")],
    ),
    "include of a word": (
        with_matrix("{model.units: [1], include: [x, {}]}"),
        [
            (4, "jobs[0].matrix.include[0]", "must be a mapping of dotted keys to values, found 'x'"),
            (4, "jobs[0].matrix.include[1]", "found an empty mapping"),
        ],
    ),
    "include with a misspelt key": (
        with_matrix("{model.units: [1], include: [{model.unit: 2}]}"),
        [(4, "jobs[0].matrix.include[0].model.unit", "did you mean 'model.units'?")],
    ),
    "include with a wrong value": (
        with_matrix("{model.units: [1], include: [{model.layers: 0}]}"),
        [(4, "jobs[0].matrix.include[0].model.layers", "from 1 to 16, found 0")],
    ),
    "exclude by a key that is not listed": (
        with_matrix("{model.units: [1], exclude: [{model.layers: 1}]}"),
        [
            (
                4,
                "jobs[0].matrix.exclude[0].model.layers",
                "excludes nothing: the matrix does not list this key",
            )
        ],
    ),
    "exclude of everything": (
        with_matrix("{model.units: [1, 2], exclude: [{model.units: 1}, {model.units: 2}]}"),
        [(4, "jobs[0].matrix", "has no combinations left")],
    ),
    "sizes impossible in one combination": (
        HEAD + "- name: grid\n  problem: {kind: reversed_prefix, cardinality: 9, target_length: 3}\n"
        "  matrix: {problem.source_length: [2, 4]}\n",
        [(4, "jobs[0].problem.target_length", "target_length 3 is longer than source_length 2")],
    ),
    "matrix that cannot be read does not hide the rest": (
        with_matrix("{modle.units: [1]}") + "  model: {layers: 0}\n  training: {early_stopping: {}}\n",
        [(4, "jobs[0].matrix.modle.units", "did you mean"), (6, "jobs[0].model.layers", "found 0")],
    ),
}

TABLE = {**NOT_YAML, **YAML_VALUES, **SHAPES, **VALUES, **NAMES, **MATRICES}


def complaints_of(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert {complaint.file for complaint in caught.value.complaints} == {str(path)}
    return [(complaint.line, complaint.key, complaint.message) for complaint in caught.value.complaints]


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_every_complaint_has_its_place(tmp_path: Path, text: str, expected: Expected) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(text, encoding="utf-8")
    found = complaints_of(path)
    assert [(line, key) for line, key, _ in found] == [(line, key) for line, key, _ in expected]
    for (_, _, message), (_, _, fragment) in zip(found, expected, strict=True):
        assert fragment in message


def test_the_frame_of_the_table_is_a_good_spec(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    for text in (GOOD, with_section("seed: 1"), with_defaults("{}"), with_matrix("{model.units: [1, 2]}")):
        path.write_text(text)
        assert load_spec(path).jobs


def test_everything_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(
        "version: 1\n"
        "sede: 4\n"
        "defaults:\n"
        "  model: {untis: 3}\n"
        "jobs:\n"
        "- name: ../x\n"
        "  problem: {kind: reversed_prefix, source_length: 2, target_length: 3, cardinality: 9}\n"
        "  seed: !!python/name:os.system\n"
        "- name: grid\n"
        "  matrix: {problem.source_length: [3, none]}\n"
        "  problem: {kind: copy, cardinality: 1}\n"
        "  gate: {min_sequence_accuracy: 2}\n"
        "  gate: {}\n"
        "- name: ../x\n"
        "  problem: {kind: cpy}\n"
    )
    assert [(line, key) for line, key, _ in complaints_of(path)] == [
        (2, "sede"),
        (4, "defaults.model.untis"),
        (6, "jobs[0].name"),
        (7, "jobs[0].problem.target_length"),
        (8, "jobs[0].seed"),
        (10, "jobs[1].matrix.problem.source_length"),
        (11, "jobs[1].problem.cardinality"),
        (12, "jobs[1].gate.min_sequence_accuracy"),
        (13, "jobs[1].gate"),
        (14, "jobs[2].name"),
        (14, "jobs[2].name"),
        (15, "jobs[2].problem.kind"),
    ]


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_bytes("version: 1\njobs: café\n".encode("latin-1"))
    assert complaints_of(path) == [(2, "", "is not UTF-8: byte 0xe9 at position 20")]


def test_no_such_file(tmp_path: Path) -> None:
    assert complaints_of(tmp_path / "jobs.yaml") == [(0, "", "there is no such file")]


def test_directory(tmp_path: Path) -> None:
    assert complaints_of(tmp_path) == [(0, "", "is a directory; expected a file")]


def test_file_as_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert complaints_of(tmp_path / "file" / "jobs.yaml") == [(0, "", "cannot be read: Not a directory")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    assert complaints_of(path) == [(0, "", "cannot be read: Permission denied")]


def test_permission_refused_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert complaints_of(tmp_path / "jobs.yaml") == [(0, "", "cannot be read: Permission denied")]


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(GOOD + "#" * (1 << 20))
    assert complaints_of(path) == [(0, "", "is larger than 1,048,576 bytes; a spec is a short text")]


def test_more_jobs_than_a_spec_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job.spec.loading.MAX_JOBS", 2)
    path = tmp_path / "jobs.yaml"
    path.write_text(HEAD + "".join(f"- name: j{n}\n{PROBLEM}" for n in range(3)))
    assert complaints_of(path) == [(2, "jobs", "has more than 2 jobs")]


def test_a_tag_constructs_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / "jobs.yaml"
    path.write_text(with_section(f"seed: !!python/object/apply:os.mkdir ['{proof}']"))
    complaints_of(path)
    assert not proof.exists()
