"""Run slow work in the background and report what it yields.

Everything slow in the workbench (training, prediction, t-SNE) is a generator:
it yields `Progress` and returns its result. A plain ``for`` loop runs it in the
foreground; `Job` runs the same generator in a thread and can stop it between
two yields. The work itself knows neither threads nor widgets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Job", "Outcome", "Progress", "Work", "finish"]

R = TypeVar("R")

#: Seconds between two progress reports that a job delivers: every report is drawn by several
#: views, on the cores that training needs.
REPORT_EVERY = 0.25


@dataclass(frozen=True)
class Progress:
    """How far a piece of slow work has come.

    Parameters
    ----------
    stage : str
        What is being done, in a user's words, such as ``"training the U-Net"``.
    step, total : int
        Steps done and steps there are; ``total`` is 0 where nobody can know.
    metrics : mapping of str to float
        Named numbers worth a curve, such as ``{"loss": 0.31}``.
    snapshot : object, optional
        Something worth a picture, such as a reconstruction.
    """

    stage: str
    step: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    snapshot: object | None = None

    @property
    def fraction(self) -> float:
        """Share of the work that is done, from 0 to 1."""
        return min(self.step / self.total, 1.0) if self.total > 0 else 0.0


Work = Generator[Progress, None, R]


def finish(work: Work[R], on_progress: Callable[[Progress], None] | None = None) -> R:
    """Run work to its end on this thread and return its result.

    Parameters
    ----------
    work : generator of Progress
        What is to be done.
    on_progress : callable, optional
        Called with every `Progress`, at once.
    """
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if on_progress is not None:
            on_progress(progress)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How a job ended: with a value, with an error, or stopped by a person."""

    value: R | None = None
    error: BaseException | None = None
    cancelled: bool = False


class Job(Generic[R]):
    """Run work in a background thread and hand over what it reports.

    Parameters
    ----------
    work : generator of Progress
        What is to be done.
    on_progress : callable
        Takes a `Progress`; called a few times a second at most, and for every snapshot.
    on_outcome : callable
        Takes the `Outcome`; called exactly once, after every progress report.
    deliver : callable
        Takes a function without arguments and runs it where its caller wants
        it run, for example ``loop.call_soon_threadsafe``.
    """

    def __init__(
        self,
        work: Work[R],
        on_progress: Callable[[Progress], None],
        on_outcome: Callable[[Outcome[R]], None],
        deliver: Callable[[Callable[[], None]], object],
    ) -> None:
        self._work = work
        self._on_progress = on_progress
        self._on_outcome = on_outcome
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workbench-job", daemon=True)

    def start(self) -> Job[R]:
        """Begin; return the job itself."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask the job to stop before its next step; return at once."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended; tell whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        outcome: Outcome[R]
        last = -REPORT_EVERY
        try:
            while not self._stop.is_set():
                progress = next(self._work)
                now = time.monotonic()
                if now - last >= REPORT_EVERY or progress.snapshot is not None:
                    last = now
                    self._deliver(lambda progress=progress: self._on_progress(progress))  # type: ignore[misc]
            self._work.close()
            outcome = Outcome(cancelled=True)
        except StopIteration as stop:
            outcome = Outcome(value=stop.value)
        except BaseException as error:  # reported, never swallowed: the thread has no caller
            outcome = Outcome(error=error)
        self._deliver(lambda: self._on_outcome(outcome))
