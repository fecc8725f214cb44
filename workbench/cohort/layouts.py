"""Find the cases of a folder by the way its files are named.

Three layouts are known: MSD (``dataset.json``), BraTS (one folder per case) and
plain ``images/`` + ``labels/`` folders. Only names are read here, and label
values where nothing declares them; a broken file is found when it is read.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.msd import DatasetFile, read_dataset_file
from workbench.cohort.volumes import is_nifti, read_label, stem_of
from workbench.errors import CohortError, UnknownLayoutError, VolumeError

__all__ = ["natural_key", "recognize"]

#: What is looked for, as it is told to a user.
LOOKED_FOR = (
    "MSD: dataset.json beside imagesTr/ and labelsTr/",
    "BraTS: a folder for each case, also inside HGG/ and LGG/, with CASE_t1.nii.gz, CASE_t1ce, "
    "CASE_t2, CASE_flair and CASE_seg (2023: CASE-t1n, -t1c, -t2w, -t2f, -seg)",
    "plain folders: images/CASE.nii.gz with labels/CASE.nii.gz",
)
BRATS_2019 = {"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair"}
BRATS_2023 = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}
BRATS_NAME = re.compile(r"(?P<case>.+?)[_-](?P<what>t1ce|t1n|t1c|t1|t2w|t2f|t2|flair|seg)")
CHANNEL_NAME = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
LABEL_SUFFIX = re.compile(r"[_-](seg|segmentation|label|labels|mask|gt)$", re.IGNORECASE)
#: Other formats by ending, and a command that converts them.
CONVERT = {
    ".seg.nrrd": "c3d CASE.seg.nrrd -o labels/CASE.nii.gz",
    ".nrrd": "c3d CASE.nrrd -o images/CASE.nii.gz",
    ".mha": "c3d CASE.mha -o images/CASE.nii.gz",
    ".mhd": "c3d CASE.mhd -o images/CASE.nii.gz",
    ".dcm": "dcm2niix -z y -f %i_%p -o images DICOM_FOLDER",
}
MOST_VALUES = 255


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts ``case_2`` before ``case_10``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def recognize(folder: str | Path) -> Cohort:
    """Find out which layout a folder has, and list its cases.

    Parameters
    ----------
    folder : str or Path
        The folder of a data set.

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
        If there is no such folder, or the layout matches but no case is whole.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        kind = "is a file, not a folder" if root.exists() else "does not exist"
        raise CohortError(
            f"{root} {kind}. Name the folder of a data set, or 'phantom' for the embedded cohort."
        )
    for layout in (_msd, _brats, _plain):
        cohort = layout(root)
        if cohort is None:
            continue
        if not cohort.cases:
            first = next((p.sentence for p in cohort.problems), "It holds no image.")
            raise CohortError(
                f"{root} looks like a {cohort.layout} data set, but no case of it can be used. "
                f"{first}"
            )
        return cohort
    raise UnknownLayoutError(_nothing_matches(root))


# ---------------------------------------------------------------------- layouts
def _msd(root: Path) -> Cohort | None:
    """Decathlon and nnU-Net: ``dataset.json`` says what there is."""
    file = root / "dataset.json"
    if not file.is_file():
        return None
    declared = read_dataset_file(file)
    images = _images_by_case(_nifti(root / "imagesTr"), grouped=len(declared.channels) > 1)
    labels = {stem_of(path): path for path in _nifti(root / "labelsTr")}
    problems = [
        Problem(case, f"dataset.json lists {case}, but imagesTr/ holds no image of it.", True)
        for case in declared.cases
        if case not in images and case not in labels
    ]
    cases, more = _pair(images, labels, declared.channels)
    return _cohort(root, "MSD", cases, declared, problems + more)


