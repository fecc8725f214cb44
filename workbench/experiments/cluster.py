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
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RunError, SettingError, WorkbenchError
from workbench.experiments.config import RunConfig
from workbench.experiments.sweep import PlannedRun, Sweep
from workbench.files import content_key, replace_file
from workbench.jobs import Progress, Work, finish
from workbench.strategies.needs import BeforeTraining, Condition

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["RunOutcome", "run_sweep"]

#: Seconds between two looks at how far the runs are.
LOOK_EVERY = 1.0
#: Seconds to wait for a scheduler, and for runs to stop.
PATIENCE = 20.0
ERROR_FILE = "error.txt"
#: Settings that decide images, labels and how they are divided.
DATA = (
    "source", "cases", "layout", "task", "unknown_labels", "resample", "recipe", "test_fraction",
    "split_seed", "transfer",
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
    pool : tuple of int, optional
        Slices of its pool, and how many of them have no reference and are never candidates.
    """

    name: str
    seconds: float = 0.0
    error: str = ""
    pool: tuple[int, int] | None = None


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
        if rounds_of(folder / run.name) > run.config.rounds and not _differs(folder, run):
            outcomes[run.name] = RunOutcome(run.name)
        else:
            waiting.append(run)
    if waiting:
        folder.mkdir(parents=True, exist_ok=True)
        yield Progress("starting the workers", 0, 0)
        with ExitStack() as stack:
            client = stack.enter_context(_client(scheduler, workers, threads))
            done = yield from _do(client, waiting, folder, retries)
        outcomes |= done
    return tuple(outcomes[run.name] for run in sweep.runs)


def rounds_of(folder: Path) -> int:
    """Count the finished rounds of a run without opening it."""
    count = 0
    while (folder / "rounds" / f"{count:03d}" / "round.json").is_file():
        count += 1
    return count


def _differs(folder: Path, run: PlannedRun) -> bool:
    """Whether a folder holds a run with other settings, which opening it will tell."""
    from workbench.experiments.runs import Run

    try:
        Run.load(folder / run.name).check_settings(run.config)
    except RunError:
        return True
    return False


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
                _prepare, config.to_json(), stage, index, after,
                key=f"{stage}-{key}-{session}", retries=retries,
            )  # fmt: skip
        return shared[key]

    try:
        common = _common(run.config for run in waiting)
        for run in waiting:
            config, before = run.config, []
            for index in range(config.rounds + 1 if config.retrain_manifold else 1):
                key = _manifold_key(config, index)
                before.append(prepared([], key, config, "manifold", index))
            key = _first_round_key(config)
            if common[key] > 1:
                before = [prepared(before, key, config, "first-round", 0)]
            futures[run.name] = client.submit(
                _run, config.to_json(), str(folder / run.name), before,
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
                    pool = None if error else future.result()
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
    if isinstance(error, WorkbenchError):
        return str(error)
    where = f" (see {folder / ERROR_FILE})" if (folder / ERROR_FILE).is_file() else ""
    return f"{type(error).__name__}: {error}{where}"


def _common(configs: Iterator[RunConfig]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for config in configs:
        key = _first_round_key(config)
        counts[key] = counts.get(key, 0) + 1
    return counts


def _manifold_key(config: RunConfig, index: int) -> str:
    """Name what decides images and manifold: equal names, one VAE."""
    plain = config.to_json()
    names = (*DATA, "manifold", "manifold_seed", "retrain_manifold", "precision", "threads")
    return content_key([plain[name] for name in names], index if config.retrain_manifold else 0)


def _first_round_key(config: RunConfig) -> str:
    """Name what decides the U-Net of the initial set, beside the images."""
    plain = config.to_json()
    names = (*DATA, "initial", "unit", "seed", "segmentation", "precision", "threads")
    conditions = sorted(
        repr(need)
        for need in config.query_strategy().needs()
        if isinstance(need, Condition) and need != BeforeTraining()
    )
    epochs = config.epochs if isinstance(config.epochs, (int, type(None))) else config.epochs[0]
    return content_key([plain[name] for name in names], epochs, conditions)


# ---------------------------------------------------------------------- in a worker
class _CancelledError(Exception):
    """The command that wanted the run is gone."""


#: Torch's random numbers belong to the process: a cluster's worker with several threads does one
#: run after the other.
_one_at_a_time = threading.Lock()


@contextmanager
def _alone(look: Callable[[], None]) -> Iterator[None]:
    while not _one_at_a_time.acquire(timeout=LOOK_EVERY):
        look()
    try:
        yield
    finally:
        _one_at_a_time.release()


def _prepare(config: dict[str, Any], stage: str, index: int, after: object) -> None:
    """Compute what several runs share; the cache keeps it."""
    from workbench.experiments.simulate import prepare, train_first_round
    from workbench.models.compute import Compute

    settings = RunConfig.from_json(config)
    compute = Compute.detect(settings.threads, settings.precision)
    work: Work[Any] = prepare(settings, compute, index)
    if stage == "first-round":
        work = train_first_round(settings, compute)
    look = _stop_if_cancelled()
    with _alone(look):
        finish(work, look)


def _run(config: dict[str, Any], folder: str, after: object) -> tuple[int, int]:
    """Do one run from where its folder stands, and leave the trace of an error in it.

    Returns
    -------
    tuple of int
        Slices of the pool, and those without a reference.
    """
    from workbench.experiments.simulate import open_run_data, simulate

    problem = Path(folder) / ERROR_FILE
    settings, look = RunConfig.from_json(config), _stop_if_cancelled()
    try:
        with _alone(look):
            pool = finish(open_run_data(settings), look).pool
            finish(simulate(settings, Path(folder)), look)
    except _CancelledError:
        raise
    except Exception:
        text = traceback.format_exc()
        replace_file(problem, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        raise
    problem.unlink(missing_ok=True)
    return len(pool), int((~pool.eligible).sum())


def _stop_if_cancelled() -> Callable[..., None]:
    """Return what looks, at every step of a run, whether it is still wanted."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def look(progress: Progress | None = None) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise _CancelledError

    return look


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
