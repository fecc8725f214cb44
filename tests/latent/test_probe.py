from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import SettingError, TrainingError
from workbench.jobs import finish
from workbench.latent.calibration import find_step
from workbench.latent.gradients import scale_gradients
from workbench.latent.probe import GRID_POINTS, RESOLVED, compute_probe
from workbench.latent.space import encode
from workbench.training.losses import DiceLoss, dice_loss

from .tiny import COMPUTE, TinyImages, TinyLabels, TinyVAE, tiny_unet

ROWS = np.array([1, 4, 5, 9])


@pytest.fixture(scope="module")
def parts():
    images = TinyImages()
    vae = TinyVAE()
    u = finish(encode(vae, images, COMPUTE)).neighbor_distance
    return tiny_unet(), vae, images, TinyLabels(images), u


def probe_of(parts, rows=ROWS, **settings):
    model, vae, images, labels, u = parts
    settings = {"compute": COMPUTE, "neighbor_distance": u, **settings}
    return finish(compute_probe(model, vae, images, labels, rows, **settings))


def test_one_backward_pass_for_a_batch_equals_one_for_each_sample(parts):
    together = probe_of(parts).gradients
    alone = np.concatenate([probe_of(parts, rows=[row]).gradients for row in ROWS])
    largest = np.abs(alone).max()
    np.testing.assert_allclose(together, alone, atol=1e-6 * largest, rtol=0)


@pytest.mark.parametrize("loss", ["dai2022", "dai2020"])
def test_gradients_are_those_of_finite_differences(parts, loss):
    probe = probe_of(parts, criterion=DiceLoss(loss))
    model = copy.deepcopy(parts[0]).double().eval()
    x = torch.from_numpy(parts[2].read(ROWS)).double()
    target = torch.from_numpy(parts[3].read(ROWS))
    step = 1e-5
    for channel, row, column in [(0, 8, 8), (1, 5, 9), (0, 0, 0)]:
        values = []
        for sign in (1, -1):
            moved = x.clone()
            moved[:, channel, row, column] += sign * step
            with torch.no_grad():
                values.append(dice_loss(model(moved), target, loss).numpy())
        expected = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(
            probe.gradients[:, channel, row, column], expected, rtol=1e-3, atol=1e-8
        )


def test_the_shifted_code_is_that_of_the_shifted_image(parts):
    probe = probe_of(parts)
    images = probe.shifted_images(50.0, "l2")
    with torch.no_grad():
        expected = parts[1].encode(torch.from_numpy(images))[0].numpy()
    np.testing.assert_allclose(probe.at(50.0, "l2"), expected, atol=1e-5)


def test_a_step_of_length_one_has_length_one_in_the_l2_scale(parts):
    probe = probe_of(parts)
    steps = probe.shifted_images(1.0, "l2") - parts[2].read(ROWS)
    np.testing.assert_allclose(np.linalg.norm(steps.reshape(4, -1), axis=1), 1, rtol=1e-4)


def test_sources_with_foreground_are_told_apart(parts):
    model, vae, images, labels, u = parts
    rows = np.array([1, 4, 5])

    class Some:
        available = labels.available

        def read(self, rows):
            return labels.read(rows) * (np.asarray(rows) == 4)[:, None, None].astype(np.uint8)

    assert probe_of((model, vae, images, Some(), u), rows).marked.tolist() == [False, True, False]


def test_only_some_shifted_images_can_be_asked_for(parts):
    probe = probe_of(parts)
    np.testing.assert_array_equal(
        probe.shifted_images(3.0, "sign", [2]), probe.shifted_images(3.0, "sign")[2:3]
    )


def cosines(a, b):
    """By hand: torch's cosine similarity returns 0 for such short vectors."""
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def test_the_papers_step_has_its_true_direction_where_float32_has_none(parts):
    probe = probe_of(parts)
    alpha = 1e-3
    x = torch.from_numpy(parts[2].read(ROWS)).double()
    exact = copy.deepcopy(parts[1]).double()
    with torch.no_grad():
        before = exact.encode(x)[0].numpy()
        after = exact.encode(x + alpha * torch.from_numpy(probe.gradients).double())[0].numpy()
        float32 = parts[1].encode(torch.from_numpy(probe.shifted_images(alpha, "raw")))[0].numpy()
        start32 = parts[1].encode(torch.from_numpy(parts[2].read(ROWS)))[0].numpy()
    found = probe.at(alpha, "raw") - probe.z
    assert probe.displacement(probe.at(alpha, "raw")) < RESOLVED
    assert cosines(found, after - before).min() > 0.999999
    noise = (float32 - start32).astype(np.float64)
    still = np.linalg.norm(noise, axis=1) == 0
    noise[still] = 1.0
    assert cosines(noise, after - before).min() < 0.9


