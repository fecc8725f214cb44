"""The notebooks as a person runs them, with time and memory (`make notebooks`)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.notebooks.runs import NOTEBOOKS, SMALL
from workbench.reports.render import run_notebook

pytestmark = pytest.mark.slow

GIB = 2**30


class Usage:
    """Peak resident memory, in bytes, and processor seconds of the processes started here."""

    def __init__(self) -> None:
        self.bytes = 0
        self.processor = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Usage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        here = psutil.Process()
        while not self._stop.wait(0.2):
            memory, processor = 0, 0.0
            for child in here.children(recursive=True):
                try:
                    memory += child.memory_info().rss
                    processor += sum(child.cpu_times()[:2])
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, memory)
            self.processor = max(self.processor, processor)


def run_and_tell(name: str, what: str, parameters: dict[str, Any], goal: float = 0) -> float:
    """Run a notebook; print its time, beside the goal in seconds; return its peak memory, GiB."""
    started = time.perf_counter()
    with Usage() as used:
        run_notebook(NOTEBOOKS / name, parameters)
    seconds = time.perf_counter() - started
    print(
        f"\n{name}, {what}: {seconds:.0f} s{f' (goal {goal:g} s)' if goal else ''}, of which "
        f"{used.processor:.0f} s of processor time (more than the wall time where two cores "
        f"worked), {used.bytes / GIB:.2f} GiB at its peak"
    )
    return used.bytes / GIB


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_workbench_notebook_runs_from_nothing_and_again(fresh: Path) -> None:
    name = "01_workbench.ipynb"
    first = run_and_tell(name, "from nothing", {"folder": str(fresh / "first")}, 150)
    again = run_and_tell(name, "with cached weights", {"folder": str(fresh / "again")}, 40)
    assert max(first, again) < 3


@pytest.mark.parametrize(
    ("name", "goal", "small_goal", "most"),
    [
        ("02_gradient_guided.ipynb", 120, 0, 3),
        ("04_annotate.ipynb", 120, 30, 3),
        ("05_volumes.ipynb", 180, 60, 4),
    ],
)
def test_a_notebook_runs_from_nothing_in_bounded_memory(
    fresh: Path, name: str, goal: float, small_goal: float, most: float
) -> None:
    takes_folder = name != "02_gradient_guided.ipynb"
    folder = {"folder": str(fresh / "run")} if takes_folder else {}
    memory = run_and_tell(name, "from nothing", folder, goal)
    folder = {"folder": str(fresh / "small")} if takes_folder else {}
    run_and_tell(name, "as small as in the tests", {**SMALL[name], **folder}, small_goal)
    assert memory < most


@pytest.mark.shared_slow
def test_the_workbench_notebook_runs_on_the_hippocampus(fresh: Path, shared_data: Path) -> None:
    source = str(shared_data / "hippocampus")
    run_and_tell(
        "01_workbench.ipynb",
        "on the hippocampus",
        {"source": source, "folder": str(fresh / "run"), "settings": {"initial": 48}},
    )
