"""MRBrainS18: a numbered folder for each case, with its modalities in ``pre/``."""

from __future__ import annotations

from pathlib import Path

from workbench.cohort.cohort import Case, Cohort, Problem, Task
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import (
    lacks,
    natural_key,
    nifti_files,
    occurs_twice,
    unlabeled,
)

__all__ = ["MRBRAINS18"]

CHANNELS = {"T1": "reg_T1", "IR": "reg_IR", "FLAIR": "FLAIR"}
#: Infarctions and other lesions: nobody drew what tissue they are.
IGNORED = (9, 10)
TASKS = (
    Task(
        "tissues",
        {1: "GM", 2: "GM", 3: "WM", 4: "WM", 5: "CSF", 6: "CSF"},
        background=(7, 8),
        ignored=IGNORED,
    ),
    Task(
        "structures",
        {
            1: "cortical gray matter",
            2: "basal ganglia",
            3: "white matter",
            4: "white matter lesions",
            5: "outer cerebrospinal fluid",
            6: "ventricles",
            7: "cerebellum",
            8: "brain stem",
        },
        ignored=IGNORED,
    ),
)


def _find(root: Path) -> Cohort | None:
    folders: dict[str, dict[Path, Path]] = {}
    for pattern in ("*/pre", "*/*/pre"):  # also inside training/
        for pre in sorted(root.glob(pattern)):
            if {stem_of(path) for path in nifti_files(pre)} & set(CHANNELS.values()):
                case = pre.parent
                folders.setdefault(case.name, {}).setdefault(case.resolve(), case)
    if not folders:
        return None
    cases: list[Case] = []
    problems: list[Problem] = []
    for name in sorted(folders, key=natural_key):
        same = list(folders[name].values())
        if len(same) > 1:
            problems.append(occurs_twice(name, same))
            continue
        files = {stem_of(path): path for path in nifti_files(same[0] / "pre")}
        missing = [file for file in CHANNELS.values() if file not in files]
        if missing:
            problems.append(lacks(name, missing, list(CHANNELS.values())))
            continue
        label = next((p for p in nifti_files(same[0]) if stem_of(p) == "segm"), None)
        if label is None:
            problems.append(unlabeled(name))
        images = {channel: files[file] for channel, file in CHANNELS.items()}
        cases.append(Case(name, "other", images, label))
    return Cohort(
        name=root.resolve().name,
        layout="MRBrainS18",
        root=root,
        cases=tuple(cases),
        channels=tuple(CHANNELS),
        labels=TASKS[0].labels,
        problems=tuple(problems),
        tasks=TASKS,
        reason=f"its folders hold pre/ with {', '.join(CHANNELS.values())}",
    )


MRBRAINS18 = Layout(
    "MRBrainS18",
    "MRBrainS18: 1/pre/reg_T1.nii.gz, reg_IR and FLAIR with 1/segm.nii.gz",
    _find,
)
