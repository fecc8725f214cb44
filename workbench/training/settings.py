"""The settings of the networks' training, as values.

They are apart from the training itself, and so from torch: a sweep's file can
be read and checked without it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.errors import SettingError

if TYPE_CHECKING:
    from workbench.training.losses import DiceLoss

__all__ = ["Architecture", "DiceForm", "ManifoldConfig", "SegmentationConfig", "check_dice"]

DiceForm = Literal["dai2022", "dai2020", "effort"]
Architecture = Literal["unet", "u-shape"]


@dataclass(frozen=True)
class ManifoldConfig:
    """How the VAE is trained.

    Parameters
    ----------
    z_dim : int
        Latent dimensions.
    width : tuple of four int
        Channels of the four levels.
    learning_rate : float
        Highest rate of Adam.
    batch_size : int
        Images of a step, at most.
    epochs : int
        Passes over all images, at most.
    min_steps, max_steps : int
        Bounds on the number of steps, whatever the epochs; 0 for no upper bound.
    beta : float
        Weight of the KL term; higher is smoother and less exact.
    patience : int
        Epochs without an improvement of half a percent after which training stops; 0 never stops.
    decay : bool
        Whether the learning rate rises at first and then falls along a cosine.
    """

    z_dim: int = 3
    width: tuple[int, ...] = (16, 32, 64, 128)
    learning_rate: float = 4e-3
    batch_size: int = 16
    epochs: int = 8
    min_steps: int = 400
    max_steps: int = 2000
    beta: float = 1.0
    patience: int = 4
    decay: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", tuple(self.width))
        for name in ("z_dim", "learning_rate", "batch_size", "epochs"):
            if not getattr(self, name) > 0:
                raise SettingError(f"manifold.{name} is {getattr(self, name)}. It must be above 0.")
        if self.beta < 0 or self.patience < 0 or self.min_steps < 0 or self.max_steps < 0:
            raise SettingError(
                "manifold.beta, patience, min_steps and max_steps must not be negative."
            )

    def steps(self, batches: int) -> int:
        """Steps of a full training in which an epoch has so many batches."""
        wanted = max(self.epochs * batches, self.min_steps)
        return min(wanted, self.max_steps) if self.max_steps else wanted


@dataclass(frozen=True)
class SegmentationConfig:
    """How the U-Net of a round is trained.

    Parameters
    ----------
    features : tuple of six int
        Widths of the U-Net (see `build_unet`).
    learning_rate : float
        Highest rate of Adam, by default that of the papers; it falls along a cosine if `decay`.
    batch_size : int
        Slices of a step, at most.
    epochs : int
        Passes over the labeled slices; where they are cut into patches, as many passes with one
        patch each as cover a slice.
    min_steps : int
        A round makes at least so many steps, whatever the epochs.
    loss : {"dai2022", "dai2020", "effort"}
        Form of the Dice loss.
    include_background : bool
        Whether the background counts as a class of the loss.
    smooth : float
        Smoothing of the loss in pixels (see `dice_loss`).
    augment : bool
        Whether slices are varied on the fly.
    decay : bool
        Whether the learning rate falls within the round.
    patch : tuple of int or None
        Sides of the patches to train on, multiples of 16, where images are too large for a step;
        larger images are then predicted in overlapping windows of that size. None: whole images.
    patience : int
        Epochs without a better loss of the validation cases after which a round stops; the
        weights of its best epoch are kept. 0 trains to the end; more needs validation cases.
    batch_dice : bool
        Whether the sums of the training loss run over all images of a step together, so that
        images without a rare class drive it out less often; not for a loss head.
    architecture : {"unet", "u-shape"}
        A plain U-Net, or that of the effort paper: no batch norm, channels that double before a
        pooling, Glorot initialization (see `build_unet`).
    """

    features: tuple[int, ...] = (16, 32, 64, 128, 256, 16)
    learning_rate: float = 1e-3
    batch_size: int = 16
    epochs: int = 10
    min_steps: int = 200
    loss: DiceForm = "dai2022"
    include_background: bool = True
    smooth: float = 1.0
    augment: bool = True
    decay: bool = True
    patch: tuple[int, ...] | None = None
    patience: int = 0
    batch_dice: bool = False
    architecture: Architecture = "unet"

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(self.features))
        if self.architecture not in get_args(Architecture):
            raise SettingError(
                f"segmentation.architecture is {self.architecture!r}. Choose one of: "
                f"{', '.join(get_args(Architecture))}."
            )
        if self.patch is not None:
            given = self.patch if isinstance(self.patch, (list, tuple)) else (self.patch,)
            object.__setattr__(self, "patch", tuple(given))
            if len(self.patch) not in (2, 3) or any(s < 16 or s % 16 for s in self.patch):
                raise SettingError(
                    f"segmentation.patch is {'×'.join(map(str, self.patch))}. It has a side for "
                    f"each axis of an image, all multiples of 16, such as 64×64 or 32×48×48."
                )
        for name in ("learning_rate", "batch_size"):
            if not getattr(self, name) > 0:
                raise SettingError(
                    f"segmentation.{name} is {getattr(self, name)}. It must be above 0."
                )
        if self.patience < 0:
            raise SettingError(
                f"segmentation.patience is {self.patience}. It is a number of epochs, or 0 to "
                f"train to the end."
            )
        if self.epochs < 0 or self.min_steps < 0:
            raise SettingError(
                f"segmentation.epochs is {self.epochs} and min_steps {self.min_steps}. "
                f"Neither can be negative."
            )
        if self.epochs + self.min_steps == 0:
            raise SettingError(
                f"A round of {self.epochs} epochs and at least {self.min_steps} steps trains "
                f"nothing. Give at least one epoch or one step."
            )
        check_dice(self.loss, self.smooth)

    def record(self) -> dict[str, Any]:
        """Return what decides a trained network, as plain values.

        Options that came later are left out where they are not used: networks that were kept
        before there were any keep their names.
        """
        content = asdict(self)
        if not self.u_shape:
            del content["architecture"]
        if not self.batch_dice:
            del content["batch_dice"]
        return content

    @property
    def u_shape(self) -> bool:
        """Whether the network is that of the effort paper."""
        return self.architecture == "u-shape"

    @property
    def criterion(self) -> DiceLoss:
        """The Dice loss that these settings describe."""
        from workbench.training.losses import DiceLoss

        return DiceLoss(self.loss, self.include_background, self.smooth)


def check_dice(form: str, smooth: float) -> None:
    """Refuse settings that no Dice loss has.

    Raises
    ------
    SettingError
        If the form is unknown or the smoothing is out of its range.
    """
    if form not in get_args(DiceForm):
        raise SettingError(
            f"No Dice loss is called {form!r}. Choose one of: {', '.join(get_args(DiceForm))}."
        )
    if not 0 <= smooth < float("inf"):
        raise SettingError(
            f"The smoothing of the Dice loss is {smooth!r}. It is a number of pixels, at "
            f"least 0; 1 lets a class that is absent from both count as Dice 1."
        )
