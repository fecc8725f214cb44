"""What to say about a folder that has no layout: what is there, and how to change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from workbench.cohort.layouts.layout import Layout

__all__ = ["nothing_matches"]

#: Other formats by ending, and a command that converts them.
CONVERT = {
    ".seg.nrrd": "c3d CASE.seg.nrrd -o labels/CASE.nii.gz",
    ".nrrd": "c3d CASE.nrrd -o images/CASE.nii.gz",
    ".mha": "c3d CASE.mha -o images/CASE.nii.gz",
    ".mhd": "c3d CASE.mhd -o images/CASE.nii.gz",
    ".dcm": "dcm2niix -z y -f %i_%p -o images DICOM_FOLDER",
}


def nothing_matches(root: Path, tried: Sequence[Layout]) -> str:
    """Say what was looked for, what is there instead, and what to do about it."""
    looked_for = "; ".join(layout.looked_for for layout in tried)
    files = [path for path in _walk(root) if not path.name.startswith(".")]
    formats = Counter(_ending(path) for path in files)
    if not files:
        return (
            f"{root} is empty. A data set has one of these layouts: {looked_for}. Put "
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
        f"{root} has no layout that the workbench knows. Looked for {looked_for}. "
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
