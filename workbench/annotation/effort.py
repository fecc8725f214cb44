"""What it costs to correct a pre-annotation: the effort saved, in pixels and in mm.

A person who corrects redraws the parts of the contour that are wrong; the rest is saved
(effort paper, eq. 3). Counts of many slices are added first and divided afterwards, so
that a slice with a short contour does not weigh as much as one with a long one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.cohort.cohort import IGNORED
from workbench.errors import SettingError
from workbench.training.contours import contour

__all__ = ["COMPUTED", "Effort", "drawn_mm", "measure_effort", "no_effort", "stroke_mm"]

#: Tolerance of sub-pixel contours in mm, if nothing else is said: none, as in the paper.
TOLERANCE = 0.0
#: Tools that draw at one click or key: no hand leads them along a contour.
COMPUTED = frozenset({"fill", "smart fill", "scribbles", "copy", "interpolate"})
#: Pixels around a change that are looked at, so that every contour that it moves is in them.
MARGIN = 3


@dataclass(frozen=True, eq=False)
class Effort:
    """How far a pre-annotation is from what was made of it, for classes 1 … k − 1.

    Efforts of several slices are added; what is saved is divided after that.

    Parameters
    ----------
    shared : ndarray of int, shape (k - 1,)
        C of the effort paper's eq. 3: contour pixels of the reference that the
        pre-annotation's contour shares (tolerance 0 px).
    reference : ndarray of int, shape (k - 1,)
        L: all contour pixels of the reference.
    shared_mm, reference_mm : ndarray of float, shape (k - 1,)
        The same of sub-pixel contours: lengths in mm, within `tolerance_mm`.
    changed : int
        Pixels whose class was changed; ignored ones left out.
    tolerance_mm : float
        How far from the pre-annotation's contour the reference's may lie and count as shared.
    """

    shared: NDArray[np.int64]
    reference: NDArray[np.int64]
    shared_mm: NDArray[np.float64]
    reference_mm: NDArray[np.float64]
    changed: int
    tolerance_mm: float = TOLERANCE

    @property
    def saved(self) -> NDArray[np.float64]:
        """C / L of each class, from 0 to 1; NaN where the reference has no contour."""
        return _ratio(self.shared, self.reference)

    @property
    def saved_mm(self) -> NDArray[np.float64]:
        """The same of sub-pixel contours, in mm."""
        return _ratio(self.shared_mm, self.reference_mm)

    @property
    def saved_overall(self) -> float:
        """C / L over all classes: their sums divided; NaN where there is no contour."""
        return float(_ratio(self.shared.sum(), self.reference.sum()))

    def __add__(self, other: Effort) -> Effort:
        if other.tolerance_mm != self.tolerance_mm:
            raise SettingError(
                f"Efforts with tolerances of {self.tolerance_mm:g} and {other.tolerance_mm:g} mm "
                f"cannot be added. Measure both with one tolerance."
            )
        return Effort(
            self.shared + other.shared,
            self.reference + other.reference,
            self.shared_mm + other.shared_mm,
            self.reference_mm + other.reference_mm,
            self.changed + other.changed,
            self.tolerance_mm,
        )


def no_effort(classes: int, tolerance: float = TOLERANCE) -> Effort:
    """Return the effort of nothing at all, to add others to."""
    zeros, lengths = np.zeros(classes - 1, np.int64), np.zeros(classes - 1)
    return Effort(zeros, zeros, lengths, lengths, 0, tolerance)


def measure_effort(
    prediction: ArrayLike,
    reference: ArrayLike,
    classes: int,
    *,
    spacing: Sequence[float] = (1.0, 1.0),
    tolerance: float = TOLERANCE,
) -> Effort:
    """Compare a pre-annotation with the label map that was made of it.

    Parameters
    ----------
    prediction, reference : array of int, shape (h, w) or (..., h, w)
        Class of every pixel; of volumes each slice is drawn on its own, and all are added.
        Where the reference is `IGNORED`, neither of the two counts.
    classes : int
        k, background included.
    spacing : sequence of two float
        Size of a pixel along h and w in mm.
    tolerance : float
        Of the contours in mm, at least 0 mm. The count in pixels has none (method.md §6).

    Raises
    ------
    SettingError
        If the two are not of one shape, or spacing or tolerance is out of its range.

    References
    ----------
    Efforts estimation of doctors annotating medical image (arXiv 1901.02355), eq. 3.
    """
    p, r = np.asarray(prediction), np.asarray(reference)
    if p.shape != r.shape or p.ndim < 2:
        raise SettingError(
            f"The pre-annotation has shape {p.shape} and the reference {r.shape}. Both are label "
            f"maps of one slice or one volume, of the same shape."
        )
    if not (len(spacing) == 2 and min(spacing) > 0 and 0 <= tolerance < math.inf):
        raise SettingError(
            f"spacing is {tuple(spacing)} and tolerance {tolerance!r}. Give the two sides of a "
            f"pixel in mm, above 0, and a tolerance in mm of at least 0."
        )
    p = np.where(r == IGNORED, IGNORED, p)
    foreground = range(1, classes)
    shared, length = np.zeros(classes - 1, np.int64), np.zeros(classes - 1, np.int64)
    shared_mm, length_mm = np.zeros(classes - 1), np.zeros(classes - 1)
    for place, each in enumerate(foreground):
        mine, theirs = p == each, r == each
        edge = contour(theirs)
        shared[place] = np.count_nonzero(edge & contour(mine))
        length[place] = np.count_nonzero(edge)
        for one, other in zip(_slices(mine), _slices(theirs), strict=True):
            found = _shared_mm(one, other, spacing, tolerance)
            shared_mm[place] += found[0]
            length_mm[place] += found[1]
    changed = int(np.count_nonzero(p != r))
    return Effort(shared, length, shared_mm, length_mm, changed, tolerance)


def drawn_mm(
    before: NDArray[np.bool_], after: NDArray[np.bool_], spacing: Sequence[float] = (1.0, 1.0)
) -> float:
    """Length in mm of the contour that a mask (h, w) has and did not have before."""
    shared, whole = _shared_mm(before, after, spacing, 0.0)
    return whole - shared


def stroke_mm(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    spacing: Sequence[float] = (1.0, 1.0),
    tool: str = "",
) -> float:
    """Length in mm of the contour that a hand drew on a label map (h, w), sub-pixel.

    Brush, eraser, polygon and superpixels are led by a hand; with a tool of `COMPUTED` it is 0.

    Where a class was painted, that is the new part of its contour: that it ends those of its
    neighbors there is not counted twice. Where only background was left, it is the new part of the
    contours of what was erased.
    """
    changed = before != after
    if tool in COMPUTED or not changed.any():
        return 0.0
    painted = np.unique(after[changed])
    classes = painted if painted.any() else np.unique(before[changed])
    near = _around(changed)
    return sum(
        drawn_mm(before[near] == each, after[near] == each, spacing)
        for each in classes.tolist()
        if each not in (0, IGNORED)
    )


def _around(changed: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest part of an image in which a change there can move contours."""
    rows, columns = np.nonzero(changed)
    top, left = (max(int(each.min()) - MARGIN, 0) for each in (rows, columns))
    return (
        slice(top, int(rows.max()) + MARGIN + 1),
        slice(left, int(columns.max()) + MARGIN + 1),
    )


