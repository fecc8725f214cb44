from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel import affines
from typer.testing import CliRunner

from tests.experiments.tiny import tiny_config
from workbench.annotation import Entry, Ledger, images_key
from workbench.annotation.agreement import compare_annotators
from workbench.annotation.ledger import FILE_NAME
from workbench.cli import app
from workbench.cohort.cohort import IGNORED
from workbench.cohort.label_maps import read_classes
from workbench.cohort.layouts import recognize
from workbench.cohort.phantom import make_phantom
from workbench.cohort.preprocess import as_slices, fit
from workbench.cohort.volumes import read_header, read_image, read_label
from workbench.errors import CohortError, RunError, VolumeError
from workbench.experiments.export import export_masks, export_nnunet, import_masks
from workbench.experiments.runs import Run, SavedRound
from workbench.experiments.simulate import open_run_data
from workbench.jobs import finish
from workbench.models.compute import Compute


def check_the_rules_of_nnunet(folder: Path) -> dict:
    """What nnU-Net v2 demands of a raw data set, in its documentation's words."""
    declared = json.loads((folder / "dataset.json").read_text())
    assert {"channel_names", "labels", "numTraining", "file_ending"} <= set(declared)
    labels, ending = declared["labels"], declared["file_ending"]
    assert labels["background"] == 0
    assert sorted(labels.values()) == list(range(len(labels)))  # "must be consecutive"
    if "ignore" in labels:
        assert labels["ignore"] == max(labels.values())  # "the highest integer label value"
    channels = [f"{int(index):04d}" for index in declared["channel_names"]]
    cases = sorted(path.name.removesuffix(ending) for path in (folder / "labelsTr").iterdir())
    assert len(cases) == declared["numTraining"]
    images = sorted(path.name for path in (folder / "imagesTr").iterdir())
    assert images == sorted(f"{case}_{channel}{ending}" for case in cases for channel in channels)
    found = set()
    for case in cases:
        label = nib.load(folder / "labelsTr" / f"{case}{ending}")
        assert label.get_data_dtype().kind in "ui"
        found |= {int(value) for value in np.unique(label.dataobj)}
        for channel in channels:  # "must share the same geometry"
            image = nib.load(folder / "imagesTr" / f"{case}_{channel}{ending}")
            assert image.shape == label.shape
            np.testing.assert_array_equal(image.affine, label.affine)
    assert found <= set(labels.values())
    return declared


def made_run(folder, labeled, **settings):
    """A run of one round that labeled the slices that `labeled` picks; nothing is trained."""
    config = tiny_config(rounds=0, strategy={"name": "random", "parameters": {}}, **settings)
    data = finish(open_run_data(config))
    names = tuple(str(each) for each in data.pool.ids if labeled(each, data.pool.ids[0].case))
    saved = SavedRound(0, names, (), {}, config.strategy, {}, (), {})
    return Run(folder, config, {}, (saved,)), data


LABELED = {
    "some slices": lambda each, first: each.index % 7 == 2,
    "a whole case": lambda each, first: each.case == first,
}


@pytest.mark.parametrize("what", LABELED)
def test_the_labeled_slices_of_a_run_are_what_nnunet_trains_on(tmp_path, what):
    run, data = made_run(tmp_path / "run", LABELED[what])
    folder = tmp_path / "Dataset101_Chosen"
    count = finish(export_nnunet(run, folder))
    declared = check_the_rules_of_nnunet(folder)
    assert count == declared["numTraining"]
    assert ("ignore" in declared["labels"]) == (what == "some slices")
    assert list(declared["labels"])[:4] == [
        "background",
        "necrotic core",
        "edema",
        "enhancing tumor",
    ]
    pool = run.pool_after(data.pool)
    labeled = {pool.ids[row] for row in np.flatnonzero(pool.labeled_in >= 0)}
    cases = {case.id: case for case in data.cohort.cases}
    assert len({each.case for each in labeled}) == count
    for name in {each.case for each in labeled}:
        case = cases[name]
        header = read_header(next(iter(case.images.values())))
        expected, _ = read_classes(case, data.cohort, header.shape, header.affine)
        if what == "some slices":
            indices = [each.index for each in labeled if each.case == name]
            kept = np.isin(np.arange(expected.shape[2]), indices)
            expected[:, :, ~kept] = declared["labels"]["ignore"]
        label = nib.as_closest_canonical(nib.load(folder / "labelsTr" / f"{name}.nii.gz"))
        np.testing.assert_array_equal(np.asanyarray(label.dataobj), expected)
        for channel, path in enumerate(case.images.values()):
            image = nib.load(folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz")
            np.testing.assert_array_equal(image.dataobj, nib.load(path).dataobj)


def two_channels(root, affine, shape):
    """Three labeled cases whose second channel lies on another grid: values grow along x, mm."""
    fine = np.diag([-1.0, 1, 1, 1])  # x runs to the left
    label = np.zeros((32, 32, 8), np.uint8)
    label[8:20, 8:20, 1:7] = 1
    for case in "abc":
        for kind, name, grid, size in (
            ("images", f"{case}_0000", fine, label.shape),
            ("images", f"{case}_0001", affine, shape),
        ):
            (root / kind).mkdir(parents=True, exist_ok=True)
            x = affines.apply_affine(grid, np.moveaxis(np.indices(size), 0, -1))[..., 0]
            nib.save(nib.Nifti1Image(x.astype(np.float32), grid), root / kind / f"{name}.nii.gz")
        (root / "labels").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(label, fine), root / f"labels/{case}.nii.gz")
    return label


