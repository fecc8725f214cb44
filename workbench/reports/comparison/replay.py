"""Open saved rounds again, for the pictures of a report.

A run's folder names its slices and keeps its networks; the images and the
manifold are opened from cohort and cache. Nothing is trained for a picture:
where the manifold is no longer in the cache, a sentence says so instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from workbench.cohort.label_maps import foreground
from workbench.errors import ReportError, WorkbenchError
from workbench.jobs import Work

if TYPE_CHECKING:
    from workbench.experiments.runs import Run, SavedRound
    from workbench.strategies.base import Suggestions
    from workbench.strategies.needs import ShiftedLatents
    from workbench.study import Study

__all__ = ["Replayed", "find_chains", "reopen", "replay"]

#: Chains that are shown of a run, and slices of a chain, at most.
CHAINS, LENGTH = 3, 5


@dataclass(frozen=True, eq=False)
class Replayed:
    """The pictures of one run.

    Parameters
    ----------
    name : str
        The run, as the report calls it.
    maps : plotly Figure or None
        The latent map of every round, behind a slider.
    chains : plotly Figure or None
        Source → suggested → suggested, with their slices.
    note : str
        How to read them, where that is not plain.
    missing : str
        Why there are none, in a sentence.
    """

    name: str
    maps: go.Figure | None = None
    chains: go.Figure | None = None
    note: str = ""
    missing: str = ""


def find_chains(
    rounds: Sequence[SavedRound],
    most: int = CHAINS,
    length: int = LENGTH,
    named: Callable[[str], str] = str,
) -> list[tuple[str, ...]]:
    """Follow suggestions from a source to what it led to, round after round (Dai 2022 fig. 5).

    Parameters
    ----------
    rounds : sequence of SavedRound
        Those of one run, in order; the reasons of a round name the source of each pick.
    most : int
        Chains that are returned at most, the longest first, from different sources.
    length : int
        Slices of a chain at most.
    named : callable
        Turns the name of a slice into what is chained, such as its case.

    Returns
    -------
    list of tuple of str
        Names: a source, what was suggested from it, what was suggested from that.
        Empty where no pick has a source.
    """
    onward: dict[str, dict[str, None]] = {}
    picked: set[str] = set()
    for saved in rounds[:-1]:  # what the last round suggests was never labeled
        for source, pick in zip(saved.details.get("source", ()), saved.suggested, strict=False):
            if source is not None:
                onward.setdefault(named(source), {})[named(pick)] = None
                picked.add(named(pick))

    def longest(start: str, left: int) -> tuple[str, ...]:
        ways = [longest(pick, left - 1) for pick in onward.get(start, ())] if left > 1 else []
        return (start, *max(ways, key=len, default=()))

    chains = [longest(source, length) for source in onward if source not in picked]
    return sorted(chains, key=len, reverse=True)[:most]  # the sort keeps the order of equals


def replay(run: Run, name: str) -> Work[Replayed]:
    """Draw the latent map of every round of a run, and its chains.

    Parameters
    ----------
    run : Run
        A run with at least one round.
    name : str
        How the report calls it.

    Returns
    -------
    Replayed
        Without pictures, but with the reason, where they cannot be shown here.
    """
    try:
        study = yield from reopen(run, 0)
        maps = yield from _maps(run, name, study)
        note = ""
        if run.config.unit == "cases":
            note = (
                f"{name} suggested whole cases: each chain shows the middle slice of a case, and "
                f"the map of slices has no arrows, because sources move as cases."
            )
        return Replayed(name, maps, _chains(run, name, study), note)
    except (WorkbenchError, OSError, RuntimeError) as error:  # torch: the hardware is another
        return Replayed(name, missing=str(error))


def reopen(run: Run, index: int) -> Work[Study]:
    """Open data and manifold of a round.

    Raises
    ------
    ReportError
        If the manifold would have to be trained.
    """
    from workbench.experiments.simulate import prepare
    from workbench.models.compute import Compute
    from workbench.training.manifold import STAGE

    work = prepare(run.config, Compute(**run.environment["compute"]), index)
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if progress.stage == STAGE:
            work.close()
            raise ReportError(
                "the manifold is not in the cache folder: it was removed, or no run needed one. "
                "Set WORKBENCH_CACHE to the folder that was used for the run, and make the "
                "report again."
            )
        yield progress


def _maps(run: Run, name: str, study: Study) -> Work[go.Figure]:
    from workbench.latent.project import latent_axes, pca
    from workbench.reports.figures import latent_map_figure, stepped_figure
    from workbench.strategies import from_record

    figures: list[go.Figure] = []
    pool = study.data.pool
    for saved in run.rounds:
        if run.config.retrain_manifold and saved.index:
            study = yield from reopen(run, saved.index)
        pool = run.pool_after(study.data.pool, saved.index + 1)
        plane = (latent_axes(study.latent, 0, 1) if study.latent.z.shape[1] == 2
                 else pca(study.latent))  # fmt: skip
        strategy = from_record(saved.strategy)
        need = _shift_of(strategy)
        picks = _suggestions(saved, pool)
        shift = None
        if need is not None and run.config.unit != "cases":
            shift = yield from _shift(run, saved, study, pool, need)
        figures.append(
            latent_map_figure(
                plane,
                pool,
                shift=shift,
                suggestions=picks,
                max_angle=getattr(strategy, "max_angle", None),
                neighbor_distance=study.latent.neighbor_distance,
                z=study.latent.z,
                title=f"{name}, round {saved.index}: {int(pool.labeled.sum()):,} labeled, "
                f"{len(picks.rows):,} suggested next",
            )
        )
    _same_view(figures)
    _lighten(figures)
    return stepped_figure(figures, [str(saved.index) for saved in run.rounds], name="round ")


def _same_view(figures: Sequence[go.Figure]) -> None:
    """Keep every step at one zoom, so that the slider moves nothing but the marks."""
    for key, update in (("x", go.Figure.update_xaxes), ("y", go.Figure.update_yaxes)):
        values = np.concatenate(
            [np.asarray(trace[key], float) for figure in figures for trace in figure.data]
        )
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        room = 0.04 * (high - low) + 1e-9
        for figure in figures:
            update(figure, range=[low - room, high + room])


def _lighten(figures: Sequence[go.Figure]) -> None:
    """Keep no name for every point of a large pool: a page would grow to a hundred megabytes."""
    from workbench.reports.figures.latent_map import MANY_POINTS

    for figure in figures:
        for trace in figure.data:
            if trace.x is not None and len(trace.x) > MANY_POINTS:
                x, y = (np.asarray(values, np.float32) for values in (trace.x, trace.y))
                trace.update(x=x, y=y, text=None, customdata=None, hoverinfo="skip")
                trace.update(hovertemplate=None)


def _shift_of(strategy: Any) -> ShiftedLatents | None:
    from workbench.strategies.needs import ShiftedLatents

    return next((need for need in strategy.needs() if isinstance(need, ShiftedLatents)), None)


def _shift(run: Run, saved: SavedRound, study: Study, pool: Any, need: ShiftedLatents) -> Work[Any]:
    """Compute z and z' of the sources again, from the saved network."""
    from workbench.evidence import EvidenceSource
    from workbench.experiments.simulate import load_round_model

    model = load_round_model(run, saved.index, study)
    evidence = yield from EvidenceSource(study, pool, model, saved.index).gather(frozenset({need}))
    return evidence[need]


