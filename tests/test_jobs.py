"""Slow work as generators, in the foreground and in the background."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from workbench.jobs import Job, Outcome, Progress, Work, finish


def count_to(n: int, closed: list[bool] | None = None) -> Work[int]:
    try:
        for step in range(n):
            yield Progress("counting", step + 1, n)
    finally:
        if closed is not None:
            closed.append(True)
    return n


def run_in_background(work: Work[int], stop_after: int | None = None) -> tuple[list[int], Outcome]:
    reports: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    steps: list[int] = []
    outcomes: list[Outcome] = []
    job = Job(work, lambda p: steps.append(p.step), outcomes.append, reports.put)
    job.start()
    while not outcomes:
        reports.get(timeout=10)()
        if stop_after is not None and len(steps) >= stop_after:
            job.cancel()
    assert job.join(10)
    assert reports.empty()
    return steps, outcomes[0]


def test_finish_returns_the_result_and_reports_every_step():
    steps: list[int] = []
    assert finish(count_to(5), lambda progress: steps.append(progress.step)) == 5
    assert steps == [1, 2, 3, 4, 5]


def test_a_job_delivers_its_outcome_last_and_once():
    steps, outcome = run_in_background(count_to(1000))
    assert outcome.value == 1000
    assert not outcome.cancelled
    assert 1 <= len(steps) < 1000, "reports are thinned"


def test_a_cancelled_job_closes_its_work():
    closed: list[bool] = []
    gate = threading.Event()

    def endless() -> Work[int]:
        try:
            while True:
                yield Progress("waiting", 0, 0)
                gate.wait(0.001)
        finally:
            closed.append(True)

    _, outcome = run_in_background(endless(), stop_after=1)
    assert outcome.cancelled
    assert closed == [True]


def test_a_failing_job_reports_its_error():
    def broken() -> Work[int]:
        yield Progress("breaking", 0, 1)
        raise ValueError("on purpose")

    _, outcome = run_in_background(broken())
    assert isinstance(outcome.error, ValueError)


@pytest.mark.parametrize(
    ("step", "total", "fraction"), [(0, 4, 0), (1, 4, 0.25), (9, 4, 1), (3, 0, 0)]
)
def test_a_fraction_is_between_zero_and_one(step, total, fraction):
    assert Progress("x", step, total).fraction == fraction
