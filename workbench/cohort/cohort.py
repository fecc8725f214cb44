"""What a data set is, before any voxel is read.

A `Cohort` is a list of cases that share their channels and label values. It
says where the files lie and what their labels mean; it holds no image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from workbench.errors import SettingError

__all__ = ["AUTO", "IGNORED", "Case", "Cohort", "CohortOptions", "Problem", "Task"]

#: The word for "what the data set's layout says".
AUTO = "auto"
#: Marks voxels in arrays of classes that count for nothing: no loss, no metric.
IGNORED = 255

Unknown = Literal["refuse", "background"]


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

    def __str__(self) -> str:
        named = not self.case or self.sentence.startswith(f"{self.case} ")
        return self.sentence if named else f"{self.case}: {self.sentence}"


@dataclass(frozen=True)
class Task:
    """What the label values of a data set stand for in one segmentation task.

    Parameters
    ----------
    name : str
        What it is chosen by.
    labels, regions, background, ignored
        See `Cohort`.
    """

    name: str
    labels: Mapping[int, str]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    background: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()


@dataclass(frozen=True)
class CohortOptions:
    """How the files of a cohort are understood, where there is a choice.

    Parameters
    ----------
    layout : str
        The name of its layout; ``"auto"`` recognizes it.
    task : str
        The name of one of its tasks; ``"auto"`` takes the layout's own.
    unknown_labels : {"refuse", "background"}
        What becomes of a label map with values that the task does not know: it is not used, or
        these values are background.
    resample : bool
        Whether channels on other voxel grids than the first one are resampled to it; else such
        a case is refused.
    labels : mapping of str to str
        Names of the label values, such as ``{"1": "tumor"}``, where no label file and no list
        tells them: of images that are still to be annotated.
    """

    layout: str = AUTO
    task: str = AUTO
    unknown_labels: Unknown = "refuse"
    resample: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_labels(self.labels)
        if self.unknown_labels not in get_args(Unknown):
            raise SettingError(
                f"unknown_labels is {self.unknown_labels!r}. Label maps with unknown values are "
                f"refused ('refuse'), or the values are taken as 'background'."
            )
        if not isinstance(self.resample, bool):
            raise SettingError(f"resample is {self.resample!r}. It must be true or false.")


def _check_labels(labels: object) -> None:
    if not isinstance(labels, Mapping):
        raise SettingError(
            f'labels is {labels!r}. It names label values, such as {{"1": "tumor"}}.'
        )
    named: dict[str, int] = {}
    for value, name in labels.items():
        whole = str(value).isdecimal() and 1 <= int(value) < IGNORED
        if not whole or not isinstance(name, str) or not name.strip():
            raise SettingError(
                f"labels names the value {value!r} {name!r}. Values are whole numbers from 1 "
                f'to {IGNORED - 1}, each with a name, such as {{"1": "tumor"}}; 0 is the '
                f"background."
            )
        if name in named or name == "background" or int(value) in named.values():
            raise SettingError(
                f"labels gives the value {value!r} the name {name!r}, but one of the two is taken "
                f"already. Every value has one name and every name one value, such as "
                f'{{"1": "edema", "2": "tumor"}}; the background is 0.'
            )
        named[name] = int(value)


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
        Label value in the files to the name of its class, background (0) left out. Values with
        one name are one class. The classes are ordered by their smallest values; in every array
        a class is 1 + its position.
    regions : mapping of str to tuple of int
        Named unions of label *values* that are scored and drawn, such as
        ``{"whole tumor": (1, 2, 4)}``; one region per label where none are declared.
    problems : tuple of Problem
        Everything found while reading that a user should know.
    reason : str
        Why the layout was recognized, as it is told to a user.
    background : tuple of int
        Label values, beside 0, that are known and are background.
    ignored : tuple of int
        Label values of voxels that count for nothing, neither in a loss nor in a metric; in
        every array they are `IGNORED`.
    task : str
        The name of the task that labels, regions, background and ignored values belong to.
    tasks : tuple of Task
        All tasks that there are, the layout's own first.
    unknown_labels, resample
        See `CohortOptions`.
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
    background: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    task: str = ""
    tasks: tuple[Task, ...] = ()
    unknown_labels: Unknown = "refuse"
    resample: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of every label array; class 0 is the background."""
        return ("background", *self.values_of)

    @property
    def values_of(self) -> Mapping[str, tuple[int, ...]]:
        """Label values of each class, in the order of the classes, background left out."""
        found: dict[str, tuple[int, ...]] = {}
        for value in sorted(self.labels):
            found[self.labels[value]] = (*found.get(self.labels[value], ()), value)
        return found

    @property
    def class_of(self) -> Mapping[int, int]:
        """Class of every label value that is known, in ascending order of the values."""
        place = {name: index for index, name in enumerate(self.values_of, 1)}
        known = {value: place[name] for value, name in self.labels.items()}
        known |= dict.fromkeys((0, *self.background), 0) | dict.fromkeys(self.ignored, IGNORED)
        return dict(sorted(known.items()))

    @property
    def region_classes(self) -> Mapping[str, tuple[int, ...]]:
        """The regions as unions of classes (positions in `classes`)."""
        class_of = self.class_of
        regions = self.regions or self.values_of
        return {
            name: tuple(dict.fromkeys(class_of[value] for value in values))
            for name, values in regions.items()
        }

    def with_names(self, labels: Mapping[str, str]) -> Cohort:
        """Return the cohort with names for its label values, where it has none of its own.

        Raises
        ------
        SettingError
            If it has.
        """
        if not labels:
            return self
        if self.labels:
            known = ", ".join(f"{value} {name}" for value, name in sorted(self.labels.items()))
            raise SettingError(
                f"labels cannot be named: {self.name} has label values of its own ({known}). "
                f"Leave labels out."
            )
        named = {int(value): name for value, name in labels.items()}
        return replace(self, labels=named, task="", tasks=()).with_tasks()

    def with_tasks(self) -> Cohort:
        """Return the cohort with a list of its tasks.

        Where the layout lists none, the first is what it declares, and each region or label is
        a task of its own, in which all other values are background.
        """
        if self.tasks:
            return self if self.task else self.with_task(AUTO)
        known = {*self.labels, *self.background}
        own = Task("all labels", self.labels, self.regions, self.background, self.ignored)
        single = tuple(
            Task(
                name,
                dict.fromkeys(values, name),
                background=tuple(sorted(known - set(values))),
                ignored=self.ignored,
            )
            for name, values in (self.regions or self.values_of).items()
        )
        return replace(self, task=own.name, tasks=(own, *single) if len(known) > 1 else (own,))

    def with_task(self, name: str) -> Cohort:
        """Return the cohort with another of its tasks; ``"auto"`` is the first.

        Raises
        ------
        SettingError
            If it has no task of this name.
        """
        named = {task.name.casefold(): task for task in self.tasks}
        task = self.tasks[0] if name == AUTO else named.get(name.casefold())
        if task is None:
            raise SettingError(
                f"{self.name} has no task {name!r}. Choose one of "
                f"{', '.join(repr(task.name) for task in self.tasks)}, or '{AUTO}' for the first."
            )
        return replace(
            self,
            task=task.name,
            labels=task.labels,
            regions=task.regions,
            background=task.background,
            ignored=task.ignored,
        )
