"""The one object that changes.

A `Session` holds the state of an interactive experiment as traits, each
replaced whole, and the methods that move it on. Views watch the traits and call
the methods; no view knows another.

Threads: slow work runs in a `Job`. What it reports is put on a queue, and the
queue is drained by the event loop of the thread that made the session, by any
method call, or by `wait` where no loop turns (a notebook under papermill). All
changes happen under one lock, because JupyterLab delivers widget messages on a
thread of their own while a cell runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from traitlets import Any, Dict, HasTraits, Instance, Int, Tuple, Unicode

from workbench.jobs import Progress
from workbench.strategies.base import Shift, Suggestions

__all__ = ["STEPS", "Preview", "Session", "Step"]

#: The steps of the pipeline in order; the keys of `Session.steps`.
STEPS = ("cohort", "manifold", "model", "suggest", "annotate", "curve")

StepState = Literal["not started", "running", "ready", "stale", "failed"]


@dataclass(frozen=True)
class Step:
    """State of one step of the pipeline, in words a person reads.

    ``detail`` is a short sentence (what is there, or why it failed and what to
    do); ``progress`` and ``seconds_left`` are given while it runs.
    """

    state: StepState = "not started"
    detail: str = ""
    fraction: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """What the settings of this moment would suggest.

    Parameters
    ----------
    shift : Shift
        Sources with z and z'.
    suggestions : Suggestions
        The picks.
    exact : bool
        False while a slider moves and z' is interpolated.
    displacement : float
        Median ‖z' − z‖ in neighbor distances u.
    relative_step : float
        Median of ‖α ĝ‖ / ‖x‖ over the sources.
    changed : int
        Picks that the settled suggestions do not hold.
    outside_cone : int
        Picks that lie outside their cone.
    cases : int
        Distinct cases among the picks.
    """

    shift: Shift
    suggestions: Suggestions
    exact: bool
    displacement: float
    relative_step: float
    changed: int
    outside_cone: int
    cases: int


class Session(HasTraits):
    """State of one interactive experiment, and what a person can do with it."""

    # --- the data (None until opened)
    name = Unicode("", help="Short name of the cohort, for headings.")
    cohort = Any(None, help="workbench.cohort.cohort.Cohort or None")
    images = Any(None, help="ImageStore of the pool's slices, or None")
    labels = Any(None, help="LabelSource of the pool (references), or None")
    pool = Any(None, help="Pool or None; replaced whole when slices are labeled")
    test_cases = Tuple(help="ids of the cases held out for testing")

    # --- the manifold
    latent = Any(None, help="LatentSpace of the chosen z-dimension, or None before training")
    trained_dims = Tuple(help="z-dimensions whose VAE is trained and cached, ascending")
    z_dim = Int(3, help="z-dimension that is chosen")
    maps = Dict(help="name → Projection of every map that can be shown now")
    map_name = Unicode("", help="the map that is shown: a key of maps")
    values = Dict(help="name → (n,) float64 to color points by, NaN where unknown")

    # --- the model and the loop
    round = Any(None, help="latest Round, or None before the first")
    rounds = Tuple(help="every Round so far")
    strategy = Any(None, help="the QueryStrategy as tuned: the one truth for α, scale, θ, sources")
    budget = Int(12, help="suggestions per round")
    preview = Instance(Preview, allow_none=True, help="follows a moving slider")
    suggestions = Instance(Suggestions, allow_none=True, help="changes when a slider rests")
    current = Int(-1, help="row of the pool that is inspected, -1 for none")

    # --- what is happening
    steps = Dict(help="name in STEPS → Step")
    progress = Instance(Progress, allow_none=True, help="latest Progress of the running job")
    losses = Dict(help='"manifold" | "model" → tuple of per-step losses of the latest training')
    busy = Unicode("", help="name of the running step, empty when idle")
    problem = Unicode("", help="sentence about the latest failure, empty when there is none")
    log = Tuple(help="what happened: short sentences, newest first")
    next_step = Unicode("", help="label of the one button that leads on; empty while busy")
