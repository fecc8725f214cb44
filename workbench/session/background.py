"""Jobs of a session: several slots, one queue, one lock.

Worker threads never touch the session. What they report is put on a queue, as
functions, and run under one lock: by the event loop of the thread that made the
session, by `Background.drain` (which every method of the session calls), or by
`Background.wait` where no loop turns. A slot holds one job; a newer one
replaces the older, whose late reports are dropped.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.jobs import Job, Outcome, Progress, Work

__all__ = ["Background"]

R = TypeVar("R")


class Background:
    """Runs work in named slots and hands over its reports in order.

    Attributes
    ----------
    lock : threading.RLock
        Held while a report is handled; hold it to change what reports change.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _open.add(self)
        self._reports: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs: dict[str, Job[Any]] = {}
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def start(
        self,
        slot: str,
        work: Work[R],
        on_progress: Callable[[Progress], None],
        on_outcome: Callable[[Outcome[R]], None],
    ) -> None:
        """Run `work` in `slot`; a job that is there is stopped and forgotten."""
        with self.lock:
            self.cancel(slot)
            job: Job[R]

            def is_current() -> bool:
                return self._jobs.get(slot) is job

            def progressed(progress: Progress) -> None:
                if is_current():
                    on_progress(progress)

            def ended(outcome: Outcome[R]) -> None:
                if is_current():
                    del self._jobs[slot]
                    on_outcome(outcome)

            job = Job(work, progressed, ended, self._deliver)
            self._jobs[slot] = job
            job.start()

    def cancel(self, slot: str) -> None:
        """Ask the job of a slot to stop; it ends with a cancelled outcome."""
        with self.lock:
            if slot in self._jobs:
                self._jobs[slot].cancel()

    def runs(self, slot: str) -> bool:
        """Tell whether a slot holds a job."""
        return slot in self._jobs

    def drain(self) -> None:
        """Handle every report that waits."""
        while True:
            with self.lock:
                try:
                    report = self._reports.get_nowait()
                except queue.Empty:
                    return
                report()

    def wait(self, timeout: float | None = None, beside: str = "") -> bool:
        """Handle reports on this thread until no job runs, but for that of slot `beside`.

        Returns
        -------
        bool
            False if `timeout` seconds went by first.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.drain()
            if not set(self._jobs) - {beside}:
                return True
            if end is not None and time.monotonic() > end:
                return False
            with contextlib.suppress(queue.Empty):
                report = self._reports.get(timeout=0.05)
                with self.lock:
                    report()

    def close(self, timeout: float = 5.0) -> None:
        """Stop every job and wait until their threads have ended."""
        with self.lock:
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.join(timeout)

    def _deliver(self, report: Callable[[], None]) -> None:
        self._reports.put(report)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: wait() handles it
                self._loop.call_soon_threadsafe(self.drain)


#: Those whose jobs are stopped before the interpreter ends: a thread that is inside torch
#: while Python shuts down would abort the process.
_open: weakref.WeakSet[Background] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for background in list(_open):
        background.close()
