"""The traits of a session: what views watch.

They hold values that are replaced whole, never changed in place. The few
methods here write the words that a person reads: the state of a step, the log,
why something was refused or failed.
"""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from traitlets import Any, Dict, HasTraits, Instance, Int, Tuple, Unicode

from workbench.errors import RunError, WorkbenchError
from workbench.jobs import Progress
from workbench.session.preview import Preview
from workbench.session.tasks import Editing
from workbench.strategies.base import Suggestions

__all__ = ["MAPS_ON_DEMAND", "STEPS", "Preview", "SessionState", "Step"]

#: The steps of the pipeline in order; the keys of `Session.steps`.
STEPS = ("cohort", "manifold", "model", "suggest", "annotate", "curve")

#: Maps that take long and are computed when they are asked for.
MAPS_ON_DEMAND = ("t-SNE", "UMAP")

StepState = Literal["not started", "running", "ready", "stale", "failed"]


@dataclass(frozen=True)
class Step:
    """State of one step of the pipeline, in words a person reads.

    ``detail`` is a short sentence (what is there, or why it failed and what to
    do); ``fraction`` and ``seconds_left`` are given while it runs. A step that was
    ``stopped`` goes on from there when it is started again.
    """

    state: StepState = "not started"
    detail: str = ""
    fraction: float | None = None
    seconds_left: float | None = None
    stopped: bool = False


class SessionState(HasTraits):
    """What a session holds. Views watch these traits and never set them."""

    folder: Path
    _failure: BaseException | None

    # --- the data (None until opened)
    noun = Unicode("slice", help='what is suggested: "slice" or "volume"')
    name = Unicode("", help="Short name of the cohort, for headings.")
    cohort = Any(None, help="workbench.cohort.cohort.Cohort or None")
    images = Any(None, help="ImageStore of the pool, or None")
    labels = Any(None, help="LabelSource of the pool (references), or None")
    pool = Any(None, help="Pool or None; replaced whole when something is labeled")
    test_cases = Tuple(help="ids of the cases held out for testing")

    # --- the manifold
    latent = Any(None, help="LatentSpace of the chosen z-dimension, or None before training")
    trained_dims = Tuple(help="z-dimensions whose VAE is trained in this session, ascending")
    z_dim = Int(3, help="z-dimension that is chosen")
    maps = Dict(help="name → Projection of every map that can be shown now")
    map_names = Tuple(help="names of all maps, also those that are still to be computed")
    map_name = Unicode("", help="the map that is shown: a key of maps")
    computing = Dict(help="name → fraction done of the maps that are being computed")
    values = Dict(help="name → (n,) float64 to color points by, NaN where unknown")

    # --- the model and the loop
    round = Any(None, help="latest Round, with its network; None before the first, or without it")
    rounds = Tuple(help="every Round so far")
    ghost = Tuple(help="(labeled, mean Dice) of random choice, for as many rounds as known")
    strategy = Any(None, help="the QueryStrategy as tuned: the one truth for α, scale, θ, sources")
    budget = Int(12, help="suggestions per round")
    preview = Instance(Preview, allow_none=True, help="follows a moving slider")
    suggestions = Instance(Suggestions, allow_none=True, help="changes when a slider rests")
    current = Int(-1, help="row of the pool that is inspected, -1 for none")

    # --- the annotation
    annotator = Unicode("", help="who draws; untrusted text")
    queue = Tuple(help="Task of every slice, or volume, that this round asks for, in order")
    editing = Instance(Editing, allow_none=True, help="the slice that is drawn on, or None")
    predictions = Int(0, help="predictions of volumes that have ended; more is known then")

    # --- what is happening
    steps = Dict(help="name in STEPS → Step")
    progress = Instance(Progress, allow_none=True, help="latest Progress of the running job")
    losses = Dict(help='"manifold" | "model" → tuple of per-step losses of the latest training')
    busy = Unicode("", help="name of the running step, empty when idle")
    problem = Unicode("", help="sentence about the latest failure, empty when there is none")
    log = Tuple(help="what happened: short sentences, newest first")
    only_look = Unicode("", help="why nothing can be trained or suggested here; empty if it can")
    next_step = Unicode("", help="label of the one button that leads on; empty while busy")
    next_hint = Unicode("", help="what it does, where its label does not say it all")

    # ------------------------------------------------------------ words
    def _mark(
        self,
        step: str,
        state: StepState,
        detail: str = "",
        fraction: float | None = None,
        seconds_left: float | None = None,
    ) -> None:
        self.steps = {**self.steps, step: Step(state, detail, fraction, seconds_left)}

    def _mark_stopped(self, step: str, before: Step) -> None:
        """Say of a step that was stopped what there is: what was there before it was started."""
        detail = "stopped; resume it to go on from there"
        if step == "manifold" and self.latent is not None:  # that of another z-dimension
            self.steps = {**self.steps, step: before}
        else:
            state: StepState = "stale" if before.state == "stale" else "not started"
            self.steps = {**self.steps, step: Step(state, detail, stopped=True)}

    def _note(self, sentence: str) -> None:
        self.log = (sentence, *self.log)[:50]

    def _refuse(self, reason: str | WorkbenchError) -> None:
        """Say why something was not done; nothing changed."""
        error = reason if isinstance(reason, WorkbenchError) else RunError(reason)
        self.problem = str(error)
        self._failure = self._failure or error
        self._note(str(error))

    def _fail(self, step: str, error: BaseException) -> None:
        """Show a failure; what is unexpected is kept in the run's folder for a report."""
        sentence = str(error)
        if not isinstance(error, WorkbenchError):
            sentence = f"Something unexpected went wrong ({type(error).__name__}: {error})."
            with contextlib.suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                details = "".join(traceback.format_exception(error))
                (self.folder / "problem.txt").write_text(details, encoding="utf-8")
                sentence += f" The details are in {self.folder / 'problem.txt'}."
        self._failure = error
        self.problem = sentence
        self._note(sentence)
        if step:
            self._mark(step, "failed", sentence)
