"""How the two networks learn: loss curves, time left, and pictures to judge by.

The manifold cannot be judged by its loss alone: its reconstructions say what the
latent space keeps of an image, its traversals what each axis of it means.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Bool, Bytes, Dict, List, Unicode

from widgets.pictures import grey, on_black, outside, png, sheet, shrink, window
from widgets.view import View, packed
from widgets.wording import duration
from workbench.cohort.preprocess import middle
from workbench.session import Session, Step

__all__ = ["TrainingPanel"]

#: Points of a curve that are sent; longer ones are averaged in blocks.
POINTS = 500
TEACH = (
    "Here you see what the VAE keeps of a {noun} (reconstructions) and what each latent axis means "
    "(traversals)."
)
#: Longest side of a picture in the sheets, in pixels.
TILE = 96


class TrainingPanel(View):
    """VAE and U-Net side by side: state, loss, buttons; below, what the VAE sees."""

    _esm = (Path(__file__).with_name("chart.js"), Path(__file__).with_suffix(".js"))
    _css = (Path(__file__).with_name("chart.css"), Path(__file__).with_suffix(".css"))
    vae = Dict(help="{state, words, fraction, button}: the VAE").tag(sync=True)
    unet = Dict(help="{state, words, fraction, button}: the U-Net").tag(sync=True)
    vae_loss = Bytes(help="float32 pairs: step, loss").tag(sync=True)
    unet_loss = Bytes(help="float32 pairs: step, loss").tag(sync=True)
    running = Unicode(help="'manifold', 'model', another step, or empty").tag(sync=True)
    stopping = Bool(False).tag(sync=True)
    pairs = Bytes(help="PNG: originals above, reconstructions below").tag(sync=True)
    pairs_shape: Any = List(help="[columns, rows, aspect of a tile]").tag(sync=True)
    walks = Bytes(help="PNG: a row for each latent axis").tag(sync=True)
    walks_shape: Any = List(help="[columns, rows, aspect of a tile]").tag(sync=True)
    teach = Unicode(help="what will be seen here, before anything is trained").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self._visible = False
        self._pictured: object = None
        super().__init__(session, **traits)
        self.watch(
            ("steps", "busy", "progress", "cohort", "pool", "round", "z_dim", "only_look"),
            self._show_states,
        )
        self.watch("losses", self._show_losses)
        self.watch("latent", self._show_pictures)
        self.watch("progress", self._show_snapshot)

    # ------------------------------------------------------------ asked by the browser
    def do_manifold(self) -> None:
        """Train the VAE, or go on training it."""
        self.session.train_manifold()

    def do_model(self) -> None:
        """Train the U-Net: start a round."""
        self.session.start_round()

    def do_stop(self) -> None:
        """Stop what is running."""
        if self.session.busy:
            self.stopping = True
        self.session.cancel()

    def do_visible(self) -> None:
        """The panel came into view: draw what takes a network to draw."""
        self._visible = True
        self._show_pictures()

    # ------------------------------------------------------------ shown
    def _show_states(self) -> None:
        busy = self.session.busy
        self.stopping = self.stopping and bool(busy)
        self.running = busy
        self.vae = self._state("manifold", "Train manifold")
        self.unet = self._state("model", "Train")
        teach = TEACH.format(noun=self.noun)
        if self.session.latent is not None:
            self.teach = ""
        elif self.session.only_look:
            self.teach = f"{teach} {self.session.only_look}"
        elif busy == "manifold":
            self.teach = f"{teach} The first of them appear during training."
        elif self.session.cohort is not None:
            self.teach = f"{teach} Nothing is trained yet: press Train manifold."
        else:
            self.teach = f"{teach} The cohort is still being read."

    def _state(self, key: str, label: str) -> dict[str, Any]:
        session = self.session
        step = session.steps.get(key, Step())
        running = session.busy == key
        progress = session.progress if running else None
        fraction = step.fraction
        if fraction is None and progress is not None and progress.total > 0:
            fraction = progress.fraction
        words = step.state
        if running:
            words = step.state if progress is None else progress.stage
            if fraction is not None:
                words += f", {int(100 * fraction)} %"
            if step.seconds_left is not None:
                words += f", {duration(step.seconds_left)} left"
        elif step.detail:
            words += f": {step.detail}"
        if step.stopped and not running:
            label = "Resume"
        elif step.state == "failed":
            label = "Try again"
        elif step.state == "stale" and key == "model":
            label = "Train again"
        ready = session.cohort is not None and not session.busy and not session.only_look
        if key == "manifold" and session.z_dim in session.trained_dims:
            ready = ready and step.state != "ready"
        if key == "model" and session.round is not None and session.pool is not None:
            # nothing was labeled since the last round: there is nothing new to train on
            ready = ready and int(session.pool.labeled_in.max()) > session.round.index
        return {
            "state": "running" if running else step.state,
            "words": words,
            "fraction": -1.0 if fraction is None or not running else float(fraction),
            "button": label,
            "enabled": ready,
            "why": self._why(key, ready),
        }

    def _why(self, key: str, ready: bool) -> str:
        """Say what a button does, or why it cannot be pressed."""
        if self.session.cohort is None:
            return "The cohort is still being read."
        if self.session.only_look:
            return self.session.only_look
        if self.session.busy:
            return f"The {self.session.busy} is running: stop it or wait."
        if not ready and key == "manifold":
            return (
                f"The manifold of {self.session.z_dim} dimensions is trained. Choose another "
                f"z-dimension below the map to train that one."
            )
        if not ready:
            return "Nothing was labeled since the last round: label the suggestions first."
        if key == "manifold":
            return "Train the VAE of the chosen z-dimension; a trained one is loaded at once."
        return f"Train the U-Net on the labeled {self.noun}s, then suggest the next ones."

    def _show_losses(self) -> None:
        losses = self.session.losses
        self.vae_loss = packed(thinned(losses.get("manifold", ())), "float32")
        self.unet_loss = packed(thinned(losses.get("model", ())), "float32")

    def _show_pictures(self) -> None:
        latent = self.session.latent
        if latent is None:
            self.pairs = self.walks = b""
            self._pictured = None
            return
        if not self._visible or self._pictured is latent:
            return
        self._pictured = latent
        pairs = self.session.reconstructions(n=6)
        if pairs is not None:
            self._send_pairs(*pairs)
        walks = self.session.traversals(steps=7)
        if walks is not None:
            axes, steps, height, width = walks.shape
            low, high = window(walks)
            flat = shrink(walks.reshape(-1, height, width), TILE)
            self.walks, self.walks_shape = self._sheet(grey(flat, low, high), steps, axes)

    def _show_snapshot(self) -> None:
        """While the VAE trains, its latest reconstructions are shown as they come."""
        progress = self.session.progress
        if progress is None or progress.snapshot is None or self.session.busy != "manifold":
            return
        snapshot = progress.snapshot
        if isinstance(snapshot, tuple) and len(snapshot) == 2:
            originals, copies = (np.asarray(each, dtype=np.float32) for each in snapshot)
            if originals.ndim > 3:
                originals, copies = middle(originals)[:, 0], middle(copies)[:, 0]
            if originals.ndim == 3:
                self._send_pairs(originals[:6], copies[:6])

    def _send_pairs(self, originals: NDArray[Any], copies: NDArray[Any]) -> None:
        mask = outside(originals)
        low, high = window(originals[~mask])
        both = on_black(np.concatenate([originals, copies]), np.concatenate([mask, mask]))
        self.pairs, self.pairs_shape = self._sheet(
            grey(shrink(both, TILE), low, high), len(originals), 2
        )

    def _sheet(
        self, tiles: NDArray[np.uint8], columns: int, rows: int
    ) -> tuple[bytes, list[float]]:
        height, width = tiles.shape[1:]
        row_mm, column_mm = 1.0, 1.0
        if self.session.images is not None:
            row_mm, column_mm = (float(mm) for mm in self.session.images.spacing[0][1:])
        aspect = width * column_mm / (height * row_mm)
        return png(sheet(tiles, columns)), [columns, rows, aspect]

    def still(self) -> list[Any]:
        """Draw the loss curves and what the VAE sees, for a report."""
        from workbench.reports.figures import (
            loss_curve_figure,
            reconstructions_figure,
            traversals_figure,
        )

        session, figures = self.session, []
        if any(session.losses.values()):
            figures.append(loss_curve_figure(session.losses))
        pairs = session.reconstructions(n=6) if session.latent is not None else None
        if pairs is not None and session.images is not None:
            row_mm, column_mm = (float(mm) for mm in session.images.spacing[0][1:])
            spacing = (row_mm, column_mm)
            figures.append(reconstructions_figure(*pairs, spacing, noun=self.noun))
            walks = session.traversals(steps=7)
            if walks is not None:
                figures.append(traversals_figure(walks, spacing=spacing))
        return figures


def thinned(losses: Any) -> NDArray[np.float32]:
    """Average a long curve in blocks of equal length.

    Parameters
    ----------
    losses : sequence of float, length n
        One loss for each training step.

    Returns
    -------
    ndarray of float32, shape (m, 2)
        Step (the middle of its block, from 1) and mean loss; ``m`` is at most
        `POINTS` plus one.
    """
    values = np.asarray(losses, dtype=np.float64)
    size = max(1, -(-len(values) // POINTS))
    starts = np.arange(0, len(values), size)
    if not len(starts):
        return np.zeros((0, 2), dtype=np.float32)
    lengths = np.minimum(size, len(values) - starts)
    means = np.add.reduceat(values, starts) / lengths
    return np.column_stack([starts + (lengths + 1) / 2, means]).astype(np.float32)
