from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.annotation.made import noise
from workbench.annotation import Entry, Ledger
from workbench.annotation.mask_files import find_masks
from workbench.annotation.masks import read_masks, write_masks
from workbench.cli import app
from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.layouts import recognize
from workbench.cohort.masks import write_mask
from workbench.cohort.recipes import Recipe, VolumeRecipe
from workbench.cohort.store import build_store
from workbench.cohort.volumes import read_image, read_label
from workbench.errors import CohortError, LedgerError, VolumeError
from workbench.jobs import finish

RECIPES = {
    "axial": Recipe("axial"),
    "coronal": Recipe("coronal"),
    "sagittal": Recipe("sagittal"),
    "cropped": Recipe("axial", size=(32, 48)),
    "volumes": VolumeRecipe(),
    "coarser volumes": VolumeRecipe(spacing=5.0),
    "finer volumes": VolumeRecipe(spacing=(2.0, 3.0, 1.5)),
}


@pytest.fixture(scope="module")
def oriented(tmp_path_factory, request):
    """The oriented scans as a cohort, with the label values 2, 5 and 7."""
    shared = request.getfixturevalue("shared_data") / "odd"
    folder = tmp_path_factory.mktemp("oriented")
    for path in sorted(shared.glob("orient_*_image.nii.gz")):
        (folder / "images").mkdir(exist_ok=True)
        shutil.copy(path, folder / "images" / path.name)
        data = read_image({"image": path}).data[0]
        classes = np.digitize(data, [data.max() * 0.2, data.max() * 0.4, data.max() * 0.6])
        values = np.array([0, 2, 5, 7], np.uint8)[classes]
        write_mask(values, path, folder / "labels" / path.name)
    return recognize(folder).with_tasks()


def opened(cohort, recipe, path):
    store = finish(build_store(cohort, [case.id for case in cohort.cases], recipe))
    ledger = Ledger(path, images_key=store.key, classes=cohort.classes)
    return store, ReferenceLabels(store, cohort), ledger


def annotate(ledger, store, maps_of, every=3):
    """Answer every third row (of volumes all slices of one) with what `maps_of` gives."""
    for row in range(0, len(store), every):
        for depth, classes in enumerate(maps_of(row) if store.of_volumes else [maps_of(row)]):
            ledger.append(Entry(str(store.ids[row]), "done", classes, depth, "Ada"))


@pytest.mark.parametrize("name", RECIPES)
def test_annotations_lie_on_the_scan_as_the_label_files_did(oriented, tmp_path, name):
    store, reference, ledger = opened(oriented, RECIPES[name], tmp_path / "a.sqlite")
    annotate(ledger, store, lambda row: reference.read([row])[0])
    assert finish(write_masks(ledger, store, oriented, tmp_path / "out")) > 0
    about = json.loads((tmp_path / "out/annotations.json").read_text())
    assert about["labels"]["0"] == "background, or not annotated"
    assert set(about["labels"]) == {"0", "2", "5", "7"}
    by_id = {case.id: case for case in oriented.cases}
    for case, told in about["cases"].items():
        scan = nib.load(next(iter(by_id[case].images.values())))
        mask = nib.load(tmp_path / f"out/{case}.nii.gz")
        assert mask.shape == scan.shape
        np.testing.assert_array_equal(mask.affine, scan.affine)
        assert told["annotators"] == ["Ada"]
        found, _ = read_label(tmp_path / f"out/{case}.nii.gz")
        whole, _ = read_label(by_id[case].label)
        if "volumes" in name:
            if name == "volumes":
                np.testing.assert_array_equal(found, whole)
            assert (found == whole).mean() > 0.85
            continue
        axis = {"coronal": 1, "sagittal": 0}.get(name, 2)
        inside = np.zeros(whole.shape, bool)
        np.moveaxis(inside, axis, 0)[told["annotated"]] = True
        if name == "cropped":  # 64 columns (x) and 79 rows (y) become 48 and 32
            x, y = (whole.shape[0] - 48) // 2, (whole.shape[1] - 32) // 2
            kept = np.zeros(whole.shape, bool)
            # displayed rows and columns run backwards, so the odd pixel is lost at the other end
            kept[whole.shape[0] - 48 - x : whole.shape[0] - x,
                 whole.shape[1] - 32 - y : whole.shape[1] - y] = True  # fmt: skip
            inside &= kept
        np.testing.assert_array_equal(found, np.where(inside, whole, 0))


