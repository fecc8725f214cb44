"""Which slices or volumes there are, and which of them are labeled since when.

Row ``i`` of every array of an experiment belongs to ``pool.ids[i]``, for ever:
labeling makes a new `Pool` and moves no row, so no index is ever translated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import SettingError

__all__ = ["Axis", "Pool", "SampleId", "SliceId", "VolumeId"]

Axis = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True, order=True, slots=True)
class SliceId:
    """One 2-D slice of one case: the unit a person labels."""

    case: str
    axis: Axis
    index: int
    #: What a person calls it; everything that is shown takes the word from here.
    noun: ClassVar[str] = "slice"

    def __str__(self) -> str:
        return f"{self.case}/{self.axis}/{self.index:04d}"

    @property
    def place(self) -> str:
        """Where in the case, for a person."""
        return f"{self.axis} {self.index}"

    @classmethod
    def parse(cls, text: str) -> SliceId:
        """Read back what ``str`` wrote.

        Raises
        ------
        SettingError
            If `text` is not of the form ``case/axis/index``.
        """
        case, _, rest = text.rpartition("/")[0].rpartition("/")
        index = text.rpartition("/")[2]
        if not case or rest not in ("axial", "coronal", "sagittal") or not index.isdigit():
            raise SettingError(
                f"{text!r} is not the name of a slice. A slice is named by its case, "
                f"axis and index, for example 'case_01/axial/0031'."
            )
        return cls(case, rest, int(index))  # type: ignore[arg-type]


@dataclass(frozen=True, order=True, slots=True)
class VolumeId:
    """One case as a whole, where whole volumes are labeled (Rahimi)."""

    case: str
    #: Volumes are stored, and shown, as a stack of axial slices.
    axis: ClassVar[Axis] = "axial"
    noun: ClassVar[str] = "volume"

    def __str__(self) -> str:
        return self.case

    @property
    def place(self) -> str:
        """Where in the case, for a person."""
        return "whole volume"


#: What a row of a pool is.
SampleId = SliceId | VolumeId


@dataclass(frozen=True, eq=False)
class Pool:
    """The slices, or volumes, that may be suggested, and which of them are labeled.

    Parameters
    ----------
    ids : tuple of SliceId or of VolumeId, length n
        The slice, or volume, of each row.
    case_of : ndarray of int, shape (n,)
        Number of the case of each row, counted from 0 in order of appearance.
    eligible : ndarray of bool, shape (n,)
        Rows that may be suggested; in a simulated run those with a reference.
    labeled_in : ndarray of int, shape (n,)
        Round in which a row was labeled, -1 where it is not.
    """

    ids: tuple[SampleId, ...]
    case_of: NDArray[np.int32]
    eligible: NDArray[np.bool_]
    labeled_in: NDArray[np.int32]

    def __post_init__(self) -> None:
        for name, dtype in (("case_of", np.int32), ("eligible", bool), ("labeled_in", np.int32)):
            array = np.array(getattr(self, name), dtype=dtype)
            if array.shape != (len(self.ids),):
                raise SettingError(
                    f"Pool.{name} has shape {array.shape}, but there are {len(self.ids)} ids. "
                    f"Every array of a pool has one row for each id."
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """Rows that are labeled, shape (n,)."""
        return self.labeled_in >= 0

    @property
    def free(self) -> NDArray[np.bool_]:
        """Rows that may be suggested now: eligible and not labeled, shape (n,)."""
        return self.eligible & ~self.labeled

    def with_labeled(self, rows: ArrayLike, round: int, again: bool = False) -> Pool:
        """Return the pool in which `rows` were labeled in `round`.

        Parameters
        ----------
        rows : array_like of int
            Rows of the pool, each once.
        round : int
            The round that trains on them first.
        again : bool
            Whether a row may be labeled already: it was withdrawn, and answered anew.

        Raises
        ------
        SettingError
            If a row is labeled already or occurs twice.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        if len(np.unique(chosen)) != len(chosen) or (self.labeled[chosen].any() and not again):
            raise SettingError(
                f"A {self.ids[0].noun} can be labeled once: the rows to label hold one twice, or "
                f"one that is labeled already. Suggest again from this pool."
            )
        labeled_in = self.labeled_in.copy()
        labeled_in[chosen] = round
        return replace(self, labeled_in=labeled_in)
