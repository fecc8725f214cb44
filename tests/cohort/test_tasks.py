"""Tasks: what the label values of a data set stand for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.cohort.cohort import IGNORED, Case, Cohort, CohortOptions, Task
from workbench.cohort.label_maps import read_classes
from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.layouts import recognize
from workbench.cohort.opening import open_cohort
from workbench.cohort.report import check_cohort
from workbench.cohort.store import build_store
from workbench.errors import SettingError, VolumeError
from workbench.jobs import finish
from workbench.study import open_data

TISSUES = Task(
    "tissues",
    {1: "gray", 2: "gray", 3: "white"},
    regions={"brain": (1, 2, 3), "white": (3,)},
    background=(4,),
    ignored=(9,),
)


def made(task: Task = TISSUES, **more) -> Cohort:
    cohort = Cohort("made", "plain", Path("."), (), ("image",), {}, tasks=(task,), **more)
    return cohort.with_task(task.name)


def test_values_with_one_name_are_one_class():
    cohort = made()
    assert cohort.classes == ("background", "gray", "white")
    assert cohort.class_of == {0: 0, 1: 1, 2: 1, 3: 2, 4: 0, 9: IGNORED}
    assert cohort.region_classes == {"brain": (1, 2), "white": (2,)}
    assert cohort.values_of == {"gray": (1, 2), "white": (3,)}


def test_a_cohort_without_tasks_has_one_for_each_region(shared_data):
    cohort = recognize(shared_data / "hippocampus")
    assert [task.name for task in cohort.tasks] == ["all labels", "Anterior", "Posterior"]
    assert cohort.task == "all labels"
    chosen = cohort.with_task("posterior")
    assert chosen.labels == {2: "Posterior"}
    assert chosen.class_of == {0: 0, 1: 0, 2: 1}


def test_a_task_that_is_not_there_is_told(shared_data):
    with pytest.raises(SettingError, match="'Anterior', 'Posterior'"):
        recognize(shared_data / "hippocampus").with_task("liver")


def label_file(write, folder: Path, values: np.ndarray) -> Case:
    image = write(folder / "i.nii.gz", np.ones(values.shape, np.float32))
    return Case("a", "other", {"image": image}, write(folder / "l.nii.gz", values))


def test_a_label_map_is_read_as_classes_of_the_task(tmp_path, write):
    values = np.array([0, 1, 2, 3, 4, 9], np.uint8).reshape(6, 1, 1)
    case = label_file(write, tmp_path, values)
    classes, notes = read_classes(case, made(), values.shape, np.eye(4))
    assert classes.ravel().tolist() == [0, 1, 1, 2, 0, IGNORED]
    assert notes == ()


def test_unknown_values_are_named_and_counted_and_refused(tmp_path, write):
    values = np.array([0, 1, 7, 7, 8, 3], np.uint8).reshape(6, 1, 1)
    case = label_file(write, tmp_path, values)
    with pytest.raises(VolumeError, match=r"7 \(2 voxels\), 8 \(1 voxels\)") as caught:
        read_classes(case, made(), values.shape, np.eye(4))
    assert "--unknown-labels background" in str(caught.value)


def test_unknown_values_become_background_where_that_is_asked_for(tmp_path, write):
    values = np.array([0, 1, 7, 7, 8, 3], np.uint8).reshape(6, 1, 1)
    case = label_file(write, tmp_path, values)
    lenient = made(unknown_labels="background")
    classes, notes = read_classes(case, lenient, values.shape, np.eye(4))
    assert classes.ravel().tolist() == [0, 1, 0, 0, 0, 2]
    assert "taken as background: 7 (2 voxels), 8 (1 voxels)" in notes[0]


@pytest.mark.parametrize("wrong", [{"unknown_labels": "guess"}, {"resample": "yes"}])
def test_options_out_of_their_range_are_refused(wrong):
    with pytest.raises(SettingError):
        CohortOptions(**wrong)


def test_ignored_voxels_are_no_foreground_and_are_kept_as_such(plain, tmp_path, write):
    root = plain(cases=2)
    values = np.zeros((20, 18, 7), np.uint8)
    values[2:6, 2:6, 3], values[10:12, 10:12, 3] = 1, 9
    write(root / "labels" / "case_1.nii.gz", values)
    cohort = recognize(root)
    cohort = replace(cohort, labels={1: "gray"}, ignored=(9,))
    store = finish(build_store(cohort, ["case_1", "case_2"], folder=tmp_path / "stores"))
    labels = ReferenceLabels(store, cohort)
    row = next(i for i, each in enumerate(store.ids) if str(each) == "case_1/axial/0003")
    assert labels.foreground[row] == 16
    found = labels.read([row])[0]
    assert np.count_nonzero(found == 1) == 16
    assert np.count_nonzero(found == IGNORED) == 4


def test_another_task_makes_other_labels_and_keeps_the_images(plain, tmp_path):
    root = plain(cases=4)
    declared = {"channel_names": {"0": "T1"}, "labels": {"background": 0, "box": 1, "other": 2}}
    (root / "dataset.json").write_text(json.dumps(declared))
    (root / "images").rename(root / "imagesTr")
    (root / "labels").rename(root / "labelsTr")
    found = {
        task: finish(open_data(root, options=CohortOptions(task=task), folder=tmp_path / "s"))
        for task in ("auto", "box")
    }
    assert found["auto"].images.key == found["box"].images.key
    assert found["auto"].labels.key != found["box"].labels.key
    assert found["box"].labels.classes == ("background", "box")


def test_the_embedded_cohort_has_a_task_for_the_whole_tumor(phantom):
    chosen = finish(open_cohort("phantom", 6, CohortOptions(task="WT")))
    assert phantom.task == "subregions"
    assert chosen.classes == ("background", "whole tumor")
    assert chosen.region_classes == {"whole tumor": (1,)}


def test_a_report_tells_the_task_and_what_is_ignored(plain, write):
    root = plain(cases=2)
    cohort = recognize(root)
    cohort = replace(cohort, labels={2: "core"}, ignored=(1,), task="core")
    write(root / "labels" / "case_1.nii.gz", np.full((20, 18, 7), 2, np.uint8))
    report = finish(check_cohort(cohort))
    text = str(report)
    assert "task      core" in text
    assert report.voxels[IGNORED] == 5 * 4 * 3
    assert "ignored" in text
    assert "marks nothing" in next(p.sentence for p in report.problems if p.case == "case_2")
