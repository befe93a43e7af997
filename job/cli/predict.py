"""The command `predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from job.cli.options import InputOption, ModelArgument, choice
from job.cli.saved_model import json_lines, load_model, open_input
from job.cli.terminal_output import check_output_complete
from job.errors import UsageError
from job.process.standard_streams import output_error, was_closed
from job.process.stopping import Stop

NBestOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        envvar="SEQ2SEQ_JOB_N_BEST",
        help="Write this many predictions per source, found by beam search: line number, score and "
        "prediction, separated by tabs.",
    ),
]

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        envvar="SEQ2SEQ_JOB_FORMAT",
        help="text: the predictions as lines. json: one JSON object per source, with text, tokens, score and "
        "alternatives, or with the values of a time series.",
    ),
]


def predict(
    model_dir: ModelArgument,
    input: InputOption = "-",
    n_best: NBestOption = None,
    format: FormatOption = "text",
) -> None:
    """Read one source per line and write one prediction per line, decoded as in the job's evaluation."""
    if was_closed(1):
        raise UsageError(
            "standard output is closed, but predictions are written to it; redirect it to a file"
        )
    form = choice("--format", format, ("text", "json"))
    with open_input(input) as chunks, (stop := Stop()).handling_signals():
        model = load_model(model_dir)
        lines_of = model.predict_lines if form == "text" else json_lines(model)
        for chunk in chunks:
            _write_lines(lines_of(chunk.lines, input, n_best, chunk.first), stop)
            if output_error():
                break
    check_output_complete()


def _write_lines(lines: Iterable[str], stop: Stop) -> None:
    """Write lines to standard output until an error; raise `Stopped` only between two lines."""
    for line in lines:
        with stop.deferring_signals():  # a signal waits until the line is written
            sys.stdout.buffer.write(f"{line}\n".encode())  # UTF-8 whatever the locale is
        stop.check()
        if output_error():
            break
    with stop.deferring_signals():
        sys.stdout.buffer.flush()  # the reader may wait for it before it sends the next line
    stop.check()
