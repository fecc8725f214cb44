"""DICOM: CT series in folders, with the RTSTRUCTs that were drawn on them (AAPM 2017)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.contours import ORGANS, Structures, organ_named, read_structures
from workbench.cohort.dicom import is_dicom, kind_and_series
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import natural_key, unlabeled
from workbench.errors import VolumeError

__all__ = ["DICOM"]

#: Folders below the root that are looked into: patient, study, series.
DEEPEST = 4
NO_SUFFIX = {"", ".dcm", ".ima"}


def _find(root: Path) -> Cohort | None:
    series: dict[Path, str] = {}  # the folder of a CT series to its identifier
    structures: dict[Path, Structures] = {}
    problems: list[Problem] = []
    for path in _dicom_files(root):
        try:
            kind, name = kind_and_series(path)
            if kind == "CT":
                series.setdefault(path.parent, name)
            elif kind == "RTSTRUCT":
                structures[path] = read_structures(path)
        except VolumeError as error:
            problems.append(Problem("", str(error)))
    if not series and not structures:
        return None
    ids = _case_ids(root, sorted(series, key=lambda path: natural_key(path.as_posix())))
    cases = []
    for folder, case in ids.items():
        label, more = _label_of(root, folder, series, structures)
        problems += [Problem(case, sentence) for sentence in more]
        if label is None:
            problems.append(unlabeled(case))
        cases.append(Case(case, "other", {"CT": folder}, label))
    names = [name for each in structures.values() for name in each.names]
    labels, left_out = _labels(names)
    if left_out:
        problems.append(
            Problem("", f"Structures that are not among the organs are left out: {left_out}.")
        )
    return Cohort(
        name=root.resolve().name,
        layout="DICOM",
        root=root,
        cases=tuple(cases),
        channels=("CT",),
        labels=labels,
        problems=tuple(problems),
        reason=f"there are {len(series)} folders of CT slices and {len(structures)} RTSTRUCT files",
    )


def _dicom_files(root: Path) -> list[Path]:
    """DICOM files of the folder and of those below it, in natural order."""
    found: list[Path] = []
    todo = [(root, 0)]
    while todo:
        folder, depth = todo.pop()
        for path in folder.iterdir():
            suffix = path.suffix.lower()
            if path.name.startswith("."):
                continue
            if path.is_dir() and depth < DEEPEST:
                todo.append((path, depth + 1))
            elif (suffix in NO_SUFFIX or suffix[1:].isdigit()) and is_dicom(path):
                found.append(path)
    return sorted(found, key=lambda path: natural_key(path.as_posix()))


def _case_ids(root: Path, folders: Sequence[Path]) -> dict[Path, str]:
    """Name each series by its patient's folder, or by all its folders where one has several."""
    parts = {folder: folder.relative_to(root).parts or (root.resolve().name,) for folder in folders}
    patients = Counter(names[0] for names in parts.values())
    return {
        folder: names[0] if patients[names[0]] == 1 else "_".join(names)
        for folder, names in parts.items()
    }


def _label_of(
    root: Path, folder: Path, series: Mapping[Path, str], structures: Mapping[Path, Structures]
) -> tuple[Path | None, list[str]]:
    """Find the RTSTRUCT of a series, and what to say about it.

    Where none refers to the series, but one that refers to no series here lies in the same
    patient's folder, it is that one: it is refused with its reason when it is read.
    """
    own = [path for path, each in structures.items() if each.series == series[folder]]
    if len(own) > 1:
        return own[-1], [
            f"{len(own)} RTSTRUCT files were drawn on this series; {own[-1].name} is used. Remove "
            f"the one that is not meant."
        ]
    if own:
        return own[0], []
    patient = (folder.relative_to(root).parts or ("",))[0]
    others = [
        path
        for path, each in structures.items()
        if each.series not in series.values() and path.is_relative_to(root / patient)
    ]
    return (others[0], []) if others else (None, [])


def _labels(names: Sequence[str]) -> tuple[dict[int, str], str]:
    """Label values of the structures drawn; names that are left out, as they are told."""
    known = {organ_named(name) for name in names} - {None}
    if not known:
        return dict(enumerate(sorted(set(names), key=natural_key), 1)), ""
    others = Counter(name for name in names if organ_named(name) is None)
    told = ", ".join(f"{name} ({count})" for name, count in others.most_common(6))
    labels = {value: organ for value, organ in enumerate(ORGANS, 1) if organ in known}
    return labels, told + (" and more" if len(others) > 6 else "")


DICOM = Layout(
    "DICOM",
    "DICOM: folders of CT slices, with RTSTRUCT files that refer to them (AAPM 2017)",
    _find,
)
