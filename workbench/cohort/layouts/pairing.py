"""Put files together to cases by their names: what several layouts share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from workbench.cohort.cohort import Case, Problem
from workbench.cohort.image_files import is_nifti, is_unread, stem_of

__all__ = [
    "images_by_case",
    "lacks",
    "natural_key",
    "nifti_files",
    "occurs_twice",
    "one_each",
    "other_formats",
    "pair",
    "unlabeled",
    "volume_files",
]

#: Files that a sentence names.
MOST_NAMED = 3
CHANNEL_NAME = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts ``case_2`` before ``case_10``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def nifti_files(folder: Path) -> list[Path]:
    """NIfTI files of a folder, in natural order; none where there is no such folder."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if is_nifti(path) and path.is_file()]
    return sorted(files, key=lambda path: natural_key(path.name))


def volume_files(folder: Path) -> list[Path]:
    """NIfTI files of a folder, and the headers (``.hdr``) of Analyze pairs."""
    pairs = [path for path in folder.glob("*.hdr") if path.with_suffix(".img").is_file()]
    return sorted([*nifti_files(folder), *pairs], key=lambda path: natural_key(path.name))


def one_each(named: Iterable[tuple[str, Path]]) -> tuple[dict[str, Path], list[Problem]]:
    """Map names to their files; a name that two files have is told and left out.

    A file that is reached on two ways, through a link, is one file.
    """
    found: dict[str, dict[Path, Path]] = defaultdict(dict)
    for name, path in named:
        found[name].setdefault(path.resolve(), path)
    problems = [occurs_twice(name, list(f.values())) for name, f in found.items() if len(f) > 1]
    files = {name: next(iter(f.values())) for name, f in found.items() if len(f) == 1}
    return files, problems


def images_by_case(files: Sequence[Path], grouped: bool) -> dict[str, list[Path]]:
    """Group files by case; ``_0000``, ``_0001``… are the channels of one case."""
    found: dict[str, list[Path]] = defaultdict(list)
    every = bool(files) and all(CHANNEL_NAME.fullmatch(stem_of(path)) for path in files)
    for path in files:
        match = CHANNEL_NAME.fullmatch(stem_of(path)) if grouped or every else None
        found[match["case"] if match else stem_of(path)].append(path)
    if every and not grouped and any(len(each) > 1 for each in found.values()):
        return {stem_of(path): [path] for path in files}  # numbers of cases, not of channels
    return dict(found)


def pair(
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
            problems.append(unlabeled(case))
        every = list(files) * (len(channels) if len(files) == 1 else 1)
        named = dict(zip(channels, every, strict=True))
        cases.append(Case(case, "other", named, labels.get(case)))
    return cases, problems


def other_formats(*folders: Path | None) -> list[Problem]:
    """Tell of the files in formats that are not read, where they lie among those that are."""
    problems = []
    for folder in folders:
        if folder is None or not folder.is_dir():
            continue
        names = sorted((p.name for p in folder.iterdir() if is_unread(p)), key=natural_key)
        if names:
            more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
            problems.append(
                Problem(
                    "",
                    f"{', '.join(names[:MOST_NAMED])}{more} in {folder.name}/ "
                    f"{'is' if len(names) == 1 else 'are'} left out, because only NIfTI (.nii.gz) "
                    f"is read there: convert to it what is to be used, with c3d or dcm2niix.",
                )
            )
    return problems


def lacks(case: str, missing: Sequence[str], names: Sequence[str]) -> Problem:
    """Tell that a case lacks some of its channels."""
    return Problem(
        case,
        f"{case} lacks {', '.join(missing)}: a case needs all of {', '.join(names)}. It is left "
        f"out; add the missing files to use it.",
        True,
    )


def occurs_twice(case: str, paths: Sequence[Path]) -> Problem:
    """Tell that a name belongs to several files or folders."""
    told = ", ".join(str(path) for path in paths[:3])
    return Problem(
        case,
        f"{case} occurs {len(paths)} times: {told}. It is left out, because nothing says which one "
        f"is meant; keep one of them, or rename the others.",
        True,
    )


def unlabeled(case: str) -> Problem:
    """Tell that a case has no label, and what that means for it."""
    return Problem(
        case,
        f"{case} has no label. It can be in the pool, where it helps to learn the data manifold, "
        f"but never in the test set.",
    )
