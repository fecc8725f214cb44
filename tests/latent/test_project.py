from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from workbench.errors import SettingError, TrainingError
from workbench.jobs import finish
from workbench.latent import embeddings, project
from workbench.latent.project import Projection, latent_axes, pca, pixel_pca, tsne, umap
from workbench.latent.space import LatentSpace

from .tiny import TinyImages


def space(n=80, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return LatentSpace.of(rng.normal(size=(n, d)) * np.arange(d, 0, -1))


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    """One t-SNE map, kept in a folder."""
    folder = tmp_path_factory.mktemp("maps")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "EXAGGERATED", 50)
        patch.setattr(embeddings, "PLAIN", 100)
        steps = []
        found = finish(tsne(space(), cache=folder), steps.append)
    return found, folder, steps


def test_latent_axes_show_the_codes_themselves_and_place_others_exactly():
    found = latent_axes(space(), 2, 0)
    np.testing.assert_allclose(found.xy, space().z[:, [2, 0]], rtol=1e-6)
    np.testing.assert_allclose(found.place([[1.0, 2.0, 3.0]]), [[3.0, 1.0]])
    assert found.dims == (2, 0)
    assert found.name == "z3·z1"


def test_only_a_two_dimensional_space_on_its_own_axes_may_draw_wedges():
    assert latent_axes(space(d=2), 0, 1).latent_2d
    assert not latent_axes(space(d=3), 0, 1).latent_2d
    assert not pca(space(d=2)).latent_2d


def test_an_axis_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="dimensions 1 to 3"):
        latent_axes(space(), 0, 3)


def test_pca_shows_most_of_the_variance_and_places_rows_where_they_are():
    codes = space(d=5)
    found = pca(codes)
    expected = np.sort(np.linalg.eigvalsh(np.cov(codes.z.T, ddof=0)))[::-1][:2]
    np.testing.assert_allclose(found.xy.var(axis=0), expected, rtol=1e-4)
    np.testing.assert_allclose(found.place(codes.z), found.xy, atol=1e-5)
    assert all("%" in label for label in found.axes)


@pytest.mark.parametrize("d", [1, 2])
def test_pca_of_few_dimensions_still_has_two_axes(d):
    assert pca(space(d=d)).xy.shape == (80, 2)


def test_pixels_give_a_first_look_that_places_no_latent_code(tmp_path):
    images = TinyImages(n=30)
    images.pixels[:10] += 5
    found = finish(pixel_pca(images, cache=tmp_path, chunk=8))
    assert found.method == "pixels"
    first = found.xy[:, 0]
    assert (first[:10].min() > first[10:].max()) or (first[:10].max() < first[10:].min())
    with pytest.raises(SettingError, match="no place for a latent code"):
        found.place([[0.0]])


def test_the_first_look_needs_no_torch():
    code = "import sys, workbench.latent.project; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_blocks_of_pixels_are_averaged():
    images = np.arange(2 * 1 * 64 * 48, dtype=np.float32).reshape(2, 1, 64, 48)
    expected = images.reshape(2, 1, 16, 4, 16, 3).mean(axis=(3, 5)).reshape(2, 256)
    np.testing.assert_allclose(project._reduce(images), expected, rtol=1e-6)


def test_tsne_reports_its_steps_and_ends_at_the_last(curved):
    _, _, steps = curved
    optimizing = [each for each in steps if each.stage == "t-SNE"]
    assert len(optimizing) == 15
    assert optimizing[-1].fraction == 1.0


def test_a_kept_map_is_opened_instead_of_computed(curved):
    found, folder, _ = curved
    steps = []
    again = finish(tsne(space(), cache=folder), steps.append)
    np.testing.assert_array_equal(again.xy, found.xy)
    assert steps == []


def test_tsne_repeats_with_its_seed(curved, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "EXAGGERATED", 50)
    monkeypatch.setattr(embeddings, "PLAIN", 100)
    again = finish(tsne(space(), cache=tmp_path))
    np.testing.assert_array_equal(again.xy, curved[0].xy)


def test_a_spoiled_kept_map_is_computed_again(tmp_path):
    def make():
        yield from ()
        return np.ones((2, 2), np.float32)

    finish(embeddings.kept("pixels", 1, tmp_path, make()))
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(path.read_bytes()[:90])
    np.testing.assert_array_equal(finish(embeddings.kept("pixels", 1, tmp_path, make())), 1)


def test_a_curved_map_places_a_row_exactly_where_it_is(curved):
    found = curved[0]
    np.testing.assert_array_equal(found.place(space().z), found.xy)


def test_a_code_between_rows_is_placed_among_its_neighbors_without_jumps(curved):
    found, codes = curved[0], space()
    path = codes.z[3] + np.linspace(0, 1, 400)[:, None] * (codes.z[8] - codes.z[3])
    placed = found.place(path)
    assert np.linalg.norm(np.diff(placed, axis=0), axis=1).max() < 0.1 * np.ptp(found.xy)
    np.testing.assert_array_equal(placed[[0, -1]], found.xy[[3, 8]])


@pytest.mark.parametrize("d", [3, 20])
def test_equally_far_neighbors_weigh_the_same(d):
    z = np.eye(d)[:2]
    xy = np.array([[0.0, 0.0], [2.0, 4.0]], dtype=np.float32)
    placer = project._Interpolation(z, xy)
    np.testing.assert_allclose(placer(np.zeros((1, d))), [[1.0, 2.0]])


@pytest.mark.parametrize("d", [2, 12])
def test_neighbors_are_exact_and_never_the_code_itself(d):
    z = np.random.default_rng(0).normal(size=(60, d))
    z[5] = z[6]
    index, distances = finish(embeddings.neighbors(z, 4, chunk=17))
    full = np.linalg.norm(z[:, None] - z, axis=2)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :4], atol=1e-12)
    assert (index != np.arange(60)[:, None]).all()


@pytest.mark.slow
def test_umap_is_computed_in_a_child_and_kept(tmp_path):
    found = finish(umap(space(), cache=tmp_path))
    assert found.xy.shape == (80, 2)
    assert np.isfinite(found.xy).all()
    again = finish(umap(space(), cache=tmp_path))
    np.testing.assert_array_equal(again.xy, found.xy)


def test_stopping_umap_ends_its_process_and_keeps_nothing(tmp_path, monkeypatch):
    children = []
    start = subprocess.Popen

    def popen(*args, **settings):
        children.append(start(*args, **settings))
        return children[-1]

    monkeypatch.setattr(embeddings.subprocess, "Popen", popen)
    work = umap(space(), cache=tmp_path)
    for _ in range(3):
        next(work)
    assert children[0].poll() is None
    work.close()
    assert children[0].poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_fails_is_told_in_a_sentence(tmp_path, monkeypatch):
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(TrainingError, match="out of memory"):
        finish(umap(space(), cache=tmp_path))


@pytest.mark.parametrize("compute", [tsne, umap])
def test_too_few_slices_for_a_curved_map_are_refused(compute, tmp_path):
    with pytest.raises(SettingError, match="at least 10"):
        finish(compute(space(n=4), cache=tmp_path))


def test_a_projection_cannot_be_changed():
    found = Projection("a", np.zeros((2, 2), np.float32), ("", ""), "pca")
    with pytest.raises(ValueError, match="read-only"):
        found.xy[0] = 1
