"""The only way to a label.

Training, probing and scoring ask a `LabelSource`; none of them opens a label
file. So it is one object that decides whether a label is the data set's
reference or a person's annotation, and a simulated run cannot peek.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.cohort.cohort import Cohort, Problem
from workbench.cohort.label_maps import Samples, build_labels, foreground
from workbench.errors import StoreError
from workbench.files import read_json
from workbench.jobs import finish

__all__ = ["LabelSource", "ReferenceLabels", "foreground_pixels"]


class LabelSource(Protocol):
    """Gives the label maps of rows.

    Attributes
    ----------
    key : str
        Names the content: equal images and equal keys, equal labels.
    classes : tuple of str, length k
        Names of the classes; class 0 is the background.
    regions : mapping of str to tuple of int
        Named unions of classes that are scored and drawn.
    available : ndarray of bool, shape (n,)
        Rows for which there is a label.
    """

    key: str
    classes: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]]
    available: NDArray[np.bool_]

    def read(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return the class of every pixel of `rows`, shape (m, h, w) or (m, d, h, w)."""
        ...


class ReferenceLabels:
    """The labels that came with a data set: a `LabelSource`.

    Parameters
    ----------
    store : ImageStore
        The slices.
    cohort : Cohort
        The cohort that the store was built from.

    Raises
    ------
    StoreError
        If the label maps cannot be written, or were damaged.

    Attributes
    ----------
    key, classes, regions, available
        See `LabelSource`; a row has a label if its case has a usable one.
    foreground : ndarray of int64, shape (n,)
        Labeled pixels of each row; -1 where there is no label.
    problems : tuple of Problem
        Label maps that could not be used, and why.
    """

    def __init__(self, store: Samples, cohort: Cohort) -> None:
        folder = finish(build_labels(store, cohort))
        self.key = folder.name
        self.classes = cohort.classes
        self.regions: Mapping[str, tuple[int, ...]] = dict(cohort.region_classes)
        try:
            self.foreground: NDArray[np.int64] = np.load(folder / "foreground.npy")
            self.problems = tuple(Problem(**each) for each in read_json(folder / "problems.json"))
            self._maps = np.load(folder / "labels.npy", mmap_mode="r")
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise StoreError(
                f"{folder} does not hold whole label maps ({error}). Delete that folder: it is "
                f"built again from the label files when it is next needed."
            ) from error
        self.available: NDArray[np.bool_] = self.foreground >= 0
        self.foreground.flags.writeable = self.available.flags.writeable = False

    def read(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return the class of every pixel of `rows`, shape (m, h, w) or (m, d, h, w)."""
        return np.array(self._maps[np.asarray(rows, dtype=np.int64)])


def foreground_pixels(
    labels: LabelSource, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Count the pixels that are not background; NaN without a label.

    Those of references were counted when their label maps were built; of others every map
    is read.

    Parameters
    ----------
    labels : LabelSource
    rows : ndarray of int, shape (m,), optional
        All rows if not given.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    chosen = np.arange(len(labels.available)) if rows is None else rows
    if isinstance(labels, ReferenceLabels):
        pixels = labels.foreground[chosen].astype(np.float64)
    else:
        pixels = np.full(len(chosen), np.nan)
        for place, row in enumerate(chosen.tolist()):
            if labels.available[row]:
                pixels[place] = np.count_nonzero(foreground(labels.read([row])))
    pixels[~labels.available[chosen]] = np.nan
    return pixels
