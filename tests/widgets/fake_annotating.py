"""The fake session on which a person can draw: what is drawn is kept in memory, in order."""

from __future__ import annotations

import numpy as np

from tests.widgets.fake_app import FakeApp, FakeVolumes
from workbench.annotation.canvas import Canvas
from workbench.annotation.tools import TOOLS
from workbench.errors import SettingError
from workbench.session.reviewing import Source
from workbench.session.tasks import Cost, Editing, Task


class Drawn:
    """Methods of an annotating session, over a fake one."""

    def __init__(self, **more):
        super().__init__(**more)
        self.annotator = "ada"
        self.entries: list[tuple] = []  # kind, row, depth, classes, what was told with it
        self.full = False  # the disk
        self.others = {}  # row and depth → what others drew: name → classes
        self._states, self._answers = {}, {}
        self._ask()

    def _ask(self):
        rows = [] if self.suggestions is None else self.suggestions.rows
        self.queue = tuple(
            Task(
                int(row),
                self._answers.get(
                    int(row), "in progress" if (int(row), 0) in self._states else "suggested"
                ),
                ("ada",) if int(row) in self._answers else (),
                12.0 if int(row) in self._answers else 0.0,
            )
            for row in rows
        )

    def sources(self, row, depth=0):
        mine = [Source("annotation", self.annotator)] if (row, depth) in self._states else []
        network = [Source("prediction")] if self.predicts else []
        others = [
            Source("annotation", name, state="done", asked=True)
            for name in self.others.get((row, depth), {})
        ]
        return (*mine, *network, *others, Source("reference", asked=True))

    def known(self, row, depth=0, source=None):
        if source is None:
            source = self.sources(row, depth)[0]
            if source.asked:
                return np.zeros((64, 64), np.uint8), ""
        if source.annotator in self.others.get((row, depth), {}):
            return self.others[row, depth][source.annotator], "annotation"
        if source.kind == "annotation":
            states, place = self._states[row, depth]
            return states[place], "annotation"
        return self._classes(row, 0.85 if source.kind == "prediction" else 1.0), source.kind

    def catch_up(self):
        self.calls.append(("catch_up",))
        if self.editing is not None and not self.editing.saved:
            self._publish_drawing(self.editing.row, self.editing.depth)

    def edit(self, row, depth=None, start=None):
        depth = (10 if self.noun == "volume" else 0) if depth is None else depth
        self.calls.append(("edit", row, depth, start))
        known, source = self.known(row, depth)
        self._from = source or "empty"
        if start == "empty":
            known, self._from = np.zeros_like(known), "empty"
        states, place = self._states.get((row, depth), ([], -1))
        if not states or start:
            self._states[row, depth] = ([*states[: place + 1], known], place + 1)
        self._publish_drawing(row, depth)

    def _publish_drawing(self, row, depth):
        states, place = self._states[row, depth]
        classes = np.array(states[place])
        classes.flags.writeable = False
        strokes = [e for e in self.entries if e[1:3] == (row, depth) and e[0] == "stroke"]
        seconds = sum(entry[4].get("active_seconds", 0) for entry in strokes)
        self.editing = Editing(
            row=row,
            sample=str(self.pool.ids[row]),
            depth=depth,
            depths=20 if self.noun == "volume" else 1,
            filled=(0, 19) if self.noun == "volume" else (0, 0),
            classes=classes,
            started_from=self._from,
            can_undo=place > 0,
            can_redo=place + 1 < len(states),
            cost=Cost(strokes=len(strokes), active_seconds=seconds),
            saved=not self.full,
            number=len(self.entries),
            words="The disk is full." if self.full else "",
        )
        self._ask()

    def draw(self, classes, before=None, **told):
        here = (self.editing.row, self.editing.depth)
        states, place = self._states[here]
        if before is not None:
            classes = np.where(classes != before, classes, states[place])
        self._states[here] = ([*states[: place + 1], np.array(classes)], place + 1)
        self.entries.append(("stroke", *here, np.array(classes), told))
        self._publish_drawing(*here)

    def _move(self, kind, by):
        here = (self.editing.row, self.editing.depth)
        states, place = self._states[here]
        self._states[here] = (states, place + by)
        self.entries.append((kind, *here, states[place + by], {}))
        self._publish_drawing(*here)

    def undo(self):
        self._move("undo", -1)

    def redo(self):
        self._move("redo", 1)

    def answer(self, kind, note="", active_seconds=0.0):
        here = (self.editing.row, self.editing.depth)
        self.entries.append(
            (kind, *here, self.editing.classes, {"note": note, "active_seconds": active_seconds})
        )
        self._answers[here[0]] = kind
        self._publish_drawing(*here)

    def turn(self, step):
        rows = [task.row for task in self.queue]
        here = rows.index(self.editing.row) if self.editing and self.editing.row in rows else -1
        if step > 0:
            later = [*self.queue[here + 1 :], *self.queue[: here + 1]]
            found = [task.row for task in later if task.open]
        else:
            found = rows[:here][::-1]
        if found:
            self.edit(found[0])

    def apply_tool(self, name, *, active_seconds=0.0, **parameters):
        self.calls.append(("apply_tool", name, parameters))
        row = self.editing.row
        canvas = Canvas(self.images.read([row])[0], self.editing.classes, 4, (1.0, 1.0))
        try:
            drawn = TOOLS[name](canvas, **parameters)
        except SettingError as error:
            self.problem = str(error)
            return
        self.problem = ""
        self.draw(drawn, tool=name, active_seconds=active_seconds)


class FakeAnnotating(Drawn, FakeApp):
    """Slices to annotate."""


class FakeAnnotatingVolumes(Drawn, FakeVolumes):
    """Volumes to annotate, slice by slice."""
