"""Why this slice, or this volume: the pictures and numbers behind one suggestion.

Above, the labeled slice it was found from: x with its loss gradient, x' (the
step along that gradient), and what the VAE decodes from z'. Below, the slice
itself between its two neighbors, with the outlines of reference and prediction
and, where it is asked for, the uncertainty of every pixel. In a volume a slider
and the wheel lead to the neighbors: all of it is computed once, each slice is
sent when it is shown. Pictures are sent with 16 bits, so window and level change in the
browser alone.
"""

from __future__ import annotations

import asyncio
import math
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Bool, Bytes, Dict, Int, Unicode

from widgets.pictures import LETTERS, contours, deep_png, on_black, outside, telling, window
from widgets.view import View, packed
from workbench.errors import WorkbenchError
from workbench.inspection import Inspection
from workbench.jobs import Outcome
from workbench.reports.palette import PREDICTION, REFERENCE
from workbench.session import Session

__all__ = ["Inspector"]

#: Seconds that changes are collected before pictures are computed.
SETTLE = 0.03

EMPTY = (
    "Choose a {noun}: click a point on the map or a thumbnail of the cohort. Its pictures, and "
    "why it is suggested, appear here."
)
FLAGS = {
    "outside_cone": "outside its cone",
    "no_direction": "its source does not move",
}


