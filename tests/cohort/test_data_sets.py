"""The data sets of the papers, written small but named and stored as they come."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.cohort import IGNORED, CohortOptions
from workbench.cohort.label_maps import read_classes
from workbench.cohort.layouts import LAYOUTS, recognize
from workbench.cohort.opening import open_cohort
from workbench.cohort.report import check_cohort
from workbench.cohort.sides import mirrored_classes
from workbench.cohort.volumes import read_header, read_image
from workbench.errors import CohortError, SettingError, VolumeError
from workbench.jobs import finish

SHAPE = (9, 8, 7)
LAS = np.diag([-1.0, 1.0, 1.5, 1.0])


def numbers(most: int, seed: int = 0) -> np.ndarray:
    """A label map with every value from 0 to `most`."""
    return np.random.default_rng(seed).permutation(np.arange(np.prod(SHAPE)) % (most + 1)).reshape(
        SHAPE
    ).astype(np.uint8)  # fmt: skip


def scan(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 900, SHAPE).astype(np.int16)


def classes_of(cohort, case):
    header = read_header(next(iter(case.images.values())))
    return read_classes(case, cohort, header.shape, header.affine)[0]


# ---------------------------------------------------------------------- IBSR18
@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("IBSR_01/IBSR_01_ana_strip", "IBSR_01/IBSR_01_segTRI_ana"),
        ("IBSR_01/IBSR_01", "IBSR_01/IBSR_01_seg"),
        ("IBSR_01", "IBSR_01_seg"),
    ],
)
def test_ibsr_is_recognized_by_either_names(tmp_path, write, image, label):
    write(tmp_path / f"{image}.nii.gz", scan()[..., None])  # a trailing axis of one
    write(tmp_path / f"{label}.nii.gz", numbers(3)[..., None])
    write(tmp_path / f"{image}_brainmask.nii.gz", numbers(1))
    cohort = recognize(tmp_path)
    assert (cohort.layout, cohort.channels) == ("IBSR18", ("T1",))
    assert cohort.classes == ("background", "CSF", "GM", "WM")
    (case,) = cohort.cases
    assert (case.id, case.label.name) == ("IBSR_01", f"{Path(label).name}.nii.gz")
    assert np.array_equal(read_image(case.images).data[0], scan())
    assert np.array_equal(classes_of(cohort, case), numbers(3))


def test_ibsr_prefers_the_stripped_scan_and_the_tissues(tmp_path, write):
    for name in ("ana", "ana_strip", "seg_ana", "segTRI_fill_ana", "segTRI_ana"):
        write(tmp_path / "IBSR_02" / f"IBSR_02_{name}.nii.gz", numbers(3))
    (case,) = recognize(tmp_path).cases
    assert case.images["T1"].name == "IBSR_02_ana_strip.nii.gz"
    assert case.label.name == "IBSR_02_segTRI_ana.nii.gz"


@pytest.mark.parametrize("kind", [nib.Spm99AnalyzeImage, nib.AnalyzeImage, nib.Nifti1Pair])
def test_ibsr_opens_as_analyze_pairs(tmp_path, kind):
    folder = tmp_path / "IBSR_01"
    folder.mkdir()
    for name, values in (("ana_strip", scan()), ("segTRI_ana", numbers(3))):
        nib.save(kind(values[..., None].astype(np.int16), LAS), folder / f"IBSR_01_{name}.hdr")
    cohort = recognize(tmp_path)
    (case,) = cohort.cases
    volume = read_image(case.images)
    assert np.array_equal(volume.data[0], scan()[::-1])  # stored right to left, read as RAS+
    assert volume.spacing.tolist() == [1, 1, 1.5]
    assert np.array_equal(classes_of(cohort, case), numbers(3)[::-1])


# ---------------------------------------------------------------------- MRBrainS18
def mrbrains(root: Path, write, cases=("1", "4")) -> Path:
    for number, case in enumerate(cases):
        for name in ("reg_T1", "reg_IR", "FLAIR"):
            write(root / case / "pre" / f"{name}.nii.gz", scan(number))
        write(root / case / "orig" / "T1.nii.gz", scan(number)[:4])
        write(root / case / "segm.nii.gz", numbers(10, number))
    return root


@pytest.mark.parametrize("inside", [".", "training"])
def test_mrbrains_is_recognized_and_its_lesions_are_ignored(tmp_path, write, inside):
    mrbrains(tmp_path / inside, write)
    cohort = recognize(tmp_path)
    assert (cohort.layout, cohort.channels) == ("MRBrainS18", ("T1", "IR", "FLAIR"))
    assert [case.id for case in cohort.cases] == ["1", "4"]
    found = classes_of(cohort, cohort.cases[0])
    table = np.array([0, 1, 1, 2, 2, 3, 3, 0, 0, IGNORED, IGNORED])
    assert cohort.classes == ("background", "GM", "WM", "CSF")
    assert np.array_equal(found, table[numbers(10)])


def test_mrbrains_has_its_eight_structures_as_a_task(tmp_path, write):
    cohort = finish(open_cohort(mrbrains(tmp_path, write), None, CohortOptions(task="structures")))
    found = classes_of(cohort, cohort.cases[0])
    assert np.array_equal(found, np.array([*range(9), IGNORED, IGNORED])[numbers(10)])
    assert cohort.classes[7] == "cerebellum"


# ---------------------------------------------------------------------- nnU-Net
def test_nnunet_has_regions_tasks_and_an_ignore_label(tmp_path, write):
    declared = {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
        "regions_class_order": [1, 2],
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    for case in ("c_001", "c_002"):
        for channel in range(2):
            write(tmp_path / "imagesTr" / f"{case}_000{channel}.nii.gz", scan(channel))
        write(tmp_path / "labelsTr" / f"{case}.nii.gz", numbers(3))
    cohort = recognize(tmp_path)
    assert (cohort.layout, cohort.channels) == ("nnU-Net", ("T1", "FLAIR"))
    assert cohort.cases[1].images["FLAIR"].name == "c_002_0001.nii.gz"
    assert np.array_equal(classes_of(cohort, cohort.cases[0]), np.array([0, 1, 2, 255])[numbers(3)])
    assert [task.name for task in cohort.tasks] == ["all labels", "whole", "core"]
    core = cohort.with_task("core")
    assert np.array_equal(classes_of(core, core.cases[0]), np.array([0, 0, 1, 255])[numbers(3)])


def test_one_channel_of_nnunet_has_a_number_too(tmp_path, write):
    declared = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "x": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    for case in ("a", "b"):
        write(tmp_path / "imagesTr" / f"{case}_0000.nii.gz", scan())
        write(tmp_path / "labelsTr" / f"{case}.nii.gz", numbers(1))
    cohort = recognize(tmp_path)
    assert [(case.id, case.label is not None) for case in cohort.cases] == [
        ("a", True),
        ("b", True),
    ]
    assert cohort.problems == ()


# ---------------------------------------------------------------------- BIDS
def bids(root: Path, write) -> Path:
    for subject in ("01", "02"):
        for name in ("T1w", "FLAIR"):
            write(root / f"sub-{subject}" / "anat" / f"sub-{subject}_{name}.nii.gz", scan())
        made = root / "derivatives" / "manual" / f"sub-{subject}" / "anat"
        write(made / f"sub-{subject}_space-T1w_dseg.nii.gz", numbers(2))
        write(made / f"sub-{subject}_desc-brain_mask.nii.gz", numbers(1))
    table = "index\tname\tabbreviation\n0\tbackground\tbg\n1\tlesion\tL\n2\tscar\tS\n"
    (root / "derivatives" / "manual" / "space-T1w_dseg.tsv").write_text(table)
    return root


def test_bids_finds_its_labels_in_derivatives_and_their_names_in_a_table(tmp_path, write):
    cohort = recognize(bids(tmp_path, write))
    assert cohort.layout == "BIDS"
    assert sorted(cohort.channels) == ["FLAIR", "T1w"]
    assert [case.id for case in cohort.cases] == ["sub-01", "sub-02"]
    assert cohort.cases[0].label.name == "sub-01_space-T1w_dseg.nii.gz"
    assert cohort.labels == {1: "lesion", 2: "scar"}
    assert cohort.problems == ()


def test_bids_sessions_are_cases_and_two_label_maps_are_told(tmp_path, write):
    for session in ("a", "b"):
        name = f"sub-1_ses-{session}"
        write(tmp_path / "sub-1" / f"ses-{session}" / "anat" / f"{name}_T1w.nii.gz", scan())
        made = tmp_path / "derivatives" / "x" / "sub-1" / f"ses-{session}" / "anat"
        write(made / f"{name}_label-lesion_mask.nii.gz", numbers(1))
    write(made / "sub-1_ses-b_label-edema_mask.nii.gz", numbers(1))
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["sub-1_ses-a"]
    assert cohort.labels == {1: "label 1"}
    assert "sub-1_ses-b occurs 2 times" in cohort.problems[0].sentence


# ---------------------------------------------------------------------- MALC
def test_malc_values_become_25_structures_with_two_sides(shared_data):
    cohort = recognize(shared_data / "malc")
    assert cohort.layout == "MALC"
    assert len(cohort.cases) == 15
    assert cohort.problems == ()
    assert len(cohort.classes) == 1 + 25
    assert sum(name.startswith("left ") for name in cohort.classes) == 11
    mirrored = mirrored_classes(cohort.classes, "axial")
    assert sum(number != place for place, number in enumerate(mirrored)) == 22
    place = cohort.classes.index
    assert mirrored[place("left thalamus")] == place("right thalamus")


def test_the_table_of_malc_is_that_of_its_authors(shared_data):
    import csv

    from workbench.cohort.layouts.malc import malc_tasks

    with (shared_data / "malc" / "label-information.csv").open(encoding="utf-8-sig") as file:
        theirs = {int(row["Label Number"]): row for row in csv.DictReader(file)}
    structures, tissues = malc_tasks()
    for task in (structures, tissues):
        assert {*task.labels, *task.background} == set(theirs)
    for value, row in theirs.items():
        assert tissues.labels.get(value, "None") == (row["Class"] or "None")
        side = structures.labels.get(value, "").partition(" ")[0]
        if side in ("left", "right"):
            assert row["Label Name"].lower().startswith(side)


def assert_sides(cohort, classes):
    """Every left structure lies left of its right one: x grows from left to right."""
    planes = np.array([np.bincount(plane.ravel(), minlength=26) for plane in classes])
    center = (planes * np.arange(len(planes))[:, None]).sum(axis=0) / planes.sum(axis=0)
    sides = [name for name in cohort.classes if name.startswith("left ")]
    assert len(sides) == 11
    for name in sides:
        other = name.replace("left", "right")
        assert center[cohort.classes.index(name)] < center[cohort.classes.index(other)], name


@pytest.mark.slow
def test_every_malc_subject_has_25_structures_on_their_sides(shared_data):
    cohort = recognize(shared_data / "malc")
    for case in cohort.cases:
        header = read_header(case.images["T1"])
        classes, notes = read_classes(case, cohort, header.shape, header.affine)
        assert notes == ()
        assert np.array_equal(np.unique(classes), np.arange(26)), case.id
        assert_sides(cohort, classes)


def test_one_malc_subject_has_25_structures_on_their_sides(shared_data):
    cohort = recognize(shared_data / "malc")
    case = cohort.cases[0]
    classes = classes_of(cohort, case)
    assert np.array_equal(np.unique(classes), np.arange(26))
    assert_sides(cohort, classes)
    tissues = cohort.with_task("tissues")
    assert np.array_equal(np.unique(classes_of(tissues, case)), np.arange(4))


def test_malc_cases_of_training_and_testing_are_one_cohort(tmp_path, write):
    for part, case in (("training", "1000_3"), ("testing", "1003_3")):
        write(tmp_path / f"{part}-images" / f"{case}.nii.gz", scan())
        write(tmp_path / f"{part}-labels" / f"{case}_glm.nii.gz", numbers(3) + 44)
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["1000_3", "1003_3"]
    assert cohort.problems == ()


# ---------------------------------------------------------------------- real single cases
def linked(folder: Path, images: dict[str, Path], labels: dict[str, Path]) -> Path:
    for part, files in (("images", images), ("labels", labels)):
        (folder / part).mkdir()
        for name, path in files.items():
            (folder / part / f"{name}.nii.gz").symlink_to(path)
    return folder


def test_the_ms_case_opens_with_its_four_channels(shared_data, tmp_path):
    source = shared_data / "ms_lesion"
    names = ("t1", "t1post", "t2", "flair")
    images = {f"ms_000{i}": source / f"{name}.nii.gz" for i, name in enumerate(names)}
    root = linked(tmp_path, images, {"ms": source / "consensus_lesion.nii.gz"})
    report = finish(check_cohort(recognize(root)))
    assert report.cohort.channels == tuple(f"channel {i}" for i in range(4))
    assert report.shapes == {(134, 153, 123): 1}
    assert report.labeled == 1
    assert report.voxels[1] > 0


def test_the_mismatched_label_of_the_thorax_is_refused(shared_data, tmp_path):
    source = shared_data / "thorax_ct" / "thorax_ct_1p5mm"
    slab = shared_data / "thorax_ct" / "ct_3mm_slab"
    root = linked(
        tmp_path,
        {
            "good": source / "image.nii.gz",
            "slab": slab / "image.nii.gz",
            "wrong": source / "image.nii.gz",
        },
        {
            "good": source / "pulmonary_artery_auto.nii.gz",
            "slab": slab / "labels117_auto.nii.gz",
            "wrong": source / "MISMATCHED_heart_auto.nii.gz",
        },
    )
    report = finish(check_cohort(recognize(root)))
    assert report.labeled == 2
    (problem,) = [p for p in report.problems if p.fatal]
    assert problem.case == "wrong"
    assert "same voxel grid" in problem.sentence


# ---------------------------------------------------------------------- bad input
def test_a_folder_with_two_layouts_is_refused_and_can_be_named(plain, write):
    root = plain(cases=2)
    for name in ("t1", "t1ce", "t2", "flair", "seg"):
        write(root / "a_1" / f"a_1_{name}.nii.gz", numbers(1))
    with pytest.raises(CohortError, match=r"fits 2 layouts: BraTS \(1 case") as caught:
        recognize(root)
    assert "--layout BraTS" in str(caught.value)
    assert [case.id for case in recognize(root, "brats").cases] == ["a_1"]
    assert len(recognize(root, "plain").cases) == 2


def test_a_layout_that_is_not_there_is_told(plain):
    with pytest.raises(SettingError, match="MRBrainS18"):
        recognize(plain(cases=1), "nifti")


def test_names_of_layouts_can_be_typed():
    assert all(layout.name.isascii() and " " not in layout.name for layout in LAYOUTS)


def test_modalities_beside_each_other_are_plain_and_no_broken_brats(tmp_path, write):
    for case in ("p1", "p2"):
        write(tmp_path / "images" / f"{case}_flair.nii.gz", scan())
        write(tmp_path / "labels" / f"{case}_flair.nii.gz", numbers(1))
    assert recognize(tmp_path).layout == "plain"


def test_a_brats_case_in_two_folders_is_left_out_and_told(tmp_path, write):
    for grade, case in (("HGG", "a"), ("LGG", "a"), ("LGG", "b")):
        for name in ("t1", "t1ce", "t2", "flair", "seg"):
            write(tmp_path / grade / case / f"{case}_{name}.nii.gz", numbers(1))
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["b"]
    assert "a occurs 2 times" in cohort.problems[0].sentence


def test_a_plain_case_with_two_files_is_left_out_and_told(plain, write):
    root = plain(cases=3)
    write(root / "images" / "case_1.nii", scan())
    write(root / "labels" / "case_2_seg.nii.gz", numbers(1))
    (root / "labels" / "case_2.nii.gz").rename(root / "labels" / "case_2_mask.nii.gz")
    cohort = recognize(root)
    assert [case.id for case in cohort.cases] == ["case_3"]
    assert cohort.channels == ("image",)
    assert [problem.case for problem in cohort.problems] == ["case_1", "case_2"]
    assert all("occurs 2 times" in problem.sentence for problem in cohort.problems)


def test_links_that_lead_back_are_not_followed_round(tmp_path, write):
    for name in ("t1", "t1ce", "t2", "flair", "seg"):
        write(tmp_path / "HGG" / "a" / f"a_{name}.nii.gz", numbers(1))
    os.symlink(tmp_path / "HGG", tmp_path / "again")
    os.symlink(tmp_path, tmp_path / "HGG" / "loop")
    os.symlink(tmp_path / "itself", tmp_path / "itself")
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["a"]
    assert cohort.problems == ()
    with pytest.raises(CohortError, match="no layout"):
        recognize(tmp_path, "MALC")


@pytest.mark.parametrize("name", ["Fall 1 Müller", "脳 α", "a.b,c (1)"])
def test_names_with_spaces_and_other_letters_are_kept(tmp_path, write, name):
    root = tmp_path / f"Daten {name}"
    for case in (name, f"{name} zwei"):
        write(root / "images" / f"{case}.nii.gz", scan())
        write(root / "labels" / f"{case}.nii.gz", numbers(1))
    report = finish(check_cohort(recognize(root)))
    assert [case.id for case in report.cohort.cases] == sorted([name, f"{name} zwei"])
    assert report.usable


def test_a_value_that_the_tissues_do_not_know_is_refused_or_background(tmp_path, write):
    write(tmp_path / "IBSR_01.nii.gz", scan())
    write(tmp_path / "IBSR_01_seg.nii.gz", numbers(5))
    cohort = recognize(tmp_path)
    with pytest.raises(VolumeError, match=r"4 \(84 voxels\), 5 \(84 voxels\)"):
        classes_of(cohort, cohort.cases[0])
    options = CohortOptions(unknown_labels="background")
    lenient = finish(open_cohort(tmp_path, None, options))
    table = np.array([0, 1, 2, 3, 0, 0])
    assert np.array_equal(classes_of(lenient, lenient.cases[0]), table[numbers(5)])
    report = finish(check_cohort(lenient))
    assert any("taken as background" in problem.sentence for problem in report.problems)
