"""A simulated annotator: corrects a pre-annotation towards the reference, stroke by stroke.

It works at the same desk as a person does (a session, or the ledger itself where there is
none), so that what it costs is told by the same entries. How exactly and how fast it works
are its settings; which strokes it draws is decided by a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.effort import stroke_mm
from workbench.annotation.entry import Entry
from workbench.annotation.ledger import Ledger
from workbench.cohort.cohort import IGNORED
from workbench.cohort.pool import SampleId
from workbench.errors import SettingError, did_you_mean

__all__ = ["Annotator", "Desk", "LedgerDesk", "Stroke", "annotator", "correct", "strokes"]

#: Width of the smooth noise of a drawn boundary in mm: a hand does not tremble from pixel to pixel.
TREMOR = 4.0


@dataclass(frozen=True)
class Annotator:
    """How exactly and how fast a simulated annotator works.

    Parameters
    ----------
    noise_mm : float
        Standard deviation of where a boundary is put around the reference's, mm; 0: exactly.
    missed : float
        Share of the wrong places of a pre-annotation (each a connected one) that are overlooked,
        0 to 1.
    smallest_mm2 : float
        Wrong places of less area are let be, mm²; 0: every single pixel is corrected, each
        with a stroke of its own.
    mm_per_second : float
        Contour drawn in a second, above 0.
    seconds_per_stroke : float
        For choosing class and tool and moving there, at least 0.
    seconds_per_slice : float
        For opening a slice and looking at it, at least 0.

    Notes
    -----
    The speeds are round numbers that were not measured; effort in strokes and in mm does not
    depend on them.
    """

    noise_mm: float = 0.0
    missed: float = 0.0
    smallest_mm2: float = 0.0
    mm_per_second: float = 10.0
    seconds_per_stroke: float = 1.0
    seconds_per_slice: float = 3.0

    def __post_init__(self) -> None:
        for name in ("noise_mm", "smallest_mm2", "seconds_per_stroke", "seconds_per_slice"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingError(
                    f"annotator.{name} is {getattr(self, name)!r}. It is a number of at least 0."
                )
        if not 0 <= self.missed <= 1:
            raise SettingError(
                f"annotator.missed is {self.missed!r}. It is a share of what is wrong, from 0 to 1."
            )
        if not self.mm_per_second > 0:
            raise SettingError(
                f"annotator.mm_per_second is {self.mm_per_second!r}. It must be above 0."
            )


def annotator(given: Mapping[str, Any]) -> Annotator:
    """Make an annotator of settings.

    Raises
    ------
    SettingError
        If a setting is unknown, no number, or out of range.
    """
    known = [each.name for each in fields(Annotator)]
    for name, value in given.items():
        if name not in known:
            raise SettingError(
                f"annotator has no setting {name!r}.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}."
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SettingError(f"annotator.{name} is {value!r}. It must be a number.")
    return Annotator(**given)


@dataclass(frozen=True, eq=False)
class Stroke:
    """One correction.

    Parameters
    ----------
    classes : ndarray of uint8, shape (h, w)
        The whole label map after it.
    tool : {"brush", "eraser"}
        "eraser" where it became background.
    seconds : float
        What it took.
    contour_mm : float
        Length of the contour that had to be drawn.
    """

    classes: NDArray[np.uint8]
    tool: str
    seconds: float
    contour_mm: float


def strokes(
    classes: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    how: Annotator,
    rng: np.random.Generator,
    spacing: Sequence[float] = (1.0, 1.0),
) -> Iterator[Stroke]:
    """Correct a label map, one wrong place after the other, the largest first.

    A place is a connected set of pixels that have to become one class. Of a place that is
    painted, the new part of that class's contour has to be drawn; of one that is erased, the
    new parts of the contours of what is left.

    Parameters
    ----------
    classes : ndarray of uint8, shape (h, w)
        What is corrected: a prediction, or nothing but background.
    reference : ndarray of uint8, shape (h, w)
        What is right; where it is `IGNORED`, nothing is touched.
    how : Annotator
        Accuracy and speed.
    rng : numpy.random.Generator
        Decides the boundary's noise and what is overlooked.
    spacing : sequence of two float
        Size of a pixel along h and w, mm.
    """
    from skimage.measure import label

    aim = _aim(reference, how.noise_mm, rng, spacing)
    wrong = (classes != aim) & (aim != IGNORED)
    # Places that have to become different classes are told apart; 0 is what is right.
    wanted = np.where(wrong, aim.astype(np.int64) + 1, 0)
    places = label(wanted, connectivity=1)  # type: ignore[no-untyped-call]
    sizes, pixel = np.bincount(places.ravel()), float(np.prod(spacing))
    now = np.array(classes)
    for place in 1 + np.argsort(-sizes[1:], kind="stable"):
        if rng.random() < how.missed or sizes[place] * pixel < how.smallest_mm2:
            continue
        inside = places == place
        value = int(aim[inside][0])
        after = np.where(inside, np.uint8(value), now)
        tool = "brush" if value else "eraser"
        mm = stroke_mm(now, after, spacing, tool)
        seconds = how.seconds_per_stroke + mm / how.mm_per_second
        now = after
        yield Stroke(after, tool, seconds, mm)


def _aim(
    reference: NDArray[np.uint8], noise: float, rng: np.random.Generator, spacing: Sequence[float]
) -> NDArray[np.uint8]:
    """The reference with boundaries that are put where an inexact hand puts them.

    Each class's distance to its boundary is moved by smooth noise; a pixel goes to the class
    that it is deepest in.
    """
    values = np.unique(reference[reference != IGNORED])
    if noise == 0 or len(values) < 2:
        return reference
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    depths, half = [], float(np.mean(spacing)) / 2
    for value in values:
        inside = reference == value
        away, deep = (distance_transform_edt(mask, sampling=spacing) for mask in (~inside, inside))
        field = gaussian_filter(
            rng.normal(size=reference.shape), TREMOR / np.asarray(spacing, float), mode="wrap"
        )
        deviation = field.std()
        # Two classes meet where their depths are equal: each takes half of the noise's variance.
        moved = field / deviation * noise * np.sqrt(2.0) if deviation > 0 else 0.0
        # Distances are between the middles of pixels: the boundary is half a pixel nearer.
        depths.append(deep - away - half * np.where(inside, 1, -1) + moved)
    drawn = values[np.argmax(depths, axis=0)]
    return np.where(reference == IGNORED, reference, drawn).astype(np.uint8)


# ---------------------------------------------------------------- where it works
class Canvas(Protocol):
    """What lies on a desk."""

    @property
    def classes(self) -> NDArray[np.uint8]: ...

    @property
    def awaited(self) -> str:
        """Why nothing can be drawn on it yet; empty if it can."""
        ...


class Desk(Protocol):
    """Where an annotator works: `workbench.session.Session` is one, `LedgerDesk` another."""

    @property
    def editing(self) -> Canvas | None:
        """What is on the desk."""
        ...

    def edit(self, row: int, depth: int = 0, start: str | None = None) -> None:
        """Put a slice on it."""
        ...

    def wait(self) -> None:
        """Wait until what was put on it can be drawn on."""
        ...

    def draw(
        self,
        classes: NDArray[np.uint8],
        *,
        tool: str,
        active_seconds: float,
        contour_mm: float,
    ) -> None:
        """Draw a stroke."""
        ...

    def answer(self, kind: str, note: str = "", *, active_seconds: float = 0.0) -> None:
        """Say what becomes of it."""
        ...


def correct(
    desk: Desk,
    row: int,
    reference: NDArray[np.uint8],
    how: Annotator,
    *,
    seed: Sequence[int],
    spacing: Sequence[float] = (1.0, 1.0),
    start: str | None = None,
) -> None:
    """Correct one slice or volume at a desk, and answer "done".

    Parameters
    ----------
    desk : Desk
        A session, or a ledger's desk.
    row : int
        Row of the pool.
    reference : ndarray of uint8, shape (h, w) or (d, h, w)
        What is right; never shown to the desk. Of a volume every slice is opened, one after the
        other.
    how : Annotator
        Accuracy and speed.
    seed : sequence of int
        Together with the row it decides every stroke.
    spacing : sequence of two float
        Size of a pixel along h and w, mm.
    start : str, optional
        As in `Desk.edit`.
    """
    slices = reference if reference.ndim == 3 else reference[None]
    waiting = 0.0
    for depth in range(len(slices)):
        desk.edit(row, depth, start)
        if desk.editing is not None and desk.editing.awaited:
            desk.wait()  # a session predicts volumes in the background
        canvas = desk.editing
        assert canvas is not None
        waiting += how.seconds_per_slice
        rng = np.random.default_rng((*seed, row, depth))
        for stroke in strokes(canvas.classes, slices[depth], how, rng, spacing):
            desk.draw(
                stroke.classes,
                tool=stroke.tool,
                active_seconds=waiting + stroke.seconds,
                contour_mm=stroke.contour_mm,
            )
            waiting = 0.0
    desk.answer("done", active_seconds=waiting)


@dataclass(frozen=True, eq=False)
class _Sheet:
    classes: NDArray[np.uint8]
    awaited: str = ""


class LedgerDesk:
    """A desk without a session: what is done at it is written to a ledger, sample by sample.

    Parameters
    ----------
    ledger : Ledger
        Takes the entries of a sample when it is answered, all of them or none.
    ids : sequence of SliceId or of VolumeId
        Of the pool's rows.
    round : int
        The round that asked for the annotations.
    predictions : mapping of int to ndarray
        Class map of a row, (h, w) or (d, h, w), to begin with; of others the canvas is empty.
    size : sequence of int
        Rows and columns of a slice.
    name : str
        Who annotates.
    """

    def __init__(
        self,
        ledger: Ledger,
        ids: Sequence[SampleId],
        round: int,
        predictions: Mapping[int, NDArray[np.uint8]],
        size: Sequence[int],
        name: str = "simulated",
    ) -> None:
        self.ledger, self.ids, self.round = ledger, ids, round
        self.predictions, self.size, self.name = predictions, tuple(size[-2:]), name
        self._entries: list[Entry] = []

    @property
    def editing(self) -> Canvas | None:
        """The label map on the desk."""
        if not self._entries or self._entries[-1].classes is None:
            return None
        return _Sheet(self._entries[-1].classes)

    def edit(self, row: int, depth: int = 0, start: str | None = None) -> None:
        """Put a slice on the desk: the prediction if there is one, unless start is "empty"."""
        given = None if start == "empty" else self.predictions.get(row)
        if given is None:
            classes, began = np.zeros(self.size, np.uint8), "empty"
        else:
            classes, began = given[depth] if given.ndim == 3 else given, "prediction"
        self._entries.append(
            Entry(str(self.ids[row]), "opened", classes, depth, self.name, self.round, began)
        )

    def wait(self) -> None:
        """All is there at once."""

    def draw(
        self,
        classes: NDArray[np.uint8],
        *,
        tool: str,
        active_seconds: float,
        contour_mm: float,
    ) -> None:
        """Take a stroke."""
        entry = replace(
            self._entries[-1],
            kind="stroke",
            classes=classes,
            tool=tool,
            active_seconds=active_seconds,
            contour_mm=contour_mm,
        )
        self._entries.append(entry)

    def answer(self, kind: str, note: str = "", *, active_seconds: float = 0.0) -> None:
        """Answer for every slice that was opened of the sample, and write it all down."""
        last = {entry.depth: entry for entry in self._entries}
        answers = [
            replace(entry, kind=kind, note=note, tool="", active_seconds=0.0, contour_mm=0.0)
            for entry in last.values()
        ]
        answers[-1] = replace(answers[-1], active_seconds=active_seconds)
        self.ledger.extend([*self._entries, *answers])
        self._entries = []