def _suggestions(saved: SavedRound, pool: Any) -> Suggestions:
    from workbench.strategies.base import Suggestions
    from workbench.study import rows_of

    rows = rows_of(pool, saved.suggested)
    told: Mapping[str, Any] = {
        key: values for key, values in saved.details.items() if len(values) == len(rows)
    }
    source = None
    if "source" in told:
        row_of = {str(slice_id): row for row, slice_id in enumerate(pool.ids)}
        source = np.array([row_of.get(each, -1) for each in told["source"]], dtype=np.int64)
    numbers = {
        key: np.array([np.nan if value is None else value for value in told[key]], float)
        for key in ("distance", "angle")
        if key in told
    }
    flags = tuple(told["flags"]) if "flags" in told else None
    return Suggestions(rows=rows, source=source, flags=flags, **numbers)


def _chains(run: Run, name: str, study: Study) -> go.Figure | None:
    from workbench.cohort.pool import SliceId
    from workbench.reports.figures.chains import Link, chains_figure

    pool, images, labels = study.data.pool, study.data.images, study.data.labels
    whole = run.config.unit == "cases"

    def named(slice_name: str) -> str:
        return SliceId.parse(slice_name).case if whole else slice_name

    found = find_chains(run.rounds, named=named)
    if not found:
        return None
    rows_of: dict[str, list[int]] = {}
    for row, slice_id in enumerate(pool.ids):
        rows_of.setdefault(named(str(slice_id)), []).append(row)
    labeled_in = {named(each): saved.index for saved in run.rounds for each in saved.labeled}
    chains = []
    for chain in found:
        rows = [rows_of[each][len(rows_of[each]) // 2] for each in chain]  # a case's middle slice
        pictures, masks = images.pictures(rows)[:, -1], foreground(labels.read(rows))
        if images.of_volumes:
            masks = masks[:, masks.shape[1] // 2]
        chains.append(
            [
                Link(pool.ids[row], labeled_in[each], pictures[place], masks[place])
                for place, (row, each) in enumerate(zip(rows, chain, strict=True))
            ]
        )
    spacing = tuple(float(mm) for mm in np.asarray(images.spacing)[0][-2:])
    return chains_figure(
        chains,
        spacing,  # type: ignore[arg-type]
        title=f"{name}: from a source to what its gradient led to (channel {images.channels[-1]})",
    )
