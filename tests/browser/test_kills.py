"""Kernel, server and browser are killed while a person draws: what was called saved is there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Error, Page

from tests.browser.lab import Lab
from tests.browser.test_annotating import canvas, place, wait_until_open
from tests.browser.walking import CELL, kernel, press_primary, wait_for_button
from workbench.annotation import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The label map after every stroke that changes something, and how many were called saved.
LISTEN = """() => {
  window.strokes = [];
  window.saved = 0;
  const root = document.querySelector(".sw-editor");
  root.addEventListener("sw-stroke", (event) => {
    if (event.detail.moved) window.strokes.push([...event.detail.data]);
  });
  root.addEventListener("sw-saved", () => { window.saved += 1; });
}"""
#: How often each of them is killed.
TIMES = 5


def pid_of(kind: str, page: Page, lab: Lab) -> int:
    if kind == "kernel":
        return int(kernel(page, "__import__('os').getpid()"))
    if kind == "server":
        assert lab.pid is not None
        return lab.pid
    running = psutil.Process().children(recursive=True)
    return next(each.pid for each in running if "chrom" in each.name())


def open_slice(page: Page, lab: Lab) -> str:
    """Open the application, and its first task; return the name of the slice."""
    lab.open(page, "walk.ipynb")
    tasks = page.locator(".sw-editor-task")
    if not (lab.notebooks / "run" / "rounds").exists():
        press_primary(page, "first suggestions")
        wait_for_button(page, "these 3")
    page.get_by_role("tab", name="Annotate").click()
    tasks.first.wait_for(timeout=120_000)
    tasks.first.click()
    wait_until_open(page, kernel(page, "int(app.session.queue[0].row)"))
    return str(kernel(page, "app.session.editing.sample"))


def draw_until_killed(
    page: Page, pid: int, after: float, first: int
) -> tuple[int, list[list[int]]]:
    """Draw strokes while a process is killed; how many were called saved, and all label maps."""
    page.evaluate(LISTEN)
    page.keyboard.press("b")
    spots = [place(page, column, 8 + 3 * row) for row in range(14) for column in (6, 30)]
    killed = threading.Event()

    def kill() -> None:
        os.kill(pid, signal.SIGKILL)
        killed.set()

    timer = threading.Timer(after, kill)
    timer.start()
    saved, maps = 0, []
    with contextlib.suppress(Error):  # what a page says whose browser is gone
        for stroke, (x, y) in enumerate(spots):
            page.keyboard.press(str(1 + (first + stroke) % 3))
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 60, y)
            page.mouse.up()
            maps += page.evaluate("(known) => window.strokes.slice(known)", len(maps))
            saved = page.evaluate("() => window.saved")
            if killed.is_set():
                break
            page.wait_for_timeout(100)
        killed.wait(10)
        saved = page.evaluate("() => window.saved")
    timer.join()
    assert killed.is_set()
    return saved, maps


def test_nothing_that_was_called_saved_is_lost_to_a_kill(tmp_path: Path) -> None:
    rng = random.Random(0)
    cache = os.environ.get("WORKBENCH_TEST_CACHE", str(tmp_path / "cache"))
    lab = Lab(tmp_path / "lab", {"WORKBENCH_CACHE": cache, "OMP_NUM_THREADS": "1"})
    lab.write("walk.ipynb", [CELL])
    file = lab.notebooks / "run" / "annotations.sqlite"
    last: np.ndarray | None = None
    promised = 0
    for turn, kind in enumerate(["kernel", "server", "browser"] * TIMES):
        gone = contextlib.suppress(Error) if kind == "browser" else contextlib.nullcontext()
        with lab, gone, lab.browser(height=1100) as page:
            sample = open_slice(page, lab)
            if last is not None:
                assert (canvas(page) == last).all()  # it is as it was left
            with Ledger(file) as ledger:
                before = ledger.last
            pid, after = pid_of(kind, page, lab), rng.uniform(0.3, 2.5)
            saved, maps = draw_until_killed(page, pid, after, turn)
        with Ledger(file) as ledger:
            new = ledger.entries(sample, after=before)
        kept = [entry.classes for entry in new if entry.kind == "stroke"]
        assert saved <= len(kept) <= len(maps) + 1
        for found, drawn in zip(kept, maps, strict=False):
            assert found is not None
            assert found.ravel().tolist() == drawn
        last = kept[-1] if kept else last
        promised += saved
    assert promised > TIMES  # strokes were saved before the kills, too
