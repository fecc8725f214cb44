"""MALC, the multi-atlas labelling challenge of MICCAI 2012: BrainCOLOR regions of OASIS scans.

What its label values stand for is in ``malc_labels.csv``, beside this file: the
name of every value, the one of 25 structures that it belongs to (even cortical
values are right, odd ones left), and its tissue. A value without an entry in a
column is background in that task.
"""

from __future__ import annotations

import csv
from pathlib import Path

from workbench.cohort.cohort import Cohort, Task
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import nifti_files, one_each, pair

__all__ = ["MALC", "malc_tasks"]

TABLE = Path(__file__).with_name("malc_labels.csv")
FOLDERS = ("training", "testing")
SUFFIX = "_glm"


def _find(root: Path) -> Cohort | None:
    image_files = [path for part in FOLDERS for path in nifti_files(root / f"{part}-images")]
    label_files = [path for part in FOLDERS for path in nifti_files(root / f"{part}-labels")]
    if not image_files and not label_files:
        return None
    images, twice = one_each((stem_of(path), path) for path in image_files)
    labels, more = one_each((stem_of(path).removesuffix(SUFFIX), path) for path in label_files)
    left_out = {problem.case for problem in (*twice, *more)}
    cases, problems = pair(
        {case: [path] for case, path in images.items() if case not in left_out},
        {case: path for case, path in labels.items() if case not in left_out},
        ("T1",),
    )
    tasks = malc_tasks()
    return Cohort(
        name=root.resolve().name,
        layout="MALC",
        root=root,
        cases=tuple(cases),
        channels=("T1",),
        labels=tasks[0].labels,
        problems=(*twice, *more, *problems),
        tasks=tasks,
        reason="there is training-images/ or testing-images/, with labels of the same names that "
        f"end in {SUFFIX}",
    )


def malc_tasks() -> tuple[Task, ...]:
    """The 25 structures, and the tissues CSF, GM and WM."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Task(
            name,
            {int(row["value"]): row[column] for row in rows if row[column]},
            background=tuple(int(row["value"]) for row in rows if not row[column]),
        )
        for name, column in (("structures", "structure"), ("tissues", "tissue"))
    )


MALC = Layout(
    "MALC",
    "MALC: training-images/1000_3.nii.gz with training-labels/1000_3_glm.nii.gz, and testing-*",
    _find,
)