class Inspector(View):
    """Pictures, numbers and the reason for the slice, or the volume, that is current."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    pictures = Dict(help="name → PNG bytes with 16 bits a pixel").tag(sync=True)
    ranges = Dict(help="name → [value of 0, value of 65,535]").tag(sync=True)
    reference = Bytes(help="outlines as float32 column, row; NaN ends a line").tag(sync=True)
    prediction = Bytes(help="outlines as float32 column, row; NaN ends a line").tag(sync=True)
    info = Dict(help="names, numbers and words; see _describe").tag(sync=True)
    sentence = Unicode(help="the reason, or what to do to get one").tag(sync=True)
    channel = Int(0, help="channel that is shown").tag(sync=True)
    looking = Bool(False, help="whether the network still looks at the volume").tag(sync=True)
    uncertain = Bool(False, help="whether the uncertainty of every pixel is shown").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self._visible = False
        self._shown: tuple[object, ...] = ()
        self._found: Inspection | None = None
        self._scales: dict[str, Any] = {}
        self._pending: asyncio.TimerHandle | None = None
        self._turn = threading.Lock()
        super().__init__(session, **traits)
        self.sentence = EMPTY.format(noun=self.noun)
        self.watch("images", self._choose_channel)
        self.watch(("current", "suggestions", "round", "images", "pool"), self._later)

    # ------------------------------------------------------------ asked by the browser
    def do_visible(self) -> None:
        """The inspector came into view."""
        self._visible = True
        self._refresh()

    def do_channel(self, index: int) -> None:
        """Show another channel."""
        self.channel = int(index)
        self._refresh()

    def do_uncertain(self, on: bool) -> None:
        """Show the uncertainty of every pixel, or leave it out."""
        self.uncertain = bool(on)
        self._refresh()

    def do_depth(self, index: int) -> None:
        """Show another slice of the volume."""
        with self._turn:
            if self._found is not None:
                self._draw(self._found.at(int(index)))

    def do_step(self, by: int) -> None:
        """Go to the next or the previous suggestion."""
        found = self.session.suggestions
        if found is None or not len(found.rows):
            return
        here = np.flatnonzero(found.rows == self.session.current)
        place = (int(here[0]) + int(by)) % len(found.rows) if len(here) else 0
        self.session.inspect(int(found.rows[place]))

    # ------------------------------------------------------------ shown
    def _choose_channel(self) -> None:
        """Begin with the channel that the thumbnails show."""
        if self.session.images is not None:
            self.channel = telling(self.session.images.channels)

    def _later(self) -> None:
        """Draw once after a burst of changes; at once where no event loop turns."""
        if not self._visible:
            return
        loop = turning()
        if loop is None:
            self._refresh()
            return
        if self._pending is not None:
            self._pending.cancel()
        self._pending = loop.call_later(SETTLE, self._refresh)

    def _refresh(self) -> None:
        session = self.session
        chosen = (session.current, self.channel, self.uncertain)
        key = (*chosen, session.suggestions, session.round, session.pool)
        with self._turn:
            if len(key) == len(self._shown) and all(
                a is b or (isinstance(a, int) and a == b)
                for a, b in zip(key, self._shown, strict=True)
            ):
                return
            before, self._shown = self._shown[:1], key
            depth = self._found.depth if self._found and before == key[:1] else None
        wish: dict[str, Any] = {"depth": depth, "uncertainty": self.uncertain}
        later = self.noun == "volume" and session.round is not None and turning() is not None
        try:
            found = session.inspection(*chosen[:2], **wish, network=not later)
        except WorkbenchError as error:
            found = None
            self.message = str(error)
        later = later and found is not None
        self._show(found, looking=later)
        if later:  # a network takes long over a large volume
            session.look(partial(self._looked, key), *chosen[:2], **wish)

    def _looked(self, key: tuple[object, ...], outcome: Outcome[Inspection]) -> None:
        """Show what the network made of the volume, unless another was chosen meanwhile."""
        if key is not self._shown:
            return
        if outcome.value is None:
            self.looking = False
            self.message = str(outcome.error or "")
        else:
            depth = self._found.depth if self._found else None
            self._show(outcome.value if depth is None else outcome.value.at(depth))

    def _show(self, found: Inspection | None, looking: bool = False) -> None:
        with self._turn:
            self.looking = looking
            self._scales = {} if found is None else scales(found)
            self._draw(found)

    def _draw(self, found: Inspection | None) -> None:
        self._found = found
        if found is None:
            with self.hold_sync():
                self.pictures, self.ranges, self.info = {}, {}, {}
                self.reference = self.prediction = b""
                self.sentence = EMPTY.format(noun=self.noun)
            return
        gradient = None if found.gradient is None else np.abs(found.gradient)
        arrays = {
            "x": found.x,
            "gradient": gradient,
            "x_shifted": found.x_shifted,
            "decoded": found.decoded,
            "picture": found.picture,
            "uncertainty": found.uncertainty,
        }
        if not found.depths:  # in a volume the slider leads to the neighbors
            arrays |= {"previous": found.previous, "next": found.next}
        # x' keeps its surroundings, because the step changes them too
        floor = float(np.min(found.picture if found.x is None else found.x))
        for name in ("x", "decoded", "previous", "picture", "next"):
            each = arrays.get(name)
            if each is not None:
                like = found.x if name == "decoded" and found.x is not None else each
                arrays[name] = on_black(each, outside(like), floor)
        encoded = {name: deep_png(each) for name, each in arrays.items() if each is not None}
        regions = self._regions()
        with self.hold_sync():
            self.pictures = {name: each[0] for name, each in encoded.items()}
            self.ranges = {name: [each[1], each[2]] for name, each in encoded.items()}
            self.reference = packed(contours(found.reference, regions), "float32")
            self.prediction = packed(contours(found.prediction, regions), "float32")
            self.info = self._describe(found)
            self.sentence = found.sentence

    def _regions(self) -> list[tuple[int, ...]]:
        labels = self.session.labels
        if labels is None:
            return [(1,)]
        return [tuple(members) for members in labels.regions.values()]

    def _describe(self, found: Inspection) -> dict[str, Any]:
        """Collect the numbers and words that stand beside the pictures."""
        axis = "axial"
        pool, row = self.session.pool, self.session.current
        if pool is not None and 0 <= row < len(pool):
            axis = pool.ids[row].axis
        total = 0 if self.session.suggestions is None else len(self.session.suggestions.rows)
        state = "not labeled"
        if pool is not None and 0 <= row < len(pool) and pool.labeled[row]:
            state = f"labeled in round {int(pool.labeled_in[row])}"
        return {
            "suggested": found.suggested_id,
            "source": found.source_id,
            "channels": list(found.channels),
            "distance": found.distance_u if math.isfinite(found.distance_u) else None,
            "angle": found.angle if math.isfinite(found.angle) else None,
            "rank": found.rank,
            "total": total,
            "flag": FLAGS.get(found.flag, found.flag),
            "state": state,
            "spacing": [float(mm) for mm in found.spacing],
            "letters": list(LETTERS[axis]),
            **self._scales,
            "uncertainty_of": found.uncertainty_of,
            "depth": found.depth,
            "depths": found.depths,
            "trained": self.session.round is not None,
            "colors": [REFERENCE, PREDICTION],
        }

    def close(self) -> None:
        """Stop watching; a picture that is pending is not drawn."""
        pending = getattr(self, "_pending", None)  # none yet in a view that could not be made
        if pending is not None:
            pending.cancel()
        super().close()

    def still(self) -> list[Any]:
        """Draw what is inspected as a figure, and a volume slice by slice, for a report."""
        session = self.session
        found = session.inspection(
            session.current,
            self.channel,
            depth=self._found.depth if self._found else None,
            uncertainty=self.uncertain or self.noun == "volume",
        )
        if found is None:
            return []
        from workbench.reports.figures import inspection_figure, volume_figure

        figures = [inspection_figure(found)]
        return [*figures, volume_figure(found)] if found.depths else figures


def turning() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that turns on this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def scales(found: Inspection) -> dict[str, Any]:
    """Choose the values that are drawn darkest and brightest, the same for a whole volume.

    Parameters
    ----------
    found : Inspection
        What is drawn.

    Returns
    -------
    dict
        ``window``: the values that are black and white; ``gradient`` and ``uncertainty``: the
        values of the brightest color, 0 where there is none.
    """
    shown = [found.whole(name) for name in ("picture", "x")]
    inside = [each[~outside(each)] for each in shown if each is not None]
    gradient = found.whole("gradient")
    return {
        "window": list(window(np.concatenate(inside))),
        "gradient": 0.0 if gradient is None else float(np.percentile(np.abs(gradient), 99.5)),
        "uncertainty": found.uncertainty_top,
    }
