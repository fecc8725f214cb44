"""The time left is told once the pace of a step was seen, and not before."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

from tests.session.bare import bare_session
from widgets.header import Header
from workbench.jobs import Progress, Work


def reports(stage: str, steps: list[int], total: int) -> Work[None]:
    for step in steps:
        yield Progress(stage, step, total, snapshot=step)  # what has a picture is always reported
    return None


def test_no_time_is_left_before_a_second_has_shown_the_pace(tmp_path, monkeypatch):
    ticks = count()  # every look at the clock takes 0.4 s
    clock = SimpleNamespace(monotonic=lambda: 0.4 * next(ticks))
    monkeypatch.setattr("workbench.session.running.time", clock)
    session = bare_session(tmp_path / "run")
    told, words = [], []
    session.observe(lambda change: told.append(change["new"]["model"].seconds_left), "steps")
    header = Header(session)
    header.observe(lambda change: words.append(change["new"]), "left")

    def work() -> Work[None]:
        yield from reports("preparing", [1], 1)
        yield from reports("training", [40, 41, 42, 44, 50], 50)  # gone on with from a checkpoint

    session._start("model", work(), lambda _: None)
    session.wait(10)
    session.close()
    times = [each if each is None else round(each, 1) for each in told]
    assert times[:7] == [None, None, None, None, 4.8, 2.4, 0.0]
    assert words[:2] == ["5 s left", "2 s left"]
