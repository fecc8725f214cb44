"""Plain folders: ``images/`` and ``labels/`` whose files pair by name."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.cohort.cohort import Cohort
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import (
    images_by_case,
    nifti_files,
    one_each,
    other_formats,
    pair,
)

__all__ = ["PLAIN"]

LABEL_SUFFIX = re.compile(r"[_-](seg|segmentation|label|labels|mask|gt)$", re.IGNORECASE)


def _find(root: Path) -> Cohort | None:
    folders = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}
    declared = (root / "dataset.json").is_file()  # then imagesTr belongs to another layout
    images_folder = folders.get("images") or (None if declared else folders.get("imagestr"))
    if images_folder is None:
        return None
    files = nifti_files(images_folder)
    labels_folder = folders.get("labels") or folders.get("labelstr")
    label_files = nifti_files(labels_folder) if labels_folder else []
    if not files and not label_files:
        return None
    named, twice = one_each((stem_of(path), path) for path in files)
    grouped = any(stem.endswith("_0001") for stem in named)
    images = images_by_case(list(named.values()), grouped)
    labels, more = one_each(
        (stem_of(p) if stem_of(p) in images else LABEL_SUFFIX.sub("", stem_of(p)), p)
        for p in label_files
    )
    left_out = {problem.case for problem in (*twice, *more)}
    images = {case: paths for case, paths in images.items() if case not in left_out}
    labels = {case: path for case, path in labels.items() if case not in left_out}
    count = max((len(each) for each in images.values()), default=1)
    names = ("image",) if count == 1 else tuple(f"channel {i}" for i in range(count))
    cases, problems = pair(images, labels, names)
    beside = f"{labels_folder.name}/" if labels_folder else "no labels/"
    return Cohort(
        name=root.resolve().name,
        layout="plain",
        root=root,
        cases=tuple(cases),
        channels=names,
        labels={},
        problems=(*other_formats(images_folder, labels_folder), *twice, *more, *problems),
        reason=f"there is {images_folder.name}/ with {beside} beside it, and their files pair by "
        f"name",
    )


PLAIN = Layout("plain", "plain: images/CASE.nii.gz with labels/CASE.nii.gz", _find)
