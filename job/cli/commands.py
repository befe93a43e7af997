"""The subcommands, in the order of `--help`."""

from __future__ import annotations

from job.cli.cancel import cancel
from job.cli.compare import compare
from job.cli.encode import encode
from job.cli.plan import plan
from job.cli.predict import predict
from job.cli.rank import rank
from job.cli.report import report
from job.cli.schema import schema
from job.cli.status import status
from job.cli.trend import trend
from job.cli.validate import validate

COMMANDS = (validate, plan, schema, status, cancel, report, compare, rank, trend, predict, encode)
