"""What a worker process of a sweep does: prepare what runs share, and do one run.

Before every step it asks whether the command still wants it: so Ctrl-C stops a
run here and on a cluster alike.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.experiments.config import RunConfig
from workbench.files import replace_file
from workbench.jobs import Progress, Work, finish

__all__ = ["ERROR_FILE", "do_run", "prepare_shared"]

#: Where a run's folder keeps the trace of its error.
ERROR_FILE = "error.txt"
#: Seconds between two looks whether a run that waits for its turn is still wanted.
LOOK_EVERY = 1.0


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


def prepare_shared(config: dict[str, Any], stage: str, index: int, after: object) -> None:
    """Compute what several runs share; the cache keeps it.

    Parameters
    ----------
    config : mapping
        Settings of one of the runs.
    stage : {"manifold", "first-round"}
        What is shared.
    index : int
        Of the manifold, where every round has its own.
    after : object
        What Dask does before; not looked at.
    """
    from workbench.experiments.simulate import compute_for, prepare, train_first_round

    settings = RunConfig.from_json(config)
    compute = compute_for(settings)
    work: Work[Any]
    if stage == "first-round":
        work = train_first_round(settings, compute)
    else:
        work = prepare(settings, compute, index)
    look = _stop_if_cancelled()
    with _alone(look):
        finish(work, look)


def do_run(config: dict[str, Any], folder: str, after: object) -> str:
    """Do one run from where its folder stands, and leave the trace of an error in it.

    Parameters
    ----------
    config : mapping
        Its settings.
    folder : str
        Where it is kept.
    after : object
        What Dask does before; not looked at.

    Returns
    -------
    str
        Size of its pool, in a sentence.
    """
    from workbench.experiments.simulate import simulate

    problem = Path(folder) / ERROR_FILE
    settings, look = RunConfig.from_json(config), _stop_if_cancelled()
    try:
        with _alone(look):
            run = finish(simulate(settings, Path(folder)), look)
    except _CancelledError:
        raise
    except Exception:
        text = traceback.format_exc()
        replace_file(problem, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        raise
    problem.unlink(missing_ok=True)
    return run.pool_sentence


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
