"""The command `encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.options import InputOption, ModelArgument, local_file
from job.cli.saved_model import load_model, open_input
from job.cli.terminal_output import print_line
from job.process.stopping import Stop

ArchiveOption = Annotated[
    Path,
    typer.Option(
        "--output",
        parser=local_file,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT",
        help="The .npz file to write.",
    ),
]
DEFAULT_ARCHIVE = Path("contexts.npz")


def encode(
    model_dir: ModelArgument, output: ArchiveOption = DEFAULT_ARCHIVE, input: InputOption = "-"
) -> None:
    """Write the context vector of each source, the encoder's final states, to an .npz file."""
    with open_input(input) as chunks, (stop := Stop()).handling_signals():
        model = load_model(model_dir)
        stop.check()
        lines = (line for chunk in chunks for line in chunk.lines)
        count = model.encode_lines(lines, input, output)
    print_line(f"{count} sources: {output}", err=True)
