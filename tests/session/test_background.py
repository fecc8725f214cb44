"""Jobs in slots, reported in order on the thread that asks."""

from __future__ import annotations

import asyncio
import threading
import time

from workbench.jobs import Outcome, Progress, Work
from workbench.session.background import Background


def counting(n: int, pause: float = 0.0) -> Work[int]:
    for step in range(n):
        yield Progress("counting", step, n)
        time.sleep(pause)
    return n


def ignore(progress: Progress) -> None:
    """Take a report and do nothing."""


def test_wait_handles_the_outcome_on_the_waiting_thread():
    background = Background()
    seen: list[tuple[int | None, str]] = []
    background.start(
        "main",
        counting(3),
        ignore,
        lambda outcome: seen.append((outcome.value, threading.current_thread().name)),
    )
    assert background.wait(10)
    assert seen == [(3, threading.current_thread().name)]


def test_the_event_loop_handles_the_outcome_where_one_turns():
    async def scenario() -> int | None:
        background = Background()
        arrived: asyncio.Future[Outcome[int]] = asyncio.get_running_loop().create_future()
        background.start("main", counting(3), ignore, arrived.set_result)
        return (await asyncio.wait_for(arrived, 10)).value

    assert asyncio.run(scenario()) == 3


def test_a_newer_job_replaces_the_older_whose_outcome_is_dropped():
    background = Background()
    values: list[int | None] = []

    def ended(outcome: Outcome[int]) -> None:
        values.append(outcome.value)

    background.start("exact", counting(1000, 0.01), ignore, ended)
    background.start("exact", counting(2), ignore, ended)
    assert background.wait(10)
    time.sleep(0.1)
    background.drain()
    assert values == [2]


def test_stop_takes_effect_before_the_next_step():
    background = Background()
    outcomes: list[Outcome[int]] = []
    background.start("main", counting(10_000, 0.01), ignore, outcomes.append)
    time.sleep(0.05)
    before = time.monotonic()
    background.cancel("main")
    assert background.wait(10)
    assert outcomes[0].cancelled
    assert time.monotonic() - before < 5


def test_a_job_started_by_the_outcome_of_another_is_waited_for():
    background = Background()
    values: list[int | None] = []

    def then_another(outcome: Outcome[int]) -> None:
        values.append(outcome.value)
        background.start("main", counting(5), ignore, lambda second: values.append(second.value))

    background.start("main", counting(2), ignore, then_another)
    assert background.wait(10)
    assert values == [2, 5]


def test_closing_ends_every_thread():
    background = Background()
    for slot in ("main", "map"):
        background.start(slot, counting(10_000, 0.01), ignore, lambda outcome: None)
    background.close()
    assert not [each for each in threading.enumerate() if each.name == "workbench-job"]


def test_wait_says_when_time_is_up():
    background = Background()
    background.start("main", counting(10_000, 0.01), ignore, lambda outcome: None)
    assert not background.wait(0.1)
    background.close()
