"""The skip guard of suites that need a program which is not everywhere, such as Slurm or a browser."""

import os
import shutil

import pytest


def require_tool(missing, variable):
    """Skip the test if a tool is missing; fail it if the environment variable is set.

    Args:
        missing: Reason why the tool cannot be used; empty if it can.
        variable: Environment variable that is set where the tool must be there, such as REQUIRE_SLURM.
    """
    if not missing:
        return
    if os.environ.get(variable):
        pytest.fail(missing)
    pytest.skip(missing)


def require_kubectl():
    """Skip the test without kubectl, whose `kubectl kustomize` renders manifests without a cluster."""
    reason = "no kubectl, whose `kubectl kustomize` renders the manifests without a cluster"
    require_tool("" if shutil.which("kubectl") else reason, "REQUIRE_KUBECTL")
