"""A browser is taken from the system, else installed, else its absence is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import find_browser as module


def program(folder: Path, name: str, script: str = "exit 0") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder of the path: whatever a test puts there is the whole system."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    module.find_browser.cache_clear()
    yield tmp_path
    module.find_browser.cache_clear()


def test_a_browser_of_the_system_is_taken_before_anything_is_installed(programs: Path) -> None:
    chrome = program(programs, "google-chrome")
    assert module.find_browser() == str(chrome)


def test_a_named_program_goes_first(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "chromium")
    named = program(programs, "my-browser")
    monkeypatch.setenv("BROWSER_PATH", str(named))
    assert module.find_browser() == str(named)


def test_root_on_debian_installs_the_package(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    browser = programs / "chromium"
    program(
        programs,
        "apt-get",
        f'if [ "$1" = install ]; then printf "#!/bin/sh\\n" > "{browser}"; '
        f'/bin/chmod +x "{browser}"; fi',
    )
    assert module.find_browser() == str(browser)


def test_others_get_what_playwright_downloads(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(programs, "apt-get", "exit 1")
    tried = []
    monkeypatch.setattr(module, "_try", lambda command, _environment: bool(tried.append(command)))
    with pytest.raises(module.NoBrowserError, match="Install one"):
        module.find_browser()
    assert [command[1:] for command in tried] == [["-m", "playwright", "install", "chromium"]]


def test_make_test_ends_with_the_sentence_where_there_is_none(programs: Path) -> None:
    # A playwright that cannot download stands in for a machine without network.
    (programs / "playwright").mkdir()
    (programs / "playwright" / "__main__.py").write_text("raise SystemExit(1)")
    program(programs, "apt-get", "exit 1")
    root = Path(module.__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.browser.find_browser"],
        cwd=root,
        env={"PATH": str(programs), "PYTHONPATH": f"{programs}:{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert module.SENTENCE in ended.stderr
    assert ended.stdout == ""