@pytest.mark.parametrize("name", RECIPES)
def test_masks_that_nobody_edited_come_back_without_a_change(oriented, tmp_path, name):
    store, _, ledger = opened(oriented, RECIPES[name], tmp_path / "a.sqlite")
    size = store.size[-2:]
    depths = store.size[0] if store.of_volumes else 1

    def scribbled(row):
        maps = np.stack([noise(1000 * row + depth, size) for depth in range(depths)])
        return maps if store.of_volumes else maps[0]

    annotate(ledger, store, scribbled)
    finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    with pytest.raises(LedgerError, match="The annotator has no name"):
        finish(read_masks(ledger, store, oriented, [tmp_path / "out"], " "))
    found = finish(read_masks(ledger, store, oriented, [tmp_path / "out"], "Bob"))
    assert found.entries == ()
    assert found.files >= 1
    assert found.notes == ()


@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal", "cropped"])
def test_what_was_edited_comes_back_as_the_slices_that_changed(oriented, tmp_path, name):
    store, reference, ledger = opened(oriented, RECIPES[name], tmp_path / "a.sqlite")
    annotate(ledger, store, lambda row: reference.read([row])[0])
    finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    case = store.cases[1]
    rows = store.rows_of(case)
    chosen = {rows[6], rows[7], rows[20]}  # annotated, not annotated, emptied
    path = tmp_path / f"out/{case}.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    # the voxels of the slices, in the file's own axes
    codes = {"axial": "SI", "coronal": "AP", "sagittal": "RL"}[store.axis]
    axis = next(i for i, code in enumerate(nib.aff2axcodes(image.affine)) if code in codes)
    backwards = nib.aff2axcodes(image.affine)[axis] in "ILP"
    for row in sorted(chosen):
        index = store.ids[row].index
        index = voxels.shape[axis] - 1 - index if backwards else index
        one = np.moveaxis(voxels, axis, 0)[index]
        middle = tuple(slice(n // 2 - 3, n // 2 + 3) for n in one.shape)
        if row == rows[20]:
            one[:] = 0
        else:
            one[middle] = np.where(one[middle] == 5, 2, 5)
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), path)
    found = finish(read_masks(ledger, store, oriented, [path], "Bob", round=3))
    annotated_before = {rows[20]} if (rows[20] % 3 == 0) else set()
    expected = {str(store.ids[row]) for row in ({rows[6], rows[7]} | annotated_before)}
    assert {entry.sample for entry in found.entries} == expected
    assert {entry.started_from for entry in found.entries} == {"mask"}
    assert {entry.annotator for entry in found.entries} == {"Bob"}
    assert {entry.round for entry in found.entries} == {3}
    # written again, the masks are as they were edited
    finish(write_masks(ledger, store, oriented, tmp_path / "again"))
    again = np.asanyarray(nib.load(tmp_path / f"again/{case}.nii.gz").dataobj)
    np.testing.assert_array_equal(again, voxels)


def test_a_new_run_takes_all_that_was_annotated_also_where_nothing_was_drawn(oriented, tmp_path):
    for name in ("axial", "volumes"):
        store, _, ledger = opened(oriented, RECIPES[name], tmp_path / f"{name}.sqlite")
        annotate(ledger, store, lambda row: np.zeros(store.size, np.uint8))  # noqa: B023
        finish(write_masks(ledger, store, oriented, tmp_path / name))
        _, _, other = opened(oriented, RECIPES[name], tmp_path / f"new {name}.sqlite")
        finish(read_masks(other, store, oriented, [tmp_path / name], "Bob"))
        assert set(other.accepted()) == set(ledger.accepted())
        (tmp_path / name / "annotations.json").write_text('{"cases": [1]}')
        _, _, third = opened(oriented, RECIPES[name], tmp_path / f"third {name}.sqlite")
        assert finish(read_masks(third, store, oriented, [tmp_path / name], "Bob")).entries == ()


def test_another_program_may_turn_the_axes_and_write_decimal_numbers(oriented, tmp_path):
    store, reference, ledger = opened(oriented, RECIPES["sagittal"], tmp_path / "a.sqlite")
    annotate(ledger, store, lambda row: reference.read([row])[0])
    finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    (tmp_path / "turned").mkdir()
    for path in (tmp_path / "out").glob("*.nii.gz"):
        image = nib.as_closest_canonical(nib.load(path))
        whole = np.asanyarray(image.dataobj).astype(np.float32)
        nib.save(nib.Nifti1Image(whole, image.affine), tmp_path / "turned" / path.name)
    found = finish(read_masks(ledger, store, oriented, [tmp_path / "turned"], "Bob"))
    assert (found.files, found.entries) == (len(oriented.cases), ())


