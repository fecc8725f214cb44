"""What there is: the cases, their images, their labels, and where data belongs.

Choosing a case shows its slices as thumbnails, or, where volumes are labeled, one
of every volume; choosing a thumbnail makes it the current one everywhere.
Pictures are read only when they are shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Bytes, Dict, Int, List, Unicode

from widgets.pictures import grey, on_black, outside, png, sheet, shrink, telling, window
from widgets.view import View, packed
from widgets.wording import count, percent
from workbench.cohort.layouts import LAYOUTS
from workbench.reports.palette import class_styles
from workbench.session import Session

__all__ = ["CohortPanel"]

#: Longest side of a thumbnail in pixels.
THUMBNAIL = 64
#: Thumbnails in a row of the sheet that is sent.
COLUMNS = 16

WHERE = (
    'Put your data in a folder and name it: Workbench("path/to/folder"). Known layouts: '
    + ", ".join(layout.name for layout in LAYOUTS)
    + " folders; plain is images/ and labels/ with files of the same names (.nii, .nii.gz)."
)


class CohortPanel(View):
    """Cases, labels and counts; the images of one case as thumbnails."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    heading = Unicode(help="name, layout and counts").tag(sync=True)
    where = Unicode(help="where the data lies, and where a person puts their own").tag(sync=True)
    groups = List(Dict(), help="{name, count, note}: labeled, pool, test").tag(sync=True)
    cases = List(Dict(), help="{id, site, group, images, labeled, suggested}").tag(sync=True)
    labels = List(Dict(), help="{name, value, color, pattern}: the classes").tag(sync=True)
    regions = List(Dict(), help="{name, members}").tag(sync=True)
    problems = List(Unicode(), help="what reading the cohort found").tag(sync=True)
    chosen = Unicode(help="id of the case whose images are shown").tag(sync=True)
    note = Unicode(help="why there are no thumbnails").tag(sync=True)
    thumbnails = Bytes(help="PNG sheet of the chosen case").tag(sync=True)
    tile = List(Int(), help="columns, width and height of a thumbnail in pixels").tag(sync=True)
    aspect: Any = List(help="width of a thumbnail divided by its height, in mm").tag(sync=True)
    rows = Bytes(help="int32 pool rows of the thumbnails").tag(sync=True)
    names = List(Unicode(), help="what each thumbnail is").tag(sync=True)
    states = Bytes(help="uint8 of each: 0 free, 1 labeled, 2 suggested, 3 no label").tag(sync=True)
    current = Int(-1, help="row that is inspected").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self._shown = ""
        self._visible = False
        super().__init__(session, **traits)
        self.watch("cohort", self._show_cohort)
        self.watch(("cohort", "pool", "suggestions", "test_cases"), self._show_counts)
        self.watch("current", self._follow)

    # ------------------------------------------------------------ asked by the browser
    def do_visible(self) -> None:
        """The panel came into view: read the thumbnails now."""
        self._visible = True
        self._show_case()

    def do_case(self, id: str) -> None:
        """A case was chosen."""
        self.chosen = id
        self._show_case()

    def do_inspect(self, row: int) -> None:
        """A thumbnail was chosen."""
        self.session.inspect(int(row))

    # ------------------------------------------------------------ shown
    def _show_cohort(self) -> None:
        cohort = self.session.cohort
        self._shown, self.chosen, self.thumbnails = "", "", b""
        if cohort is None:
            self.heading, self.where = "No cohort is open yet", WHERE
            self.note = f"The {self.noun}s of a case appear here once the cohort is read."
            return
        self.heading = f"{cohort.name} · {cohort.layout} layout · " + ", ".join(cohort.channels)
        self.where = f"Read from {cohort.root}. {WHERE}"
        self.labels = [
            {"name": name, "value": int(values[0]), "color": color, "pattern": pattern}
            for (name, values), (color, pattern) in zip(
                cohort.values_of.items(), class_styles(len(cohort.classes))[1:], strict=True
            )
        ]
        self.regions = [
            {"name": name, "members": ", ".join(cohort.labels.get(v, str(v)) for v in members)}
            for name, members in cohort.regions.items()
            if len(members) > 1
        ]
        self.problems = [
            f"{each.case}: {each.sentence}" if each.case else each.sentence
            for each in cohort.problems
        ]

    def _show_counts(self) -> None:
        session = self.session
        if session.cohort is None:
            self.cases, self.groups = [], []
            return
        pool, test = session.pool, set(session.test_cases)
        names: list[str] = []
        images = labeled = suggested = np.zeros(0, dtype=np.int64)
        if pool is not None:
            first = np.unique(pool.case_of, return_index=True)[1]
            names = [pool.ids[int(row)].case for row in first]
            images = np.bincount(pool.case_of, minlength=len(names))
            labeled = np.bincount(pool.case_of[pool.labeled], minlength=len(names))
            suggested = np.bincount(pool.case_of[self._suggested()], minlength=len(names))
        place = {name: i for i, name in enumerate(names)}
        items: list[dict[str, Any]] = []
        for case in session.cohort.cases:
            i = place.get(case.id)
            group = "test" if case.id in test else "pool" if i is not None else "not used"
            items.append(
                {
                    "id": case.id,
                    "site": case.site,
                    "group": group,
                    "images": int(images[i]) if i is not None else 0,
                    "labeled": int(labeled[i]) if i is not None else 0,
                    "suggested": int(suggested[i]) if i is not None else 0,
                    "reference": case.label is not None,
                }
            )
        self.cases = items
        if pool is not None:
            done, total = int(pool.labeled.sum()), len(pool)
            touched = int((labeled > 0).sum())
            self.groups = [
                {
                    "name": "labeled",
                    "count": count(done, self.noun),
                    "note": f"{percent(done, total)}, from {count(touched, 'case')}",
                },
                {
                    "name": "pool",
                    "count": count(total, self.noun),
                    "note": f"from {count(len(names), 'case')}",
                },
                {
                    "name": "test",
                    "count": count(len(test), "case"),
                    "note": "held out, never trained on",
                },
            ]
        self._mark_thumbnails()

    def _suggested(self) -> Any:
        found = self.session.suggestions
        return np.zeros(0, dtype=np.int64) if found is None else found.rows

    def _follow(self) -> None:
        """What is current is in a case: open that case."""
        row, pool = self.session.current, self.session.pool
        self.current = row
        if pool is not None and 0 <= row < len(pool):
            self.chosen = pool.ids[row].case
            self._show_case()

    def _show_case(self) -> None:
        session = self.session
        if not self._visible or session.pool is None or session.images is None:
            return
        pool = session.pool
        if not self.chosen:
            self.chosen = pool.ids[0].case
        if self.chosen == self._shown:
            return
        self._shown = self.chosen
        mine = np.flatnonzero([each.case == self.chosen for each in pool.ids])
        if len(mine) and session.noun == "volume":
            mine = np.arange(len(pool))
        if not len(mine):
            held = self.chosen in set(session.test_cases)
            self.thumbnails, self.rows, self.states = b"", b"", b""
            self.note = (
                f"{self.chosen} is held out for testing. It is neither trained on nor suggested, "
                f"so it is not shown among the pool."
                if held
                else f"{self.chosen} has no {self.noun} in the pool."
            )
            return
        channel = telling(session.images.channels)
        pictures = np.asarray(session.images.pictures(mine)[:, channel], np.float32)
        mask = outside(pictures)
        low, high = window(pictures[~mask])
        pictures = shrink(on_black(pictures, mask), THUMBNAIL)
        spacing = session.images.spacing[int(pool.case_of[mine[0]])]
        _, height, width = pictures.shape
        self.note = ""
        with self.hold_sync():
            self.tile = [COLUMNS, width, height]
            self.aspect = [float(width * spacing[2] / (height * spacing[1]))]
            self.rows = packed(mine, "int32")
            self.names = [str(pool.ids[row]) for row in mine]
            self.thumbnails = png(sheet(grey(pictures, low, high), COLUMNS))
            self._mark_thumbnails()

    def _mark_thumbnails(self) -> None:
        """Say of each thumbnail whether it is labeled or suggested."""
        pool = self.session.pool
        mine = np.frombuffer(self.rows, dtype="<i4")
        if pool is None or not len(mine) or mine[-1] >= len(pool):
            return
        states = np.where(pool.eligible[mine], 0, 3)
        states[np.isin(mine, self._suggested())] = 2
        states[pool.labeled[mine]] = 1
        self.states = packed(states, "uint8")

    def still(self) -> list[Any]:
        """Draw the cohort as a figure for a report."""
        session = self.session
        if session.cohort is None or session.images is None:
            return []
        from workbench.reports.figures import cohort_figure

        return [cohort_figure(session.cohort, session.images, session.pool, session.test_cases)]
