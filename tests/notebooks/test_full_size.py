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


def run_and_tell(name: str, what: str, parameters: dict[str, Any]) -> tuple[float, float]:
    started = time.perf_counter()
    with Usage() as used:
        run_notebook(NOTEBOOKS / name, parameters)
    seconds = time.perf_counter() - started
    print(
        f"\n{name}, {what}: {seconds:.0f} s, of which {used.processor:.0f} s of processor time "
        f"(more than the wall time where two cores worked), {used.bytes / GIB:.2f} GiB at its peak"
    )
    return seconds, used.bytes / GIB


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_workbench_notebook_is_quick_from_nothing_and_quicker_again(fresh: Path) -> None:
    name = "01_workbench.ipynb"
    first = run_and_tell(name, "from nothing", {"folder": str(fresh / "first")})
    again = run_and_tell(name, "with cached weights", {"folder": str(fresh / "again")})
    assert first[0] < 150
    assert again[0] < 40
    assert max(first[1], again[1]) < 3


def test_the_teaching_notebook_takes_less_than_two_minutes(fresh: Path) -> None:
    seconds, memory = run_and_tell("02_gradient_guided.ipynb", "from nothing", {})
    assert seconds < 120
    assert memory < 3


def test_the_annotating_notebook_takes_less_than_two_minutes(fresh: Path) -> None:
    seconds, memory = run_and_tell(
        "04_annotate.ipynb", "from nothing", {"folder": str(fresh / "run")}
    )
    small = {**SMALL["04_annotate.ipynb"], "folder": str(fresh / "small")}
    run_and_tell("04_annotate.ipynb", "as small as in the tests", small)
    assert seconds < 120
    assert memory < 3


def test_the_notebook_on_volumes_takes_less_than_three_minutes(fresh: Path) -> None:
    seconds, memory = run_and_tell(
        "05_volumes.ipynb", "from nothing", {"folder": str(fresh / "run")}
    )
    assert seconds < 180
    assert memory < 4


@pytest.mark.shared_slow
def test_the_workbench_notebook_runs_on_the_hippocampus(fresh: Path, shared_data: Path) -> None:
    found = sorted(shared_data.glob("*ippocampus*"))
    if not found:
        pytest.skip(f"There is no hippocampus cohort in {shared_data}.")
    run_and_tell(
        "01_workbench.ipynb",
        "on the hippocampus",
        {"source": str(found[0]), "folder": str(fresh / "run"), "settings": {"initial": 48}},
    )
