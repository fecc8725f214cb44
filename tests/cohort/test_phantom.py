from __future__ import annotations

from collections import Counter

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.opening import open_cohort
from workbench.cohort.phantom import make_phantom, phantom_plan
from workbench.cohort.volumes import read_image, read_label
from workbench.errors import CohortError, SettingError
from workbench.jobs import finish


def test_the_same_seed_gives_the_same_files(tmp_path):
    first = finish(make_phantom(tmp_path / "a", cases=1))
    second = finish(make_phantom(tmp_path / "b", cases=1))
    files = sorted(path.relative_to(first) for path in first.rglob("*.nii.gz"))
    assert len(files) == 5
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes()
        assert (first / file).stat().st_mtime_ns == (second / file).stat().st_mtime_ns


def test_another_seed_gives_another_cohort(tmp_path):
    first = finish(make_phantom(tmp_path / "a", cases=1, seed=0))
    second = finish(make_phantom(tmp_path / "b", cases=1, seed=1))
    one, other = (
        nib.load(next(folder.rglob("*_t1.nii.gz"))).get_fdata() for folder in (first, second)
    )
    assert not np.array_equal(one, other)


def test_the_plan_has_two_sites_and_every_kind_of_tumor():
    plan = phantom_plan(24)
    assert Counter(site for _, site, _ in plan) == {"CBICA": 12, "TCIA": 12}
    assert Counter(kind for *_, kind in plan) == {
        "ring": 8,
        "solid": 5,
        "infiltrating": 4,
        "multifocal": 3,
        "small": 2,
        "edema only": 2,
    }
    assert len({name for name, *_ in phantom_plan(60)}) == 60


def test_a_phantom_looks_like_glioma(phantom):
    assert phantom.layout == "BraTS"
    assert phantom.name == "phantom"
    assert len(phantom.cases) == 6
    for case in phantom.cases:
        image = read_image(case.images)
        label, _ = read_label(case.label)
        assert image.data.shape == (4, 64, 64, 45)
        np.testing.assert_allclose(image.spacing, 3)
        assert set(np.unique(label)) <= {0, 1, 2, 4}
        brain = image.data[0] > 0
        assert 0.1 < brain.mean() < 0.5
        assert (image.data[:, ~brain] == 0).all()
        assert brain[label > 0].all()
        flair = image.data[3]
        assert flair[label == 2].mean() > 1.2 * flair[brain & (label == 0)].mean()
        if (label == 4).any():
            enhancing = image.data[1][label == 4].mean()
            assert enhancing > 1.2 * image.data[1][brain & (label == 0)].mean()


def test_the_sites_differ_in_intensity(phantom):
    means = {
        site: np.mean(
            [
                image[image > 0].mean()
                for case in phantom.cases
                if case.site == site
                for image in [read_image(case.images).data[0]]
            ]
        )
        for site in ("CBICA", "TCIA")
    }
    assert means["CBICA"] > 1.3 * means["TCIA"]


def test_a_phantom_is_made_once(tmp_path):
    folder = finish(make_phantom(tmp_path / "a", cases=1))
    assert finish(make_phantom(tmp_path / "a", cases=1)) == folder
    assert not list(make_phantom(tmp_path / "a", cases=1))


def test_a_phantom_that_is_stopped_leaves_nothing(tmp_path):
    work = make_phantom(tmp_path / "a", cases=3)
    next(work)
    next(work)
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CohortError, match="is not empty"):
        finish(make_phantom(tmp_path))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "new").mkdir()
    assert len(list(finish(make_phantom(tmp_path / "new", cases=1)).rglob("*.nii.gz"))) == 5


def test_a_phantom_of_no_cases_is_refused(tmp_path):
    with pytest.raises(SettingError, match="at least 1"):
        finish(make_phantom(tmp_path / "a", cases=0))
    with pytest.raises(SettingError, match="at least 1"):
        finish(open_cohort("phantom", cases=0))


def test_some_cases_of_a_folder_are_spread_over_all(plain):
    cohort = finish(open_cohort(plain(cases=4), cases=2))
    assert [case.id for case in cohort.cases] == ["case_1", "case_3"]


def test_two_processes_may_make_the_same_phantom_at_once(tmp_path):
    target = tmp_path / "phantom"
    slow = make_phantom(target, cases=4)
    next(slow)  # it has begun; another one begins and is done first
    finish(make_phantom(target, cases=4))
    written = sorted(path.stat().st_mtime_ns for path in target.rglob("*.nii.gz"))
    assert finish(slow) == target
    assert sorted(path.stat().st_mtime_ns for path in target.rglob("*.nii.gz")) == written
    assert [path.name for path in tmp_path.iterdir()] == ["phantom"]
