"""Run each notebook once with small settings; every test looks at the same run.

The settings of the first two agree, so that they share images, VAE and U-Net.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reports.runs import kept_until_the_end, tiny_run
from workbench.reports.render import run_notebook

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"

MANIFOLD = {"min_steps": 40, "max_steps": 60}
#: Strategies whose tiny runs the third notebook compares.
COMPARED = ("random", "gradient-guided", "margin", "oracle")
SEGMENTATION = {"min_steps": 40, "epochs": 1, "features": [8, 16, 32, 32, 32, 8]}

SMALL: dict[str, dict[str, Any]] = {
    "01_workbench.ipynb": {
        "seed": 0,
        "least_dice": 0.0,  # forty steps of training teach nothing; the full run demands 0.5
        "settings": {
            "cases": 6,
            "initial": 8,
            "budget": 4,
            "manifold": {"z_dim": 2, **MANIFOLD},
            "segmentation": SEGMENTATION,
        },
    },
    "02_gradient_guided.ipynb": {
        "cases": 6,
        "initial": 8,
        "seed": 0,
        "manifold": MANIFOLD,
        "segmentation": SEGMENTATION,
    },
    "03_compare_strategies.ipynb": {"page": "report.html"},
    "04_annotate.ipynb": {
        "seed": 0,
        "settings": {
            "cases": 6,
            "initial": 8,
            "budget": 3,
            "manifold": {"z_dim": 2, **MANIFOLD},
            "segmentation": SEGMENTATION,
        },
    },
    "05_volumes.ipynb": {
        "cases": 6,
        "initial": 2,
        "budget": 1,
        "rounds": 1,
        "spacing": 6.0,
        "manifold": {"z_dim": 2, "width": [4, 4, 4, 4], "min_steps": 6, "max_steps": 6},
        "segmentation": {
            "features": [4, 4, 8, 8, 8, 4],
            "epochs": 1,
            "min_steps": 6,
            "batch_size": 2,
        },
    },
}


@dataclass(frozen=True)
class Run:
    """A notebook that has run, and with which parameters."""

    notebook: Any
    parameters: dict[str, Any]

    @property
    def figures(self) -> list[dict[str, Any]]:
        """Every plotly figure that it shows."""
        found = []
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                described = output.get("data", {}).get("application/vnd.plotly.v1+json")
                if described is not None:
                    found.append(described)
        return found

    @property
    def said(self) -> str:
        """Everything that it printed."""
        outputs = [output for cell in self.notebook.cells for output in cell.get("outputs", [])]
        return "".join(each.text for each in outputs if each.output_type == "stream")


@functools.cache
def small_run(name: str) -> Run:
    """Run a notebook with its small settings, once in a test session."""
    parameters = dict(SMALL[name])
    if name.startswith(("01", "04", "05")):
        parameters["folder"] = str(kept_until_the_end("workbench-run-") / "run")
    if name.startswith("03"):
        parameters["runs"] = [str(tiny_run(each)) for each in COMPARED]
        parameters["page"] = str(kept_until_the_end("workbench-page-") / "report.html")
    return Run(run_notebook(NOTEBOOKS / name, parameters), parameters)
