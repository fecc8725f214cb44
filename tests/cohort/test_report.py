from __future__ import annotations

import shutil

import numpy as np

from workbench.cohort.layouts import recognize
from workbench.cohort.report import check_cohort
from workbench.jobs import finish


def test_a_report_counts_what_is_there(plain):
    report = finish(check_cohort(recognize(plain())))
    assert report.usable
    assert report.labeled == 4
    assert report.shapes == {(20, 18, 7): 4}
    assert report.voxels[1] == 4 * 5 * 4 * 3
    text = str(report)
    for word in (
        "plain layout",
        "because   there is images/",
        "20×18×7",
        "1×1×1 mm",
        "label 1",
        "240 voxels",
        "can be used.",
    ):
        assert word in text


def test_hippocampus_has_no_problem(shared_data):
    report = finish(check_cohort(recognize(shared_data / "hippocampus")))
    assert report.usable
    assert report.labeled == 260
    assert report.problems == ()
    assert report.voxels[1] == 445_938


def test_a_single_case_cannot_be_used(shared_data):
    report = finish(check_cohort(recognize(shared_data / "brats_layout")))
    assert not report.usable
    assert report.voxels[3] == 6_840  # enhancing tumor
    assert "Only one case" in str(report)
    opens = f'Workbench("{shared_data / "brats_layout"}")'
    assert f"cannot be used for simulations, but it opens for annotation: {opens}." in str(report)


def test_images_that_nobody_labeled_open_for_annotation_and_it_is_told_how(plain):
    root = plain()
    shutil.rmtree(root / "labels")
    report = finish(check_cohort(recognize(root)))
    assert not report.usable
    assert report.to_annotate
    text = str(report)
    assert f'opens for annotation: Workbench("{root}", labels={{"1": "tumor"}})' in text
    assert "    - case_1 has no label." in text, "the name of a case is told once"


def test_every_problem_is_told(plain, write):
    root = plain(cases=6)
    (root / "labels" / "case_2.nii.gz").unlink()
    (root / "images" / "case_3.nii.gz").write_bytes(b"")
    write(root / "labels" / "case_4.nii.gz", np.ones((20, 18, 6), np.uint8))
    image = np.random.default_rng(0).normal(size=(20, 18, 7)).astype(np.float32)
    image[0, 0, 0] = np.nan
    write(root / "images" / "case_5.nii.gz", image)
    report = finish(check_cohort(recognize(root)))
    told = {problem.case: problem for problem in report.problems}
    assert set(told) == {"case_2", "case_3", "case_4", "case_5"}
    assert [told[f"case_{i}"].fatal for i in (2, 3, 4, 5)] == [False, True, True, False]
    assert report.usable
    assert "without the files named above" in str(report)


def test_no_foreground_anywhere_cannot_be_used(plain):
    report = finish(check_cohort(recognize(plain(value=0))))
    assert not report.usable
    assert "no foreground anywhere" in str(report)
