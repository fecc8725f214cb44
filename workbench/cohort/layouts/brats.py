"""BraTS: one folder for each case, with the names of 2018 to 2021 or those since 2023."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from workbench.cohort.cohort import Case, Cohort, Problem, Task
from workbench.cohort.image_files import is_nifti, stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import lacks, natural_key, occurs_twice, unlabeled

__all__ = ["BRATS"]

BEFORE_2023 = {"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair"}
SINCE_2023 = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}
NAME = re.compile(r"(?P<case>.+?)[_-](?P<what>t1ce|t1n|t1c|t1|t2w|t2f|t2|flair|seg)")
#: Names that stand for a modality in other data sets, too: they make no BraTS case alone.
COMMON = {"t1", "t2", "seg"}


def _find(root: Path) -> Cohort | None:
    folders: dict[str, dict[Path, dict[str, Path]]] = defaultdict(lambda: defaultdict(dict))
    for pattern in ("*", "*/*", "*/*/*"):  # files, case folders, case folders in HGG and LGG
        for path in root.glob(pattern):
            match = NAME.fullmatch(stem_of(path)) if is_nifti(path) else None
            if match and path.is_file():
                place = path.parent.resolve()  # a link to a folder is that folder
                folders[match["case"]][place].setdefault(match["what"], path)
    signs = {*BEFORE_2023, *SINCE_2023} - COMMON
    found: dict[str, dict[str, Path]] = {}
    problems: list[Problem] = []
    for case, places in folders.items():
        alike = [files for files in places.values() if signs & set(files)]
        if len(alike) > 1:
            problems.append(occurs_twice(case, [next(iter(f.values())).parent for f in alike]))
        elif alike:
            found[case] = alike[0]
    if not found and not problems:
        return None
    cases = []
    new_names = sum("t1n" in files for files in found.values()) * 2 > len(found)
    names = SINCE_2023 if new_names else BEFORE_2023
    for case in sorted(found, key=natural_key):
        files = found[case]
        missing = [name for name in names if name not in files]
        if missing:
            problems.append(lacks(case, missing, list(names)))
            continue
        if "seg" not in files:
            problems.append(unlabeled(case))
        site = next((site for site in ("CBICA", "TCIA") if site in case), "other")
        images = {channel: files[name] for name, channel in names.items()}
        cases.append(Case(case, site, images, files.get("seg")))
    tasks = _tasks(enhancing=3 if new_names else 4)
    return Cohort(
        name=root.resolve().name,
        layout="BraTS",
        root=root,
        cases=tuple(cases),
        channels=tuple(names.values()),
        labels=tasks[0].labels,
        tasks=tasks,
        problems=tuple(problems),
        reason=f"its files are called CASE, then {', '.join(names)}: the names of BraTS "
        f"{'since 2023' if new_names else '2018 to 2021'}",
    )


def _tasks(enhancing: int) -> tuple[Task, ...]:
    """The three labels, scored as three regions; and each region as a task of its own."""
    labels = {1: "necrotic core", 2: "edema", enhancing: "enhancing tumor"}
    regions = {
        "whole tumor": (1, 2, enhancing),
        "tumor core": (1, enhancing),
        "enhancing tumor": (enhancing,),
    }
    single = (
        Task(
            short,
            dict.fromkeys(values, name),
            background=tuple(value for value in labels if value not in values),
        )
        for short, (name, values) in zip(("WT", "TC", "ET"), regions.items(), strict=True)
    )
    return Task("subregions", labels, regions), *single


BRATS = Layout(
    "BraTS",
    "BraTS: a folder for each case, also inside HGG/ and LGG/, with CASE_t1.nii.gz, CASE_t1ce, "
    "CASE_t2, CASE_flair and CASE_seg (2023: CASE-t1n, -t1c, -t2w, -t2f, -seg)",
    _find,
)
