"""What a strategy can ask for, and how each answer looks for whole cases.

A `Need` is a key of the evidence: the round computes it once, for the whole
pool, and hands over an array with a row for each sample. How a round trains is
asked for with `workbench.strategies.conditions`.

Where whole cases are suggested, every need reduces its value to a row for each
case: the mean over the case's samples, unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.jobs import finish
from workbench.strategies.ranking import representative_ranks

if TYPE_CHECKING:
    from workbench.strategies.base import Evidence

__all__ = [
    "ON_MANIFOLD",
    "Disagreement",
    "Features",
    "GradientScale",
    "Latents",
    "Need",
    "PredictedEffort",
    "PredictedLoss",
    "PredictedShare",
    "Reduction",
    "ReferenceDice",
    "ReferenceForeground",
    "RepresentativeOrder",
    "Shift",
    "ShiftedLatents",
    "Sources",
    "Uncertainty",
    "UncertaintyMeasure",
    "Variation",
    "VariedShifts",
    "mean_by_case",
]

GradientScale = Literal["raw", "l2", "sign"]
Sources = Literal["last", "all"]
Reduction = Literal["mean", "sum"]
Variation = Literal["intensity", "dropout"]
UncertaintyMeasure = Literal[
    "least_confidence", "margin", "entropy", "variance", "mutual_information"
]

#: Measures that need several predictions of a slice.
SAMPLED = ("variance", "mutual_information")


def mean_by_case(values: NDArray[Any], case_of: NDArray[np.integer]) -> NDArray[np.float64]:
    """Average values over the samples of each case.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
        NaN where nothing is known; such samples do not count.
    case_of : ndarray of int, shape (n,)
        Number of each sample's case, counted from 0.

    Returns
    -------
    ndarray of float64, shape (cases,) or (cases, d)
        NaN where nothing is known of any sample of a case.
    """
    numbers = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    shape = (int(case_of.max(initial=-1)) + 1, *numbers.shape[1:])
    totals, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(totals, case_of, np.where(known, numbers, 0.0))
    np.add.at(counts, case_of, known)
    return np.divide(totals, counts, out=np.full(shape, np.nan), where=counts > 0)


@dataclass(frozen=True)
class Need:
    """A key of `Evidence`: something a strategy wants to know of every row."""

    def by_case(self, value: Any, evidence: Evidence) -> Any:
        """Reduce the value to one row for each case: the mean over its rows.

        Parameters
        ----------
        value : object
            What was computed for this need, one row for each sample.
        evidence : Evidence
            That the value is part of.
        """
        return mean_by_case(value, evidence.case_of)


# ---------------------------------------------------------------- what is known before training
@dataclass(frozen=True)
class Latents(Need):
    """Latent code of every row: ndarray of float64, shape (n, d)."""


@dataclass(frozen=True)
class RepresentativeOrder(Need):
    """Place of every row in one ranking by representativeness: float64, shape (n,), 0 first.

    It depends on the latent codes alone, so its prefixes serve every round (see
    `workbench.strategies.ranking`). A strategy that needs it needs `Latents` too: cases are
    ranked by the mean codes of their samples.

    Parameters
    ----------
    clusters : int
        Clusters that the pool is divided into, at least 1.
    candidates : float
        Share of each cluster that is ranked in earnest, above 0 and at most 1.
    neighbors : int
        Nearest neighbors that may be merged, at least 1.
    """

    clusters: int = 50
    candidates: float = 0.2
    neighbors: int = 15

    def __post_init__(self) -> None:
        if not (self.clusters >= 1 and 0 < self.candidates <= 1 and self.neighbors >= 1):
            raise SettingError(
                f"clusters is {self.clusters!r}, candidates {self.candidates!r} and neighbors "
                f"{self.neighbors!r}. Give at least 1 cluster, a share of candidates above 0 and "
                f"at most 1, and at least 1 neighbor."
            )

    def by_case(self, value: Any, evidence: Evidence) -> NDArray[np.float64]:
        """Rank the cases by the mean latent codes of their rows."""
        codes = mean_by_case(evidence[Latents()], evidence.case_of)
        ranked = representative_ranks(codes, self.clusters, self.candidates, self.neighbors)
        return finish(ranked)


@dataclass(frozen=True)
class ReferenceForeground(Need):
    """Whether the held reference has foreground: float64, shape (n,), 0 or 1.

    NaN where there is no reference; of a case, the share of its slices that have some.
    """


# ---------------------------------------------------------------- what the trained network tells
@dataclass(frozen=True, eq=False)
class Shift:
    """Latent codes of the sources before and after the step along their gradient.

    Parameters
    ----------
    alpha : float
        The step that was taken, in image space.
    sources : ndarray of int, shape (m,)
        Rows of the sources, ascending.
    z, shifted : ndarray of float64, shape (m, d)
        Latent codes of the sources (z) and of their gradient-integrated images (z');
        read-only, as all that strategies are given.
    marked : ndarray of bool, shape (m,), optional
        Which sources have foreground in their label.
    """

    alpha: float
    sources: NDArray[np.int64]
    z: NDArray[np.float64]
    shifted: NDArray[np.float64]
    marked: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for name in ("sources", "z", "shifted", "marked"):
            if getattr(self, name) is not None:
                array = np.array(getattr(self, name))
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    def by_case(self, case_of: NDArray[np.integer]) -> Shift:
        """Return the mean z and z' of each case that has a source (Dai 2020, §3)."""
        cases, number = np.unique(case_of[self.sources], return_inverse=True)
        return Shift(
            self.alpha,
            cases.astype(np.int64),
            mean_by_case(self.z, number),
            mean_by_case(self.shifted, number),
            None if self.marked is None else mean_by_case(self.marked, number) > 0,
        )


@dataclass(frozen=True)
class ShiftedLatents(Need):
    """Where the loss gradient moves labeled samples in latent space: a `Shift`.

    Parameters
    ----------
    alpha : float or None
        Step along the scaled gradient in image space; None: calibrated so that
        the median displacement is `displacement`.
    displacement : float
        Median displacement aimed at, in neighbor distances; used if `alpha` is None.
    scale : {"raw", "l2", "sign"}
        How the gradient is scaled before the step.
    sources : {"last", "all"}
        The samples labeled in the latest round, or every labeled one.
    """

    alpha: float | None = None
    displacement: float = 2.0
    scale: GradientScale = "l2"
    sources: Sources = "last"

    def by_case(self, value: Shift, evidence: Evidence) -> Shift:
        """Move cases as the mean of their sources moves."""
        return value.by_case(evidence.case_of)


@dataclass(frozen=True)
class VariedShifts(Need):
    """Where varied gradients move the same samples: a tuple of `Shift`, the plain one not in it.

    Each is the gradient of the source's loss at a variation of its image or its network,
    integrated into the image as it is.

    Parameters
    ----------
    step : ShiftedLatents
        Sources, scale and step; all directions share one α.
    count : int
        Variations of each source.
    vary : {"intensity", "dropout"}
        Contrast and brightness of the image, or what the network drops.
    """

    step: ShiftedLatents = ShiftedLatents()
    count: int = 4
    vary: Variation = "intensity"

    def by_case(self, value: tuple[Shift, ...], evidence: Evidence) -> tuple[Shift, ...]:
        """Move cases as the mean of their sources moves, variation by variation."""
        return tuple(shift.by_case(evidence.case_of) for shift in value)


#: Needs that stand on the manifold.
ON_MANIFOLD = (Latents, RepresentativeOrder, ShiftedLatents, VariedShifts)


@dataclass(frozen=True)
class ReferenceDice(Need):
    """Foreground Dice of the current model against the reference: float64, shape (n,).

    NaN where there is no reference; 1 where neither has foreground.
    """


@dataclass(frozen=True)
class Uncertainty(Need):
    """How uncertain the network is about every free row: float64, shape (n,).

    Higher is less certain; NaN where a row is labeled or not eligible.

    Parameters
    ----------
    measure : str
        ``"least_confidence"``, ``"margin"`` (1 − BvSB), ``"entropy"``, ``"variance"``
        (Rahimi eq. 1) or ``"mutual_information"`` (BALD); see `workbench.training.measures`.
    passes : int
        Predictions with dropout (needs `Dropout`); 0: one plain prediction, which has neither
        variance nor mutual information.
    reduction : {"mean", "sum"}
        Over the pixels of an image, and over the images of a case. Of a volume, the mean is
        over the voxels that are not padding; a sum favors large volumes.
    """

    measure: UncertaintyMeasure = "entropy"
    passes: int = 0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        for name, known in (
            ("measure", get_args(UncertaintyMeasure)),
            ("reduction", get_args(Reduction)),
        ):
            if getattr(self, name) not in known:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}. It is one of: {', '.join(known)}."
                )
        least = 2 if self.measure in SAMPLED else 0
        if not (isinstance(self.passes, int) and self.passes >= least):
            raise SettingError(
                f"passes is {self.passes!r}. The {self.measure} takes at least {least} "
                f"predictions; Rahimi makes 5."
            )

    def by_case(self, value: Any, evidence: Evidence) -> NDArray[np.float64]:
        """The mean over a case's rows, or their sum where pixels are summed too."""
        means = mean_by_case(value, evidence.case_of)
        if self.reduction == "mean":
            return means
        return means * np.bincount(evidence.case_of[~np.isnan(value)], minlength=len(means))


