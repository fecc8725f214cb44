"""Medical Segmentation Decathlon and nnU-Net: ``dataset.json`` says what there is."""

from __future__ import annotations

from pathlib import Path

from workbench.cohort.cohort import Cohort, Problem
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.dataset_file import DatasetFile, read_dataset_file
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import (
    images_by_case,
    nifti_files,
    one_each,
    other_formats,
    pair,
)

__all__ = ["MSD", "NNUNET"]


def _msd(root: Path) -> Cohort | None:
    declared = _declared(root)
    if declared is None or declared.nnunet:
        return None
    return _cohort(root, "MSD", declared, "names its channels as 'modality'")


def _nnunet(root: Path) -> Cohort | None:
    declared = _declared(root)
    if declared is None or not declared.nnunet:
        return None
    return _cohort(root, "nnU-Net", declared, "has 'channel_names', as nnU-Net writes it")


def _declared(root: Path) -> DatasetFile | None:
    file = root / "dataset.json"
    return read_dataset_file(file) if file.is_file() else None


def _cohort(root: Path, layout: str, declared: DatasetFile, sign: str) -> Cohort:
    files, twice = one_each((stem_of(path), path) for path in nifti_files(root / "imagesTr"))
    labels, more = one_each((stem_of(path), path) for path in nifti_files(root / "labelsTr"))
    images = images_by_case(list(files.values()), grouped=len(declared.channels) > 1)
    left_out = {problem.case for problem in (*twice, *more)}
    absent = [
        Problem(case, f"dataset.json lists {case}, but imagesTr/ holds no image of it.", True)
        for case in declared.cases
        if case not in {*images, *labels, *left_out}
    ]
    others = other_formats(root / "imagesTr", root / "labelsTr")
    cases, problems = pair(
        {case: paths for case, paths in images.items() if case not in left_out},
        {case: path for case, path in labels.items() if case not in left_out},
        declared.channels,
    )
    return Cohort(
        name=declared.name or root.resolve().name,
        layout=layout,
        root=root,
        cases=tuple(cases),
        channels=declared.channels,
        labels=declared.labels,
        regions=declared.regions,
        ignored=declared.ignored,
        problems=(*others, *twice, *more, *absent, *problems),
        reason=f"its dataset.json {sign}",
    )


MSD = Layout("MSD", "MSD: dataset.json beside imagesTr/ and labelsTr/", _msd)
NNUNET = Layout(
    "nnU-Net",
    "nnU-Net: dataset.json with channel_names beside imagesTr/CASE_0000.nii.gz and "
    "labelsTr/CASE.nii.gz",
    _nnunet,
)
