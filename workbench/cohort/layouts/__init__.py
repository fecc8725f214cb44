"""Find the cases of a folder by the way its files are named.

Each layout is a small module, and `LAYOUTS` is the list of them. Only names are
read here, and label values where nothing declares them; a broken file is found
when it is read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.cohort.cohort import AUTO, Cohort
from workbench.cohort.layouts.as_found import with_labels_as_found
from workbench.cohort.layouts.bids import BIDS
from workbench.cohort.layouts.brats import BRATS
from workbench.cohort.layouts.dicom import DICOM
from workbench.cohort.layouts.ibsr import IBSR18
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.malc import MALC
from workbench.cohort.layouts.mrbrains import MRBRAINS18
from workbench.cohort.layouts.msd import MSD, NNUNET
from workbench.cohort.layouts.pairing import natural_key
from workbench.cohort.layouts.plain import PLAIN
from workbench.cohort.layouts.unknown import nothing_matches
from workbench.errors import CohortError, SettingError, UnknownLayoutError
from workbench.jobs import Work, finish

__all__ = ["LAYOUTS", "Layout", "layout_named", "natural_key", "recognize", "recognizing"]

#: Every layout that is tried, in the order in which they are told.
LAYOUTS: tuple[Layout, ...] = (MSD, NNUNET, BRATS, MALC, IBSR18, MRBRAINS18, BIDS, DICOM, PLAIN)


def recognize(folder: str | Path, layout: str = AUTO) -> Cohort:
    """Find out which layout a folder has, as `recognizing` does, and wait for it."""
    return finish(recognizing(folder, layout))


def recognizing(folder: str | Path, layout: str = AUTO) -> Work[Cohort]:
    """Find out which layout a folder has, and list its cases.

    Parameters
    ----------
    folder : str or Path
        The folder of a data set.
    layout : str
        The name of its layout, or ``"auto"``.

    Returns
    -------
    Cohort
        Its cases in natural order, with every problem that the names show.

    Raises
    ------
    UnknownLayoutError
        If no layout matches; says what was looked for, what was found and, for
        other file formats, the command that converts them.
    CohortError
        If there is no such folder, two layouts match, or one does but no case is whole.
    SettingError
        If no layout has this name.
    """
    tried = LAYOUTS if layout == AUTO else (layout_named(layout),)
    root = Path(folder).expanduser()
    if not root.is_dir():
        kind = "is a file, not a folder" if root.exists() else "does not exist"
        raise CohortError(
            f"{root} {kind}. Name the folder of a data set, or 'phantom' for the embedded cohort."
        )
    found = [cohort for each in tried if (cohort := each.find(root)) is not None]
    if not found:
        raise UnknownLayoutError(nothing_matches(root, tried))
    whole = [cohort for cohort in found if cohort.cases]
    if len(whole) > 1:
        told = "; ".join(
            f"{cohort.layout} ({len(cohort.cases)} cases: {cohort.reason})" for cohort in whole
        )
        raise CohortError(
            f"{root} fits {len(whole)} layouts: {told}. Name the one that is meant, for example "
            f"with --layout {whole[0].layout}, or put each data set into a folder of its own."
        )
    cohort = (whole or found)[0]
    if cohort.cases and not cohort.labels:
        cohort = yield from with_labels_as_found(cohort)
    if not cohort.cases:
        first = next((p.sentence for p in cohort.problems), "It holds no image.")
        raise CohortError(
            f"{root} looks like a {cohort.layout} data set, but no case of it can be used. {first}"
        )
    cases = sorted(cohort.cases, key=lambda case: natural_key(case.id))
    return replace(cohort, cases=tuple(cases)).with_tasks()


def layout_named(name: str) -> Layout:
    """Return a layout by its name; upper and lower case are the same.

    Raises
    ------
    SettingError
        If there is none.
    """
    for layout in LAYOUTS:
        if layout.name.casefold() == str(name).casefold():
            return layout
    raise SettingError(
        f"No layout is called {name!r}. Choose one of "
        f"{', '.join(layout.name for layout in LAYOUTS)}, or '{AUTO}' to recognize it."
    )