def _brats(root: Path) -> Cohort | None:
    """One folder per case, flat or in HGG and LGG; names of 2018 to 2023."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for pattern in ("*", "*/*", "*/*/*"):  # files, case folders, case folders in HGG and LGG
        for path in root.glob(pattern):
            match = BRATS_NAME.fullmatch(stem_of(path)) if is_nifti(path) else None
            if match and path.is_file():
                found[match["case"]][match["what"]] = path
    known = {*BRATS_2019, *BRATS_2023} - {"t1", "t2"}
    found = {case: files for case, files in found.items() if known & set(files)}
    if not found:
        return None
    problems = []
    cases = []
    new_names = sum("t1n" in files for files in found.values()) * 2 > len(found)
    names = BRATS_2023 if new_names else BRATS_2019
    for case in sorted(found, key=natural_key):
        files = found[case]
        missing = [name for name in names if name not in files]
        if missing:
            problems.append(
                Problem(
                    case,
                    f"{case} lacks {', '.join(missing)}: a case needs all of "
                    f"{', '.join(names)}. It is left out; add the missing files to use it.",
                    True,
                )
            )
            continue
        if "seg" not in files:
            problems.append(_unlabeled(case))
        site = next((site for site in ("CBICA", "TCIA") if site in case), "other")
        images = {channel: files[name] for name, channel in names.items()}
        cases.append(Case(case, site, images, files.get("seg")))
    enhancing = 3 if new_names else 4
    declared = DatasetFile(
        channels=tuple(names.values()),
        labels={1: "necrotic core", 2: "edema", enhancing: "enhancing tumor"},
        regions={
            "whole tumor": (1, 2, enhancing),
            "tumor core": (1, enhancing),
            "enhancing tumor": (enhancing,),
        },
    )
    return _cohort(root, "BraTS", cases, declared, problems)


def _plain(root: Path) -> Cohort | None:
    """``images/`` and ``labels/`` whose files pair by name."""
    folders = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}
    images_folder = folders.get("images") or folders.get("imagestr")
    if images_folder is None:
        return None
    files = _nifti(images_folder)
    labels_folder = folders.get("labels") or folders.get("labelstr")
    label_files = _nifti(labels_folder) if labels_folder else []
    if not files and not label_files:
        return None
    images = _images_by_case(files, grouped=any(stem_of(p).endswith("_0001") for p in files))
    labels = {}
    for path in label_files:
        stem = stem_of(path)
        labels[stem if stem in images else LABEL_SUFFIX.sub("", stem)] = path
    count = max((len(each) for each in images.values()), default=1)
    names = ("image",) if count == 1 else tuple(f"channel {i}" for i in range(count))
    cases, problems = _pair(images, labels, names)
    return _cohort(root, "plain folders", cases, DatasetFile(channels=names), problems)


# ---------------------------------------------------------------------- helpers
def _nifti(folder: Path) -> list[Path]:
    """NIfTI files of a folder, in natural order."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if is_nifti(path) and path.is_file()]
    return sorted(files, key=lambda path: natural_key(path.name))


def _images_by_case(files: Sequence[Path], grouped: bool) -> dict[str, list[Path]]:
    """Group files by case; ``_0000``, ``_0001``… are the channels of one case."""
    found: dict[str, list[Path]] = defaultdict(list)
    every = bool(files) and all(CHANNEL_NAME.fullmatch(stem_of(path)) for path in files)
    for path in files:
        match = CHANNEL_NAME.fullmatch(stem_of(path)) if grouped or every else None
        found[match["case"] if match else stem_of(path)].append(path)
    if every and not grouped and any(len(each) > 1 for each in found.values()):
        return {stem_of(path): [path] for path in files}  # numbers of cases, not of channels
    return dict(found)


def _pair(
    images: Mapping[str, Sequence[Path]], labels: Mapping[str, Path], channels: Sequence[str]
) -> tuple[list[Case], list[Problem]]:
    """Make a case of each image with its label; tell what has no partner."""
    cases, problems = [], []
    for case in sorted({*images, *labels}, key=natural_key):
        files = images.get(case, ())
        if not files:
            problems.append(
                Problem(
                    case,
                    f"{labels[case].name} is a label without an image: no image is called {case}. "
                    f"It is left out; add the image or rename one of the two.",
                    True,
                )
            )
            continue
        if len(files) not in (1, len(channels)):
            problems.append(
                Problem(
                    case,
                    f"{case} has {len(files)} image files for {len(channels)} channels "
                    f"({', '.join(channels)}). It is left out; name them CASE_0000.nii.gz, "
                    f"CASE_0001.nii.gz and so on, one for each channel.",
                    True,
                )
            )
            continue
        if case not in labels:
            problems.append(_unlabeled(case))
        every = list(files) * (len(channels) if len(files) == 1 else 1)
        named = dict(zip(channels, every, strict=True))
        cases.append(Case(case, "other", named, labels.get(case)))
    return cases, problems


def _unlabeled(case: str) -> Problem:
    return Problem(
        case,
        f"{case} has no label. Its slices can be in the pool, where they help to learn the data "
        f"manifold, but never in the test set.",
    )


