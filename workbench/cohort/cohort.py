"""What a data set is, before any voxel is read.

A `Cohort` is a list of cases that share their channels and label values. It
says where the files lie and what their labels mean; it holds no image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Case", "Cohort", "Problem"]


@dataclass(frozen=True)
class Case:
    """One scan of one person: an image per channel, and a label map if there is one."""

    id: str
    site: str
    images: Mapping[str, Path]
    label: Path | None = None


@dataclass(frozen=True)
class Problem:
    """Something about a cohort that a user should know.

    ``case`` is the id of the case, or empty where the whole cohort is meant;
    a ``fatal`` problem takes its case (or the cohort) out of use.
    """

    case: str
    sentence: str
    fatal: bool = False


@dataclass(frozen=True)
class Cohort:
    """A data set: its cases and what their labels mean.

    Parameters
    ----------
    name : str
        Short name, for headings and folders.
    layout : str
        The layout that was recognized, such as ``"BraTS"``.
    root : Path
        The folder of the files.
    cases : tuple of Case
        In natural order of their ids.
    channels : tuple of str
        Names of the image channels, in the order of the arrays.
    labels : mapping of int to str
        Label value in the files to name, background (0) left out. The class of
        a label in every array is 1 + its position in ascending order of values.
    regions : mapping of str to tuple of int
        Named unions of label *values* that are scored and drawn, such as
        ``{"whole tumor": (1, 2, 4)}``; one region per label where none are declared.
    problems : tuple of Problem
        Everything found while reading that a user should know.
    reason : str
        Why the layout was recognized, as it is told to a user.
    """

    name: str
    layout: str
    root: Path
    cases: tuple[Case, ...]
    channels: tuple[str, ...]
    labels: Mapping[int, str]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    reason: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of every label array; class 0 is the background."""
        return ("background", *(self.labels[value] for value in sorted(self.labels)))

    @property
    def region_classes(self) -> Mapping[str, tuple[int, ...]]:
        """The regions as unions of classes (positions in `classes`)."""
        class_of = {value: index + 1 for index, value in enumerate(sorted(self.labels))}
        if not self.regions:
            return {self.labels[value]: (class_of[value],) for value in sorted(self.labels)}
        return {
            name: tuple(class_of[value] for value in values)
            for name, values in self.regions.items()
        }
