"""What the annotations of a round cost, as the ledger tells it.

The label map that a person began with and the one that they answered "done" with are both in
the ledger, so the effort saved needs neither the network nor the reference again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.annotation.effort import TOLERANCE, Effort, measure_effort, no_effort
from workbench.annotation.entry import ANSWERS, UNOPENED
from workbench.annotation.history import Totals
from workbench.annotation.ledger import Ledger
from workbench.errors import LedgerError

__all__ = ["RoundCost", "cost_of_round"]


@dataclass(frozen=True, eq=False)
class RoundCost:
    """What the annotations that one round asked for cost.

    Parameters
    ----------
    effort : Effort
        From what was begun with to what was answered "done", over all slices. Begun with is what
        was opened or, later, started over from; or the person's answer of an earlier round.
    totals : Totals
        Strokes, seconds, millimeters, slices opened.
    """

    effort: Effort
    totals: Totals

    def plain(self, classes: tuple[str, ...]) -> dict[str, object]:
        """Return it as plain values, `classes` naming all classes with the background first."""
        return {
            "classes": list(classes[1:]),
            "shared": self.effort.shared.tolist(),
            "reference": self.effort.reference.tolist(),
            "shared_mm": self.effort.shared_mm.tolist(),
            "reference_mm": self.effort.reference_mm.tolist(),
            "tolerance_mm": self.effort.tolerance_mm,
            **self.amounts(),
        }

    def amounts(self) -> dict[str, float]:
        """What can be added up over rounds, and a curve be drawn against.

        Returns
        -------
        dict
            ``"contour_pixels"``: contour that was not saved, Σ (L − C) over the classes;
            ``"changed_pixels"``; ``"contour_mm"``, drawn; ``"strokes"``; ``"active_seconds"``;
            ``"opened"``, slices.
        """
        return {
            "contour_pixels": int((self.effort.reference - self.effort.shared).sum()),
            "changed_pixels": self.effort.changed,
            "contour_mm": self.totals.contour_mm,
            "strokes": self.totals.strokes,
            "active_seconds": self.totals.active_seconds,
            "opened": self.totals.opened,
        }


def cost_of_round(
    ledger: Ledger,
    index: int,
    classes: int,
    spacing: Mapping[str, tuple[float, float]],
    tolerance: float = TOLERANCE,
    until: int | None = None,
) -> RoundCost:
    """Add up what the annotations of a round cost.

    Parameters
    ----------
    ledger : Ledger
        The annotations; of a slice that several people answered the last answer counts. A slice
        of a volume that was accepted without being opened cost nothing.
    index : int
        The round.
    classes : int
        k, background included.
    spacing : mapping
        Size of a pixel along h and w in mm, by sample; other samples do not count.
    tolerance : float
        As in `measure_effort`.
    until : int, optional
        Number of the last entry that counts: what was known when the round was trained.
    """
    opened: set[int] = set()
    before: dict[tuple[str, int, str], int] = {}  # what was accepted in earlier rounds
    asked: dict[int, int] = {}
    for entry in ledger.entries(maps=False):
        key = entry.sample, entry.depth, entry.annotator
        if entry.kind == "opened":
            opened.add(entry.number)
        elif entry.round < index and entry.kind in ANSWERS:
            before[key] = entry.number if entry.kind == "done" else 0
        asked[entry.number] = entry.round
    effort = no_effort(classes, tolerance)
    for (sample, depth), number in ledger.accepted(until).items():
        if asked[number] != index or sample not in spacing:
            continue
        done = ledger.read(number)
        first = max(opened.intersection(ledger.lineage(done)), default=0)
        first = max(first, before.get((sample, depth, done.annotator), 0))
        begun = ledger.read(first).classes if first else None
        if done.classes is None:
            raise LedgerError(f"Entry {number} of {ledger.path} is an answer without a label map.")
        if done.note == UNOPENED:
            begun = done.classes
        if begun is None:  # a mask that was drawn elsewhere: nothing is known of its beginning
            begun = np.zeros_like(done.classes)
        effort += measure_effort(
            begun, done.classes, classes, spacing=spacing[sample], tolerance=tolerance
        )
    return RoundCost(effort, ledger.totals(["round"]).get((index,), Totals()))