OTHER_GRIDS = {
    "coarser": ([[-2.0, 0, 0, -0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]], (16, 16, 4)),
    "another order of axes": ([[1.0, 0, 0, -31], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
                              (32, 8, 32)),
}  # fmt: skip


@pytest.mark.parametrize("second", OTHER_GRIDS)
def test_channels_on_several_grids_are_exported_on_that_of_the_label(tmp_path, second):
    affine, shape = OTHER_GRIDS[second]
    label = two_channels(tmp_path / "mine", np.array(affine), shape)
    run, _ = made_run(
        tmp_path / "run",
        LABELED["a whole case"],
        source=str(tmp_path / "mine"),
        cases=None,
        resample=second == "coarser",
    )
    folder = tmp_path / "Dataset103"
    assert finish(export_nnunet(run, folder)) == 1
    check_the_rules_of_nnunet(folder)
    (case,) = (path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").iterdir())
    shown = [nib.load(folder / f"imagesTr/{case}_{number:04d}.nii.gz") for number in (0, 1)]
    for image in shown:  # both tell where they are, but for what lies beyond the coarser one
        x = affines.apply_affine(image.affine, np.moveaxis(np.indices(image.shape), 0, -1))[..., 0]
        inside = (slice(1, -1),) * 3
        np.testing.assert_allclose(image.get_fdata()[inside], x[inside], atol=1e-4)
    back = nib.as_closest_canonical(nib.load(folder / f"labelsTr/{case}.nii.gz"))
    np.testing.assert_array_equal(np.asanyarray(back.dataobj), label[::-1])


def test_the_workbench_reads_its_export_and_leaves_out_what_is_ignored(tmp_path):
    run, _ = made_run(tmp_path / "run", LABELED["some slices"])
    finish(export_nnunet(run, tmp_path / "Dataset101_Chosen", files="copy"))
    cohort = recognize(tmp_path / "Dataset101_Chosen")
    assert cohort.layout == "nnU-Net"
    assert cohort.classes == ("background", "necrotic core", "edema", "enhancing tumor")
    volume = read_image(cohort.cases[0].images)
    classes, _ = read_classes(cohort.cases[0], cohort, volume.data.shape[1:], volume.affine)
    assert (classes == IGNORED).any()
    assert (classes != IGNORED).any()


def test_a_run_without_rounds_and_a_folder_with_files_are_refused(tmp_path):
    run, _ = made_run(tmp_path / "run", LABELED["a whole case"])
    with pytest.raises(RunError, match="no finished round"):
        finish(export_nnunet(replace(run, rounds=()), tmp_path / "made"))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "precious.txt").write_text("mine")
    with pytest.raises(CohortError, match="is not empty"):
        finish(export_nnunet(run, tmp_path / "made"))


def annotated_run(folder, labeled="some slices"):
    """A run in which people annotated some labeled slices and some that no round has yet."""
    run, data = made_run(folder, LABELED[labeled])
    pool = run.pool_after(data.pool)
    rows = np.flatnonzero(pool.labeled)[::2].tolist() + np.flatnonzero(~pool.labeled)[:2].tolist()
    maps = {}
    with Ledger(
        folder / FILE_NAME, images_key=images_key(data.images), classes=data.labels.classes
    ) as a:
        for row in rows:
            maps[row] = np.random.default_rng(row).integers(0, 4, data.images.size).astype(np.uint8)
            a.append(Entry(str(pool.ids[row]), "done", maps[row], annotator="Ada"))
    return run, data, maps


def test_what_people_annotated_goes_to_nnunet_before_the_reference(tmp_path):
    run, data, maps = annotated_run(tmp_path / "run")
    folder = tmp_path / "Dataset101_Chosen"
    finish(export_nnunet(run, folder))
    declared = check_the_rules_of_nnunet(folder)
    cohort = recognize(folder)
    cases = {case.id: case for case in cohort.cases}
    pool = run.pool_after(data.pool)
    for row in np.flatnonzero(pool.labeled | np.isin(np.arange(len(pool)), list(maps))):
        each = pool.ids[row]
        values, _ = read_label(cases[each.case].label)
        shown = fit(as_slices(values, each.axis)[each.index], data.images.size)
        expected = maps[row] if row in maps else data.labels.read([row])[0]
        inside = fit(np.ones(values.shape[1::-1], bool), data.images.size)
        np.testing.assert_array_equal(shown[inside], expected[inside])
    assert declared["labels"]["ignore"] == 4


def test_masks_of_a_run_are_written_and_taken_back(tmp_path):
    run, data, maps = annotated_run(tmp_path / "run")
    assert finish(export_masks(run, tmp_path / "masks")) > 0
    assert finish(import_masks(run, [tmp_path / "masks"], "Bob")).entries == ()
    row = max(maps)
    each = data.images.ids[row]
    path = tmp_path / f"masks/{each.case}.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    voxels[voxels == 4] = 0  # every enhancing voxel
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), path)
    found = finish(import_masks(run, [path], "Bob"))
    assert {entry.round for entry in found.entries} == {1}
    with Ledger(run.folder / FILE_NAME) as ledger:
        inside = fit(np.ones(image.shape[1::-1], bool), data.images.size)
        expected = np.where(maps[row] == 3, 0, maps[row])
        np.testing.assert_array_equal(ledger.latest(str(each))[inside], expected[inside])
        assert compare_annotators(ledger)[0][0].annotators == ("Ada", "Bob")


