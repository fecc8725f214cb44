"""Losses against numbers worked out by hand, MONAI and finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from workbench.cohort.cohort import IGNORED
from workbench.errors import SettingError
from workbench.training.losses import DiceLoss, dice_loss, vae_loss


def logits_of(probability: list[list[float]]) -> torch.Tensor:
    """Logits (1, k, 1, pixels) whose softmax is `probability`, (k, pixels)."""
    return torch.log(torch.tensor(probability, dtype=torch.float64))[None, :, None, :]


P = [[0.8, 0.4], [0.2, 0.6]]
Y = torch.tensor([[[0, 1]]])


def test_the_2022_form_is_the_value_worked_out_by_hand():
    # background: 2·0.8 / (0.64 + 0.16 + 1), foreground: 2·0.6 / (0.04 + 0.36 + 1)
    expected = 1 - (1.6 / 1.8 + 1.2 / 1.4) / 2
    assert dice_loss(logits_of(P), Y, smooth=0).item() == pytest.approx(expected, abs=1e-12)


def test_the_2020_form_is_the_value_worked_out_by_hand():
    expected = 1 - (1.6 / 2.2 + 1.2 / 1.8) / 2
    loss = dice_loss(logits_of(P), Y, form="dai2020", smooth=0)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_the_background_can_be_left_out():
    loss = dice_loss(logits_of(P), Y, include_background=False, smooth=0)
    assert loss.item() == pytest.approx(1 - 1.2 / 1.4, abs=1e-12)


def test_smoothing_is_added_to_numerator_and_denominator():
    expected = 1 - (2.6 / 2.8 + 2.2 / 2.4) / 2
    assert dice_loss(logits_of(P), Y, smooth=1).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("form", ["dai2020", "dai2022"])
@pytest.mark.parametrize("background", [True, False])
def test_an_empty_slice_predicted_empty_has_no_loss(form, background):
    target = torch.zeros(1, 16, 16, dtype=torch.long)
    logits = torch.stack([torch.full((16, 16), 20.0), torch.zeros(16, 16)])[None]
    assert dice_loss(logits, target, form, background).item() < 1e-4


def test_a_class_in_neither_counts_as_one_without_smoothing_too():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    logits = torch.stack([torch.full((4, 4), 500.0), torch.full((4, 4), -500.0)])[None]
    assert dice_loss(logits, target, smooth=0).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize(("form", "squared"), [("dai2020", False), ("dai2022", True)])
def test_both_forms_agree_with_monai(form, squared, background):
    from monai.losses import DiceLoss

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, 9, 7, generator=generator)
    target = torch.randint(0, 4, (5, 9, 7), generator=generator)
    theirs = DiceLoss(
        include_background=background,
        to_onehot_y=True,
        softmax=True,
        squared_pred=squared,
        reduction="none",
        smooth_nr=1,
        smooth_dr=1,
    )(logits, target[:, None])
    ours = dice_loss(logits, target, form, background)
    assert torch.allclose(ours, theirs.mean(dim=1).flatten(), atol=1e-6)


def test_each_sample_has_its_own_loss():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 3, 8, 8, generator=generator)
    target = torch.randint(0, 3, (3, 8, 8), generator=generator)
    alone = torch.cat([dice_loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)])
    assert torch.allclose(dice_loss(logits, target), alone, atol=1e-7)


def test_the_effort_papers_loss_is_the_classes_less_the_sum_of_their_dice():
    p = torch.softmax(logits_of(P), dim=1)
    y = torch.stack([Y == 0, Y == 1], dim=1).to(p.dtype)
    dsc = 2 * (p * y).sum(dim=(2, 3)) / (p.sum(dim=(2, 3)) + y.sum(dim=(2, 3)))
    found = dice_loss(logits_of(P), Y, "effort", smooth=0)
    assert torch.allclose(found, 2 - dsc.sum(dim=1))
    assert torch.allclose(found, 2 * dice_loss(logits_of(P), Y, "dai2020", smooth=0))
    alone = dice_loss(logits_of(P), Y, "effort", include_background=False, smooth=0)
    assert torch.allclose(alone, 1 - dsc[:, 1])


@pytest.mark.parametrize("form", ["dai2020", "dai2022", "effort"])
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_the_dice_gradient_is_that_of_finite_differences(form, background, smooth):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (2, 3, 4), generator=generator)
    assert torch.autograd.gradcheck(
        lambda x: dice_loss(x, target, form, background, smooth), (logits,)
    )


def test_labels_of_any_integer_type_give_the_same_loss():
    logits = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    target = torch.ones(1, 4, 4, dtype=torch.uint8)
    assert torch.equal(dice_loss(logits, target), dice_loss(logits, target.long()))


def test_an_unknown_form_is_named_with_those_there_are():
    with pytest.raises(SettingError, match=r"dai2022, dai2020"):
        dice_loss(logits_of(P), Y, form="dice")


@pytest.mark.parametrize("wrong", [{"form": "dice"}, {"smooth": -1}, {"smooth": math.nan}])
def test_settings_of_the_dice_loss_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError, match="Dice loss"):
        DiceLoss(**wrong)


def test_the_dice_loss_uses_all_of_its_settings():
    found = DiceLoss("dai2020", include_background=False, smooth=0.5)(logits_of(P), Y)
    assert found.equal(dice_loss(logits_of(P), Y, "dai2020", False, 0.5))
    assert not found.equal(DiceLoss()(logits_of(P), Y))


def test_one_class_alone_is_refused():
    with pytest.raises(SettingError, match="at least one foreground class"):
        dice_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long))


def test_the_vae_loss_sums_over_pixels_and_dimensions():
    images = torch.zeros(2, 1, 2, 2)
    reconstruction = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    mean = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    logvar = torch.tensor([[0.0, 0.0], [0.0, math.log(4)]])
    error, kl = vae_loss(images, reconstruction, mean, logvar)
    assert error.tolist() == [4.0, 16.0]
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (4 + 4 - 1 - log 4)
    assert kl.tolist() == pytest.approx([0.0, 0.5 + 0.5 * (7 - math.log(4))])


def test_the_vae_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    parts = [
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 1, 3, 3), (2, 1, 3, 3), (2, 2), (2, 2))
    ]
    assert torch.autograd.gradcheck(vae_loss, parts)


@pytest.mark.parametrize("form", ["dai2022", "dai2020"])
@pytest.mark.parametrize("background", [True, False])
def test_an_ignored_pixel_counts_for_nothing(form, background):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    cut = dice_loss(logits[..., :4], target[..., :4], form, background)
    masked = target.clone()
    masked[..., 4] = IGNORED
    logits.requires_grad_(True)
    loss = dice_loss(logits, masked, form, background)
    assert torch.allclose(loss, cut, atol=1e-12)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert not gradient[..., 4].any()
    assert gradient[..., :4].any()
