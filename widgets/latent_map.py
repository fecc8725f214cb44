"""The live map: every image a point, every gradient an arrow, every pick a star.

Two kinds of data cross to the browser. Points (positions, states, colors) are
large and change rarely; the browser paints them once and keeps the picture.
The overlay (sources, z', cones, picks) is a few kilobytes and changes with each
move of a slider, so only it is sent and painted then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from traitlets import Bytes, Dict, Int, List, Unicode, observe

from widgets.pictures import grey, png, telling, window
from widgets.view import View, packed
from workbench.reports.cones import ConeFinder, cone_reach
from workbench.session import Session
from workbench.strategies.base import Suggestions
from workbench.strategies.needs import Shift

__all__ = ["LatentMap"]

#: Displacements below this many u are drawn as directions of fixed length.
DIRECTION_ONLY = 0.01
#: Rows that a lasso lists by name; the count is always whole.
MAX_LISTED = 200
FLAGS = {"": 0, "outside_cone": 1, "no_direction": 2}
UNLABELED, LABELED, NOT_ELIGIBLE = 0, 1, 2


class LatentMap(View):
    """Show the pool on a map, with sources, arrows, cones and picks.

    Parameters
    ----------
    session : Session
        Its maps, preview and current slice are drawn; a click inspects a point.
    """

    _esm = tuple(
        Path(__file__).with_name(f"latent_map{part}.js")
        for part in ("_axes", "_paint", "_parts", "_view", "")
    )
    _css = Path(__file__).with_suffix(".css")

    # --- points: large, sent when the map, the pool or the color changes
    frame = Dict(help="map, axes, u (0 where the map keeps no distances), dims, d").tag(sync=True)
    xy = Bytes(help="float32 (n, 2): positions").tag(sync=True)
    states = Bytes(help="uint8 (n,): 0 unlabeled, 1 labeled, 2 not eligible").tag(sync=True)
    shades = Bytes(help="float32 (n,): value or case number to color by; empty for state").tag(
        sync=True
    )
    color_by = Unicode("state", help="state, case, or a key of session.values").tag(sync=True)
    color_names = List(Unicode(), help="what points can be colored by").tag(sync=True)
    scale = Dict(help="kind (state, case, value), label, low, high, names").tag(sync=True)
    tabs = List(Dict(), help="name, label, state, fraction of every map").tag(sync=True)
    empty = Dict(help="what to say while there is no map: button, detail, busy").tag(sync=True)

    # --- overlay: small, sent with each move of a slider
    overlay = Dict(help="exact, fixed, half_angle, wedge, displacement").tag(sync=True)
    sources = Bytes(help="int32 (m,): rows").tag(sync=True)
    tips = Bytes(help="float32 (m, 2): z' on the map, or a direction where fixed").tag(sync=True)
    reach = Bytes(help="float32 (m,): length of each cone, 0 for none").tag(sync=True)
    picks = Bytes(help="int32 (k,): rows, most wanted first").tag(sync=True)
    pick_sources = Bytes(help="int32 (k,): row of each pick's source, -1 for none").tag(sync=True)
    flags = Bytes(help="uint8 (k,): 0 in its cone, 1 outside it, 2 no direction").tag(sync=True)
    inside = Bytes(help="n bits: points inside a cone, where no wedge is drawn").tag(sync=True)
    current = Int(-1, help="row that is inspected").tag(sync=True)
    listing = Dict(help="what the lasso holds: count, cases, rows").tag(sync=True)

    def __init__(self, session: Session) -> None:
        self._searched: tuple[Any, ConeFinder] | None = None
        self.selected: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        super().__init__(session)
        self.watch(("pool", "maps", "map_name"), self._show_points)
        self.watch(("pool", "values"), self._show_colors)
        self.watch(("preview", "suggestions", "maps", "map_name"), self._show_overlay)
        self.watch(("maps", "map_name", "map_names", "computing"), self._show_tabs)
        self.watch(("maps", "map_name", "next_step", "steps", "busy"), self._show_empty)
        self.watch("current", self._show_current)

    # ------------------------------------------------------------ session → browser
    def _projection(self) -> Any:
        session = self.session
        return session.maps.get(session.map_name) if session.pool is not None else None

    def _show_points(self) -> None:
        pool, projection = self.session.pool, self._projection()
        if projection is None or len(projection.xy) != len(pool):
            with self.hold_sync():
                self.xy, self.states, self.frame = b"", b"", {}
            return
        latent = self.session.latent
        keeps_distances = projection.method in ("axes", "pca") and latent is not None
        states = np.where(pool.labeled, LABELED, np.where(pool.eligible, UNLABELED, NOT_ELIGIBLE))
        with self.hold_sync():
            self.xy = packed(projection.xy, "float32")
            self.states = packed(states, "uint8")
            self.frame = {
                "map": projection.name,
                "axes": list(projection.axes),
                "method": projection.method,
                "u": float(latent.neighbor_distance) if keeps_distances else 0.0,
                "dims": list(projection.dims or ()),
                "d": 0 if latent is None else int(latent.z.shape[1]),
            }

    def _show_colors(self) -> None:
        pool, values = self.session.pool, self.session.values
        shades: Any = ()
        scale: dict[str, Any] = {"kind": "state", "label": "state"}
        if pool is not None and self.color_by == "case":
            names = list(dict.fromkeys(identity.case for identity in pool.ids))
            shades = pool.case_of
            scale = {"kind": "case", "label": "case", "low": 1, "high": len(names)}
            scale["names"] = names if len(names) <= 7 else []
        elif pool is not None and len(values.get(self.color_by, ())) == len(pool):
            shades = np.asarray(values[self.color_by], dtype=np.float64)
            known = shades[np.isfinite(shades)]
            low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
            scale = {"kind": "value", "label": self.color_by, "low": low, "high": high}
        with self.hold_sync():
            self.color_names = ["state", "case", *values]
            self.shades = packed(shades, "float32")
            self.scale = scale

    @observe("color_by")
    def _recolor(self, _change: Any) -> None:
        self._show_colors()

    def _show_overlay(self) -> None:
        session, projection = self.session, self._projection()
        preview, latent = session.preview, session.latent
        found = preview.suggestions if preview is not None else session.suggestions
        shift = preview.shift if preview is not None else None
        if projection is None or found is None:
            found, shift = Suggestions(rows=np.zeros(0, dtype=np.int64)), None
        if shift is None or latent is None or projection.method == "pixels":
            nothing = np.zeros((0, 2))
            shift = Shift(0.0, np.zeros(0, dtype=np.int64), nothing, nothing)
        fixed = preview is not None and bool(preview.displacement < DIRECTION_ONLY)
        half_angle = float(getattr(session.strategy, "max_angle", 180.0))
        wedge = bool(projection is not None and projection.latent_2d)
        u = 1.0 if latent is None else float(latent.neighbor_distance)
        reach = cone_reach(shift, found, u)
        inside: Any = ()
        if len(shift.sources) and not wedge and half_angle < 180:
            inside = np.packbits(self._finder().inside(shift, half_angle, reach))
        k = len(found.rows)
        with self.hold_sync():
            self.sources = packed(shift.sources, "int32")
            self.tips = packed(self._tips(shift, fixed, u), "float32")
            self.reach = packed(reach, "float32")
            self.picks = packed(found.rows, "int32")
            sources = np.full(k, -1) if found.source is None else found.source
            self.pick_sources = packed(sources, "int32")
            self.flags = packed([FLAGS.get(f, 0) for f in found.flags or ("",) * k], "uint8")
            self.inside = packed(inside, "uint8")
            self.overlay = {
                "exact": preview is None or preview.exact,
                "fixed": fixed,
                "half_angle": half_angle,
                "wedge": wedge,
                "displacement": float(np.nan_to_num(preview.displacement)) if preview else 0.0,
            }

    def _finder(self) -> ConeFinder:
        """The search through the latent space of this moment."""
        latent = self.session.latent
        if self._searched is None or self._searched[0] is not latent:
            self._searched = (latent, ConeFinder(latent.z))
        return self._searched[1]

    def _tips(self, shift: Shift, fixed: bool, u: float) -> NDArray[np.float64]:
        """Place z' on the map; where it cannot be told from z, a point in its direction."""
        if not len(shift.sources):
            return np.zeros((0, 2))
        place = self._projection().place
        if not fixed:
            return np.asarray(place(shift.shifted), dtype=np.float64)
        step = shift.shifted - shift.z
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step = np.divide(step, length, out=np.zeros_like(step), where=length > 0)
        moved = np.asarray(place(shift.z + u * step)) - np.asarray(place(shift.z))
        return np.asarray(self._projection().xy[shift.sources] + moved, dtype=np.float64)

    def _show_tabs(self) -> None:
        session = self.session
        names = list(dict.fromkeys((*session.map_names, *session.maps)))
        self.tabs = [
            {
                "name": name,
                "label": "PCA of the pixels" if name.lower() == "pixels" else name,
                "state": self._tab_state(name),
                "fraction": round(float(session.computing.get(name, 0.0)), 2),
            }
            for name in names
        ]

    def _tab_state(self, name: str) -> str:
        if name in self.session.maps:
            return "shown" if name == self.session.map_name else "ready"
        return "running" if name in self.session.computing else "not computed"

    def _show_empty(self) -> None:
        session = self.session
        running = session.steps.get(session.busy)
        self.empty = {
            "shown": self._projection() is None,
            "button": session.next_step,
            "busy": session.busy,
            "detail": running.detail if running is not None else "",
        }

    def _show_current(self) -> None:
        self.current = self.session.current

    # ------------------------------------------------------------ browser → session
    def do_next(self) -> None:
        """Take the one step that leads on."""
        self.session.next()

    def do_show_map(self, name: str) -> None:
        """Show a map; one that is not there yet is computed."""
        self.session.show_map(name)

    def do_cancel(self) -> None:
        """Stop what is being computed."""
        self.session.cancel()

    def do_inspect(self, row: int) -> None:
        """Make a row the current one, everywhere."""
        if self.session.pool is not None and 0 <= row < len(self.session.pool):
            self.session.inspect(int(row))

    def do_describe(self, row: int) -> None:
        """Answer with the picture and the facts of one point, for the browser to keep."""
        session = self.session
        if session.pool is None or not 0 <= row < len(session.pool):
            return
        lines = [str(session.pool.ids[row]), self._state_of(row)]
        for name, values in session.values.items():
            if len(values) == len(session.pool) and np.isfinite(values[row]):
                lines.append(f"{name}: {float(values[row]):,.3g}")
        answer = {"about": row, "lines": lines}
        if session.images is None:
            self.send(answer)
            return
        images = session.images
        image = images.pictures(np.array([row]))[0][telling(images.channels)]
        _, height, width = images.spacing[int(images.case_of[row])]
        ratio = float(image.shape[1] * width / (image.shape[0] * height))
        self.send({**answer, "ratio": ratio}, [png(grey(image, *window(image)))])

    def do_select(self, buffers: list[memoryview]) -> None:
        """List the rows that the lasso holds."""
        pool = self.session.pool
        if pool is None:
            return
        rows = np.frombuffer(bytes(buffers[0]), dtype="<i4").astype(np.int64)
        self.selected = rows[(rows >= 0) & (rows < len(pool))]
        cases: dict[str, int] = {}
        for row in self.selected:
            cases[pool.ids[row].case] = cases.get(pool.ids[row].case, 0) + 1
        self.listing = {
            "count": len(self.selected),
            "labeled": int(pool.labeled[self.selected].sum()),
            "cases": sorted(cases.items(), key=lambda item: -item[1])[:MAX_LISTED],
            "rows": [[int(r), str(pool.ids[r])] for r in self.selected[:MAX_LISTED]],
        }

    def _state_of(self, row: int) -> str:
        pool = self.session.pool
        if pool.labeled[row]:
            return f"labeled in round {int(pool.labeled_in[row])}"
        return "unlabeled" if pool.eligible[row] else "unlabeled, no reference"

    def still(self) -> list[go.Figure]:
        """Draw the map as it is now, for a report."""
        from workbench.reports.figures import latent_map_figure
        from workbench.reports.theme import blank_figure

        session, projection = self.session, self._projection()
        if projection is None:
            return [blank_figure("The latent map appears when a cohort is open.")]
        preview, latent = session.preview, session.latent
        color = session.values.get(self.color_by)
        if self.color_by == "case":
            color = session.pool.case_of + 1.0
        return [
            latent_map_figure(
                projection,
                session.pool,
                shift=None if preview is None or latent is None else preview.shift,
                suggestions=preview.suggestions if preview is not None else session.suggestions,
                max_angle=getattr(session.strategy, "max_angle", None),
                neighbor_distance=None if latent is None else latent.neighbor_distance,
                z=None if latent is None else latent.z,
                color=color,
                color_name="" if color is None else self.color_by,
                title=f"Latent map: {projection.name}",
            )
        ]
