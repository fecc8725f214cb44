"""Label what the network is least certain about.

Each strategy here ranks samples by one number (`workbench.training.measures`
says how it is computed); they differ in that number, and in whether noise or
classes keep the picks from being all alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions, highest
from workbench.strategies.conditions import Dropout
from workbench.strategies.needs import Need, PredictedShare, Reduction, Uncertainty

__all__ = ["BALD", "ClaSPPE", "Entropy", "LeastConfidence", "MCDropout", "Margin", "PowerBALD"]

#: Scores below this are taken for it before their logarithm.
SMALLEST = 1e-12


@dataclass(frozen=True)
class LeastConfidence:
    """Take the samples whose most likely class is least likely.

    The score is 1 − max_c p_c, averaged over the pixels of an image.

    References
    ----------
    Settles 2009, Active learning literature survey, §3.1.
    """

    def needs(self) -> frozenset[Need]:
        """Mean of one minus the highest probability."""
        return frozenset({Uncertainty("least_confidence")})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """The score of every row, at least 0."""
        return np.asarray(evidence[Uncertainty("least_confidence")])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest score."""
        return highest(self.scores(evidence), evidence, budget)


@dataclass(frozen=True)
class Margin:
    """Take the samples whose two most likely classes are closest (average BvSB).

    The score is one minus the difference of the two highest probabilities, averaged over the
    pixels of an image.

    References
    ----------
    Efforts estimation of doctors annotating medical image (arXiv 1901.02355), eq. 2; Settles 2009,
    §3.1.
    """

    def needs(self) -> frozenset[Need]:
        """Mean of one minus best-versus-second-best."""
        return frozenset({Uncertainty("margin")})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """The score of every row, at least 0."""
        return np.asarray(evidence[Uncertainty("margin")])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest score."""
        return highest(self.scores(evidence), evidence, budget)


@dataclass(frozen=True)
class Entropy:
    """Take the samples of highest predictive entropy.

    The score is −Σ_c p_c log p_c, averaged over the pixels of an image.

    References
    ----------
    Settles 2009, Active learning literature survey, §3.1.
    """

    def needs(self) -> frozenset[Need]:
        """Mean entropy of the prediction."""
        return frozenset({Uncertainty("entropy")})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """The score of every row, at least 0."""
        return np.asarray(evidence[Uncertainty("entropy")])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest entropy."""
        return highest(self.scores(evidence), evidence, budget)


@dataclass(frozen=True)
class MCDropout:
    """Take the samples whose predictions vary most from one dropout pass to the next.

    The score is Σ_pixels mean_c Var_t P_t(c), the variance being that of the population.

    Parameters
    ----------
    passes : int
        Predictions T of each sample, at least 2.
    p : float
        Probability of dropout, in training and in the passes, above 0 and below 1.
    reduction : {"sum", "mean"}
        Over pixels, and over the slices of a case; the paper sums. A sum favors large volumes,
        the mean (over the voxels that are not padding) does not.

    References
    ----------
    Rahimi et al., Addressing the exorbitant cost of labeling medical images with active learning,
    eq. 1, with T = 5 and p = 0.5.
    """

    passes: int = 5
    p: float = 0.5
    reduction: Reduction = "sum"

    def __post_init__(self) -> None:
        self.needs()  # refuses what is out of range

    def _variance(self) -> Uncertainty:
        return Uncertainty("variance", self.passes, self.reduction)

    def needs(self) -> frozenset[Need]:
        """Dropout in training, and the variance over passes."""
        return frozenset({Dropout(self.p), self._variance()})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """The score of every row, at least 0."""
        return np.asarray(evidence[self._variance()])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest variance."""
        return highest(self.scores(evidence), evidence, budget)


@dataclass(frozen=True)
class BALD:
    """Take the samples about which dropout passes, each certain, contradict each other.

    The score is the mutual information between the prediction and the network: entropy of
    the mean prediction minus mean entropy of the predictions, averaged over pixels.

    Parameters
    ----------
    passes : int
        Predictions T of each sample, at least 2.
    p : float
        Probability of dropout, in training and in the passes, above 0 and below 1.

    References
    ----------
    Houlsby et al. 2011, eq. 2; with dropout, Gal et al. 2017.
    """

    passes: int = 5
    p: float = 0.5

    def __post_init__(self) -> None:
        self.needs()  # refuses what is out of range

    def _information(self) -> Uncertainty:
        return Uncertainty("mutual_information", self.passes)

    def needs(self) -> frozenset[Need]:
        """Dropout in training, and the mutual information over passes."""
        return frozenset({Dropout(self.p), self._information()})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """The score of every row, at least 0."""
        return np.asarray(evidence[self._information()])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest mutual information."""
        return highest(self.scores(evidence), evidence, budget)


