"""Replay annotation with references: the loop, from an empty folder to a learning curve.

`simulate` is a generator like all slow work. Whatever was finished before is
read from the run's folder, so it can be killed and run again at any moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.annotation.simulated import annotator
from workbench.cohort.pool import Pool
from workbench.errors import RunError
from workbench.experiments.annotating import Annotating
from workbench.experiments.config import RunConfig
from workbench.experiments.opening import open_cohort_of
from workbench.experiments.runs import Run
from workbench.experiments.stopping import why_stop
from workbench.jobs import Work
from workbench.rounds import build_model, run_round, train_model
from workbench.strategies import from_record
from workbench.strategies.base import Budget, QueryStrategy
from workbench.strategies.needs import ON_MANIFOLD, Need
from workbench.study import Data, Study, initial_rows, learn_latent

if TYPE_CHECKING:
    from torch import nn

    from workbench.models.compute import Compute

__all__ = [
    "compute_for",
    "load_round_model",
    "open_run",
    "open_run_data",
    "prepare",
    "simulate",
    "train_first_round",
    "why_not_train",
]


def open_run(folder: Path, config: RunConfig, only_look: bool = False) -> tuple[Run, Compute]:
    """Open or begin the run in `folder`, in the hardware mode that it was begun in.

    Parameters
    ----------
    folder, config
        Where it is, and its settings.
    only_look : bool
        Whether one whose hardware is not here is opened all the same, in the mode of this
        machine; `why_not_train` tells it.

    Raises
    ------
    RunError
        If it was begun on hardware that is not here, or with other settings.
    """
    import torch

    from workbench.models.compute import Compute

    if not (folder / "run.json").exists():
        compute = compute_for(config)
        return Run.create(folder, config, compute), compute
    run = Run.load(folder)
    compute = Compute(**run.environment["compute"])
    if compute.device.startswith("cuda") and not torch.cuda.is_available():
        compute = compute_for(config)
        if not only_look:
            raise RunError(why_not_train(run, compute))
    return Run.open(folder, config, compute), compute


def why_not_train(run: Run, compute: Compute) -> str:
    """Say why no round can follow here: no GPU as it was begun on, no last network; or nothing."""
    reasons = []
    device = str(run.environment["compute"]["device"])
    if device.startswith("cuda") and not compute.device.startswith("cuda"):
        reasons.append(
            f"{run.folder} was begun on a GPU ({device}), and there is none here. Go on with "
            f"it on such a machine, or start again in another folder."
        )
    if run.rounds and not run.has_network:
        reasons.append(
            f"The network of its last round is not here: {run.weights(run.rounds[-1].index)} is "
            f"absent. Put the file back to go on and to predict anew, or start again in another "
            f"folder."
        )
    return " ".join(reasons)


def compute_for(config: RunConfig) -> Compute:
    """Choose the hardware mode of a run that begins here."""
    from workbench.models.compute import Compute

    volumes = config.unit == "volumes"
    return Compute.detect(config.threads, config.precision, volumes=volumes)


def open_run_data(config: RunConfig) -> Work[Data]:
    """Open the cohort of a run, divided into pool and test set.

    Raises
    ------
    CohortError
        If the cohort cannot be used.
    SettingError
        If its pool has not enough to label for the schedule.
    """
    data = yield from open_cohort_of(config, rounds=config.rounds)
    config.schedule(data.pool).check(config.rounds)
    return data


def prepare(
    config: RunConfig, compute: Compute, index: int = 0, needs: Iterable[Need] | None = None
) -> Work[Study]:
    """Open the cohort and learn its manifold: that of round `index`, if each has its own.

    Parameters
    ----------
    config, compute
        The settings and the hardware mode of the run.
    index : int
        The round.
    needs : iterable of Need, optional
        Of the strategy; if none of them stands on the manifold, it is not learned.
    """
    data = yield from open_run_data(config)
    if needs is not None and not any(isinstance(need, ON_MANIFOLD) for need in needs):
        return Study(data, None, config.segmentation_config(index), compute, config.seed)
    seed = config.manifold_seed + (1000 * index if config.retrain_manifold else 0)
    learned = yield from learn_latent(data, config.manifold_config(), compute, seed=seed)
    return Study(data, learned, config.segmentation_config(index), compute, config.seed)


def _first_model(study: Study) -> Work[nn.Module | None]:
    """Train the U-Net on the other site, where there is one to begin from."""
    other = study.data.pretraining
    if other is None:
        return None
    trained = yield from train_model(replace(study, data=other), other.pool, 0)
    return trained.network


def train_first_round(config: RunConfig, compute: Compute) -> Work[None]:
    """Train what runs that differ in their strategy only have in common, and keep it."""
    needs = config.query_strategy().needs()
    study = yield from prepare(config, compute, needs=needs)
    pool = _first_pool(config, study.data.pool)
    model = yield from _first_model(study)
    if config.annotator is None:  # else labels are of a ledger, which only the run has
        yield from train_model(study, pool, 0, model, needs)


def _first_pool(config: RunConfig, pool: Pool) -> Pool:
    schedule = config.schedule(pool)
    if schedule.initial == 0:
        return pool
    return pool.with_labeled(initial_rows(pool, schedule.initial, config.seed, schedule.unit), 0)


def _annotating(config: RunConfig, folder: Path, study: Study) -> Annotating | None:
    """The simulated annotator of a run, if it has one."""
    if config.annotator is None:
        return None
    return Annotating(annotator(config.annotator), folder, study.data.labels)


def load_round_model(run: Run, index: int, study: Study) -> nn.Module:
    """Load the network of a finished round, of the variant that its strategy trained."""
    model = build_model(study, from_record(run.rounds[index].strategy).needs())
    return study.compute.place(run.load_model(index, model)).eval()


def simulate(config: RunConfig, folder: Path, strategy: QueryStrategy | None = None) -> Work[Run]:
    """Run the loop from where the folder stands to its last round.

    A run that has all its rounds is returned as it is: nothing is opened or trained.

    Parameters
    ----------
    config : RunConfig
        The settings.
    folder : Path
        Where the run is kept; made if absent.
    strategy : QueryStrategy, optional
        A strategy object, in place of the one of `config`; the run records it.

    Raises
    ------
    RunError
        If the folder holds a run with other settings.
    WorkbenchError
        If a setting or the cohort cannot be used; nothing is written then.
    """
    if strategy is not None:
        config = config.with_strategy(strategy)
    chosen = strategy if strategy is not None else config.query_strategy()
    if not (folder / "run.json").exists():
        yield from open_run_data(config)  # tells what is wrong before there is a folder
    run, compute = open_run(folder, config)
    if len(run.rounds) > config.rounds or run.stopped:
        return run
    needs = chosen.needs()
    study = yield from prepare(config, compute, len(run.rounds), needs)
    schedule = config.schedule(study.data.pool)
    pool: Pool = run.pool_after(study.data.pool)
    first = yield from _first_model(study)
    asking = load_round_model(run, len(run.rounds) - 1, study) if run.rounds else first
    model = asking if config.continue_weights else first
    annotating = _annotating(config, folder, study)
    for index in range(len(run.rounds), config.rounds + 1):
        if index == 0:
            pool = _first_pool(config, pool)
            rows = np.flatnonzero(pool.labeled)
        else:
            rows = run.next_rows(pool)
            if not len(rows):
                break
            pool = pool.with_labeled(rows, index)
            if config.retrain_manifold:
                study = yield from prepare(config, compute, index, needs)
            study = replace(study, segmentation=config.segmentation_config(index))
        if annotating is not None:
            study = yield from annotating.label(study, rows, index, asking)
        budget = Budget(schedule.budget(index), schedule.unit)
        round = yield from run_round(study, pool, chosen, budget, index, model, tabulate=False)
        if annotating is not None:
            before = run.rounds[-1].annotated if run.rounds else {}
            round = yield from annotating.told(round, study, before)
        validation = [*(saved.validation for saved in run.rounds), round.validation]
        round = replace(round, stopped=why_stop(config.stop, validation))
        run = run.append(round, len(study.data.cohort.cases))
        if round.stopped:
            break
        asking = round.model
        model = asking if config.continue_weights else first
    return run