def test_masks_that_are_all_refused_leave_no_ledger_behind(tmp_path):
    made, data = made_run(tmp_path / "run", LABELED["some slices"])
    run = replace(made, rounds=())
    run.folder.mkdir()
    case = data.cohort.cases[[each.id for each in data.cohort.cases].index(data.images.cases[0])]
    label = nib.load(case.label)
    voxels = np.asanyarray(label.dataobj).copy()
    (tmp_path / "masks").mkdir()
    path = tmp_path / f"masks/{case.id}.nii.gz"
    nib.save(nib.Nifti1Image(voxels[1:], label.affine), path)
    with pytest.raises(VolumeError, match="same voxel grid"):
        finish(import_masks(run, [path], "Bob"))
    nib.save(nib.Nifti1Image(np.zeros_like(voxels), label.affine), path)
    assert finish(import_masks(run, [path], "Bob")).entries == ()
    assert not list(run.folder.iterdir())
    nib.save(nib.Nifti1Image(voxels, label.affine), path)
    found = finish(import_masks(run, [path], "Bob"))
    with Ledger(run.folder / FILE_NAME) as ledger:
        assert [entry.number for entry in found.entries] == [e.number for e in ledger.entries()]
        assert len(ledger) == found.slices > 0


def test_masks_are_not_taken_into_a_run_whose_labels_are_the_references(tmp_path):
    run = Run(tmp_path / "run", tiny_config(), {}, rounds=(None,))
    with pytest.raises(RunError, match=r"simulated run.*Workbench\(SOURCE, 'runs/mine'\)"):
        finish(import_masks(run, [tmp_path / "masks"], "Bob"))
    assert not run.folder.exists()


def test_a_run_that_nobody_annotated_has_no_masks(tmp_path):
    run, _ = made_run(tmp_path / "run", LABELED["some slices"])
    with pytest.raises(RunError, match="no annotations.*import-masks"):
        finish(export_masks(run, tmp_path / "masks"))


def test_a_cohort_without_labels_is_exported_as_it_was_annotated(tmp_path):
    (tmp_path / "scans/images").mkdir(parents=True)
    for path in sorted(finish(make_phantom(cases=3)).rglob("*flair*.nii*")):
        shutil.copy(path, tmp_path / "scans/images" / path.name)
    config = tiny_config(source=str(tmp_path / "scans"), cases=None, labels={"3": "bright"})
    run = Run.create(tmp_path / "run", config, Compute(threads=1))
    with pytest.raises(RunError, match="no finished round and no annotation"):
        finish(export_nnunet(run, tmp_path / "Dataset102"))
    case = recognize(tmp_path / "scans").cases[1]
    scan = nib.load(case.images["image"])
    voxels = np.zeros(scan.shape, np.uint8)
    voxels[20:40, 30:50, scan.shape[2] // 2] = 3
    nib.save(nib.Nifti1Image(voxels, scan.affine), tmp_path / f"{case.id}.nii.gz")
    said = CliRunner().invoke(
        app,
        [
            "import-masks",
            str(run.folder),
            str(tmp_path / f"{case.id}.nii.gz"),
            "--annotator",
            "Bob",
        ],
    )
    assert "1 slice of 1 mask changed and is in the ledger" in said.output
    said = CliRunner().invoke(
        app, ["export", str(run.folder), str(tmp_path / "masks"), "--format", "nifti"]
    )
    assert "1 mask is in" in said.output
    back = nib.load(tmp_path / f"masks/{case.id}.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(back.dataobj), voxels)
    assert finish(export_nnunet(run, tmp_path / "Dataset102")) == 1
    declared = check_the_rules_of_nnunet(tmp_path / "Dataset102")
    assert declared["labels"] == {"background": 0, "bright": 1, "ignore": 2}
    label = np.asanyarray(nib.load(tmp_path / f"Dataset102/labelsTr/{case.id}.nii.gz").dataobj)
    middle = label[:, :, scan.shape[2] // 2]
    np.testing.assert_array_equal(middle, voxels[:, :, scan.shape[2] // 2] == 3)
    assert (np.delete(label, scan.shape[2] // 2, axis=2) == 2).all()
