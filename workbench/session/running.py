"""How a session runs its slow steps: one at a time, with progress, stoppable."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

from workbench.jobs import Outcome, Progress, Work
from workbench.session.background import Background
from workbench.session.state import SessionState, Step

__all__ = ["RunningSession"]

R = TypeVar("R")


class RunningSession(SessionState):
    """A session's state together with the jobs that change it."""

    def __init__(self) -> None:
        super().__init__()
        self._background = Background()
        self._failure: BaseException | None = None

    def _offer_next(self) -> None:
        """Name the one thing to do next."""
        raise AssertionError("a session says what comes next")

    def _refuse_busy(self) -> None:
        self._refuse(f"The step “{self.busy}” is still running. Stop it first, or wait for it.")

    def cancel(self) -> None:
        """Stop what is running, before its next step."""
        for slot in ("main", "map"):
            self._background.cancel(slot)
        self._background.drain()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until nothing runs, for a notebook that goes on afterwards.

        The curve of random choice, computed while the machine is idle, is not waited for.

        Raises
        ------
        WorkbenchError
            What went wrong since the last wait.
        TimeoutError
            If it takes longer than `timeout` seconds.
        """
        try:
            ended = self._background.wait(timeout, beside="ghost")
        except KeyboardInterrupt:
            self.cancel()
            raise
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if not ended:
            raise TimeoutError(f"{self.busy or 'The job'} still runs after {timeout} s.")

    def close(self) -> None:
        """Stop everything; the folder keeps what was finished."""
        self._background.close()
        self.busy = ""

    def _start(self, step: str, work: Work[R], then: Callable[[R], None]) -> None:
        """Run the work of a step in the background; refuse while another runs."""
        self._background.drain()
        if self._background.runs("main"):
            work.close()
            self._refuse_busy()
            return
        stage, begun, first = "", time.monotonic(), 0
        losses: list[float] = []
        before, curve = self.steps.get(step, Step()), self.losses.get(step, ())

        def progressed(progress: Progress) -> None:
            nonlocal stage, begun, first
            if progress.stage != stage:
                stage, begun, first = progress.stage, time.monotonic(), progress.step
            left = _seconds_left(progress, first, time.monotonic() - begun)
            done = progress.fraction
            self._mark(step, "running", progress.stage, done if progress.total else None, left)
            self.progress = progress
            if losses:
                self.losses = {**self.losses, step: tuple(losses)}

        def ended(outcome: Outcome[R]) -> None:
            self.busy, self.progress = "", None
            if outcome.error is not None:
                self._fail(step, outcome.error)
            elif outcome.cancelled:
                self._mark_stopped(step, before)
                if not self.steps[step].stopped:  # what is in use stays as it was
                    self.losses = {**self.losses, step: curve}
                self._note(f"Stopped: {stage or step}.")
            else:
                self._mark(step, "ready")
                then(outcome.value)  # type: ignore[arg-type]
            self._offer_next()

        with self._background.lock:
            self._background.cancel("ghost")  # it goes on when the machine is idle again
            self.busy, self.problem, self.next_step = step, "", ""
            self._failure = None  # what was refused before was mended, or given up
            self._mark(step, "running", "starting")
            self.losses = {**self.losses, step: ()} if step != "cohort" else self.losses
            self._background.start("main", _recording(work, losses), progressed, ended)


def _seconds_left(progress: Progress, first: int, elapsed: float) -> float | None:
    """Expect the pace since the first report of the stage; None while that says too little."""
    gained = progress.step - first
    if not progress.total or gained < 1 or elapsed < 1.0:
        return None
    return elapsed * max(progress.total - progress.step, 0) / gained


def _recording(work: Work[R], losses: list[float]) -> Generator[Progress, None, R]:
    """Pass work on and keep the loss of every step, also of those not reported."""
    try:
        while True:
            progress = next(work)
            for name in ("loss", "reconstruction"):
                if name in progress.metrics:
                    losses.append(progress.metrics[name])
            yield progress
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        work.close()
