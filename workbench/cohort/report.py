"""Look at every file of a cohort and tell everything that was found.

This is what ``workbench cohort`` prints. It reads all voxels once, so that a
fault shows here and not in the middle of an experiment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.cohort.cohort import IGNORED, Cohort, Problem
from workbench.cohort.label_maps import foreground, read_classes
from workbench.cohort.resample import read_case
from workbench.errors import VolumeError
from workbench.jobs import Progress, Work

__all__ = ["CohortReport", "check_cohort"]

#: Problems of one kind that are printed one by one.
MOST_TOLD = 20
#: Tasks that are named.
MOST_TASKS = 8


@dataclass(frozen=True)
class CohortReport:
    """What is in a cohort, and whether it can be used.

    Parameters
    ----------
    cohort : Cohort
        As it was recognized.
    shapes : mapping of tuple of int to int
        RAS+ shape to number of cases.
    spacings : mapping of tuple of float to int
        Voxel size in mm, rounded to 0.01, to number of cases.
    voxels : mapping of int to int
        Class to voxels in all cases; 0 is background, `IGNORED` what counts for nothing.
    cases_with : mapping of int to int
        Class to cases that hold it.
    problems : tuple of Problem
        Everything found, the recognition's problems first.
    labeled : int
        Cases with a label that can be used.
    """

    cohort: Cohort
    shapes: Mapping[tuple[int, ...], int] = field(default_factory=dict)
    spacings: Mapping[tuple[float, ...], int] = field(default_factory=dict)
    voxels: Mapping[int, int] = field(default_factory=dict)
    cases_with: Mapping[int, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    labeled: int = 0

    @property
    def usable(self) -> bool:
        """Whether a simulation can be run: no fatal problem of the whole cohort."""
        return not any(problem.fatal and not problem.case for problem in self.problems)

    @property
    def to_annotate(self) -> bool:
        """Whether it has images, but too few labels for a simulation: a person can draw them."""
        return bool(self.shapes) and self.labeled < 2

    def __str__(self) -> str:
        cohort = self.cohort
        sites = Counter(case.site for case in cohort.cases)
        told = ", ".join(f"{site} {count}" for site, count in sorted(sites.items()))
        lines = [
            f"{cohort.name}: {cohort.layout} layout, {cohort.root}",
            f"  because   {cohort.reason}",
            f"  cases     {len(cohort.cases)}, {self.labeled} with a usable label"
            + (f" (sites: {told})" if len(sites) > 1 else ""),
            f"  channels  {', '.join(cohort.channels)}",
            f"  voxels    {_spread(self.shapes)}",
            f"  spacing   {_spread(self.spacings)} mm",
            f"  task      {cohort.task}{_others(cohort)}",
            "  labels",
        ]
        values = [(0, *cohort.background), *cohort.values_of.values(), cohort.ignored]
        for name, held, number in zip(
            (*cohort.classes, "ignored"),
            values,
            (*range(len(cohort.classes)), IGNORED),
            strict=True,
        ):
            if not held:
                continue
            where = "" if number == 0 else f"  cases: {self.cases_with.get(number, 0)}"
            count = self.voxels.get(number, 0)
            lines.append(f"    {_few(held):>12}  {name:<28} {count:>14,} voxels{where}")
        if cohort.regions:
            lines.append(f"  regions   {', '.join(cohort.regions)}")
        fatal = [problem for problem in self.problems if problem.fatal]
        notes = [problem for problem in self.problems if not problem.fatal]
        lines += _listed("problems", fatal) + _listed("notes", notes)
        verdict = "This cohort can be used" if self.usable else "This cohort cannot be used"
        if self.to_annotate:
            verdict += f" for simulations, but it opens for annotation: {_opens(cohort)}"
        elif self.usable and fatal:
            verdict += ", without the files named above"
        return "\n".join([*lines, f"{verdict}."])


def check_cohort(cohort: Cohort) -> Work[CohortReport]:
    """Read every file of a cohort and report on it.

    Parameters
    ----------
    cohort : Cohort
        As recognized.

    Returns
    -------
    CohortReport
        ``str(report)`` is the text that the command line prints.
    """
    shapes: Counter[tuple[int, ...]] = Counter()
    spacings: Counter[tuple[float, ...]] = Counter()
    voxels: Counter[int] = Counter()
    cases_with: Counter[int] = Counter()
    problems = list(cohort.problems)
    labeled = 0
    for number, case in enumerate(cohort.cases):
        yield Progress("checking every file", number, len(cohort.cases))
        try:
            volume = read_case(case, cohort)
            problems += [Problem(case.id, note) for note in volume.notes]
            shape = volume.data.shape[1:]
            shapes[tuple(shape)] += 1
            spacings[tuple(round(float(s), 2) for s in volume.spacing)] += 1
            if case.label is None:
                continue
            classes, notes = read_classes(case, cohort, shape, volume.affine)
        except VolumeError as error:
            problems.append(Problem(case.id, str(error), fatal=True))
            continue
        labeled += 1
        problems += [Problem(case.id, note) for note in notes]
        counts = np.bincount(classes.ravel())
        for number in np.flatnonzero(counts).tolist():
            voxels[number] += int(counts[number])
            cases_with[number] += 1
        if not foreground(classes).any():
            problems.append(
                Problem(case.id, f"{case.label.name} marks nothing: all of it is background.")
            )
    marked = sum(count for number, count in voxels.items() if number not in (0, IGNORED))
    problems += _of_the_whole(cohort, labeled, marked, sum(shapes.values()))
    yield Progress("checking every file", len(cohort.cases), len(cohort.cases))
    return CohortReport(cohort, shapes, spacings, voxels, cases_with, tuple(problems), labeled)


def _of_the_whole(cohort: Cohort, labeled: int, marked: int, readable: int) -> list[Problem]:
    """Problems that no single case has."""
    if readable == 0:
        return [
            Problem("", "Not one image can be read: see the reasons given for the cases.", True)
        ]
    if labeled < 2:
        return [
            Problem(
                "",
                f"{'Only one case has' if labeled else 'No case has'} a usable label. Pool and "
                f"test set need different patients: at least two cases with a label.",
                True,
            )
        ]
    if marked == 0:
        return [
            Problem(
                "",
                "There is no foreground anywhere: every labeled voxel is background (0). Check "
                "that the right label files lie beside the images.",
                True,
            )
        ]
    return []


def _opens(cohort: Cohort) -> str:
    """How a person opens a cohort to annotate it; classes that no file tells are named."""
    folder = cohort.root.as_posix()
    if len(cohort.classes) > 1:
        return f'Workbench("{folder}")'
    return f'Workbench("{folder}", labels={{"1": "tumor"}}), with the names of its classes'


def _listed(heading: str, problems: Sequence[Problem]) -> list[str]:
    """Lines for some problems; many of one kind are counted."""
    if not problems:
        return []
    lines = [f"  {heading} ({len(problems)})"]
    for problem in problems[:MOST_TOLD]:
        lines.append(f"    - {problem}")
    if len(problems) > MOST_TOLD:
        lines.append(f"    and {len(problems) - MOST_TOLD} more")
    return lines


def _others(cohort: Cohort) -> str:
    """The tasks that could be chosen instead."""
    names = [task.name for task in cohort.tasks if task.name != cohort.task]
    if not names:
        return ""
    more = f" and {len(names) - MOST_TASKS} more" if len(names) > MOST_TASKS else ""
    return f" (others: {', '.join(names[:MOST_TASKS])}{more})"


def _few(values: Sequence[int]) -> str:
    """Label values, or the first and the last of many."""
    if len(values) > 3:
        return f"{values[0]} … {values[-1]}"
    return ", ".join(map(str, values))


def _spread(counts: Mapping[tuple[int, ...], int] | Mapping[tuple[float, ...], int]) -> str:
    """The one value that all have, or the smallest and the largest of each axis."""
    if not counts:
        return "unknown"
    every = np.array(list(counts))
    low, high = every.min(axis=0), every.max(axis=0)
    if (low == high).all():
        return "×".join(f"{value:g}" for value in low)
    return " × ".join(
        f"{a:g}–{b:g}" if a != b else f"{a:g}" for a, b in zip(low, high, strict=True)
    )
