"""The editor: a person corrects the label map of a suggested slice, and every stroke is saved.

While a stroke is drawn the label map lives in the browser. When the brush is lifted, it comes here
as it is and as it was before, with the tool and the time of work, goes to `session.draw`, and is in
the ledger when the browser is told "saved". What others drew meanwhile stays. Beside the slice
stand its neighbors; any other slice of any case can be looked at, with what is known of it, source
by source, without a model.
"""

from __future__ import annotations

import zlib
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Bytes, Dict, List, Unicode

from widgets.pictures import LETTERS, telling
from widgets.slice_view import SliceView
from widgets.task_list import listed_cases, listed_tasks, nothing_open, trainable
from widgets.view import packed
from widgets.wording import count
from workbench.annotation.entry import annotator_name
from workbench.errors import RunError
from workbench.reports.palette import class_styles
from workbench.session import Session
from workbench.session.tasks import Editing

__all__ = ["MaskEditor"]

HERE = Path(__file__)
SCRIPTS = (
    *("_paint", "_screen", "_pointer", "_clock", "_queue"),
    *("_panels", "_menu", "_computed", "_banner", ""),
)


class MaskEditor(SliceView):
    """Draw on the label map of a slice, answer it, and go to the next."""

    _esm = tuple(HERE.with_name(f"mask_editor{part}.js") for part in SCRIPTS)
    _css = HERE.with_suffix(".css")
    mask = Bytes(help="label map, row by row, deflated").tag(sync=True)
    info = Dict(help="what is on the stage; see _describe").tag(sync=True)
    classes = List(Dict(), help="{name, color, pattern}, background first").tag(sync=True)
    tasks = List(Dict(), help="the queue: {row, name, case, place, state, …}").tag(sync=True)
    cases = List(Dict(), help="{case, row, count, done}").tag(sync=True)
    about = Dict(help="{trainable, untrainable, annotator}").tag(sync=True)
    training = Unicode(help="how far a round has come that trains meanwhile").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self._viewers: set[str] = set()  # browsers in which it is looked at
        self._stamp = ""  # the message that is answered, and the label map that was sent with it
        self._shown: NDArray[np.uint8] | None = None
        self._edited: tuple[int, int] | None = None  # row and depth that are drawn on
        self._drawn: tuple[Any, ...] = ()  # what the pictures show
        super().__init__(session, **traits)
        self.watch(("images", "labels"), self._opened)
        self.watch("editing", self._follow)
        self.watch(("round", "predictions"), self._show)
        self.watch("pool", self._list_cases)
        self.watch(("queue", "pool", "round", "annotator", "busy", "only_look"), self._list)
        self.watch(("busy", "progress"), self._tell)

    # ------------------------------------------------------------ asked by the browser
    def do_visible(self, *, client: str = "", on: bool = True) -> None:
        """The editor came into view in a browser, or left it."""
        if not on:
            self._viewers.discard(client)
            return
        self._viewers.add(client)
        self.session.catch_up()
        self._show()

    def do_catch_up(self) -> None:
        """Take in what others have drawn, and save what waits."""
        self.session.catch_up()

    def do_save(self, *, tool: str, place: list[int], stamp: str, buffers: list[Any]) -> None:
        """Save again what could not be saved; a stroke only if it never came here."""
        editing = self._open_at(place)
        after, before = self._maps(editing, buffers)
        if (after == editing.classes)[after != before].all():
            self._answering(stamp, self.session.catch_up, after)
            self._refuse_unsaved()
        else:
            self.do_stroke(tool=tool, seconds=0.0, place=place, stamp=stamp, buffers=buffers)

    def do_stroke(
        self, *, tool: str, seconds: float, place: list[int], stamp: str, buffers: list[Any]
    ) -> None:
        """Save a stroke, told by the label maps after it and before it."""
        after, before = self._maps(self._open_at(place), buffers)

        def draw() -> None:
            self.session.draw(after, before=before, tool=tool, active_seconds=float(seconds))
            here = self.session.editing
            if here is not None and here.saved and not self.session.problem:
                self.send({"saved": stamp})  # before all that is to be shown is put together

        self._answering(stamp, draw, after)
        self._refuse_unsaved()

    def _maps(self, editing: Editing, buffers: list[Any]) -> list[NDArray[np.uint8]]:
        """Read the two label maps that the browser sends with a stroke."""
        maps = [np.frombuffer(bytes(each), np.uint8) for each in buffers]
        for each in maps:
            if each.size != editing.classes.size:
                raise RunError(
                    f"The browser sent {each.size:,} pixels, but the slice has "
                    f"{editing.classes.size:,}. Open the slice again."
                )
        return [each.reshape(editing.classes.shape) for each in maps]

    def do_undo(self, *, place: list[int], stamp: str = "") -> None:
        """Take back the last stroke."""
        self._open_at(place)
        self._answering(stamp, self.session.undo)

    def do_redo(self, *, place: list[int], stamp: str = "") -> None:
        """Draw again what was taken back."""
        self._open_at(place)
        self._answering(stamp, self.session.redo)

    def do_tool(
        self,
        *,
        name: str,
        place: list[int],
        seconds: float = 0.0,
        stamp: str = "",
        buffers: list[Any] | None = None,
        **parameters: Any,
    ) -> None:
        """Draw with a tool that is computed here."""
        editing = self._open_at(place)
        if name in ("smart fill", "scribbles"):
            parameters["channel"] = self.channel
        if name == "scribbles" and buffers:
            scribbles = np.frombuffer(bytes(buffers[0]), np.uint8)
            parameters["scribbles"] = scribbles.reshape(editing.classes.shape)
        self._answering(
            stamp,
            lambda: self.session.apply_tool(name, active_seconds=float(seconds), **parameters),
        )

    def do_answer(
        self,
        *,
        kind: str,
        place: list[int],
        note: str = "",
        seconds: float = 0.0,
        stamp: str = "",
    ) -> None:
        """Take the answer, and open the next task that is not answered."""
        self._open_at(place)
        self._answering(stamp, lambda: self.session.answer(kind, note, float(seconds)))
        here = self.session.editing
        tasks = self.session.queue
        taken = any(here and (task.row, task.state) == (here.row, kind) for task in tasks)
        if taken and any(task.open for task in tasks):
            self.session.turn(1)

    def do_turn(self, *, by: int, stamp: str = "") -> None:
        """Open the next or the previous task of the queue."""
        self._look = None
        self.session.turn(int(by))
        self._show()
        if by > 0 and not any(task.open for task in self.session.queue):
            raise RunError("All of this round is answered. Train with these, or look at Cases.")

    def do_edit(
        self, *, row: int, depth: int | None = None, start: str | None = None, stamp: str = ""
    ) -> None:
        """Draw on a slice."""
        self._look = None
        self._answering(stamp, lambda: self.session.edit(int(row), depth, start))
        self._show()

    def do_sign(self, *, name: str, stamp: str = "") -> None:
        """Say who draws."""
        self.session.annotator = annotator_name(name)

    def do_train(self, *, stamp: str = "") -> None:
        """Start the next round with what is done."""
        self.session.start_round()

    def _open_at(self, place: list[int]) -> Editing:
        """Return what is drawn on, if it is what the browser shows: its row and depth."""
        editing = self.session.editing
        if editing is None or [editing.row, editing.depth] != place:
            raise RunError(
                f"This was meant for a {self.noun} that is no longer open. Open it again."
            )
        return editing

    def _refuse_unsaved(self) -> None:
        editing = self.session.editing
        if editing is None or not editing.saved:
            raise RunError("" if editing is None else editing.words)

    def _answering(self, stamp: str, action: Any, shown: NDArray[np.uint8] | None = None) -> None:
        """Let the browser know its own wish when it comes back; raise what is refused.

        With `shown`, the label map on its stage, it is not told so if there is another one now.
        """
        self._stamp, self._shown = stamp, shown
        try:
            with self.hold_sync():
                action()
        finally:
            self._stamp, self._shown = "", None
        if self.session.problem:
            raise RunError(self.session.problem)

    # ------------------------------------------------------------ shown
    def _opened(self) -> None:
        """Begin with the channel that tells most, and the classes of the labels."""
        images, labels = self.session.images, self.session.labels
        if images is None:
            return
        self._forget()
        self.channel = telling(images.channels)
        names = ("background", "foreground") if labels is None else labels.classes
        self.classes = [
            {"name": name, "color": color, "pattern": pattern}
            for name, (color, pattern) in zip(names, class_styles(len(names)), strict=True)
        ]
        self._drawn = ()
        self._list()
        self._show()

    def _follow(self) -> None:
        """Show what is drawn on; where another slice was opened, looking around has an end."""
        editing = self.session.editing
        now = None if editing is None else (editing.row, editing.depth)
        if now != self._edited:
            self._edited, self._look = now, None
        self._show()

    def _list(self) -> None:
        """List the queue and the cases."""
        session = self.session
        pool = session.pool
        ready, reason = trainable(session)
        self.about = {"trainable": ready, "untrainable": reason, "annotator": session.annotator}
        if pool is None or session.images is None:
            self.tasks = []
            return
        self.tasks = listed_tasks(session.queue, pool)
        if self._place() is None:
            self._show()

    def _list_cases(self) -> None:
        """List the cases; a stroke changes nothing of them."""
        pool = self.session.pool
        self.cases = [] if pool is None else listed_cases(pool)

    def _tell(self) -> None:
        """Tell how far a round has come; a hundred steps are enough."""
        progress = self.session.progress
        if self.session.busy != "model":
            self.training = ""
        elif progress is None or not progress.total:
            self.training = "the next round is starting"
        else:
            self.training = f"{progress.stage}: {int(100 * progress.fraction)} %"

    def _show(self) -> None:
        if not self._viewers and self._drawn:
            return  # what is not looked at costs nothing; it is brought up to date when it is
        if not self._viewers or self.session.images is None or self.session.pool is None:
            self.info = {"open": False, "key": "", "lines": nothing_open(self.session)}
            return
        place = self._place()
        editing = self.session.editing if self._look is None else None
        if place is None:
            self._drawn = ()
            with self.hold_sync():
                self.pictures, self.ranges, self.outlines, self.mask = {}, {}, {}, b""
                self.info = {"open": False, "key": "", "lines": nothing_open(self.session)}
            return
        classes, told = (editing.classes, {}) if editing else self._known_of(place)
        drawing = editing is not None and not editing.awaited
        shown = (*place, self.channel, self.session.round, self.session.predictions, drawing)
        fresh = len(shown) != len(self._drawn) or any(
            a is not b and a != b for a, b in zip(shown, self._drawn, strict=True)
        )
        with self.hold_sync():
            if fresh:
                self._drawn = shown
                self._send_pictures(place)
            self.mask = zlib.compress(packed(classes, "uint8"), 1)
            self.info = self._describe(place, classes) | told

    def _describe(self, place: tuple[int, int], classes: NDArray[np.uint8]) -> dict[str, Any]:
        """Collect the names, numbers and words that stand around the slice."""
        session = self.session
        row, depth = place
        pool, images, editing = session.pool, session.images, session.editing
        each = pool.ids[row]
        spacing = images.spacing[int(pool.case_of[row])]
        rows = self._rows()
        slices = self._depths(row) if self._of_volumes else len(rows)
        name = self._name(row)
        if self._of_volumes:
            name = f"{each.case} · slice {depth + 1} of {slices}"
        awaited = "" if self._look is not None or editing is None else editing.awaited
        looking = self._look is not None or editing is None or bool(awaited)
        same = self._shown is None or np.array_equal(self._shown, classes)
        told: dict[str, Any] = {
            "open": True,
            "key": f"{row}/{depth}/{'look' if looking else 'edit'}",
            "stamp": self._stamp if same else "",
            "looking": looking,
            "awaited": awaited,
            "back": editing is not None and not awaited,
            "source": "",
            "sources": [],
            "row": row,
            "depth": depth,
            "at": depth if self._of_volumes else rows.index(row),
            "count": slices,
            "case": each.case,
            "name": name,
            "shape": [int(side) for side in classes.shape],
            "spacing": [float(spacing[1]), float(spacing[2])],
            "letters": list(LETTERS[each.axis]),
            "window": self._window,
            "channels": list(images.channels),
            "beside": self._known,
        }
        if editing is not None and self._look is None:
            told |= {"saved": editing.saved, "words": editing.words, "others": editing.others}
        if editing is not None and not looking:
            starts = ["annotation", "empty"]
            told |= {
                "started_from": editing.started_from,
                "can_undo": editing.can_undo,
                "can_redo": editing.can_redo,
                "strokes": editing.strokes,
                "seconds": float(editing.active_seconds),
                "starts": [*(["prediction"] if session.predicts else []), *starts],
            }
        return told

    def still(self) -> list[Any]:
        """Draw the slice with its label map as a figure, for a report."""
        from workbench.reports.figures import annotation_figure

        place, editing = self._place(), self.session.editing
        if place is None:
            return []
        if self._look is None and editing is not None:
            drawn = count(editing.strokes, "stroke")
            classes, source = editing.classes, f"{drawn} by {self.session.annotator}"
        else:
            classes, told = self._known_of(place)
            source = told["told"]
        spacing = self.session.images.spacing[int(self.session.pool.case_of[place[0]])]
        axis = self.session.pool.ids[place[0]].axis
        names = [escape(each["name"], quote=False) for each in self.classes]  # plotly reads markup
        title = escape(f"{self._name(place[0])} · {source or 'nothing drawn yet'}", quote=False)
        return [
            annotation_figure(self._picture(place), classes, names, spacing[1:], axis, title=title)
        ]
