"""Losses of the papers, one number for each sample.

The gradient probe needs every sample's own loss: a mean over the batch would
divide each input gradient by the batch size. So nothing here is ever averaged
over a batch; a training loop does that itself.

Dai 2020 and 2022 write the Dice loss as the negative of a Dice coefficient;
here it is one minus it, from 0 (perfect) to 1, with the same gradient. That of the effort
paper is m times as large, m being the number of classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from workbench.cohort.cohort import IGNORED
from workbench.errors import SettingError
from workbench.training.settings import DiceForm, check_dice

__all__ = [
    "DICE",
    "DiceForm",
    "DiceLoss",
    "as_one_image",
    "dice_loss",
    "kl_divergence",
    "ranking_loss",
    "vae_loss",
]


def ranking_loss(
    predicted: torch.Tensor, losses: torch.Tensor, margin: float = 0.5
) -> torch.Tensor:
    """How badly predicted losses order pairs of samples (Yoo & Kweon 2019, eq. 2).

    For a pair: ``max(0, margin − s (p_i − p_j))``, with s = 1 where l_i > l_j and −1 elsewhere.
    The absolute loss falls while a network trains, so only its order is learned.

    Parameters
    ----------
    predicted : Tensor, shape (m,)
        p.
    losses : Tensor, shape (m,)
        l; no gradient reaches them.
    margin : float
        By how much the predictions must differ.

    Returns
    -------
    Tensor, shape ()
        Mean over the pairs, which are the first and the last sample, the second and the
        last but one, and so on; 0 for a single sample.
    """
    pairs = len(predicted) // 2
    if not pairs:
        return predicted.sum() * 0.0
    apart = (predicted - predicted.flip(0))[:pairs]
    truth = losses.detach()
    order = torch.where((truth - truth.flip(0))[:pairs] > 0, 1.0, -1.0)
    return (margin - order * apart).clamp_min(0).mean()


@dataclass(frozen=True)
class DiceLoss:
    """`dice_loss` with its settings: what a model was trained with is also probed with.

    Parameters
    ----------
    form, include_background, smooth
        See `dice_loss`.

    Raises
    ------
    SettingError
        If a setting is out of its range.
    """

    form: DiceForm = "dai2022"
    include_background: bool = True
    smooth: float = 1.0

    def __post_init__(self) -> None:
        check_dice(self.form, self.smooth)

    def __call__(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of each sample, shape (m,); see `dice_loss`."""
        return dice_loss(logits, target, self.form, self.include_background, self.smooth)


#: The Dice loss of Dai 2022, smoothed.
DICE = DiceLoss()


def dice_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    form: DiceForm = "dai2022",
    include_background: bool = True,
    smooth: float = 1.0,
) -> torch.Tensor:
    """Measure how far a segmentation is from its label map, sample by sample.

    With p the softmax over all k classes and y the one-hot labels, sums running over the
    pixels of one image and the mean over classes:

    - ``"dai2020"`` (eq. 2 there): ``1 - mean (2 Σ p y + s) / (Σ p + Σ y + s)``
    - ``"dai2022"`` (eq. 2 there): ``1 - mean (2 Σ p y + s) / (Σ p² + Σ y² + s)``
    - ``"effort"`` (eq. 1 of the effort paper): ``m - Σ DSC`` over the m classes of the mean, with
      the DSC of ``"dai2020"``, since the paper does not say which; m times that loss

    Parameters
    ----------
    logits : Tensor, shape (m, k, ...)
        Output of the network, before the softmax.
    target : Tensor of int, shape (m, ...)
        Class of every pixel or voxel, 0 to k - 1; where it is `IGNORED` it is in no sum.
    form : {"dai2022", "dai2020", "effort"}
        Which paper's.
    include_background : bool
        Whether class 0 enters the mean over classes.
    smooth : float
        s, in pixels. With 1, a class that is absent from both counts as Dice 1; with 0, a
        tumor-free slice that is predicted perfectly looks like one of the hardest.

    Returns
    -------
    Tensor, shape (m,)
        Loss of each sample, from 0 (perfect) to 1, or to m, in float32 or float64.

    Raises
    ------
    SettingError
        If `form` is unknown or no class would be left.
    """
    check_dice(form, smooth)
    if logits.shape[1] < 2:
        raise SettingError(
            f"The network has {logits.shape[1]} output class. A Dice loss needs the background "
            f"and at least one foreground class."
        )
    full = logits if logits.dtype == torch.float64 else logits.float()
    p = torch.softmax(full, dim=1)
    classes = torch.arange(logits.shape[1], device=logits.device)
    each = classes.view(-1, *[1] * (target.ndim - 1))
    y = (target.to(torch.long)[:, None] == each).to(p.dtype)
    if not include_background:
        p, y = p[:, 1:], y[:, 1:]
    space = tuple(range(2, p.ndim))
    overlap = (p * y).sum(dim=space)
    counted = (p * p if form == "dai2022" else p) * (target != IGNORED)[:, None]
    size = counted.sum(dim=space) + y.sum(dim=space)
    # 0 / 0 is possible only with smooth 0: such a class is absent from both, so Dice is 1.
    empty = size + smooth == 0
    dice = (2 * overlap + smooth) / torch.where(empty, 1.0, size + smooth)
    dice = torch.where(empty, 1.0, dice)
    return p.shape[1] - dice.sum(dim=1) if form == "effort" else 1 - dice.mean(dim=1)


def as_one_image(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay the images of a batch side by side, so that a loss is that of all of them together.

    Shapes (m, k, h, ...) and (m, h, ...) become (1, k, m h, ...) and (1, m h, ...).
    """
    return logits.transpose(0, 1).flatten(1, 2)[None], target.flatten(0, 1)[None]


def vae_loss(
    images: torch.Tensor,
    reconstruction: torch.Tensor,
    mean: torch.Tensor,
    logvar: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both terms of the VAE's loss (Dai 2020 eq. 1), sample by sample.

    Parameters
    ----------
    images, reconstruction : Tensor, shape (m, c, ...)
    mean, logvar : Tensor, shape (m, d)
        Of the normal distribution q(z|x).

    Returns
    -------
    reconstruction : Tensor, shape (m,)
        Squared error summed over channels and pixels: a mean would let the other term win,
        and the latent code would say nothing.
    kl : Tensor, shape (m,)
        KL(q(z|x) || N(0, I)) in nats, summed over latent dimensions.
    """
    wide = torch.promote_types(images.dtype, torch.float32)
    squares = (reconstruction.to(wide) - images.to(wide)).square()
    error = squares.sum(dim=tuple(range(1, images.ndim)))
    return error, kl_divergence(mean.to(wide), logvar.to(wide))


def kl_divergence(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL(q(z|x) || N(0, I)) of each sample in nats, shape (m,), from (m, d) each."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(dim=1)
