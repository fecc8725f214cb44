"""Find a browser for the tests, or bring one.

A Chromium or Chrome of the system is taken if there is one; else Debian's
package is installed where that is allowed; else Playwright downloads its own.
Where none can be had, the tests fail with a sentence: they are never skipped.

Run as a script, it prints the browser's path.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SENTENCE = (
    "The browser tests need Chromium or Chrome, and none could be found or installed. "
    "Install one (on Debian: apt-get install chromium; elsewhere: playwright install chromium), "
    "or set BROWSER_PATH to its program, then run the tests again."
)


class NoBrowserError(RuntimeError):
    """There is no browser and none could be installed."""


@functools.cache
def find_browser() -> str:
    """Return the path of a Chromium or Chrome; install one if need be.

    Raises
    ------
    NoBrowserError
        If none can be had.
    """
    return _of_the_system() or _from_debian() or _from_playwright() or _none()


def _of_the_system() -> str | None:
    chosen = os.environ.get("BROWSER_PATH")
    if chosen and os.access(chosen, os.X_OK):
        return chosen
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _from_debian() -> str | None:
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"],
    ):
        _try(command, environment)
    return _of_the_system()


def _from_playwright() -> str | None:
    if not _try([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ)):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


def _try(command: list[str], environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(command, env=environment, stdout=sys.stderr, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _none() -> str:
    raise NoBrowserError(SENTENCE)


if __name__ == "__main__":
    try:
        print(find_browser())
    except NoBrowserError as error:
        sys.exit(str(error))
