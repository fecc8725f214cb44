"""Plain folders: ``images/`` and ``labels/`` whose files pair by name."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.cohort.cohort import Cohort
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import images_by_case, nifti_files, pair
from workbench.cohort.volumes import stem_of

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
    images = images_by_case(files, grouped=any(stem_of(p).endswith("_0001") for p in files))
    labels = {}
    for path in label_files:
        stem = stem_of(path)
        labels[stem if stem in images else LABEL_SUFFIX.sub("", stem)] = path
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
        problems=tuple(problems),
        reason=f"there is {images_folder.name}/ with {beside} beside it, and their files pair by "
        f"name",
    )


PLAIN = Layout("plain", "plain: images/CASE.nii.gz with labels/CASE.nii.gz", _find)
