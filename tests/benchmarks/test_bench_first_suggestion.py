"""From the first *Run* to the first suggestion on screen: ``make bench`` prints the seconds.

A real JupyterLab in a real browser, at full size: once with an empty cache, once
with what the first time left there.
"""

from __future__ import annotations

import time

import psutil

from tests.browser.lab import Lab
from tests.browser.screenshot import CELL
from tests.browser.walking import drawn_picks, kernel, press_primary, wait_for_button


def seconds_to_suggestions(folder, cache) -> dict[str, float]:
    """Run the cell, press the one button, wait for stars on the map."""
    with Lab(folder, {"WORKBENCH_CACHE": str(cache)}) as lab, lab.browser(height=1100) as page:
        lab.write("first.ipynb", ["import os"])
        lab.open(page, "first.ipynb")
        page.evaluate(
            """(code) => {
                const panel = window.jupyterapp.shell.currentWidget;
                panel.content.activeCell.model.sharedModel.setSource(code);
            }""",
            CELL,
        )
        begun = time.monotonic()
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        page.locator(".sw-header-cohort").wait_for(timeout=60_000)
        shown = time.monotonic() - begun
        wait_for_button(page, "first suggestions", seconds=100)
        press_primary(page, "first suggestions")
        wait_for_button(page, "Label these", seconds=400)
        page.wait_for_function(
            "() => (document.querySelector('canvas[data-picks]')?.dataset.picks || '') !== ''"
        )
        suggested = time.monotonic() - begun
        assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
        peak = kernel(page, "__import__('resource').getrusage(0).ru_maxrss")
        assert psutil.pid_exists(kernel(page, "__import__('os').getpid()"))
    return {"application shown": shown, "suggestions": suggested, "peak GiB": peak / 2**20}


def test_first_suggestion(benchmark, tmp_path):
    cache = tmp_path / "cache"
    measured = {}

    def both() -> None:
        measured["from nothing"] = seconds_to_suggestions(tmp_path / "first", cache)
        measured["with cached weights"] = seconds_to_suggestions(tmp_path / "second", cache)

    benchmark.pedantic(both, rounds=1)
    print("\nFrom the first Run, seconds (goals: shown 5, suggestions 90 and 15; memory 3 GiB)")
    for name, row in measured.items():
        print(f"  {name:>20}: " + ", ".join(f"{key} {value:.1f}" for key, value in row.items()))
