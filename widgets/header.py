"""What a person reads first: which cohort, how far the loop is, what to press next.

There is one primary button. Its words come from `session.next_step`, so that
whoever does not know what to do presses it and is led on. While something runs
the button gives way to *Stop* and to how long it will still take.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import Bool, Float, Unicode

from widgets.view import View
from widgets.wording import count, duration, percent
from workbench.session import Session

__all__ = ["Header"]


class Header(View):
    """One line: cohort, round, labeled share, what is running, the next step."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    cohort = Unicode(help="name, cases and images").tag(sync=True)
    where = Unicode(help="round and what is labeled").tag(sync=True)
    doing = Unicode(help="what runs, in words; empty when idle").tag(sync=True)
    fraction = Float(-1.0, help="share done, -1 where nobody can know").tag(sync=True)
    left = Unicode(help="time left, in words").tag(sync=True)
    action = Unicode(help="words of the primary button; empty: nothing to press").tag(sync=True)
    hint = Unicode(help="what that button does, where its words do not say it all").tag(sync=True)
    stopping = Bool(False, help="Stop was pressed and the step has not ended yet").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        super().__init__(session, **traits)
        self.watch(("name", "cohort", "pool"), self._show_cohort)
        self.watch(("pool", "rounds"), self._show_round)
        self.watch(("busy", "progress", "steps"), self._show_work)
        self.watch(("next_step", "next_hint"), self._show_action)

    def _show_cohort(self) -> None:
        session = self.session
        if session.cohort is None:
            self.cohort = session.name or "no cohort yet"
            return
        words = [session.name or session.cohort.name, count(len(session.cohort.cases), "case")]
        if session.pool is not None:
            words.append(f"{count(len(session.pool), self.noun)} in the pool")
        self.cohort = " · ".join(words)

    def _show_round(self) -> None:
        session = self.session
        if session.pool is None:
            self.where = ""
            return
        labeled = int(session.pool.labeled.sum())
        turn = f"round {int(session.rounds[-1].index)}" if session.rounds else "no round yet"
        share = percent(labeled, len(session.pool))
        self.where = f"{turn} · {labeled:,} labeled ({share})"

    def _show_work(self) -> None:
        session = self.session
        if not session.busy:
            self.stopping = False
            self.doing, self.fraction, self.left = "", -1.0, ""
            return
        progress = session.progress
        step = session.steps.get(session.busy)
        if progress is None:
            self.doing, self.fraction = f"{session.busy.capitalize()}: starting", -1.0
            self.left = ""
            return
        self.doing = progress.stage
        self.fraction = progress.fraction if progress.total > 0 else -1.0
        seconds = None if step is None else step.seconds_left
        self.left = "" if seconds is None else f"{duration(seconds)} left"

    def _show_action(self) -> None:
        self.action, self.hint = self.session.next_step, self.session.next_hint

    def do_next(self) -> None:
        """The primary button was pressed."""
        self.session.next()

    def do_stop(self) -> None:
        """Stop was pressed."""
        self.stopping = bool(self.session.busy)
        self.session.cancel()
