"""Learn the data manifold: train the VAE until it stops getting better.

The manifold knows no labels, task or strategy, so one serves every experiment
on the same images: it is kept under a key of the images, its settings, the seed
and the arithmetic, and opened when it is there. A manifold whose posterior
collapsed (every image at the same place) is detected and explained, because
all that is built on it would be meaningless.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.errors import StoreError, TrainingError
from workbench.files import cache_folder, content_key
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.vae import PAPER_WIDTH, VAE, build_vae
from workbench.models.weights import load_checkpoint, load_weights, save_checkpoint, save_weights
from workbench.training.loop import (
    Images,
    at_once,
    check_finite,
    cosine_rate,
    epoch_batches,
    in_order,
)
from workbench.training.losses import kl_divergence, vae_loss
from workbench.training.settings import ManifoldConfig

__all__ = ["PAPER", "Manifold", "ManifoldConfig", "manifold_key", "train_manifold"]

STAGE = "training the manifold (VAE)"

#: Below this many nats per image the posterior counts as collapsed.
COLLAPSED_BELOW = 0.1

#: A latent dimension is active if the variance of its mean over images exceeds this (the
#: prior's is 1).
ACTIVE_ABOVE = 0.01

#: Images over which KL and active dimensions are measured, at most.
MEASURED = 2000

#: Images in a progress snapshot.
SHOWN = 6

#: Steps between two checkpoints at least.
CHECKPOINT_EVERY = 25


#: The settings of Dai 2022 for BraTS (method.md §2).
PAPER = ManifoldConfig(
    z_dim=3, width=PAPER_WIDTH, learning_rate=1e-4, batch_size=16, epochs=50, min_steps=0,
    max_steps=0, patience=0, decay=False,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Manifold:
    """A trained VAE and how well it turned out.

    Parameters
    ----------
    vae : VAE
        In eval mode.
    config : ManifoldConfig
        How it was trained.
    losses : tuple of float
        Loss of every step, per image.
    kl : float
        Mean KL(q(z|x) || N(0, I)) of an image, in nats.
    active_dims : int
        Latent dimensions in which images differ.
    key : str
        Names everything the manifold was made from.
    """

    vae: VAE
    config: ManifoldConfig
    losses: tuple[float, ...]
    kl: float
    active_dims: int
    key: str

    @property
    def collapsed(self) -> bool:
        """Whether all images lie at the same place, so that distances mean nothing."""
        return self.kl < COLLAPSED_BELOW or self.active_dims == 0

    @property
    def warning(self) -> str:
        """A sentence about what is wrong with the manifold; empty where nothing is."""
        if self.collapsed:
            return (
                f"The manifold has collapsed: every image has nearly the same latent code "
                f"(KL {self.kl:.2f} nats, {self.active_dims} of {self.config.z_dim} dimensions "
                f"in use), so suggestions from it would be arbitrary. Lower beta (now "
                f"{self.config.beta:g}) or train longer."
            )
        if self.active_dims < self.config.z_dim:
            return (
                f"Only {self.active_dims} of {self.config.z_dim} latent dimensions are in use; "
                f"a smaller z-dimension would show the same."
            )
        return ""


def manifold_key(images: Images, config: ManifoldConfig, compute: Compute, seed: int = 0) -> str:
    """Name a manifold by everything that decides it: no label, task or strategy is among that."""
    return content_key("vae", 1, images.key, asdict(config), seed, dict(compute.record()))


def train_manifold(
    images: Images,
    config: ManifoldConfig,
    compute: Compute,
    *,
    seed: int = 0,
    cache: Path | None = None,
) -> Work[Manifold]:
    """Train a VAE on all images of a store, or open the one trained before.

    Parameters
    ----------
    images : ImageStore
        Read a batch at a time.
    config : ManifoldConfig
        How.
    compute : Compute
        Where and in which precision.
    seed : int
        Decides first weights, order and noise.
    cache : Path, optional
        Folder of kept manifolds; ``manifolds`` in the cache folder if left out. A training
        that was killed goes on from its last checkpoint there.

    Yields
    ------
    Progress
        After every step, with the metrics ``reconstruction`` (squared error of an image) and
        ``kl`` (nats); at the end of an epoch the snapshot is (originals, reconstructions).

    Returns
    -------
    Manifold
        Look at `Manifold.warning` before using it.

    Raises
    ------
    TrainingError
        If there is no image or the loss diverges.
    """
    count = len(images.case_of)
    if not count:
        raise TrainingError(
            "There is no image to learn the manifold from. Open a cohort with at least one case."
        )
    key = manifold_key(images, config, compute, seed)
    folder = (cache_folder() / "manifolds" if cache is None else cache) / key
    channels, *size = images.read(np.zeros(1, np.int64)).shape[1:]
    vae = build_vae(channels, tuple(size), config.z_dim, config.width, seed)
    return _open_or_train(images, config, compute, seed, key, folder, compute.place(vae))


def _open_or_train(
    images: Images,
    config: ManifoldConfig,
    compute: Compute,
    seed: int,
    key: str,
    folder: Path,
    vae: VAE,
) -> Generator[Progress, None, Manifold]:
    path = folder / "vae.safetensors"
    if path.exists():
        try:
            kept = load_weights(vae, path)
        except StoreError:  # damaged from outside: trained anew and replaced below
            vae = compute.place(build_vae(vae.channels, vae.size, vae.z_dim, vae.width, seed))
        else:
            yield Progress("opening the trained manifold", 1, 1)
            return Manifold(
                vae.eval(), config, tuple(kept["losses"]), kept["kl"], kept["active_dims"], key
            )
    checkpoint = folder / "checkpoint.safetensors"
    losses = yield from _train(images, config, compute, seed, key, checkpoint, vae)
    kl, active_dims = _measure(vae, images, compute)
    save_weights(vae, path, {"losses": losses, "kl": kl, "active_dims": active_dims})
    checkpoint.unlink(missing_ok=True)
    return Manifold(vae, config, tuple(losses), kl, active_dims, key)


def _train(
    images: Images,
    config: ManifoldConfig,
    compute: Compute,
    seed: int,
    key: str,
    checkpoint: Path,
    vae: VAE,
) -> Generator[Progress, None, list[float]]:
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.learning_rate, fused=True)
    start: dict[str, Any] = {"epoch": 0, "losses": [], "best": math.inf, "waited": 0}
    state = load_checkpoint(checkpoint, key, vae, optimizer) or start
    losses: list[float] = state["losses"]
    rows = np.arange(len(images.case_of))
    shown = rows[:: max(len(rows) // SHOWN, 1)][:SHOWN]
    total = config.steps(math.ceil(max(len(rows), 2) / config.batch_size))
    saved = len(losses)
    while len(losses) < total and not _settled(state, config, len(losses)):
        epoch: int = state["epoch"]
        before = len(losses)
        noise = torch.Generator().manual_seed(
            int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
        )
        vae.train()
        batches = epoch_batches(rows, config.batch_size, seed=seed, round=0, epoch=epoch)
        batches = batches[: total - before]
        for index, batch in enumerate(batches):
            if config.decay:
                rate = cosine_rate(config.learning_rate, len(losses), total, warmup=20)
                optimizer.param_groups[0]["lr"] = rate
            x = compute.tensor(images.read(batch))
            draws = compute.tensor(torch.randn(len(batch), config.z_dim, generator=noise))
            with compute.autocast():
                reconstruction, mean, logvar = vae(x, draws)
            error, kl = (part.mean() for part in vae_loss(x, reconstruction, mean, logvar))
            loss = error + config.beta * kl
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1000.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            check_finite(losses[-1], "VAE")
            last = index == len(batches) - 1
            snapshot = _snapshot(vae, images, shown, compute) if last else None
            metrics = {"reconstruction": float(error.detach()), "kl": float(kl.detach())}
            yield Progress(STAGE, len(losses), total, metrics, snapshot)
        mean_loss = float(np.mean(losses[before:]))
        better = mean_loss < 0.995 * state["best"]
        state = {
            "epoch": epoch + 1,
            "best": min(mean_loss, state["best"]),
            "waited": 0 if better else state["waited"] + 1,
        }
        if len(losses) - saved >= CHECKPOINT_EVERY:
            save_checkpoint(checkpoint, key, vae, optimizer, {**state, "losses": losses})
            saved = len(losses)
    vae.eval()
    return losses


def _settled(state: dict[str, Any], config: ManifoldConfig, steps: int) -> bool:
    waited: bool = config.patience > 0 and state["waited"] >= config.patience
    return waited and steps >= config.min_steps


def _snapshot(
    vae: VAE, images: Images, rows: NDArray[np.int64], compute: Compute
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    originals = images.read(rows)
    vae.eval()
    with torch.no_grad(), compute.autocast():
        decoded, _, _ = vae(compute.tensor(originals))
    vae.train()
    return originals, decoded.float().cpu().numpy()


def _measure(vae: VAE, images: Images, compute: Compute) -> tuple[float, int]:
    """Mean KL in nats and the number of active dimensions, over an even sample of the images."""
    count = len(images.case_of)
    rows = np.unique(np.linspace(0, count - 1, min(count, MEASURED)).round().astype(np.int64))
    kls, means = [], []
    with torch.no_grad():
        for part, _ in in_order(len(rows), at_once(images, 64)):
            mean, logvar = vae.encode(compute.tensor(images.read(rows[part])))
            kls.append(kl_divergence(mean, logvar))
            means.append(mean)
    active = torch.cat(means).var(dim=0, correction=0) > ACTIVE_ABOVE
    return float(torch.cat(kls).mean()), int(active.sum())
