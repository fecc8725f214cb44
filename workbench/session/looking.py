"""What a session can show of what it holds: maps, images, the manifold's pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.preprocess import middle
from workbench.inspection import Inspection, inspect
from workbench.jobs import Outcome, Progress, Work
from workbench.session.preview import gradient_need
from workbench.session.running import RunningSession
from workbench.session.state import MAPS_ON_DEMAND

if TYPE_CHECKING:
    from workbench.experiments.config import RunConfig
    from workbench.study import Data, Study
    from workbench.training.manifold import Manifold

__all__ = ["LookingSession"]


class LookingSession(RunningSession):
    """A session that shows maps, images and what the manifold has learned."""

    config: RunConfig
    data: Data | None = None
    study: Study | None = None
    manifold: Manifold | None = None

    def show_map(self, name: str) -> None:
        """Show a map; t-SNE and UMAP are computed first, as a job of their own.

        Parameters
        ----------
        name : str
            One of `map_names`, or any two latent axes, such as ``"z2·z5"``.
        """
        self._background.drain()
        axes = re.fullmatch(r"z(\d+)·z(\d+)", name)
        if name not in self.maps and axes is not None and self.latent is not None:
            from workbench.latent.project import latent_axes

            i, j = int(axes[1]) - 1, int(axes[2]) - 1
            if i != j and min(i, j) >= 0 and max(i, j) < self.latent.z.shape[1]:
                self.maps = {**self.maps, name: latent_axes(self.latent, i, j)}
        if name in self.maps:
            self.map_name = name
            return
        if name not in MAPS_ON_DEMAND or self.latent is None:
            known = ", ".join(self.map_names) or "none yet"
            self._refuse(f"There is no map {name!r}. Maps that can be shown: {known}.")
            return
        from workbench.latent import project

        compute_map = project.tsne if name == "t-SNE" else project.umap
        latent = self.latent

        def ended(outcome: Outcome[Any]) -> None:
            self.computing = {}
            if outcome.value is not None and self.latent is latent:
                self.maps = {**self.maps, name: outcome.value}
                self.map_name = name
            elif outcome.error is not None:
                self._fail("", outcome.error)

        self.computing = {name: 0.0}
        self._background.start(
            "map",
            compute_map(latent, seed=self.config.manifold_seed),
            lambda progress: self.set_trait("computing", {name: progress.fraction}),
            ended,
        )

    def inspect(self, row: int) -> None:
        """Make a slice, or a volume, the current one everywhere."""
        if self.pool is not None and not -1 <= row < len(self.pool):
            self._refuse(f"There is no row {row}; the pool has rows 0 to {len(self.pool) - 1}.")
            return
        self.current = int(row)

    def inspection(
        self,
        row: int | None = None,
        channel: int = 0,
        *,
        depth: int | None = None,
        uncertainty: bool = False,
        network: bool = True,
    ) -> Inspection | None:
        """Collect the pictures and numbers of a slice, or a volume; None while nothing is open.

        Parameters
        ----------
        row : int, optional
            Row of the pool; the current one if not given.
        channel : int
            Channel to show, from 0.
        depth : int, optional
            Slice of a volume to begin with; the middle one if not given.
        uncertainty : bool
            Whether the uncertainty of every pixel is computed too.
        network : bool
            Whether networks are asked at all; they take long over a large volume.
        """
        collect = self._inspecting(row, channel, depth, uncertainty)
        if collect is None:
            return None
        return collect() if network else collect(evidence=None, uncertainty=False)

    def look(
        self,
        then: Callable[[Outcome[Inspection]], None],
        row: int | None = None,
        channel: int = 0,
        *,
        depth: int | None = None,
        uncertainty: bool = False,
    ) -> None:
        """Collect the pictures and numbers in the background and give them to `then`.

        The newest wish wins; parameters are those of `inspection`.
        """
        collect = self._inspecting(row, channel, depth, uncertainty)
        if collect is None:
            return

        def work() -> Work[Inspection]:
            yield Progress("looking", 0, 1)
            return collect()

        self._background.start("look", work(), lambda progress: None, then)

    def _inspecting(
        self, row: int | None, channel: int, depth: int | None, uncertainty: bool
    ) -> partial[Inspection] | None:
        """Bind what an inspection needs of the session now; None while nothing is open."""
        row = self.current if row is None else row
        if self.data is None or row < 0:
            return None
        return partial(
            inspect,
            self.data,
            row,
            channel,
            study=self.study,
            evidence=self.round.evidence if self.round is not None else None,
            need=gradient_need(self.strategy),
            alpha=self.preview.shift.alpha if self.preview and self.preview.shift else None,
            suggestions=self.suggestions,
            depth=depth,
            uncertainty=uncertainty,
        )

    def reconstructions(
        self, n: int = 6, channel: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return images and what the manifold makes of them, each (n, h, w).

        Of volumes the middle slices are returned.
        """
        if self.manifold is None or self.images is None:
            return None
        from workbench.latent.space import reconstruct

        rows = np.linspace(0, len(self.pool) - 1, n + 2).astype(int)[1:-1]
        originals = self.images.read(rows)
        redrawn = reconstruct(self.manifold.vae, originals)
        return middle(originals)[:, channel], middle(redrawn)[:, channel]

    def traversals(self, steps: int = 7, channel: int = 0) -> NDArray[np.float32] | None:
        """Return decoded pictures along each latent axis, shape (d, steps, h, w).

        Of volumes the middle slices are returned.
        """
        if self.manifold is None or self.latent is None:
            return None
        from workbench.latent.space import traverse

        decoded = traverse(self.manifold.vae, self.latent, steps)
        return np.stack([middle(each)[:, channel] for each in decoded])
