"""A view of one slice, of its neighbors, and of the planes across its case.

It knows where in the cohort a slice lies, whether slices or volumes are annotated, and what is
shown of one that is only looked at. It sends pictures with 16 bits a pixel, so that window and
level change in the browser alone.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Dict, Int, List

from widgets.pictures import contours, deep_png, on_black, outside, window
from widgets.planes import planes_across
from widgets.view import View, packed
from workbench.annotation.tools import superpixels
from workbench.session import Session
from workbench.session.reviewing import Source

__all__ = ["SliceView", "outlines"]


class SliceView(View):
    """Shows the slice that a session draws on, or one that is only looked at."""

    pictures = Dict(help="name → PNG bytes with 16 bits a pixel").tag(sync=True)
    ranges = Dict(help="name → [value of 0, value of 65,535]").tag(sync=True)
    outlines = Dict(help="name → [[class, outline as float32 column, row], …]").tag(sync=True)
    planes = List(Dict(), help="{name, picture, range, cross, aspect, letters} across").tag(
        sync=True
    )
    segments = Dict(help="{wish, data}: number of every pixel's superpixel, deflated int32").tag(
        sync=True
    )
    channel = Int(0, help="channel that is shown").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self._look: tuple[int, int] | None = None  # row and depth that are only looked at
        self._window = [0.0, 1.0]
        self._chosen: Source | None = None  # what is looked at, where a slice has it
        self._known: dict[str, str] = {}  # what the neighbors are shown with
        self._forget()
        super().__init__(session, **traits)

    def _forget(self) -> None:
        """Leave nothing of another cohort."""
        self._windows: dict[tuple[str, int], list[float]] = {}
        self._chosen = None
        self._volume: tuple[int, NDArray[np.float32]] | None = None
        self._stack: tuple[tuple[int, int], NDArray[np.float32]] | None = None

    # ------------------------------------------------------------ asked by the browser
    def do_look(self, *, at: int | None = None, row: int | None = None, stamp: str = "") -> None:
        """Look at a slice: the slice `at` of the case that is shown, or a row of the pool."""
        place = self._place()
        if row is not None:
            self._look = (int(row), self._depths(int(row)) // 2)
        elif at is not None and place is not None:
            if self._of_volumes and self._look is None:
                self.session.edit(place[0], int(at))  # a volume is drawn on slice by slice
                return
            self._look = (place[0], int(at)) if self._of_volumes else (self._rows()[int(at)], 0)
        editing = self.session.editing
        if editing is not None and self._look == (editing.row, editing.depth):
            self._look = None
        self._show()

    def do_back(self, *, stamp: str = "") -> None:
        """Return to the slice that is drawn on."""
        self._look = None
        self._show()

    def do_channel(self, *, index: int, stamp: str = "") -> None:
        """Show another channel."""
        self.channel = int(index)
        self._show()

    def do_source(self, *, key: str, stamp: str = "") -> None:
        """Show what another person drew, what is predicted, or the reference."""
        place = self._place()
        if place is not None:
            found = self.session.sources(*place)
            self._chosen = next((each for each in found if _key(each) == key), None)
            self._show()

    def do_planes(self, *, on: bool, row: int = 0, column: int = 0) -> None:
        """Cut the case across, through a pixel of the slice that is shown; or stop showing it."""
        place = self._place()
        if place is None or not on:
            self.planes, self._stack = [], None
            return
        session, case = self.session, int(self.session.pool.case_of[place[0]])
        if self._stack is None or self._stack[0] != (case, self.channel):
            stack = np.stack([self._picture((each, depth)) for each, depth in self._slices()])
            self._stack = ((case, self.channel), stack)
        stack = self._stack[1]
        at = self._slices().index(place)
        _, height, width = stack.shape
        pixel = (at, min(max(int(row), 0), height - 1), min(max(int(column), 0), width - 1))
        depth, rows, columns = (float(mm) for mm in session.images.spacing[case])
        axis = session.pool.ids[place[0]].axis
        shown = []
        for plane in planes_across(stack, axis, pixel, (depth, rows, columns)):
            encoded, low, high = deep_png(on_black(plane.picture, outside(plane.picture)))
            shown.append(
                {
                    "name": plane.name,
                    "picture": encoded,
                    "range": [low, high],
                    "cross": list(plane.cross),
                    "aspect": plane.spacing[1] / plane.spacing[0],
                    "letters": list(plane.letters),
                }
            )
        self.planes = shown

    def do_superpixels(self, *, size: float, wish: str) -> None:
        """Part the slice that is drawn on into superpixels."""
        place = self._place()
        if place is None:
            return
        found = superpixels(self._picture(place), float(size))
        self.segments = {"wish": wish, "data": zlib.compress(packed(found, "int32"), 1)}

    # ------------------------------------------------------------ where
    @property
    def _of_volumes(self) -> bool:
        return bool(self.noun == "volume")

    def _place(self) -> tuple[int, int] | None:
        """Row and depth of what is shown."""
        editing = self.session.editing
        if self._look is not None:
            return self._look
        return None if editing is None else (editing.row, editing.depth)

    def _rows(self) -> list[int]:
        """Rows of the case that is shown."""
        place = self._place()
        pool = self.session.pool
        if place is None or pool is None:
            return []
        return [int(row) for row in np.flatnonzero(pool.case_of == pool.case_of[place[0]])]

    def _slices(self) -> list[tuple[int, int]]:
        """Every slice of the case that is shown, in order."""
        place = self._place()
        if place is None or not self._of_volumes:
            return [(row, 0) for row in self._rows()]
        return [(place[0], depth) for depth in range(self._depths(place[0]))]

    def _depths(self, row: int) -> int:
        return int(self._channel(row).shape[0]) if self._of_volumes else 0

    def _channel(self, row: int) -> NDArray[np.float32]:
        """The shown channel of a row, shape (h, w) or (d, h, w); of volumes the last is kept."""
        if not self._of_volumes:
            return np.asarray(self.session.images.read([row])[0, self.channel], np.float32)
        if self._volume is None or self._volume[0] != row:
            self._volume = (row, self.session.images.read([row])[0])
        return np.asarray(self._volume[1][self.channel], np.float32)

    def _picture(self, place: tuple[int, int]) -> NDArray[np.float32]:
        row, depth = place
        image = self._channel(row)
        return image[depth] if self._of_volumes else image

    def _beside(self, place: tuple[int, int], step: int) -> tuple[int, int] | None:
        """The slice before (-1) or after (1) in the same case."""
        row, depth = place
        if self._of_volumes:
            return (row, depth + step) if 0 <= depth + step < self._depths(row) else None
        rows = self._rows()
        return (row + step, 0) if row + step in rows else None

    # ------------------------------------------------------------ shown
    def _show(self) -> None:
        """Show the slice again."""
        raise AssertionError("a view shows the slice")

    def _known_of(self, place: tuple[int, int]) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """What is shown of a slice that is only looked at, and what else there is, in words."""
        found = self.session.sources(*place)
        chosen = self._chosen if self._chosen in found else None
        classes, kind = self.session.known(*place, chosen)
        if chosen is None and kind:
            chosen = found[0]
        listed = [{"key": _key(each), "words": _words(each)} for each in found]
        if found and all(each.asked for each in found):
            listed.insert(0, {"key": "", "words": "nothing"})
        return classes, {
            "source": kind,
            "sources": listed,
            "chosen": "" if chosen is None else _key(chosen),
            "told": "" if chosen is None else _words(chosen),
        }

    def _name(self, row: int) -> str:
        each = self.session.pool.ids[row]
        return f"{each.case} · {each.place}"

    def _send_pictures(self, place: tuple[int, int]) -> None:
        """Send the slice and its neighbors, these with what is known of them."""
        places = {"picture": place}
        for name, step in (("previous", -1), ("next", 1)):
            other = self._beside(place, step)
            if other is not None:
                places[name] = other
        encoded, self._known = {}, {}
        lines: dict[str, list[Any]] = {}
        for name, each in places.items():
            image = self._picture(each)
            body = outside(image)
            if name == "picture":
                case = self.session.pool.ids[place[0]].case
                self._window = self._windows.setdefault(
                    (case, self.channel), list(window(image[~body]))
                )
            encoded[name] = deep_png(on_black(image, body))
            if name != "picture":
                found, source = self.session.known(*each)
                self._known[name] = source
                lines[name] = outlines(found) if source else []
        self.pictures = {name: each[0] for name, each in encoded.items()}
        self.ranges = {name: [each[1], each[2]] for name, each in encoded.items()}
        self.outlines = lines


def _key(source: Source) -> str:
    """Name a source so that the browser can ask for it."""
    return f"{source.kind} {source.round} {source.annotator}"


def _words(source: Source) -> str:
    """Name a source for a person."""
    if source.kind == "prediction" and source.round >= 0:
        return f"prediction for round {source.round}"
    by = f" by {source.annotator}" if source.annotator else ""
    state = "" if source.state in ("", "done") else f" ({source.state})"
    return f"{source.kind}{by}{state}"


def outlines(classes: NDArray[np.uint8]) -> list[list[Any]]:
    """Outline every class of a label map: ``[class, float32 column, row …]``; see `contours`."""
    found = [int(each) for each in np.unique(classes) if each]
    return [[each, packed(contours(classes, [(each,)]), "float32")] for each in found]
