"""The steps of the pipeline in order, each with its state in words, color and sign.

A step whose inputs have changed says *stale*: it is never shown as current. A
step that failed says why and what to do. Pressing a step shows the tab that
belongs to it, where the application has tabs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import Dict, List

from widgets.view import View
from widgets.wording import duration
from workbench.session import STEPS, Session, Step

__all__ = ["StepRail"]

#: Name of each step, the tab of the application that shows it, and what it is for.
ABOUT = {
    "cohort": ("Cohort", "Cohort", "The cases and {noun}s that are there, and their labels."),
    "manifold": ("Manifold", "Training", "A VAE gives every {noun} a place in latent space."),
    "model": ("Model", "Training", "A U-Net learns from the labeled {noun}s."),
    "suggest": ("Suggest", "Map", "The query strategy asks for the {noun}s to label next."),
    "annotate": ("Annotate", "Annotate", "The suggested {noun}s get their labels."),
    "curve": ("Curve", "Curve", "Dice on the test cases, round by round."),
}


class StepRail(View):
    """State of every step in words a person reads."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    items = List(
        Dict(), help="{key, name, tab, about, state, words, detail, fraction} in order"
    ).tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        super().__init__(session, **traits)
        self.watch(("steps", "progress", "busy"), self._show)

    def _show(self) -> None:
        self.items = [self._item(key) for key in STEPS]

    def _item(self, key: str) -> dict[str, Any]:
        step = self.session.steps.get(key, Step())
        fraction = step.fraction
        if step.state == "running" and fraction is None and self.session.busy == key:
            progress = self.session.progress
            if progress is not None and progress.total > 0:
                fraction = progress.fraction
        words: str = step.state
        if step.state == "running" and fraction is not None:
            words = f"running {int(100 * fraction)} %"
            if step.seconds_left is not None:
                words += f" ({duration(step.seconds_left)} left)"
        name, tab, about = ABOUT[key]
        return {
            "key": key,
            "name": name,
            "tab": tab,
            "about": about.format(noun=self.noun),
            "state": step.state,
            "words": words,
            "detail": step.detail,
            "fraction": -1.0 if fraction is None else float(fraction),
        }