def _cohort(
    root: Path,
    layout: str,
    cases: list[Case],
    declared: DatasetFile,
    problems: list[Problem],
) -> Cohort:
    labels = dict(declared.labels)
    if not labels:
        labels, cases, more = _labels_as_found(cases)
        problems = problems + more
    return Cohort(
        name=declared.name or root.resolve().name,
        layout=layout,
        root=root,
        cases=tuple(sorted(cases, key=lambda case: natural_key(case.id))),
        channels=tuple(declared.channels),
        labels=labels,
        regions=declared.regions,
        problems=tuple(problems),
    )


def _labels_as_found(cases: list[Case]) -> tuple[dict[int, str], list[Case], list[Problem]]:
    """Read every label map for its values, where nothing declares them."""
    values: set[int] = set()
    kept, problems = [], []
    for case in cases:
        if case.label is not None:
            try:
                found = {int(value) for value in np.unique(read_label(case.label)[0])} - {0}
                if len(found) > MOST_VALUES or (found and min(found) < 0):
                    raise VolumeError(
                        f"{case.label} holds {len(found)} values from {min(found)} to "
                        f"{max(found)}. A label map has at most {MOST_VALUES} values above 0: it "
                        f"may be an image; put it into images/ or take it out."
                    )
            except VolumeError as error:
                problems.append(Problem(case.id, str(error), True))
                continue
            values |= found
        kept.append(case)
    if len(values) > MOST_VALUES:
        raise CohortError(
            f"The label maps hold {len(values)} different values, but there can be {MOST_VALUES} "
            f"classes at most. Merge labels, or check that labels/ holds no images."
        )
    return {value: f"label {value}" for value in sorted(values)}, kept, problems


# ---------------------------------------------------------------------- nothing found
def _nothing_matches(root: Path) -> str:
    """What was looked for, what is there instead, and what to do about it."""
    files = [path for path in _walk(root) if not path.name.startswith(".")]
    formats = Counter(_ending(path) for path in files)
    if not files:
        return (
            f"{root} is empty. A data set has one of these layouts: {'; '.join(LOOKED_FOR)}. Put "
            f"the files there, or name another folder."
        )
    for ending, command in CONVERT.items():
        if formats[ending]:
            also = (
                " c3d comes with ITK-SNAP; SimpleITK's ReadImage and WriteImage do the same."
                if command.startswith("c3d")
                else " Keep one folder for each patient, and name the volumes by case."
            )
            return (
                f"{root} holds {formats[ending]} {ending} files, but the workbench reads NIfTI "
                f"(.nii.gz). Convert each with '{command}', so that images/ and labels/ hold one "
                f"NIfTI file per case.{also}"
            )
    inside = [path.name for path in sorted(root.iterdir()) if not path.name.startswith(".")]
    nested = [
        name
        for name in inside
        if any((root / name / sign).exists() for sign in ("dataset.json", "images", "HGG", "LGG"))
    ]
    advice = (
        f"Its folder {nested[0]!r} looks like a data set: name that one."
        if nested
        else "Rename the files to one of these: images/ and labels/ with equal names is simplest."
    )
    return (
        f"{root} has no layout that the workbench knows. Looked for {'; '.join(LOOKED_FOR)}. "
        f"Found {', '.join(inside[:6])}{' and more' if len(inside) > 6 else ''} "
        f"({formats['.nii.gz'] + formats['.nii']} NIfTI files). {advice}"
    )


def _walk(root: Path) -> list[Path]:
    """Files of a folder and of the first few levels below it, 20,000 at most."""
    found: list[Path] = []
    todo = [(root, 0)]
    while todo and len(found) < 20_000:
        folder, depth = todo.pop()
        for path in sorted(folder.iterdir()):
            if path.is_file():
                found.append(path)
            elif path.is_dir() and depth < 4:
                todo.append((path, depth + 1))
    return found


def _ending(path: Path) -> str:
    """Ending of a file name; ``.dcm`` also for a DICOM file that has none."""
    name = path.name.lower()
    for ending in (".seg.nrrd", ".nii.gz"):
        if name.endswith(ending):
            return ending
    if path.suffix.lower() in ("", ".ima") or path.suffix[1:].isdigit():
        try:
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    return ".dcm"
        except OSError:
            return ""
    return path.suffix.lower()
