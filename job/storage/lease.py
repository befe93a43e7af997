"""A lease of one job: the right of one machine to run it; if that machine is lost, another takes it over."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from job.errors import LeaseLostError


@dataclass(frozen=True)
class Lease:
    """A lease of a job.

    Each lease of a job is a file with a number. A machine takes a job over by creating the file with the
    next number, which succeeds on one machine only; the file with the largest number is valid. No file is
    changed or removed while the batch runs, so no locks are needed.

    Args:
        path: the file without its number.
        number: of this lease, from 1.
    """

    path: Path
    number: int

    @property
    def file(self) -> Path:
        """The file of this lease."""
        return self.path.with_name(f"{self.path.name}.{self.number}")

    @property
    def held(self) -> bool:
        """Whether this is still the job's lease.

        If the directory cannot be read, the lease counts as held.
        """
        try:
            # a listing comes from the file server; whether a file exists may be answered from a cache
            names = {*os.listdir(self.path.parent)}
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return self.file.name in names and f"{self.path.name}.{self.number + 1}" not in names

    def check(self) -> None:
        """Raise `LeaseLostError` if another machine has taken the job over."""
        if not self.held:
            raise LeaseLostError


def lease_numbers(path: Path) -> list[int]:
    """Return the numbers of all leases of a job, in order; raises `OSError` if they cannot be read."""
    prefix = f"{path.name}."
    names = [name.removeprefix(prefix) for name in os.listdir(path.parent) if name.startswith(prefix)]
    return sorted(int(name) for name in names if name.isdecimal())
