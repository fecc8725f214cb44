"""The VAE learns, is kept, resumes, and tells when it has collapsed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.errors import SettingError, TrainingError
from workbench.jobs import finish
from workbench.models.weights import fingerprint
from workbench.training import manifold
from workbench.training.manifold import Manifold, ManifoldConfig, train_manifold

from .toys import ToyImages

SMALL = ManifoldConfig(
    z_dim=2, width=(4, 4, 4, 8), batch_size=4, epochs=4, min_steps=0, learning_rate=5e-3
)


@pytest.fixture
def often(monkeypatch):
    """A checkpoint at every epoch."""
    monkeypatch.setattr(manifold, "CHECKPOINT_EVERY", 1)


def test_the_error_falls_and_the_latent_code_says_something(compute, tmp_path):
    config = replace(SMALL, epochs=40, beta=0.1)
    found = finish(train_manifold(ToyImages(24), config, compute, cache=tmp_path))
    assert np.mean(found.losses[-5:]) < 0.7 * np.mean(found.losses[:5])
    assert found.kl > 0.5
    assert found.active_dims == 2
    assert not found.collapsed
    assert found.warning == ""


def test_progress_carries_both_terms_and_a_picture_at_the_end_of_an_epoch(compute, tmp_path):
    reports = []
    finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path), reports.append)
    assert [report.snapshot is not None for report in reports] == [False, False, True] * 4
    assert set(reports[0].metrics) == {"reconstruction", "kl"}
    originals, reconstructions = reports[2].snapshot
    assert originals.shape == reconstructions.shape == (6, 2, 16, 16)


def test_a_collapsed_manifold_is_detected_and_explained(compute, tmp_path):
    config = replace(SMALL, beta=1e5, epochs=30)
    found = finish(train_manifold(ToyImages(), config, compute, cache=tmp_path))
    assert found.collapsed
    assert "collapsed" in found.warning
    assert "Lower beta" in found.warning


@pytest.mark.parametrize(
    ("kl", "active", "collapsed"), [(0.05, 2, True), (3.0, 0, True), (3.0, 1, False)]
)
def test_little_information_or_no_active_dimension_counts_as_collapse(kl, active, collapsed):
    found = Manifold(None, SMALL, (), kl, active, "key")
    assert found.collapsed == collapsed
    assert found.warning


def test_a_trained_manifold_is_opened_and_not_trained_again(compute, tmp_path):
    first = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path))
    reports = []
    second = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path), reports.append)
    assert len(reports) == 1
    assert fingerprint(first.vae) == fingerprint(second.vae)
    assert (first.losses, first.kl, first.active_dims, first.key) == (
        second.losses,
        second.kl,
        second.active_dims,
        second.key,
    )
    assert not second.vae.training


@pytest.mark.parametrize("changed", ["images", "config", "seed"])
def test_other_images_settings_or_seed_make_another_manifold(compute, changed):
    images, config, seed = ToyImages(), SMALL, 0
    before = manifold.manifold_key(images, config, compute, seed)
    if changed == "images":
        images = ToyImages(key="other")
    elif changed == "config":
        config = replace(SMALL, beta=2.0)
    else:
        seed = 1
    assert manifold.manifold_key(images, config, compute, seed) != before


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("stop", [1, 3, 4, 8, 11])
def test_a_stopped_training_resumes_to_the_same_weights(compute, tmp_path, stop):
    expected = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path / "whole"))
    work = train_manifold(ToyImages(), SMALL, compute, cache=tmp_path / "parts")
    for _ in range(stop):
        next(work)
    work.close()
    found = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path / "parts"))
    assert found.losses == expected.losses
    assert fingerprint(found.vae) == fingerprint(expected.vae)


def test_no_checkpoint_is_left_behind(compute, tmp_path):
    found = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path))
    assert [path.name for path in (tmp_path / found.key).iterdir()] == ["vae.safetensors"]


def test_a_damaged_manifold_is_trained_anew(compute, tmp_path):
    first = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path))
    path = tmp_path / first.key / "vae.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    second = finish(train_manifold(ToyImages(), SMALL, compute, cache=tmp_path))
    assert fingerprint(second.vae) == fingerprint(first.vae)


def test_training_stops_on_a_plateau(compute, tmp_path):
    config = replace(SMALL, epochs=100, patience=2, max_steps=0, learning_rate=1e-9, decay=False)
    found = finish(train_manifold(ToyImages(), config, compute, cache=tmp_path))
    assert len(found.losses) < 60


def test_a_plateau_does_not_stop_before_the_least_steps(compute, tmp_path):
    config = replace(SMALL, epochs=100, patience=2, max_steps=0, min_steps=30, learning_rate=1e-9)
    found = finish(train_manifold(ToyImages(), config, compute, cache=tmp_path))
    assert len(found.losses) >= 30


@pytest.mark.parametrize(("most", "steps"), [(0, 12), (5, 5), (50, 12)])
def test_steps_are_never_more_than_the_most(compute, tmp_path, most, steps):
    config = replace(SMALL, max_steps=most, patience=0)
    found = finish(train_manifold(ToyImages(), config, compute, cache=tmp_path))
    assert len(found.losses) == steps


def test_no_image_is_said(compute, tmp_path):
    with pytest.raises(TrainingError, match="no image"):
        train_manifold(ToyImages(0), SMALL, compute, cache=tmp_path)


@pytest.mark.parametrize("wrong", [{"z_dim": 0}, {"beta": -1}, {"learning_rate": 0}])
def test_settings_out_of_range_are_said(wrong):
    with pytest.raises(SettingError):
        ManifoldConfig(**wrong)