def test_a_slice_of_a_volume_that_changed_answers_the_whole_volume(oriented, tmp_path):
    store, _, ledger = opened(oriented, RECIPES["coarser volumes"], tmp_path / "a.sqlite")
    case = oriented.cases[0]
    (tmp_path / "in").mkdir()
    shutil.copy(case.label, tmp_path / f"in/{case.id}.nii.gz")
    found = finish(read_masks(ledger, store, oriented, [tmp_path / "in"], "Bob"))
    reference = ReferenceLabels(store, oriented)
    row = store.rows_of(case.id)[0]
    np.testing.assert_array_equal(
        ledger.latest(str(store.ids[row]), store.size[0]), reference.read([row])[0]
    )
    assert len(found.entries) == store.size[0]
    again = finish(read_masks(ledger, store, oriented, [tmp_path / "in"], "Bob"))
    assert again.entries == ()


def test_slices_that_pad_a_volume_are_neither_counted_nor_listed(oriented, tmp_path):
    padded = VolumeRecipe(size=(96, 80, 80))  # the scans have fewer slices
    store, _, ledger = opened(oriented, padded, tmp_path / "a.sqlite")
    case = oriented.cases[0]
    path = tmp_path / f"in/{case.id}.nii.gz"
    path.parent.mkdir()
    shutil.copy(case.label, path)
    found = finish(read_masks(ledger, store, oriented, [path], "Bob"))
    height = nib.as_closest_canonical(nib.load(path)).shape[2]
    assert height < 96
    assert len(found.entries) == 96, "padding is background, and is answered"
    assert found.slices == height
    finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    about = json.loads((tmp_path / "out/annotations.json").read_text())["cases"][case.id]
    first = (96 - height) // 2
    assert about["annotated"] == list(range(first, first + height))


def test_masks_of_volumes_are_taken_over_slice_by_slice_but_not_the_other_way_round(
    oriented, tmp_path
):
    """Slices that nobody looked at are 0 in a mask, and would become background of a volume."""
    of_slices, reference, slices = opened(oriented, RECIPES["axial"], tmp_path / "slices.sqlite")
    annotate(slices, of_slices, lambda row: reference.read([row])[0], every=1)
    of_volumes, reference, volumes = opened(
        oriented, RECIPES["coarser volumes"], tmp_path / "volumes.sqlite"
    )
    annotate(volumes, of_volumes, lambda row: reference.read([row])[0], every=1)
    for ledger, store in ((slices, of_slices), (volumes, of_volumes)):
        finish(write_masks(ledger, store, oriented, tmp_path / ledger.path.stem))
    with pytest.raises(CohortError, match=r"written from a run of slices: .* slices? of it"):
        finish(read_masks(volumes, of_volumes, oriented, [tmp_path / "slices"], "Bob"))
    assert not any(entry.annotator == "Bob" for entry in volumes.entries())

    with Ledger(
        tmp_path / "new.sqlite", images_key=of_slices.key, classes=oriented.classes
    ) as ledger:
        found = finish(read_masks(ledger, of_slices, oriented, [tmp_path / "volumes"], "Bob"))
        assert {entry.sample for entry in found.entries} == set(map(str, of_slices.ids))


# ---------------------------------------------------------------------- bad input
def made(cohort, folder, name, change=None, affine=None):
    """A mask of the first case under some name, with a change."""
    original = nib.load(cohort.cases[0].label)
    voxels = np.asanyarray(original.dataobj).copy()
    voxels = voxels if change is None else change(voxels)
    folder.mkdir(exist_ok=True)
    place = original.affine if affine is None else affine
    nib.save(nib.Nifti1Image(voxels, place), folder / name)
    return folder / name


