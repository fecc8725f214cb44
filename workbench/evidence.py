"""What strategies need to know of a pool, computed from one trained network.

An `EvidenceSource` computes each thing once: moving a cone's angle computes
nothing, moving α runs the encoder alone. Needs that a single pass over the pool
can answer are answered by one pass together, and what does not depend on the
network is kept on disk for all runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.label_source import foreground_pixels
from workbench.errors import StrategyError
from workbench.files import cache_folder, content_key, replace_file
from workbench.jobs import Progress, Work
from workbench.strategies.base import Evidence
from workbench.strategies.conditions import Condition, Dropout, Ensemble, LossHead
from workbench.strategies.needs import (
    Disagreement,
    Features,
    Latents,
    Need,
    PredictedEffort,
    PredictedLoss,
    PredictedShare,
    ReferenceDice,
    ReferenceForeground,
    RepresentativeOrder,
    Shift,
    ShiftedLatents,
    Uncertainty,
    VariedShifts,
)
from workbench.strategies.ranking import representative_ranks

if TYPE_CHECKING:
    from torch import nn

    from workbench.cohort.pool import Pool
    from workbench.cohort.store import ImageStore
    from workbench.latent.gradients import Variation
    from workbench.latent.probe import Probe
    from workbench.models.variants import Variant
    from workbench.study import Study

__all__ = ["COMPUTED", "EvidenceSource", "check_needs", "variant_for"]

#: What one pass over the pool can tell, and how `workbench.training.measures.look` calls it.
SEEN: Mapping[type[Need], str] = {
    Disagreement: "disagreement",
    Features: "features",
    PredictedLoss: "predicted_loss",
    PredictedShare: "share",
}
#: What `EvidenceSource` can compute.
COMPUTED: tuple[type[Need], ...] = (
    Latents,
    RepresentativeOrder,
    ReferenceForeground,
    ReferenceDice,
    ShiftedLatents,
    VariedShifts,
    Uncertainty,
    PredictedEffort,
    *SEEN,
)


class EvidenceSource:
    """Computes what strategies need of one trained model, each thing once.

    Parameters
    ----------
    study : Study
        Data, manifold and settings.
    pool : Pool
        The samples, and which are labeled.
    model : torch.nn.Module or None
        The trained network; None before training.
    index : int
        The round whose labels the model was trained on.
    tabulate : bool
        Whether z′ is tabulated over α along with the gradients, so that a slider's first move
        need not wait. It is half of the work, and z′ itself is the same without it.
    """

    def __init__(
        self,
        study: Study,
        pool: Pool,
        model: nn.Module | None,
        index: int,
        *,
        tabulate: bool = True,
    ) -> None:
        self.study = study
        self.pool = pool
        self.model = model
        self.index = index
        self.tabulate = tabulate
        self._values: dict[Need, Any] = {}
        self._probes: dict[tuple[object, ...], Probe] = {}

    def gather(self, needs: frozenset[Need]) -> Work[Evidence]:
        """Compute what is needed and not known yet; return it as evidence.

        Raises
        ------
        StrategyError
            If nothing computes a need, or the model was not trained as the needs ask.
        """
        check_needs(needs)
        if self.model is not None and not self.fits(needs):
            raise StrategyError(
                f"The network of round {self.index} was not trained as the strategy needs "
                f"({', '.join(str(need) for need in _conditions(needs))}). It is from the next "
                f"round on."
            )
        missing = [need for need in sorted(needs, key=repr) if need not in self._values]
        found = yield from self._look(missing)
        for need, value in found.items():
            self._keep(need, value)
        for need in missing:
            if need not in found:
                yield from self._value(need)
        return self.evidence({need: self._values.get(need) for need in needs})

    def knows(self, needs: Iterable[Need]) -> bool:
        """Tell whether `gather` would have nothing to compute."""
        return all(isinstance(need, (Condition, Latents)) or need in self._values for need in needs)

    def fits(self, needs: Iterable[Need]) -> bool:
        """Tell whether the model was trained as these needs ask, or better."""
        from workbench.models.variants import variant_of

        if self.model is None:
            return not _conditions(needs)
        wanted, have = variant_for(needs), variant_of(self.model)
        return (
            wanted.dropout in (0.0, have.dropout)
            and (wanted.head is None or have.head is not None)
            and wanted.members in (1, have.members)
        )

    def evidence(self, values: Mapping[Need, Any]) -> Evidence:
        """Combine computed values with the state of the pool."""
        pool = self.pool
        return Evidence(pool.case_of, pool.eligible, pool.labeled_in, dict(values), self.index + 1)

    # ------------------------------------------------------------ gradients
    def sources(self, need: ShiftedLatents) -> NDArray[np.int64]:
        """Rows of the labeled samples whose gradients are followed, ascending."""
        labeled_in = self.pool.labeled_in
        chosen = self.pool.labeled
        if need.sources == "last":
            chosen = chosen & (labeled_in == labeled_in.max())
        return np.flatnonzero(chosen).astype(np.int64)

    def probe(self, need: ShiftedLatents, variation: Variation | None = None) -> Work[Probe]:
        """Compute the input gradients of the sources, or return those at hand."""
        from workbench.latent.probe import compute_probe

        rows = self.sources(need)
        key = (rows.tobytes(), variation)
        if key not in self._probes:
            study = self.study
            self._probes[key] = yield from compute_probe(
                self._trained(need),
                study.manifold.vae,
                study.data.images,
                study.data.labels,
                rows,
                compute=study.compute,
                criterion=study.segmentation.criterion,
                variation=variation,
                neighbor_distance=study.latent.neighbor_distance,
                grid=(need.scale,) if self.tabulate and variation is None else (),
            )
        return self._probes[key]

    def known_probe(self, need: ShiftedLatents) -> Probe | None:
        """Return the probe of these sources if it is computed, without computing it."""
        return self._probes.get((self.sources(need).tobytes(), None))

    # ------------------------------------------------------------ one need after the other
    def _value(self, need: Need) -> Work[Any]:
        if need not in self._values and not isinstance(need, Condition):
            self._keep(need, (yield from self._compute(need)))
        return self._values.get(need)

    def _keep(self, need: Need, value: Any) -> None:
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        self._values[need] = value

    def _compute(self, need: Need) -> Work[Any]:
        if isinstance(need, Latents):
            return self.study.latent.z
        if isinstance(need, RepresentativeOrder):
            return (yield from self._ranking(need))
        if isinstance(need, ReferenceForeground):
            pixels = foreground_pixels(self.study.data.labels)
            return np.where(np.isnan(pixels), np.nan, pixels > 0)
        if isinstance(need, ReferenceDice):
            return (yield from self._reference_dice())
        if isinstance(need, ShiftedLatents):
            return (yield from self._shift(need))
        if isinstance(need, VariedShifts):
            return (yield from self._varied(need))
        if isinstance(need, PredictedEffort):
            return (yield from self._effort(need))
        assert isinstance(need, Uncertainty)
        return (yield from self._sampled(need))

    def _ranking(self, need: RepresentativeOrder) -> Work[Any]:
        """Rank the pool, or read the ranking of these codes."""
        z = self.study.latent.z
        digest = hashlib.sha256(np.ascontiguousarray(z).tobytes()).hexdigest()
        key = content_key("ranking", z.shape, digest, repr(need))
        path = cache_folder() / "rankings" / f"{key}.npy"
        with contextlib.suppress(OSError, EOFError, ValueError):  # not there, or damaged: made anew
            return np.load(path)
        ranks = yield from representative_ranks(z, need.clusters, need.candidates, need.neighbors)
        replace_file(path, lambda temporary: np.save(temporary, ranks))
        return ranks

    def _reference_dice(self) -> Work[Any]:
        from workbench.training.predict import score_rows

        data = self.study.data
        rows = np.flatnonzero(data.labels.available)
        model = self._trained(ReferenceDice())
        scores = yield from score_rows(model, data.images, data.labels, rows, self.study.compute)
        dice = np.full(len(self.pool), np.nan)
        dice[rows] = scores["dice"]
        return dice

    def _shift(self, need: ShiftedLatents) -> Work[Shift]:
        probe = yield from self.probe(need)
        yield Progress("following the gradients", 0, 1)
        alpha = need.alpha
        if alpha is None:
            alpha = probe.calibrate(need.displacement, need.scale)
        return Shift(alpha, probe.sources, probe.z, probe.at(alpha, need.scale), probe.marked)

    def _varied(self, need: VariedShifts) -> Work[tuple[Shift, ...]]:
        from workbench.latent.gradients import Variation

        plain: Shift = yield from self._value(need.step)
        shifts: list[Shift] = []
        for number in range(need.count):
            variation = Variation(need.vary, number, self.study.seed, self.index)
            probe = yield from self.probe(need.step, variation)
            yield Progress("following varied gradients", number, need.count)
            shifted = probe.at(plain.alpha, need.step.scale)
            shifts.append(Shift(plain.alpha, probe.sources, probe.z, shifted, probe.marked))
        return tuple(shifts)

    # ------------------------------------------------------------ passes over the pool
    def _look(self, needs: Collection[Need]) -> Work[dict[Need, Any]]:
        """Answer all needs that one plain prediction of the pool can answer."""
        from workbench.training.measures import look

        names = {need: SEEN[type(need)] for need in needs if type(need) in SEEN}
        for need in needs:
            if isinstance(need, Uncertainty) and need.passes == 0:
                names[need] = need.measure
        if not names:
            return {}
        model = self._trained(next(iter(names)))
        # Features are told of labeled rows too: distances to them count.
        free = self.pool.free
        rows = np.arange(len(free)) if "features" in names.values() else np.flatnonzero(free)
        seen = yield from look(
            model, self.study.data.images, rows, self.study.compute, set(names.values())
        )
        values: dict[Need, Any] = {}
        for need, name in names.items():
            if isinstance(need, Features):
                values[need] = seen[name]
                continue
            values[need] = np.full((len(free), *seen[name].shape[1:]), np.nan)
            found = seen[name][free[rows]]
            if isinstance(need, Uncertainty):
                found = found * self._pixels(need, np.flatnonzero(free))
            values[need][free] = found
        return values

    def _sampled(self, need: Uncertainty) -> Work[Any]:
        from workbench.training.measures import sample

        rows = np.flatnonzero(self.pool.free)
        seen = yield from sample(
            self._trained(need),
            self.study.data.images,
            rows,
            self.study.compute,
            need.passes,
            (self.study.seed, self.index),
            {need.measure},
        )
        values = np.full(len(self.pool), np.nan)
        values[rows] = seen[need.measure] * self._pixels(need, rows)
        return values

    def _effort(self, need: PredictedEffort) -> Work[Any]:
        from workbench.training.expected_effort import expected_effort

        rows = np.flatnonzero(self.pool.free)
        values = np.full(len(self.pool), np.nan)
        values[rows] = yield from expected_effort(
            self._trained(need),
            self.study.data.images,
            rows,
            self.study.compute,
            need.passes,
            (self.study.seed, self.index),
        )
        return values

    def _pixels(self, need: Uncertainty, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What turns a mean over the whole grid into what is asked for, for each row.

        Volumes of many sizes are padded to one grid: divided by the size of that grid, a sum
        would rank them just as it does alone. So the mean is over the voxels of the scan.
        """
        images = self.study.data.images
        pixels = np.full(len(rows), float(math.prod(images.size)))
        if need.reduction == "sum":
            return pixels
        counted = _own_voxels(images, rows) if images.of_volumes else pixels
        return np.asarray(pixels / counted, dtype=np.float64)

    def _trained(self, need: Need) -> nn.Module:
        if self.model is None:
            raise StrategyError(
                f"{need} needs a trained network, and there is none yet. Train a round first; a "
                f"strategy that chooses before training can need Latents and rankings only."
            )
        return self.model


