"""IBSR18: eighteen T1 scans with tissue labels, as NIfTI or as Analyze pairs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from workbench.cohort.cohort import Case, Cohort, Task
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import natural_key, one_each, unlabeled, volume_files

__all__ = ["IBSR18"]

NAME = re.compile(r"(?P<case>IBSR_\d+)(?P<what>.*)", re.IGNORECASE)
#: Endings of an image and of a tissue map, the one to be preferred first. ``_seg_ana``, a map of
#: 43 structures, is none of them.
IMAGES = ("_ana_strip", "_strip", "", "_ana")
LABELS = ("_segtri_ana", "_segtri", "_segtri_fill_ana", "_seg")
TISSUES = Task("tissues", {1: "CSF", 2: "GM", 3: "WM"})


def _find(root: Path) -> Cohort | None:
    inside = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    paths = [path for folder in (root, *inside) for path in volume_files(folder)]
    named, problems = one_each((stem_of(path), path) for path in paths)
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for stem, path in named.items():
        match = NAME.fullmatch(stem)
        if match:
            found[match["case"]][match["what"].lower()] = path
    cases = []
    for case in sorted(found, key=natural_key):
        image, label = _first(found[case], IMAGES), _first(found[case], LABELS)
        if image is None:
            continue
        if label is None:
            problems.append(unlabeled(case))
        cases.append(Case(case, "other", {"T1": image}, label))
    if not cases:
        return None
    return Cohort(
        name=root.resolve().name,
        layout="IBSR18",
        root=root,
        cases=tuple(cases),
        channels=("T1",),
        labels=TISSUES.labels,
        problems=tuple(problems),
        tasks=(TISSUES,),
        reason="its files are called IBSR_01 and so on, with _segTRI or _seg for tissue maps",
    )


def _first(files: Mapping[str, Path], endings: tuple[str, ...]) -> Path | None:
    return next((files[ending] for ending in endings if ending in files), None)


IBSR18 = Layout(
    "IBSR18",
    "IBSR18: IBSR_01/IBSR_01_ana_strip.nii.gz with IBSR_01_segTRI_ana.nii.gz, or IBSR_01 with "
    "IBSR_01_seg, also as .hdr and .img",
    _find,
)
