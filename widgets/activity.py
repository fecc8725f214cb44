"""What happened, newest first, and the latest problem as a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import List, Unicode

from widgets.view import View
from workbench.session import Session

__all__ = ["Activity"]

#: Lines that are kept on screen; older ones stay in ``session.log``.
LINES = 40


class Activity(View):
    """A short log; the latest problem stands above it until it is mended."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    lines = List(Unicode(), help="what happened, newest first").tag(sync=True)
    problem = Unicode(help="the latest failure and what to do; empty: none").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        super().__init__(session, **traits)
        self.watch("log", self._show_log)
        self.watch("problem", self._show_problem)

    def _show_log(self) -> None:
        self.lines = [str(line) for line in self.session.log[:LINES]]

    def _show_problem(self) -> None:
        self.problem = self.session.problem
