"""Show how slow work gets on: a bar for a person, a few lines for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.jobs import Progress, Work, finish

__all__ = ["Bar", "Lines", "with_progress"]

R = TypeVar("R")


class Bar:
    """One bar at a time on the error stream; it is wiped when its stage is over."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage: tuple[str, int] | None = None

    def show(self, progress: Progress) -> None:
        """Draw how far the stage has come."""
        from tqdm import tqdm

        if self._stage != (progress.stage, progress.total):
            self.close()
            self._stage = (progress.stage, progress.total)
            self._bar = tqdm(
                desc=progress.stage, total=progress.total, leave=False, mininterval=0.2
            )
        self._bar.n = progress.step
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in progress.metrics.items()})

    def close(self) -> None:
        """Wipe the bar."""
        if self._bar is not None:
            self._bar.close()


class Lines:
    """A line where a stage begins, and one now and then while it lasts.

    Parameters
    ----------
    every : float
        Seconds between two lines of the same stage.
    write : callable
        Takes a line; prints it on the error stream by default.
    """

    def __init__(self, every: float = 30.0, write: Callable[[str], None] | None = None) -> None:
        self._every = every
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._stage = ""
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Write a line if there is something to say."""
        now = time.monotonic()
        if progress.stage != self._stage:
            self._write(progress.stage)
        elif now >= self._next:
            numbers = (f", {name} {value:.3g}" for name, value in progress.metrics.items())
            self._write(f"{progress.stage}: {progress.fraction:.0%}{''.join(numbers)}")
        else:
            return
        self._stage, self._next = progress.stage, now + self._every

    def close(self) -> None:
        """Do nothing: what was written stays."""


def with_progress(work: Work[R]) -> R:
    """Run work to its end and show on the error stream how far it is.

    Raises
    ------
    SystemExit
        If a person interrupts it; what it had finished is kept.
    """
    shown = Bar() if sys.stderr.isatty() else Lines()
    try:
        return finish(work, shown.show)
    except KeyboardInterrupt:
        work.close()
        raise SystemExit(
            "Stopped. What was finished is saved; run the same command to go on."
        ) from None
    finally:
        shown.close()
