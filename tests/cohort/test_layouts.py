from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.cohort.layouts import LAYOUTS, natural_key, recognize
from workbench.errors import CohortError, UnknownLayoutError

BOX = np.zeros((6, 6, 4), np.uint8)
BOX[2:4, 2:4, 1:3] = 1


def test_all_hippocampus_cases_are_recognized(shared_data):
    cohort = recognize(shared_data / "hippocampus")
    assert cohort.layout == "MSD"
    assert len(cohort.cases) == 260
    assert all(case.label is not None for case in cohort.cases)
    assert cohort.channels == ("MRI",)
    assert cohort.classes == ("background", "Anterior", "Posterior")
    assert cohort.problems == ()


def test_the_glioma_is_recognized_as_brats(shared_data):
    cohort = recognize(shared_data / "brats_layout")
    assert cohort.layout == "BraTS"
    assert [case.site for case in cohort.cases] == ["TCIA"]
    assert cohort.channels == ("t1", "t1ce", "t2", "flair")
    assert cohort.region_classes == {
        "whole tumor": (1, 2, 3),
        "tumor core": (1, 3),
        "enhancing tumor": (3,),
    }


@pytest.mark.parametrize(
    ("folder", "case", "site"),
    [
        ("HGG", "Brats18_CBICA_AAB_1", "CBICA"),
        ("LGG", "BraTS19_TCIA01_101_1", "TCIA"),
        (".", "BraTS2021_00000", "other"),
    ],
)
def test_brats_names_of_2018_to_2021_are_recognized(tmp_path, write, folder, case, site):
    for name in ("t1", "t1ce", "t2", "flair", "seg"):
        write(tmp_path / folder / case / f"{case}_{name}.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert [(found.id, found.site) for found in cohort.cases] == [(case, site)]
    assert cohort.cases[0].images["t1ce"].name == f"{case}_t1ce.nii.gz"
    assert sorted(cohort.labels) == [1, 2, 4]


def test_brats_names_of_2023_are_recognized(tmp_path, write):
    case = "BraTS-GLI-00000-000"
    for name in ("t1n", "t1c", "t2w", "t2f", "seg"):
        write(tmp_path / case / f"{case}-{name}.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert cohort.cases[0].id == case
    assert cohort.channels == ("t1", "t1ce", "t2", "flair")
    assert cohort.cases[0].images["t1ce"].name == f"{case}-t1c.nii.gz"
    assert cohort.regions["enhancing tumor"] == (3,)


def test_a_brats_case_without_a_channel_is_left_out_and_told(tmp_path, write):
    for case in ("a_1", "a_2"):
        for name in ("t1", "t1ce", "t2", "flair", "seg"):
            if (case, name) != ("a_2", "t2"):
                write(tmp_path / case / f"{case}_{name}.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["a_1"]
    assert cohort.problems[0].fatal
    assert "lacks t2" in cohort.problems[0].sentence


def test_plain_folders_pair_by_name_and_labels_are_as_found(tmp_path, write):
    write(tmp_path / "images" / "a.nii.gz", BOX)
    write(tmp_path / "images" / "b.nii", BOX)
    write(tmp_path / "labels" / "a.nii.gz", BOX * 7)
    write(tmp_path / "labels" / "b_seg.nii.gz", BOX * 3)
    cohort = recognize(tmp_path)
    assert cohort.layout == "plain"
    assert [(case.id, case.label is not None) for case in cohort.cases] == [
        ("a", True),
        ("b", True),
    ]
    assert cohort.labels == {3: "label 3", 7: "label 7"}
    assert cohort.classes == ("background", "label 3", "label 7")


def test_files_numbered_from_0000_are_the_channels_of_a_case(tmp_path, write):
    for case in ("p1", "p2"):
        for channel in range(2):
            write(tmp_path / "images" / f"{case}_000{channel}.nii.gz", BOX)
        write(tmp_path / "labels" / f"{case}.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert cohort.channels == ("channel 0", "channel 1")
    assert [case.id for case in cohort.cases] == ["p1", "p2"]
    assert cohort.problems == ()


def test_an_image_without_a_label_is_kept_and_a_label_without_an_image_is_told(plain, write):
    root = plain(cases=3)
    (root / "labels" / "case_2.nii.gz").unlink()
    (root / "images" / "case_3.nii.gz").unlink()
    cohort = recognize(root)
    assert [(case.id, case.label is None) for case in cohort.cases] == [
        ("case_1", False),
        ("case_2", True),
    ]
    told = {problem.case: problem for problem in cohort.problems}
    assert "never in the test set" in told["case_2"].sentence
    assert not told["case_2"].fatal
    assert "label without an image" in told["case_3"].sentence


def test_a_fractional_label_map_takes_its_case_out(plain, write):
    root = plain(cases=2)
    write(root / "labels" / "case_1.nii.gz", np.full((20, 18, 7), 0.3, np.float32))
    cohort = recognize(root)
    assert [case.id for case in cohort.cases] == ["case_2"]
    assert "not whole numbers" in cohort.problems[0].sentence


def test_an_image_among_the_labels_is_told(plain, write):
    root = plain(cases=2)
    wide = np.arange(20 * 18 * 7, dtype=np.int16).reshape(20, 18, 7)
    write(root / "labels" / "case_1.nii.gz", wide)
    cohort = recognize(root)
    assert "may be an image" in cohort.problems[0].sentence


def test_the_channels_of_a_decathlon_file_lie_along_its_fourth_axis(tmp_path, write):
    declared = {
        "name": "Prostate",
        "modality": {"0": "T2", "1": "ADC"},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "training": [{"image": "./imagesTr/p_00.nii.gz", "label": "./labelsTr/p_00.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    write(tmp_path / "imagesTr" / "p_00.nii.gz", np.ones((5, 5, 3, 2), np.float32))
    write(tmp_path / "imagesTr" / "._p_00.nii.gz", BOX)
    write(tmp_path / "labelsTr" / "p_00.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert cohort.channels == ("T2", "ADC")
    assert set(cohort.cases[0].images.values()) == {tmp_path / "imagesTr" / "p_00.nii.gz"}
    assert len(cohort.cases) == 1


def test_the_dialect_of_nnunet_is_understood(tmp_path, write):
    declared = {
        "channel_names": {"0": "T1", "1": "T1"},
        "labels": {"background": 0, "whole tumor": [1, 2], "core": 2},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    for channel in range(2):
        write(tmp_path / "imagesTr" / f"c_000{channel}.nii.gz", BOX)
    write(tmp_path / "labelsTr" / "c.nii.gz", BOX)
    cohort = recognize(tmp_path)
    assert cohort.channels == ("T1", "T1 1")
    assert cohort.labels == {2: "core", 1: "label 1"}
    assert cohort.regions == {"whole tumor": (1, 2), "core": (2,)}
    assert [case.id for case in cohort.cases] == ["c"]


def test_a_case_that_is_listed_but_absent_is_told(tmp_path, write):
    declared = {"modality": {"0": "T1"}, "labels": {"1": "x"}, "training": ["./imagesTr/b.nii.gz"]}
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    write(tmp_path / "imagesTr" / "a.nii.gz", BOX)
    assert "dataset.json lists b" in recognize(tmp_path).problems[0].sentence


def test_a_broken_dataset_json_is_told(tmp_path):
    (tmp_path / "dataset.json").write_text("{ not json")
    with pytest.raises(CohortError, match="cannot be understood"):
        recognize(tmp_path)


def test_an_empty_folder_is_told_what_belongs_there(tmp_path):
    with pytest.raises(UnknownLayoutError, match="is empty") as caught:
        recognize(tmp_path)
    assert "images/CASE.nii.gz" in str(caught.value)


def test_a_folder_that_matches_nothing_is_told_what_was_looked_for(shared_data):
    with pytest.raises(UnknownLayoutError) as caught:
        recognize(shared_data / "odd")
    for word in ("dataset.json", "HGG", "images/", "17 NIfTI files"):
        assert word in str(caught.value)


def test_all_data_sets_one_folder_deeper_are_named(shared_data):
    with pytest.raises(UnknownLayoutError) as caught:
        recognize(shared_data)
    said = str(caught.value)
    assert "3 folders of it open: brats_layout (BraTS), hippocampus (MSD), malc (MALC)." in said
    assert "\n" not in said, "nothing needs to be renamed"


@pytest.mark.parametrize(
    ("part", "layout"),
    [
        ("malc/training-images", "MALC"),
        ("malc/training-labels", "MALC"),
        ("hippocampus/imagesTr", "MSD"),
    ],
)
def test_a_part_of_a_data_set_is_told_the_folder_above(shared_data, part, layout):
    with pytest.raises(UnknownLayoutError, match=f"part of a data set in the layout {layout}") as e:
        recognize(shared_data / part)
    assert str(e.value).endswith(f"Name the folder above, {(shared_data / part).resolve().parent}.")


def test_a_folder_beside_a_data_set_is_no_part_of_it(tmp_path, write):
    write(tmp_path / "images/a.nii.gz", BOX)
    write(tmp_path / "others/b.nii.gz", BOX)
    with pytest.raises(UnknownLayoutError, match="others holds 1 image and no subfolder. Put it "):
        recognize(tmp_path / "others")


def test_images_without_a_subfolder_are_told_where_they_belong_before_the_layouts(
    tmp_path, write, monkeypatch
):
    for name in "abcd":
        write(tmp_path / f"un3/{name}.nii.gz", BOX)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownLayoutError) as caught:
        recognize("un3")
    answer, _, *layouts = str(caught.value).split("\n")
    assert answer == (
        "un3 holds 4 images and no subfolder. Put them into un3/images/ (and label maps of the "
        "same names, if there are any, into un3/labels/)."
    )
    assert layouts == [f"- {layout.looked_for}" for layout in LAYOUTS]
    (tmp_path / "un3/images").mkdir()
    for name in "abcd":
        (tmp_path / f"un3/{name}.nii.gz").rename(tmp_path / f"un3/images/{name}.nii.gz")
    assert len(recognize("un3").cases) == 4, "what is told to do works"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("scan/1.dcm", "dcm2niix"),
        ("scan/IM0001", "dcm2niix"),
        ("a.nrrd", "c3d CASE.nrrd"),
        ("images/a.mha", "c3d CASE.mha"),
        ("a.seg.nrrd", "c3d CASE.seg.nrrd"),
    ],
)
def test_another_format_is_told_the_command_that_converts_it(tmp_path, name, command):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 20)
    with pytest.raises(UnknownLayoutError, match="reads NIfTI") as caught:
        recognize(tmp_path)
    assert command in str(caught.value)


def test_files_in_other_formats_beside_those_that_are_read_are_told(tmp_path, write):
    for name in ("a", "b"):
        write(tmp_path / "images" / f"{name}.nii.gz", BOX)
        write(tmp_path / "labels" / f"{name}.nii.gz", BOX)
    assert recognize(tmp_path).problems == ()
    for name in ("images/c.nrrd", *(f"labels/{i}.seg.nrrd" for i in (10, 2, 3, 4))):
        (tmp_path / name).write_bytes(b"NRRD")
    cohort = recognize(tmp_path)
    assert [case.id for case in cohort.cases] == ["a", "b"]
    assert [problem.sentence.split(", because only NIfTI")[0] for problem in cohort.problems] == [
        "c.nrrd in images/ is left out",
        "2.seg.nrrd, 3.seg.nrrd, 4.seg.nrrd and 1 more in labels/ are left out",
    ]
    assert not any(problem.fatal for problem in cohort.problems), "the others can be used"


def test_images_in_another_format_are_told_where_only_the_labels_are_read(tmp_path, write):
    write(tmp_path / "labels" / "a.nii.gz", BOX)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.mha").write_bytes(b"ObjectType = Image")
    with pytest.raises(CohortError, match=r"no case of it can be used. a.mha in images/ is left"):
        recognize(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CohortError, match="does not exist"):
        recognize(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CohortError, match="is a file"):
        recognize(tmp_path / "file")


def test_a_layout_without_a_whole_case_is_told(tmp_path, write):
    write(tmp_path / "labels" / "a.nii.gz", BOX)
    (tmp_path / "images").mkdir()
    with pytest.raises(CohortError, match="no case of it can be used"):
        recognize(tmp_path)


def test_cases_are_in_natural_order():
    names = ["case_10", "case_9", "case_1", "Case_2", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "Case_2", "case_1", "case_9", "case_10"]
