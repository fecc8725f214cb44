"""Replay annotation with references: the loop, from an empty folder to a learning curve.

`simulate` is a generator like all slow work. Whatever was finished before is
read from the run's folder, so it can be killed and run again at any moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cohort.pool import Pool
from workbench.errors import RunError
from workbench.experiments.config import RunConfig
from workbench.experiments.runs import Run
from workbench.jobs import Work
from workbench.rounds import run_round
from workbench.strategies.base import Budget, QueryStrategy
from workbench.study import Study, initial_rows, learn_latent, open_data

if TYPE_CHECKING:
    from torch import nn

    from workbench.models.compute import Compute

__all__ = ["load_round_model", "open_run", "prepare", "simulate"]


def open_run(folder: Path, config: RunConfig) -> tuple[Run, Compute]:
    """Open or begin the run in `folder`, in the hardware mode that it was begun in.

    Raises
    ------
    RunError
        If it was begun on hardware that is not here, or with other settings.
    """
    import torch

    from workbench.models.compute import Compute

    if not (folder / "run.json").exists():
        compute = Compute.detect(config.threads, config.precision)
        return Run.create(folder, config, compute), compute
    compute = Compute(**Run.load(folder).environment["compute"])
    if compute.device.startswith("cuda") and not torch.cuda.is_available():
        raise RunError(
            f"{folder} was begun on a GPU ({compute.device}), and there is none here. Go on with "
            f"it on such a machine, or start again in another folder."
        )
    return Run.open(folder, config, compute), compute


def prepare(config: RunConfig, compute: Compute) -> Work[Study]:
    """Open the cohort and learn its manifold."""
    data = yield from open_data(
        config.source,
        recipe=config.image_recipe(),
        test_fraction=config.test_fraction,
        seed=config.seed,
        cases=config.cases,
    )
    manifold, latent = yield from learn_latent(
        data, config.manifold_config(), compute, seed=config.manifold_seed
    )
    return Study(data, manifold, latent, config.segmentation_config(), compute, config.seed)


def load_round_model(run: Run, index: int, study: Study) -> nn.Module:
    """Load the U-Net of a finished round."""
    from workbench.models.unet import build_unet

    model = build_unet(
        len(study.data.images.channels),
        len(study.data.labels.classes),
        study.segmentation.features,
    )
    return study.compute.place(run.load_model(index, model)).eval()


def simulate(config: RunConfig, folder: Path, strategy: QueryStrategy | None = None) -> Work[Run]:
    """Run the loop from where the folder stands to its last round.

    Parameters
    ----------
    config : RunConfig
        The settings.
    folder : Path
        Where the run is kept; made if absent.
    strategy : QueryStrategy, optional
        A strategy object that has no registered name; default: the one of `config`.

    Raises
    ------
    RunError
        If the folder holds a run with other settings.
    """
    chosen = strategy or config.query_strategy()
    run, compute = open_run(folder, config)
    study = yield from prepare(config, compute)
    pool: Pool = run.pool_after(study.data.pool)
    model: nn.Module | None = None
    if run.rounds and config.continue_weights:
        model = load_round_model(run, len(run.rounds) - 1, study)
    for index in range(len(run.rounds), config.rounds + 1):
        if index == 0:
            rows = initial_rows(pool, config.initial, config.seed)
        else:
            rows = run.next_rows(pool)
        if not len(rows):
            break
        pool = pool.with_labeled(rows, index)
        round = yield from run_round(study, pool, chosen, Budget(config.budget), index, model)
        run = run.append(round)
        model = round.model if config.continue_weights else None
    return run
