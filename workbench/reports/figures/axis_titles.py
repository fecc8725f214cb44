"""What the axes of a comparison measure, with their units.

Figures and tables of strategies side by side take the same words from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.experiments.costs import EFFORTS

__all__ = ["COSTS", "UNITS", "brief_cost", "cost_title", "measure", "region_title"]

#: What a curve can be drawn against: column of the table, and title of the axis.
COSTS: Mapping[str, str] = {
    "slices": "slices annotated",
    "shown": "slices shown (three for each suggested one)",
    "cases": "cases (with at least one annotated slice)",
    "pixels": "pixels (of the annotated slices)",
    "contour_pixels": "contour corrected (pixels that were not saved)",
    "changed_pixels": "pixels changed",
    "contour_mm": "contour drawn by hand in mm",
    "strokes": "strokes",
    "active_seconds": "seconds of work",
    "opened": "slices opened",
}

#: What each metric measures, with its unit, in the order in which they are told.
UNITS: Mapping[str, str] = {
    "dice": "Dice",
    "hd": "Hausdorff distance (mm)",
    "hd95": "95 % Hausdorff distance (mm)",
}


def cost_title(cost: str, from_reference: bool = False) -> str:
    """Title of the axis of a cost; `from_reference`: some labels came from there."""
    told = "; labels from the reference count 0" if from_reference and cost in EFFORTS else ""
    return COSTS[cost] + told


def brief_cost(cost: str) -> str:
    """Name what is counted, without its explanation: ``"slices shown"``."""
    return COSTS[cost].split(" (")[0]


def region_title(region: str) -> str:
    """Name a region; ``"mean"`` is that of the regions."""
    return "mean of the regions" if region == "mean" else region


def measure(metric: str, region: str) -> str:
    """Name a measure and its unit: ``"Dice, anterior"``, ``"Dice, mean of the regions"``."""
    return f"{UNITS.get(metric, metric)}, {region_title(region)}"
