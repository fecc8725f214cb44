"""The sliders: how far along the gradient, how wide a cone, in which manifold.

The browser sends a slider's values while it moves (``settled=False``, answered
by an interpolated preview) and once more when it rests (``settled=True``,
answered by exact suggestions). Only one message is on its way at a time, so the
newest value always wins. What the sliders show is the session's strategy: the
panel holds no setting of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from traitlets import Dict, List

from widgets.view import View
from workbench.session import Session

__all__ = ["TuningPanel"]

#: Decades of α that the slider spans for each gradient scale (facts.md, "α").
DECADES = {"raw": (-4.0, 6.0), "l2": (-2.0, 3.0), "sign": (-3.0, 2.0)}
#: z-dimensions that are always offered (Dai 2022, table 1, and its neighbors).
OFFERED = (2, 3, 5, 10, 50)
#: Fields of a strategy that this panel may change.
FIELDS = ("alpha", "displacement", "scale", "max_angle")


class TuningPanel(View):
    """Tune gradient-guided sampling and see at once what it changes.

    Parameters
    ----------
    session : Session
        Its strategy is shown; moves of the sliders call `Session.tune`.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")

    settings = Dict(help="alpha, decades, scale, max_angle, budget, free, why").tag(sync=True)
    counts = Dict(
        help="changed, outside, cases, picks, sources, relative, displacement, exact"
    ).tag(sync=True)
    dims = List(Dict(), help="d, chosen, trained, cost of each z-dimension").tag(sync=True)

    def __init__(self, session: Session) -> None:
        self._settled: frozenset[int] = frozenset()
        self._changed = 0
        self._calibrated = False
        super().__init__(session)
        self.watch("preview", self._show_counts)
        self.watch(
            ("strategy", "preview", "budget", "pool", "suggestions", "only_look"),
            self._show_settings,
        )
        self.watch(("z_dim", "trained_dims", "busy"), self._show_dims)

    # ------------------------------------------------------------ session → browser
    def _show_settings(self) -> None:
        session = self.session
        strategy, preview = session.strategy, session.preview
        guided = hasattr(strategy, "alpha") and hasattr(strategy, "max_angle")
        scale = getattr(strategy, "scale", "l2")
        alpha = getattr(strategy, "alpha", None)
        shift = preview.shift if preview is not None else None
        if alpha is None and shift is not None and len(shift.sources):
            alpha = shift.alpha
        why = ""
        if not guided:
            why = f"{type(strategy).__name__} follows no gradient: there is no step and no cone."
        elif shift is None and session.only_look:
            why = session.only_look
        elif shift is None and session.round is not None:
            why = "The suggestions are labeled. The next round makes new ones to tune."
        elif shift is None:
            why = "Once the first suggestions are there, these sliders move them live."
        self.settings = {
            "guided": guided and shift is not None,
            "why": why,
            "alpha": None if alpha is None else float(alpha),
            "decades": DECADES.get(scale, (-4.0, 4.0)),
            "scale": scale,
            "displacement": float(getattr(strategy, "displacement", 2.0)),
            "max_angle": float(getattr(strategy, "max_angle", 180.0)),
            "opened": session.pool is not None,
            "budget": int(session.budget),
            "free": 0 if session.pool is None else int(session.pool.free.sum()),
        }

    def _show_counts(self) -> None:
        preview = self.session.preview
        if preview is None:
            self._settled, self._changed = frozenset(), 0
            self.counts = {}
            return
        rows = frozenset(preview.suggestions.rows.tolist())
        if not preview.exact:
            self._changed = preview.changed
        elif rows != self._settled:
            # What rested before the gesture stays the measure until the next one.
            self._changed = len(rows - self._settled) if self._settled else 0
            self._settled = rows
        self.counts = {
            "changed": self._changed,
            "outside": preview.outside_cone,
            "cases": preview.cases,
            "picks": len(rows),
            "relative": _finite(preview.relative_step),
            "sources": 0 if preview.shift is None else len(preview.shift.sources),
            "displacement": _finite(preview.displacement),
            "exact": preview.exact,
        }

    def _show_dims(self) -> None:
        session = self.session
        estimate: Callable[[int], float | None] | None = getattr(session, "training_seconds", None)
        shown = []
        for d in sorted({*OFFERED, *session.trained_dims, session.z_dim}):
            trained = d in session.trained_dims
            seconds = estimate(d) if estimate is not None and not trained else None
            cost = "" if trained else ("not trained" if seconds is None else _about(seconds))
            chosen = d == session.z_dim
            shown.append({"d": d, "chosen": chosen, "trained": trained, "cost": cost})
        self.dims = shown

    # ------------------------------------------------------------ browser → session
    def do_tune(self, settled: bool, **fields: Any) -> None:
        """Change the strategy: a preview while a slider moves, exact when it rests."""
        known = {name: fields[name] for name in FIELDS if name in fields}
        if "alpha" not in known:
            known.update(self._step_of_the_gesture(settled))
        elif settled:
            self._calibrated = False
        self.session.tune(settled=bool(settled), **known)

    def _step_of_the_gesture(self, settled: bool) -> dict[str, float | None]:
        """Keep a calibrated α still while another slider moves; calibrate when it rests."""
        strategy, preview = self.session.strategy, self.session.preview
        shift = preview.shift if preview is not None else None
        if settled:
            again, self._calibrated = self._calibrated, False
            return {"alpha": None} if again else {}
        if shift is None or getattr(strategy, "alpha", shift.alpha) is not None:
            return {}
        self._calibrated = True
        return {"alpha": shift.alpha}

    def do_calibrate(self) -> None:
        """Choose α so that the median displacement is what the strategy aims at."""
        self.session.calibrate()

    def do_as_printed(self) -> None:
        """Use the papers' setting."""
        self.session.as_printed()

    def do_set_budget(self, n: int) -> None:
        """Change how many slices, or volumes, a round suggests."""
        self.session.set_budget(int(n))

    def do_set_z(self, d: int) -> None:
        """Switch the manifold; one that is not trained yet is trained."""
        self.session.set_z(int(d))

    def still(self) -> list[go.Figure]:
        """Draw the settings and counts as a table, for a report."""
        from workbench.reports.theme import dress

        settings, counts = self.settings, self.counts
        rows = [
            ("step α", _digits(settings["alpha"])),
            ("median displacement (u)", _digits(counts.get("displacement"))),
            ("gradient scale", settings["scale"]),
            ("half-angle θ", f"{settings['max_angle']:.0f}°"),
            ("z-dimension", f"{self.session.z_dim}"),
            ("suggestions", f"{settings['budget']}"),
            ("outside their cone", f"{counts.get('outside', '–')}"),
            ("cases among them", f"{counts.get('cases', '–')}"),
            ("median |αĝ|/|x| of the sources", _digits(counts.get("relative"))),
        ]
        names, values = zip(*rows, strict=True)
        table = go.Table(
            header={"values": ["setting", "value"], "align": "left"},
            cells={"values": [names, values], "align": "left", "height": 24},
        )
        return [dress(go.Figure(table), title="Tuning", height=340)]


def _finite(value: float) -> float | None:
    """A number, or None where there is none (NaN has no place in JSON)."""
    return float(value) if np.isfinite(value) else None


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _about(seconds: float) -> str:
    """Say how long training takes, in words."""
    if seconds < 55:
        return f"trains in about {max(5, round(seconds / 5) * 5)} s"
    return f"trains in about {max(1, round(seconds / 60))} min"