def _ratio(shared: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    top, bottom = np.asarray(shared, np.float64), np.asarray(whole, np.float64)
    return np.divide(top, bottom, out=np.full_like(bottom, np.nan), where=bottom > 0)


def _slices(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return masks.reshape(-1, *masks.shape[-2:])


def _segments(
    mask: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends, in mm, of the short lines that the contours of a mask (h, w) are made of."""
    from skimage.measure import find_contours

    starts, ends = [np.zeros((0, 2))], [np.zeros((0, 2))]
    if mask.any():
        # A frame of background closes the contours of what touches the border.
        framed = np.pad(mask, 1).astype(np.float64)
        for line in find_contours(framed, 0.5):  # type: ignore[no-untyped-call]
            points = (line - 1) * np.asarray(spacing, dtype=np.float64)
            starts.append(points[:-1])
            ends.append(points[1:])
    return np.concatenate(starts), np.concatenate(ends)


def _lengths(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(ends - starts, axis=1), dtype=np.float64)


def _shared_mm(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: Sequence[float],
    tolerance: float,
) -> tuple[float, float]:
    """Length of the reference's contour that is near the prediction's, and its whole length.

    A short line of it is near if its middle is within the tolerance of the other contour.
    """
    starts, ends = _segments(reference, spacing)
    lengths = _lengths(starts, ends)
    others = _segments(prediction, spacing)
    if not len(starts) or not len(others[0]):
        return 0.0, float(lengths.sum())
    near = _near((starts + ends) / 2, *others, tolerance)
    return float(lengths[near].sum()), float(lengths.sum())


def _near(
    points: NDArray[np.float64],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.bool_]:
    """Tell which points (m, 2) are within a tolerance of any of some lines (n, 2), (n, 2)."""
    from scipy.spatial import KDTree

    # Rounding may put the middle of the very same line beside it.
    reach = tolerance + 1e-9
    half = _lengths(starts, ends).max() / 2
    found = KDTree((starts + ends) / 2).query_ball_point(points, reach + half)
    counts = np.array([len(each) for each in found])
    lines = np.concatenate([np.asarray(each, dtype=np.int64) for each in found])
    origin, way = starts[lines], ends[lines] - starts[lines]
    apart = np.repeat(points, counts, axis=0) - origin
    along = np.clip((apart * way).sum(axis=1) / (way * way).sum(axis=1), 0.0, 1.0)
    close = np.linalg.norm(apart - along[:, None] * way, axis=1) <= reach
    near = np.zeros(len(points), dtype=bool)
    near[np.repeat(np.arange(len(points)), counts)[close]] = True
    return near
