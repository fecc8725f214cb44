"""What to say about a folder that has no layout: what to do first, then what there is to choose.

Often the folder beside it is meant: one below, or the one above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from workbench.cohort.layouts.layout import Layout
from workbench.errors import WorkbenchError
from workbench.words import count

__all__ = ["nothing_matches"]

#: Other formats by ending, and a command that converts them.
CONVERT = {
    ".seg.nrrd": "c3d CASE.seg.nrrd -o labels/CASE.nii.gz",
    ".nrrd": "c3d CASE.nrrd -o images/CASE.nii.gz",
    ".mha": "c3d CASE.mha -o images/CASE.nii.gz",
    ".mhd": "c3d CASE.mhd -o images/CASE.nii.gz",
    ".dcm": "dcm2niix -z y -f %i_%p -o images DICOM_FOLDER",
}
#: Folders that are looked into for another data set, names that are told, and levels above.
MOST_TRIED, MOST_NAMED, HIGHEST = 100, 6, 3
#: Layouts whose folders open alone; finding them would walk through all that lies above.
ALONE = {"BraTS", "DICOM"}


def nothing_matches(root: Path, tried: Sequence[Layout]) -> str:
    """Say what is there and what to do about it, then what was looked for, a line each."""
    layouts = "\n".join(f"- {layout.looked_for}" for layout in tried)
    files = [path for path in _walk(root) if not path.name.startswith(".")]
    formats = Counter(_ending(path) for path in files)
    if not files:
        return (
            f"{root} is empty. Put a data set there in one of these layouts, or name another "
            f"folder:\n{layouts}"
        )
    inside = [path for path in sorted(root.iterdir()) if not path.name.startswith(".")]
    folders = [path for path in inside if path.is_dir()]
    opening = [
        f"{path.name} ({found})" for path in folders[:MOST_TRIED] if (found := _opens(path, tried))
    ]
    if opening:
        more = f" and {len(opening) - MOST_NAMED} more" if len(opening) > MOST_NAMED else ""
        found, one = (
            ("folders of it open", "one") if len(opening) > 1 else ("folder of it opens", "it")
        )
        return (
            f"{root} has no layout that the workbench knows, but {len(opening)} {found}: "
            f"{', '.join(opening[:MOST_NAMED])}{more}. Name {one}, such as "
            f"{root / opening[0].rpartition(' (')[0]}."
        )
    for above in root.resolve().parents[:HIGHEST]:
        if layout := _opens(above, [each for each in tried if each.name not in ALONE], root):
            return (
                f"{root} is a part of a data set in the layout {layout}. Name the folder above, "
                f"{above}."
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
    images = formats[".nii.gz"] + formats[".nii"]
    if images and not folders and any(layout.name == "plain" for layout in tried):
        return (
            f"{root} holds {count(images, 'image')} and no subfolder. Put "
            f"{'it' if images == 1 else 'them'} into {root / 'images'}/ (and label maps of the "
            f"same names, if there are any, into {root / 'labels'}/).\n"
            f"All layouts that the workbench knows:\n{layouts}"
        )
    which = "one of these layouts; the last is the simplest" if len(tried) > 1 else "this layout"
    names = ", ".join(path.name for path in inside[:MOST_NAMED])
    return (
        f"{root} has no layout that was looked for. It holds {names}"
        f"{' and more' if len(inside) > MOST_NAMED else ''} ({count(images, 'NIfTI file')}). "
        f"Rename the files to {which}:\n{layouts}"
    )


def _opens(folder: Path, tried: Sequence[Layout], part: Path | None = None) -> str:
    """Name the layout that a folder opens in, with files of its folder `part`; empty if none."""
    for layout in tried:
        try:
            cohort = layout.find(folder)
        except (OSError, WorkbenchError):
            continue
        if cohort is None:
            continue
        files = [path for case in cohort.cases for path in (*case.images.values(), case.label)]
        if any(path and (part is None or path.is_relative_to(part.resolve())) for path in files):
            return layout.name
    return ""


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
