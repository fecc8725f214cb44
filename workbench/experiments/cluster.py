"""Run a sweep on Dask: here in processes of its own, or on a lab's cluster.

Every run keeps its state in its folder, so a process may be killed at any
moment: Dask starts its run again elsewhere, and it goes on. What several runs
share (images, manifold, the U-Net of a common first round) is computed first,
by one process each, and found in the cache by the others. A run that fails is
tried again, then reported; the others go on.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RunError, SettingError, StrategyError, WorkbenchError
from workbench.experiments.config import RunConfig
from workbench.experiments.runs import Run, rounds_of
from workbench.experiments.sweep import PlannedRun, Sweep
from workbench.experiments.worker import ERROR_FILE, do_run, prepare_shared
from workbench.files import content_key
from workbench.jobs import Progress, Work
from workbench.strategies.conditions import BeforeTraining, Condition
from workbench.strategies.needs import ON_MANIFOLD

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["RunOutcome", "run_sweep"]

#: Seconds between two looks at how far the runs are.
LOOK_EVERY = 1.0
#: Seconds to wait for a scheduler.
PATIENCE = 20.0
#: Settings that decide images, labels and how they are divided.
DATA = (
    "source", "cases", "layout", "task", "unknown_labels", "resample", "recipe", "test_fraction",
    "split_seed", "transfer", "unit", "validation_fraction",
)  # fmt: skip


@dataclass(frozen=True)
class RunOutcome:
    """How a run of a sweep ended.

    Parameters
    ----------
    name : str
        The run.
    seconds : float
        From the beginning of the sweep to its end; 0 for a run that was finished before.
    error : str
        What went wrong, in a sentence; empty where nothing did.
    pool : str
        Size of its pool (see `Run.pool_sentence`); empty for a run that failed.
    """

    name: str
    seconds: float = 0.0
    error: str = ""
    pool: str = ""


def run_sweep(
    sweep: Sweep,
    folder: Path,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    retries: int = 1,
) -> Work[tuple[RunOutcome, ...]]:
    """Do every run of a sweep that is not finished yet.

    Parameters
    ----------
    sweep : Sweep
        The runs.
    folder : Path
        Where their folders are; on a cluster, one that every worker sees under this path.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``"tcp://10.0.0.1:8786"``; if not given, processes
        of this machine, which listen on its loopback interface only.
    workers : int, optional
        Processes; one per GPU, or per `threads` cores, if not given.
    threads : int
        Cores of one process.
    retries : int
        How often a run that fails is tried again.

    Yields
    ------
    Progress
        In rounds, of those that were left at the beginning.

    Returns
    -------
    tuple of RunOutcome
        One for each run, in order; also for those that failed.

    Raises
    ------
    RunError
        If the scheduler cannot be reached.
    """
    folder = folder.resolve()
    outcomes: dict[str, RunOutcome] = {}
    waiting = []
    for run in sweep.runs:
        done = _finished(folder, run)
        if done is None:
            waiting.append(run)
        else:
            outcomes[run.name] = RunOutcome(run.name, pool=done.pool_sentence)
    if waiting:
        folder.mkdir(parents=True, exist_ok=True)
        yield Progress("starting the workers", 0, 0)
        with _client(scheduler, workers, threads) as client:
            outcomes |= yield from _do(client, waiting, folder, retries)
    return tuple(outcomes[run.name] for run in sweep.runs)


def _finished(folder: Path, run: PlannedRun) -> Run | None:
    """Return a run that has all its rounds; None too where opening it will tell what is wrong."""
    if rounds_of(folder / run.name) <= run.config.rounds:
        return None
    try:
        found = Run.load(folder / run.name)
        found.check_settings(run.config)
    except RunError:
        return None
    return found


# ---------------------------------------------------------------------- in the command
def _do(
    client: Client, waiting: Sequence[PlannedRun], folder: Path, retries: int
) -> Work[dict[str, RunOutcome]]:
    """Submit what is shared, then the runs; follow them to their end."""
    begun = time.monotonic()
    session = f"{os.getpid()}-{time.time_ns():x}"  # a name of its own on a common scheduler
    shared: dict[str, Future] = {}
    futures: dict[str, Future] = {}

    def prepared(after: list[Future], key: str, config: RunConfig, stage: str, index: int) -> Any:
        if key not in shared:
            shared[key] = client.submit(
                prepare_shared, config.to_json(), stage, index, after,
                key=f"{stage}-{key}-{session}", retries=retries,
            )  # fmt: skip
        return shared[key]

    try:
        sharing = Counter(_first_round_key(run.config) for run in waiting)
        for run in waiting:
            config, before = run.config, []
            for index in _manifolds(config):
                key = _manifold_key(config, index)
                before.append(prepared([], key, config, "manifold", index))
            key = _first_round_key(config)
            if sharing[key] > 1:
                before = [prepared(before, key, config, "first-round", 0)]
            futures[run.name] = client.submit(
                do_run, config.to_json(), str(folder / run.name), before,
                key=f"run-{run.name}-{session}", retries=retries,
            )  # fmt: skip
        left = {run.name: run.config.rounds + 1 - rounds_of(folder / run.name) for run in waiting}
        total = sum(left.values())
        outcomes: dict[str, RunOutcome] = {}
        while len(outcomes) < len(waiting):
            for run in waiting:
                future = futures[run.name]
                if run.name not in outcomes and future.done():
                    seconds = time.monotonic() - begun
                    error = _error_of(future, folder / run.name)
                    pool = "" if error else future.result()
                    outcomes[run.name] = RunOutcome(run.name, seconds, error, pool)
            running = _running(client, futures)
            done = sum(left[name] for name in outcomes)
            for run in waiting:
                if run.name in running and run.name not in outcomes:
                    missing = run.config.rounds + 1 - rounds_of(folder / run.name)
                    done += max(left[run.name] - missing, 0)
            stage = "rounds" if running or done else "images, manifolds and first rounds"
            numbers = {
                "finished": sum(not each.error for each in outcomes.values()),
                "running": len(running),
                "waiting": len(waiting) - len(outcomes) - len(running),
                "failed": sum(bool(each.error) for each in outcomes.values()),
            }
            yield Progress(stage, done, total, numbers)
            if len(outcomes) < len(waiting):
                time.sleep(LOOK_EVERY)
        return outcomes
    finally:
        # Runs look whether they were cancelled before every step: so they stop now, here and on
        # a cluster of which this command is a guest.
        client.cancel([*shared.values(), *futures.values()], force=True)


def _running(client: Client, futures: Mapping[str, Future]) -> set[str]:
    """Names of the runs that a worker is busy with."""
    name_of = {future.key: name for name, future in futures.items()}
    busy = {str(key) for keys in client.processing().values() for key in keys}
    return {name_of[key] for key in busy if key in name_of}


def _error_of(future: Future, folder: Path) -> str:
    """Say why a run failed; empty if it did not."""
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return ""
    if future.status == "cancelled":
        return "It was cancelled on the scheduler. Run the same command to go on."
    error = future.exception()
    if isinstance(error, KilledWorker):
        return (
            "Each process that worked on it was killed, for example for lack of memory. Use "
            "fewer --workers and run the same command to go on."
        )
    sentence = (
        str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
    )
    if isinstance(error, WorkbenchError) and not isinstance(error, StrategyError):
        return sentence
    where = f" (see {folder / ERROR_FILE})" if (folder / ERROR_FILE).is_file() else ""
    return f"{sentence}{where}"


def _manifolds(config: RunConfig) -> range:
    """The rounds for which a run learns a manifold."""
    if not any(isinstance(need, ON_MANIFOLD) for need in config.query_strategy().needs()):
        return range(0)
    return range(config.rounds + 1 if config.retrain_manifold else 1)


def _manifold_key(config: RunConfig, index: int) -> str:
    """Name what decides images and manifold: equal names, one VAE."""
    plain = config.to_json()
    names = (*DATA, "manifold", "manifold_seed", "retrain_manifold", "precision", "threads")
    return content_key([plain[name] for name in names], index if config.retrain_manifold else 0)


def _first_round_key(config: RunConfig) -> str:
    """Name what decides the U-Net of the initial set, beside the images."""
    plain = config.to_json()
    names = (*DATA, "initial", "seed", "segmentation", "precision", "threads")
    conditions = sorted(
        repr(need)
        for need in config.query_strategy().needs()
        if isinstance(need, Condition) and need != BeforeTraining()
    )
    epochs = config.epochs if isinstance(config.epochs, (int, type(None))) else config.epochs[0]
    return content_key([plain[name] for name in names], epochs, conditions)


# ---------------------------------------------------------------------- processes
@contextmanager
def _client(scheduler: str | None, workers: int | None, threads: int) -> Iterator[Client]:
    """Connect to a scheduler, or start one with its workers on this machine."""
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster

    if scheduler is not None:
        if workers is not None:
            raise SettingError(
                "--workers says how many processes are started here; a scheduler has its own. "
                "Leave out one of --workers and --scheduler."
            )
        try:
            client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RunError(
                f"There is no Dask scheduler at {scheduler!r} ({error}). Give the address that "
                f"it printed when it was started, such as tcp://10.0.0.1:8786."
            ) from error
        with client:
            yield client
        return
    gpus = _gpus()
    count = workers or len(gpus) or max(_cores() // threads, 1)
    one_thread_each = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
        str(threads),
    )
    settings = {
        "distributed.nanny.pre-spawn-environ": one_thread_each,
        "distributed.scheduler.worker-saturation": 1.0,  # a run waits until a worker is free
        "distributed.worker.multiprocessing-method": "spawn",
    }
    local: dict[str, Any] = {
        "host": "127.0.0.1",
        "protocol": "tcp://",
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",  # where some versions listen all the same
    }
    with dask.config.set(settings), tempfile.TemporaryDirectory() as scratch:
        options = {
            **local,
            "nthreads": 1,
            "memory_limit": None,  # memory-mapped images would count as used
            "local_directory": scratch,
            "preload": ("workbench.experiments.quiet",),
            "silence_logs": logging.CRITICAL,
        }
        spec = {}
        for index in range(count):
            env = {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {}
            spec[index] = {"cls": Nanny, "options": {**options, "env": env}}
        with (
            SpecCluster(
                workers=spec,
                scheduler={"cls": Scheduler, "options": {**local, "port": 0}},
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> list[str]:
    """Names of the GPUs that may be used, without importing torch."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [each for each in allowed.split(",") if each.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    gpus = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(gpus))]
