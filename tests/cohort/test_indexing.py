"""Headers are read in parallel, once, and what does not fit is left out on opening."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.cohort import indexing
from workbench.cohort.cohort import CohortOptions
from workbench.cohort.indexing import read_headers, read_label_values
from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.opening import open_cohort
from workbench.cohort.resample import read_case, read_on_one_grid
from workbench.cohort.store import build_store
from workbench.cohort.volumes import Header, read_header
from workbench.errors import VolumeError
from workbench.jobs import finish


@pytest.fixture
def counted(monkeypatch):
    """Files whose header was really read."""
    read: list[str] = []

    def counting(path):
        read.append(path.name)
        return read_header(path)

    monkeypatch.setattr(indexing, "read_header", counting)
    return read


def test_headers_are_read_once_and_again_when_a_file_changes(plain, write, counted):
    root = plain(cases=3)
    paths = sorted((root / "images").iterdir())
    first = finish(read_headers(paths, root))
    assert sorted(counted) == [path.name for path in paths]
    again = finish(read_headers(paths, root))
    assert len(counted) == 3
    for path in paths:
        assert isinstance(first[path], Header)
        assert again[path].shape == first[path].shape == (20, 18, 7)
        assert again[path].spacing == first[path].spacing
        assert np.array_equal(again[path].affine, read_header(path).affine)
    write(paths[1], np.zeros((4, 5, 6), np.float32), np.diag([2.0, 2, 2, 1]))
    changed = finish(read_headers(paths, root))
    assert len(counted) == 4
    assert changed[paths[1]].shape == (4, 5, 6)


def test_progress_is_told_for_every_file_that_is_read(plain):
    root = plain(cases=4)
    steps = list(read_headers(sorted((root / "images").iterdir()), root))
    assert [(step.step, step.total) for step in steps] == [(i, 4) for i in range(4)]


def test_a_file_that_cannot_be_read_is_told_until_it_is_changed(plain, write):
    root = plain(cases=2)
    path = root / "images" / "case_1.nii.gz"
    path.write_bytes(b"")
    for _ in range(2):
        assert isinstance(finish(read_headers([path], root))[path], VolumeError)
    write(path, np.zeros((2, 3, 4), np.float32))
    assert finish(read_headers([path], root))[path].shape == (2, 3, 4)


def test_a_damaged_index_is_made_again(plain, counted):
    root = plain(cases=2)
    paths = sorted((root / "images").iterdir())
    finish(read_headers(paths, root))
    for place in (indexing.cache_folder() / "index").iterdir():
        place.write_text("{ not json")
    assert all(isinstance(h, Header) for h in finish(read_headers(paths, root)).values())
    assert len(counted) == 4


def test_values_of_label_maps_are_found(plain):
    root = plain(cases=2, value=7)
    paths = sorted((root / "labels").iterdir())
    assert finish(read_label_values(paths, root)) == {path: [0, 7] for path in paths}


def test_a_label_on_another_grid_makes_its_case_unlabeled_on_opening(plain, write):
    root = plain(cases=3)
    write(root / "labels" / "case_2.nii.gz", np.ones((20, 18, 6), np.uint8))
    (root / "images" / "case_3.nii.gz").write_bytes(b"")
    cohort = finish(open_cohort(root))
    assert [(case.id, case.label is not None) for case in cohort.cases] == [
        ("case_1", True),
        ("case_2", False),
    ]
    told = {problem.case: problem.sentence for problem in cohort.problems if problem.fatal}
    assert "same voxel grid" in told["case_2"]
    assert "is empty" in told["case_3"]


# ---------------------------------------------------------------------- several grids
def two_grids(root, write):
    """Two cases; the second channel has voxels of 2 mm and a gradient along x."""
    fine, coarse = np.eye(4), np.diag([2.0, 2, 2, 1])
    coarse[:3, 3] = 0.5  # the same field of view
    x = np.indices((12, 10, 8))[0].astype(np.float32)
    wide = 0.5 + 2 * np.indices((6, 5, 4))[0].astype(np.float32)
    label = (x > 5).astype(np.uint8)
    for case in ("a", "b"):
        write(root / "images" / f"{case}_0000.nii.gz", x, fine)
        write(root / "images" / f"{case}_0001.nii.gz", wide, coarse)
        write(root / "labels" / f"{case}.nii.gz", label, fine)
    return root


def test_channels_on_different_grids_are_refused_with_the_way_out(tmp_path, write):
    cohort = finish(open_cohort(two_grids(tmp_path, write)))
    assert cohort.cases == ()
    assert "6×5×4" in cohort.problems[0].sentence
    assert "With --resample" in cohort.problems[0].sentence


def test_channels_are_resampled_to_the_first_where_that_is_asked_for(tmp_path, write):
    root = two_grids(tmp_path / "data", write)
    cohort = finish(open_cohort(root, None, CohortOptions(resample=True)))
    volume = read_case(cohort.cases[0], cohort)
    assert volume.data.shape == (2, 12, 10, 8)
    inside = (slice(1, -1),) * 3
    assert np.allclose(volume.data[1][inside], volume.data[0][inside], atol=1e-5)
    assert volume.notes == ("a_0001.nii.gz was resampled to the voxel grid of a_0000.nii.gz.",)
    store = finish(build_store(cohort, ["a", "b"], folder=tmp_path / "stores"))
    assert ReferenceLabels(store, cohort).available.all()


def test_resampling_leaves_channels_on_one_grid_as_they_are(tmp_path, write):
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(5, 4, 3)).astype(np.float32) for name in ("x", "y")}
    paths = {name: write(tmp_path / f"{name}.nii.gz", array) for name, array in arrays.items()}
    volume = read_on_one_grid(paths)
    assert np.array_equal(volume.data, np.stack(list(arrays.values())))
    assert volume.notes == ()