@dataclass(frozen=True)
class PowerBALD:
    """Mutual information with noise on its logarithm, so that not all picks are alike.

    The score is β log I + Gumbel noise: the picks are a draw without replacement with
    probabilities in proportion to I^β.

    Parameters
    ----------
    coldness : float
        β, above 0; the higher, the less the noise matters.
    passes : int
        Predictions T of each sample, at least 2.
    p : float
        Probability of dropout, in training and in the passes, above 0 and below 1.

    References
    ----------
    Kirsch et al. 2023, Stochastic batch acquisition (power acquisition).
    """

    coldness: float = 1.0
    passes: int = 5
    p: float = 0.5

    def __post_init__(self) -> None:
        if not self.coldness > 0:
            raise SettingError(
                f"coldness is {self.coldness!r}. It is the exponent of the score, above 0; 1 is "
                f"the paper's, and the higher it is the less chance decides."
            )
        self.needs()  # refuses what is out of range

    def _information(self) -> Uncertainty:
        return Uncertainty("mutual_information", self.passes)

    def needs(self) -> frozenset[Need]:
        """Dropout in training, and the mutual information over passes."""
        return frozenset({Dropout(self.p), self._information()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest noisy score."""
        information = np.maximum(evidence[self._information()], SMALLEST)
        noise = rng.gumbel(size=information.size)
        return highest(self.coldness * np.log(information) + noise, evidence, budget)


@dataclass(frozen=True)
class ClaSPPE:
    """Take uncertain samples of every predicted class, with noise that fades round by round.

    A share of the budget is divided evenly among the foreground classes that are predicted
    anywhere: each class in turn takes the sample of highest score in which it is predicted.
    The rest goes to the highest scores of all. The score is log H + s · Gumbel noise, H the
    mean predictive entropy, with s = strength · decay^(round − 1). The paper decays its noise
    on a logarithmic scale; the numbers of that schedule here are our own.

    Parameters
    ----------
    stratified : float
        Share of the budget that is divided among classes, 0 to 1.
    strength : float
        s in the first round, at least 0.
    decay : float
        Factor of s from one round to the next, above 0 and at most 1.

    References
    ----------
    Lüth et al. 2026, Finally outshining the random baseline (ClaSP PE).
    """

    stratified: float = 2 / 3
    strength: float = 1.0
    decay: float = 0.5

    def __post_init__(self) -> None:
        if not (0 <= self.stratified <= 1 and self.strength >= 0 and 0 < self.decay <= 1):
            raise SettingError(
                f"stratified is {self.stratified!r}, strength {self.strength!r} and decay "
                f"{self.decay!r}. stratified is a share from 0 to 1, strength at least 0, and "
                f"decay above 0 and at most 1."
            )

    def needs(self) -> frozenset[Need]:
        """Mean entropy of the prediction, and the share of each predicted class."""
        return frozenset({Uncertainty("entropy"), PredictedShare()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Let the classes take turns, then fill up with the highest scores."""
        entropy = np.maximum(evidence[Uncertainty("entropy")], SMALLEST)
        spread = self.strength * self.decay ** (evidence.round - 1)
        scores = np.log(entropy) + spread * rng.gumbel(size=entropy.size)
        ranked = highest(scores, evidence, Budget(max(len(evidence), 1)))
        wanted = budget.within(evidence)
        first = _in_turns(ranked.rows, evidence[PredictedShare()], round(self.stratified * wanted))
        rest = ranked.rows[~np.isin(ranked.rows, first)]
        rows = np.concatenate([first, rest])[:wanted].astype(np.int64)
        return Suggestions(rows=rows, scores=ranked.scores)


def _in_turns(
    ranked: NDArray[np.int64], share: NDArray[np.float64], wanted: int
) -> NDArray[np.int64]:
    """Let each predicted foreground class take its next best row, the rarest class first."""
    predicted = share[ranked, 1:] > 0
    count = predicted.sum(axis=0)
    classes = [c for c in np.argsort(count, kind="stable") if count[c]]
    queues = {c: iter(ranked[predicted[:, c]].tolist()) for c in classes}
    taken: dict[int, None] = {}
    while queues and len(taken) < wanted:
        for c in classes:
            if len(taken) == wanted or c not in queues:
                continue
            row = next((row for row in queues[c] if row not in taken), None)
            if row is None:
                del queues[c]
            else:
                taken[row] = None
    return np.array(list(taken), dtype=np.int64)
