"""Learning the manifold: one VAE for each z-dimension that is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.evidence import EvidenceSource
from workbench.experiments.config import RunConfig
from workbench.files import cache_folder
from workbench.jobs import Work
from workbench.session.state import MAPS_ON_DEMAND
from workbench.session.tuning import TuningSession
from workbench.study import Study, learn_latent

if TYPE_CHECKING:
    from workbench.latent.space import LatentSpace
    from workbench.models.compute import Compute
    from workbench.training.manifold import Manifold

__all__ = ["LearningSession"]

#: Training time of the VAE for each pixel of each image of each step, on two common cores.
SECONDS_PER_PIXEL = 1e-6


class LearningSession(TuningSession):
    """A session that learns a manifold and suggests in it."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim = int(config.manifold.get("z_dim", 3))
        self._compute: Compute | None = None
        self._learned: dict[int, tuple[Manifold, LatentSpace]] = {}
        self._manifold_seconds: float | None = None

    def train_manifold(self, z_dim: int | None = None) -> None:
        """Train the VAE of a z-dimension, or load it, and encode every image."""
        self._learn(z_dim or self.z_dim, self._go_on)

    def set_z(self, z_dim: int) -> None:
        """Choose the z-dimension; one that is not trained yet trains in the background."""
        if z_dim < 2:
            self._refuse(
                f"The z-dimension is {z_dim}. A map needs at least 2; the papers use 2, 3 and 5."
            )
        elif z_dim in self._learned:
            self._adopt_latent(z_dim)
        else:
            self.train_manifold(z_dim)

    def training_seconds(self, z_dim: int) -> float | None:
        """Estimate how long the VAE of a z-dimension trains, from the one trained before.

        The z-dimension changes two small layers only, so one measurement serves all; before
        there is one, the number of pixels that pass through it gives a rough guess.
        """
        if z_dim in self._learned:
            return 0.0
        if self._manifold_seconds is not None or self.data is None:
            return self._manifold_seconds
        config, count = self.config.manifold_config(), len(self.pool)
        batch = min(config.batch_size, count)
        steps = config.steps(-(-count // batch))
        return SECONDS_PER_PIXEL * steps * batch * float(np.prod(self.images.images.shape[2:]))

    def _was_cut_off(self) -> bool:
        """Tell whether an earlier training of the manifold can be continued."""
        from workbench.training.manifold import manifold_key

        assert self.data is not None
        assert self._compute is not None
        config, seed = self.config.manifold_config(), self.config.manifold_seed
        key = manifold_key(self.data.images, config, self._compute, seed)
        return (cache_folder() / "manifolds" / key / "checkpoint.safetensors").is_file()

    def _go_on(self) -> None:
        """Go on with the run that was found, once there is a manifold."""
        raise AssertionError("a session says how a run is continued")

    def _learn(self, z_dim: int, then: Callable[[], None]) -> None:
        data, compute = self.data, self._compute
        if data is None or compute is None:
            self._refuse("There are no images yet. Open the cohort first.")
            return
        if self.only_look:
            self._refuse(self.only_look)
            return
        config = replace(self.config.manifold_config(), z_dim=z_dim)
        seed, begun = self.config.manifold_seed, time.monotonic()

        def work() -> Work[tuple[Manifold, LatentSpace]]:
            return (yield from learn_latent(data, config, compute, seed=seed))

        def learned(result: tuple[Manifold, LatentSpace]) -> None:
            if len(self.losses.get("manifold", ())) > 1:  # trained, not loaded
                self._manifold_seconds = time.monotonic() - begun
            self._learned[z_dim] = result
            self.trained_dims = tuple(sorted(self._learned))
            self._adopt_latent(z_dim)
            then()

        self._start("manifold", work(), learned)

    def _adopt_latent(self, z_dim: int) -> None:
        """Show the latent space of a trained z-dimension and suggest in it."""
        from workbench.latent.project import latent_axes, pca

        manifold, latent = self._learned[z_dim]
        assert self.data is not None
        assert self._compute is not None
        self.manifold, self.z_dim = manifold, z_dim
        self.study = Study(
            self.data,
            (manifold, latent),
            self.config.segmentation_config(0),
            self._compute,
            self.config.seed,
        )
        self.latent = latent
        self.losses = {**self.losses, "manifold": tuple(manifold.losses)}
        pixels = {name: each for name, each in self.maps.items() if each.method == "pixels"}
        shown = min(z_dim, 3)
        axes = [latent_axes(latent, i, j) for i in range(shown) for j in range(i + 1, shown)]
        quick = {each.name: each for each in [*axes, pca(latent)]}
        self.maps = {**quick, **pixels}
        self.map_names = (*quick, *MAPS_ON_DEMAND, *pixels)
        self.map_name = axes[0].name
        detail = f"{z_dim} dimensions, {latent.active_dims} active, KL {manifold.kl:.1f} nats"
        if manifold.collapsed:
            self._mark("manifold", "failed", manifold.warning)
            self.problem = f"{self.problem} {manifold.warning}".strip()
        else:
            self._mark("manifold", "ready", detail)
        if self.round is not None and self.round.evidence is not None:
            before = self.round.evidence
            study = replace(self.study, data=before.study.data)  # with the labels of that round
            evidence = EvidenceSource(study, before.pool, before.model, before.index)
            self.round = replace(self.round, evidence=evidence)
            self._refine()