def test_both_precisions_meet_where_one_hands_over_to_the_other(parts):
    probe = probe_of(parts)
    alpha = probe.calibrate(RESOLVED, "l2")
    below, above = probe.at(alpha / 2, "l2") - probe.z, probe.at(alpha * 2, "l2") - probe.z
    assert cosines(below, above).min() > 0.999


def test_a_source_without_gradient_stays_exactly_where_it_is(parts):
    probe = probe_of(parts)
    probe.gradients[1] = 0
    probe.lengths["l2"][1] = 0
    for scale in ("raw", "l2", "sign"):
        shifted = probe.at(30.0, scale)
        np.testing.assert_array_equal(shifted[1], probe.z[1])
        assert (shifted[0] != probe.z[0]).any()
        np.testing.assert_array_equal(probe.interpolate(30.0, scale)[1], probe.z[1])


@pytest.mark.parametrize("scale", ["raw", "l2", "sign"])
def test_interpolation_stays_near_the_exact_code(parts, scale):
    probe = probe_of(parts, rows=np.arange(12))
    errors = []
    for displacement in np.geomspace(0.02, 20, 12):
        alpha = probe.calibrate(displacement, scale)
        exact = probe.at(alpha, scale) - probe.z
        error = np.linalg.norm(probe.interpolate(alpha, scale) - probe.z - exact, axis=1)
        errors.append(error / np.linalg.norm(exact, axis=1))
    assert np.median(errors) < 0.023
    assert np.max(errors) < 0.3


def test_interpolation_is_exact_at_its_grid_and_linear_far_below_it(parts):
    probe = probe_of(parts)
    probe.interpolate(1.0, "l2")
    low, high, _ = probe._curves["l2"]
    middle = np.exp(np.linspace(low, high, GRID_POINTS)[8])
    np.testing.assert_allclose(probe.interpolate(middle), probe.at(middle), atol=1e-6)
    tiny = np.exp(low) / 1e4
    moved, exact = probe.interpolate(tiny) - probe.z, probe.at(tiny) - probe.z
    assert cosines(moved, exact).min() > 0.999


@pytest.mark.parametrize("scale", ["raw", "l2", "sign"])
@pytest.mark.parametrize("displacement", [1e-3, 0.5, 2.0, 10.0])
def test_calibration_reaches_the_displacement_that_was_asked_for(parts, scale, displacement):
    probe = probe_of(parts)
    alpha = probe.calibrate(displacement, scale)
    assert probe.displacement(probe.at(alpha, scale)) == pytest.approx(displacement, rel=0.01)


@settings(max_examples=100)
@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0.3, 2.0))
def test_a_step_is_found_from_wherever_the_search_starts(target, start, power):
    step = find_step(lambda alpha: alpha**power, target, start)
    assert step**power == pytest.approx(target, rel=0.006)


def test_a_manifold_that_answers_to_nothing_cannot_be_calibrated():
    with pytest.raises(TrainingError, match="hardly answers"):
        find_step(lambda alpha: 0.0, 1.0, 1.0)


def test_without_any_gradient_calibration_gives_up_quietly(parts):
    probe = probe_of(parts)
    probe.lengths["l2"][:] = 0
    assert probe.calibrate(2.0) == 1.0
    assert probe.relative_step(5.0) == 0.0


def test_a_probe_of_no_sources_is_empty(parts):
    probe = probe_of(parts, rows=[])
    assert probe.at(1.0).shape == (0, 3)
    assert probe.interpolate(1.0).shape == (0, 3)
    assert probe.calibrate(2.0) == 1.0
    assert np.isnan(probe.displacement(probe.z))


def test_the_relative_step_is_that_of_the_pictures(parts):
    probe = probe_of(parts)
    x = parts[2].read(ROWS).reshape(4, -1)
    for scale in ("raw", "l2", "sign"):
        moved = 7.0 * scale_gradients(probe.gradients, scale).reshape(4, -1)
        expected = np.median(np.linalg.norm(moved, axis=1) / np.linalg.norm(x, axis=1))
        assert probe.relative_step(7.0, scale) == pytest.approx(expected, rel=1e-4)


def test_models_are_left_in_eval_mode(parts):
    probe_of(parts)
    assert not parts[0].training
    assert not parts[1].training


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"alpha": np.nan}, {"scale": "l1"}])
def test_a_step_out_of_range_is_refused(parts, wrong):
    with pytest.raises(SettingError):
        probe_of(parts).at(**{"alpha": 1.0, **wrong})


def test_a_broken_model_is_told_from_its_gradients(parts):
    _, vae, images, labels, _ = parts
    broken = tiny_unet()
    with torch.no_grad():
        broken[0].weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="not finite"):
        finish(compute_probe(broken, vae, images, labels, ROWS, compute=COMPUTE))