def _own_voxels(images: ImageStore, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the voxels of each volume that are not padding: not 0 in every channel."""
    counts = [np.count_nonzero(images.read([row])[0].any(axis=0)) for row in rows]
    return np.maximum(np.array(counts, dtype=np.int64), 1)


def check_needs(needs: Iterable[Need]) -> None:
    """Refuse needs that nothing computes.

    Raises
    ------
    StrategyError
        Naming the first of them.
    """
    for need in sorted(needs, key=repr):
        if not isinstance(need, (*COMPUTED, Condition)):
            raise StrategyError(
                f"The strategy asks for {need}, and nothing computes that. A strategy can need "
                f"{', '.join(kind.__name__ for kind in COMPUTED)}, or one of the conditions "
                f"BeforeTraining, Dropout, LossHead and Ensemble."
            )


def variant_for(needs: Iterable[Need]) -> Variant:
    """Tell which variant of the network strategies with these needs train."""
    from workbench.models.variants import HeadSettings, Variant

    dropout, head, members = 0.0, None, 1
    for need in _conditions(needs):
        if isinstance(need, Dropout):
            dropout = need.p
        elif isinstance(need, LossHead):
            head = HeadSettings(need.margin, need.weight, need.stop, need.bound)
        else:
            members = cast(Ensemble, need).members
    return Variant(dropout, head, members)


def _conditions(needs: Iterable[Need]) -> list[Need]:
    """The conditions on training, in a fixed order."""
    return sorted(
        (need for need in needs if isinstance(need, (Dropout, LossHead, Ensemble))), key=repr
    )
