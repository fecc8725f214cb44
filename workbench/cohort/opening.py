"""Open a cohort by one word or one folder, or check it: the first things a user does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.cohort.cohort import Cohort, CohortOptions
from workbench.cohort.indexing import without_misfits
from workbench.cohort.layouts import recognize, recognizing
from workbench.cohort.phantom import make_phantom
from workbench.cohort.report import CohortReport, check_cohort
from workbench.errors import SettingError
from workbench.jobs import Progress, Work

__all__ = ["PHANTOM", "CohortReport", "check_cohort", "open_cohort"]

#: The word that names the embedded cohort (a folder of this name is ``./phantom``).
PHANTOM = "phantom"


def open_cohort(
    source: str | Path, cases: int | None = None, options: CohortOptions | None = None
) -> Work[Cohort]:
    """Open the embedded cohort or a folder.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` or the folder of a data set.
    cases : int, optional
        Cases of the embedded cohort (24 if not given), or how many of a
        folder's cases to use, spread evenly over all of them.
    options : CohortOptions, optional
        Its layout and task, and what to do with files that do not fit; the task for the
        embedded cohort, too.

    Raises
    ------
    CohortError
        If the folder cannot be used.
    SettingError
        If `cases` is less than 1, or there is no such layout or task.
    """
    if cases is not None and cases < 1:
        raise SettingError(f"A cohort was asked for with {cases} cases. Name at least 1.")
    chosen = options or CohortOptions()
    if str(source) == PHANTOM:
        folder = yield from make_phantom(cases=cases or 24)
        return replace(recognize(folder), name=PHANTOM).with_task(chosen.task)
    yield Progress("looking for cases", 0, 0)
    cohort = (yield from recognizing(source, chosen.layout)).with_names(chosen.labels)
    cohort = cohort.with_task(chosen.task)
    cohort = replace(cohort, unknown_labels=chosen.unknown_labels, resample=chosen.resample)
    cohort = yield from without_misfits(cohort)
    if cases is not None and cases < len(cohort.cases):
        places = np.floor(np.arange(cases) * len(cohort.cases) / cases).astype(int)
        cohort = replace(cohort, cases=tuple(cohort.cases[i] for i in places))
    return cohort