@dataclass(frozen=True)
class PredictedEffort(Need):
    """Contour that an annotator is expected to have to draw: float64, shape (n,), pixels.

    For each class the mean over pairs of dropout passes of 1 − C / L (method.md §6; one pass in
    the place of the prediction, the other in that of the reference), times the mean length of
    the predicted contours; summed over the foreground classes. NaN where a row is labeled or not
    eligible.

    Parameters
    ----------
    passes : int
        Predictions with dropout (needs `Dropout`), at least 2.
    """

    passes: int = 5

    def __post_init__(self) -> None:
        if isinstance(self.passes, bool) or not isinstance(self.passes, int) or self.passes < 2:
            raise SettingError(
                f"passes is {self.passes!r}. Effort is predicted from pairs of predictions: at "
                f"least 2."
            )


@dataclass(frozen=True)
class Disagreement(Need):
    """Variance over an ensemble's members, mean over classes and pixels: float64, shape (n,).

    NaN where a row is labeled or not eligible.
    """


@dataclass(frozen=True)
class PredictedLoss(Need):
    """What the loss head expects of every free row: float64, shape (n,), NaN elsewhere."""


@dataclass(frozen=True)
class PredictedShare(Need):
    """Share of the pixels of each predicted class: float64, shape (n, k), background first.

    NaN where a row is labeled or not eligible.
    """


@dataclass(frozen=True)
class Features(Need):
    """Pooled features of the bottleneck of every row: float32, shape (n, f).

    Float32, because those of 39,000 rows and four networks would take 640 MB otherwise.
    """
