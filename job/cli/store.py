"""The option `--store`, and the exit code of a command whose results could not all be uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from job.batch.store_copy import StoreCopy
from job.cli.terminal_output import print_error_lines, print_line
from job.errors import FAILED, OK
from job.process.stopping import Stop

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="SEQ2SEQ_JOB_STORE",
        help="A remote copy of the output directory: s3://BUCKET/PATH, gs://BUCKET/PATH, file:///PATH. What "
        "the directory lacks is fetched from there first, and what is finished is uploaded at once.",
    ),
]


def store_copy(url: str | None) -> StoreCopy:
    """Return the copy in a store, which is neither checked nor opened yet."""
    return StoreCopy(url, lambda text: print_line(text, err=True))


def fetch_results(copy: StoreCopy, directory: Path) -> None:
    """Fetch the results of a store to an output directory, and start to upload the reports.

    Raises:
        StoreError: the store cannot be used.
        OutputError: the output directory cannot be used.
    """
    from job.batch.opened_output import opened_output

    with opened_output(directory) as output:
        copy.open(output)
        copy.fetch(output)
    copy.start(output, (), lambda: False)


@contextmanager
def uploaded_at_end(copy: StoreCopy) -> Iterator[None]:
    """Upload the last files after the block, however it ends.

    Raises:
        typer.Exit: the block has ended with exit code 0, but something could not be uploaded; the code is 1.
    """
    try:
        yield
    except typer.Exit as ended:
        raise typer.Exit(_finish(copy, ended.exit_code)) from None
    except Exception:
        _finish(copy, FAILED)
        raise
    finally:  # also after a second signal, which ends the run immediately
        copy.close()


def _finish(copy: StoreCopy, code: int) -> int:
    """Upload the last files, print what could not be uploaded, and return the exit code."""
    if not copy.running:
        return code
    stop = Stop()  # a first signal leaves the uploads a little time, a second one ends them
    with stop.handling_signals(), stop.deferring_signals():
        problems = copy.finish(lambda: stop.request is not None)
    print_error_lines("\n".join(problems), "error: ")
    return code or (FAILED if problems else OK)