def test_masks_that_do_not_fit_are_refused_and_nothing_is_taken_over(oriented, tmp_path):
    store, _, ledger = opened(oriented, RECIPES["axial"], tmp_path / "a.sqlite")
    name = f"{oriented.cases[0].id}.nii.gz"
    original = nib.load(oriented.cases[0].label)
    good = made(oriented, tmp_path / "good", f"{oriented.cases[1].id}.nii.gz")
    shutil.copy(oriented.cases[1].label, good)
    moved = original.affine + np.array([[0, 0, 0, 9.0], [0] * 4, [0] * 4, [0] * 4])

    def unknown(voxels):
        voxels[3, 3, 3] = 4
        return voxels

    for folder, arguments, error, words in (
        ("shape", {"change": lambda v: v[1:]}, VolumeError, "same voxel grid"),
        ("affine", {"affine": moved}, VolumeError, "lies 9.0 mm away"),
        ("label", {"change": unknown}, VolumeError, r"4 \(1 voxel\)\. Known are 0 background, 2"),
        ("broken", {"change": lambda v: v * 0.3}, VolumeError, "not whole numbers"),
    ):
        path = made(oriented, tmp_path / folder, name, **arguments)
        with pytest.raises(error, match=words):
            finish(read_masks(ledger, store, oriented, [good, path], "Bob"))
    other = made(oriented, tmp_path / "named", "orient_AIL_imag.nii.gz")
    with pytest.raises(CohortError, match="no case. Did you mean 'orient_AIL_image'"):
        finish(read_masks(ledger, store, oriented, [other], "Bob"))
    (tmp_path / "a.seg.nrrd").write_bytes(b"NRRD")
    with pytest.raises(CohortError, match=r"is not a NIfTI file. Save the segmentation"):
        finish(read_masks(ledger, store, oriented, [tmp_path / "a.seg.nrrd"], "Bob"))
    twice = made(oriented, tmp_path / "twice", name)
    with pytest.raises(CohortError, match="both named like the case"):
        finish(read_masks(ledger, store, oriented, [twice, twice.parent], "Bob"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="No mask was found"):
        finish(read_masks(ledger, store, oriented, [tmp_path / "empty"], "Bob"))
    (tmp_path / "empty/a.seg.nrrd").write_bytes(b"NRRD")
    with pytest.raises(CohortError, match=r"1 file like a.seg.nrrd. Save .* ending .nii.gz"):
        finish(read_masks(ledger, store, oriented, [tmp_path / "empty"], "Bob"))
    with pytest.raises(CohortError, match="There is no file or folder .*absent"):
        finish(read_masks(ledger, store, oriented, [tmp_path / f"absent/{name}"], "Bob"))
    assert len(ledger) == 0


def test_files_in_other_formats_beside_masks_are_told_as_left_out(oriented, tmp_path):
    store, _, ledger = opened(oriented, RECIPES["axial"], tmp_path / "a.sqlite")
    case = oriented.cases[0].id
    path = made(oriented, tmp_path / "in", f"{case}.nii.gz")
    assert finish(read_masks(ledger, store, oriented, [path.parent], "Bob")).notes == ()
    (tmp_path / "in" / f"{case}.seg.nrrd").write_bytes(b"NRRD")
    (note,) = finish(read_masks(ledger, store, oriented, [path.parent], "Bob")).notes
    assert note.startswith(f"{case}.seg.nrrd in {path.parent} is left out, because only NIfTI")
    assert "Save the segmentation" in note
    assert finish(read_masks(ledger, store, oriented, [path], "Bob")).notes == ()


@pytest.mark.parametrize(
    ("name", "near"),
    [("patient_14", ""), ("patiend_13", "patient_13"), ("patient_012", "patient_12")],
)
def test_another_patients_number_is_not_taken_for_a_typing_error(tmp_path, name, near):
    store = SimpleNamespace(cases=("patient_12", "patient_13"))
    path = tmp_path / f"{name}.nii.gz"
    path.touch()
    with pytest.raises(CohortError, match="is named like no case") as caught:
        find_masks([path], store, SimpleNamespace(cases=()))
    assert f"Did you mean {near!r}?" in str(caught.value) or not near
    assert ("Did you mean" in str(caught.value)) == bool(near)


def test_labels_outside_of_the_images_are_told(oriented, tmp_path):
    store, _, ledger = opened(oriented, RECIPES["cropped"], tmp_path / "a.sqlite")
    path = made(oriented, tmp_path / "in", f"{oriented.cases[0].id}.nii.gz")
    found = finish(read_masks(ledger, store, oriented, [path], "Bob"))
    assert "outside of the images as they are annotated" in found.notes[0]
    assert found.entries


def test_a_mask_of_a_case_that_is_held_out_is_refused(oriented, tmp_path):
    fewer = replace(oriented, cases=oriented.cases[:2])
    store, _, ledger = opened(fewer, RECIPES["axial"], tmp_path / "a.sqlite")
    path = made(oriented, tmp_path / "in", f"{oriented.cases[2].id}.nii.gz")
    with pytest.raises(CohortError, match="is not in the pool of this run"):
        finish(read_masks(ledger, store, oriented, [path], "Bob"))


def test_masks_are_not_written_over_and_not_without_annotations(oriented, tmp_path):
    store, reference, ledger = opened(oriented, RECIPES["axial"], tmp_path / "a.sqlite")
    with pytest.raises(CohortError, match="answered 'done'"):
        finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    annotate(ledger, store, lambda row: reference.read([row])[0], every=40)
    finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    with pytest.raises(CohortError, match="is not empty"):
        finish(write_masks(ledger, store, oriented, tmp_path / "out"))
    assert finish(write_masks(ledger, store, oriented, tmp_path / "out", overwrite=True)) > 0


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path):
    said = CliRunner().invoke(app, ["import-masks", str(tmp_path), "x", "--annotator", "Bob"])
    assert said.exit_code == 1
    assert "holds no run" in str(said.exception)
    assert "runs/NAME beside the notebook" in str(said.exception)
