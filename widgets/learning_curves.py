"""Does labeling help? Dice on the test cases against what is labeled so far.

One line for each region and one for their mean, a point for each round. A ghost
line shows random sampling on the same cohort, where it is known, so that a
person sees what the suggestions are worth. Where cases are held out for
validation their Dice is drawn too, and says when it may be enough.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, List, Unicode

from widgets.view import View
from widgets.wording import count
from workbench.reports.palette import LINES
from workbench.session import Session

__all__ = ["LearningCurves"]

#: Regions that get a line of their own beside the mean; no plot has more than seven colors.
MOST = 5


class LearningCurves(View):
    """Dice per region, round by round, and the two buttons that make the loop turn."""

    _esm = (Path(__file__).with_name("chart.js"), Path(__file__).with_suffix(".js"))
    _css = (Path(__file__).with_name("chart.css"), Path(__file__).with_suffix(".css"))
    lines = List(Dict(), help="{name, color, mean, points: [[labeled, Dice], …]}").tag(sync=True)
    ghost: Any = List(help="[[labeled, Dice], …] of random sampling; empty: not known").tag(
        sync=True
    )
    validation: Any = List(help="[[labeled, mean Dice], …] of the validation cases").tag(sync=True)
    enough = Unicode(help="why labeling more may not be worth it; empty: it is").tag(sync=True)
    latest = Unicode(help="the numbers of the latest round, in words").tag(sync=True)
    label_button = Unicode(help="words of the label button").tag(sync=True)
    can_label = Bool(False).tag(sync=True)
    can_round = Bool(False).tag(sync=True)
    most = Dict(help="{pool: its size, end: where the axis ends, scans: all of them or 0}").tag(
        sync=True
    )

    def __init__(self, session: Session, **traits: Any) -> None:
        super().__init__(session, **traits)
        self.watch("rounds", self._show_rounds)
        self.watch(
            ("busy", "suggestions", "pool", "latent", "round", "only_look"), self._show_buttons
        )
        if session.has_trait("ghost"):
            self.watch("ghost", self._show_ghost)

    def do_label(self) -> None:
        """Take the labels of what is suggested from the reference."""
        self.session.label_suggestions()

    def do_round(self) -> None:
        """Train on what is labeled and suggest again."""
        self.session.start_round()

    def _show_rounds(self) -> None:
        rounds = self.session.rounds
        names = list(dict.fromkeys(n for r in rounds for n in r.metrics if n != "mean"))
        order = list(self.session.labels.regions) if self.session.labels is not None else []
        names.sort(key=lambda name: order.index(name) if name in order else len(order))
        shown = names[:MOST]
        lines = [
            {
                "name": name,
                "color": "var(--sw-text)" if name == "mean" else LINES[i % len(LINES)],
                "mean": name == "mean",
                "points": points(rounds, name),
            }
            for i, name in enumerate([*shown, "mean"])
        ]
        self.lines = [line for line in lines if line["points"]]
        self.validation = points(rounds, "mean", of="validation")
        self.enough = self._enough()
        if not rounds:
            self.latest = ""
            return
        last = rounds[-1]
        numbers = ", ".join(
            f"{name} {last.metrics[name]:.2f}"
            for name in [*shown, "mean"]
            if math.isfinite(last.metrics.get(name, math.nan))
        )
        self.latest = (
            f"Round {last.index}, {count(int(last.pool.labeled.sum()), f'labeled {self.noun}')}: "
            f"{f'Dice {numbers}' if numbers else 'no case is held out to measure Dice on'}. "
            f"{self.enough}".strip()
        )

    def _enough(self) -> str:
        """Say that it may be enough, and why."""
        last = self.session.rounds[-1] if self.session.rounds else None
        return f"This may be enough. {last.stopped}" if last is not None and last.stopped else ""

    def _show_ghost(self) -> None:
        self.ghost = [
            [int(labeled), float(dice)]
            for labeled, dice in getattr(self.session, "ghost", None) or ()
        ]

    def _show_buttons(self) -> None:
        session = self.session
        waiting = 0
        if session.suggestions is not None and session.labels is not None:
            waiting = int(session.labels.available[session.suggestions.rows].sum())
        which = f"these {waiting}" if waiting else "these"
        self.label_button = f"Label {which} (simulated)"
        idle = not session.busy and not session.only_look and session.pool is not None
        self.can_label = idle and waiting > 0
        fresh = (
            session.round is None
            or session.pool is None
            or int(session.pool.labeled_in.max()) > session.round.index
        )
        self.can_round = idle and fresh
        if session.pool is not None:
            done = int(session.pool.labeled.sum())
            end = min(done + 2 * session.budget, len(session.pool))  # room for two rounds
            self.most = {"pool": len(session.pool), "end": end, "scans": self._scans()}

    def still(self) -> list[Any]:
        """Draw the curves as a figure, for a report."""
        if not self.session.rounds or not self.session.rounds[-1].metrics:
            return []
        from workbench.reports.figures import learning_curve_figure

        done = [(int(r.pool.labeled.sum()), dict(r.metrics)) for r in self.session.rounds]
        ghost = [(labeled, {"mean": dice}) for labeled, dice in self.ghost] or None
        return [
            learning_curve_figure(
                done,
                ghost=ghost,
                validation=[(labeled, {"mean": dice}) for labeled, dice in self.validation],
                title=self.enough,
                total=len(self.session.pool),
                scans=self._scans() or None,
                noun=self.noun,
            )
        ]

    def _scans(self) -> int:
        """All scans, where a share of them can be told: where volumes are labeled; else 0."""
        cohort = self.session.cohort
        return len(cohort.cases) if cohort is not None and self.noun == "volume" else 0


def points(rounds: Any, name: str, of: str = "metrics") -> list[list[float]]:
    """Return [number labeled, Dice] of every round that measured region `name`."""
    found = []
    for each in rounds:
        dice = float(getattr(each, of).get(name, math.nan))
        if math.isfinite(dice):
            found.append([int(each.pool.labeled.sum()), dice])
    return found
