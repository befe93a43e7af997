"""Debian's Chromium, without a window. Where it is missing the tests are skipped; with REQUIRE_CHROMIUM set
they fail."""

import shutil

import pytest
from required_tools import require_tool


def missing():
    """Return why the browser cannot be used; empty if it can."""
    programs = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if programs:
        return f"{' and '.join(programs)} not found; Debian's packages are chromium and chromium-driver"
    try:
        import axe_selenium_python  # noqa: F401
    except ImportError:
        return "axe-selenium-python is not installed: it asks for Python 3.12"
    return ""


@pytest.fixture(scope="session")
def browser():
    """A running Chromium."""
    require_tool(missing(), "REQUIRE_CHROMIUM")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # A container's root has no sandbox, and /dev/shm may be small there; pages are our own.
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()
