import pytest

from job.errors import DependencyError
from job.process import installed_versions, tensorflow_loading

NEW = {"tensorflow": "2.21.0", "keras": "3.15.1"}


@pytest.fixture
def versions(monkeypatch):
    """Return a function that makes packages appear to be installed in the given versions."""

    def install(**given):
        for module in (installed_versions, tensorflow_loading):
            monkeypatch.setattr(module, "installed", {**NEW, **given}.get)

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    install()
    return install


@pytest.fixture
def refusal():
    """Return a function that runs a check and returns the message of its `DependencyError`."""

    def message(check):
        with pytest.raises(DependencyError) as caught:
            check()
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message
