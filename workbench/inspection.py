"""Why this slice: the pictures and numbers behind one suggestion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.jobs import finish
from workbench.strategies.base import Suggestions
from workbench.strategies.needs import ShiftedLatents

if TYPE_CHECKING:
    from workbench.evidence import EvidenceSource
    from workbench.study import Data, Study

__all__ = ["Inspection", "inspect"]

Picture = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inspection:
    """A slice with its context, and the way that led to it if it is suggested.

    All pictures have shape (h, w), are stored as displayed and hold one channel
    in standard deviations of the volume; what does not exist is None.

    Parameters
    ----------
    suggested_id, source_id : str
        Names of the slice and of the labeled one it was found from ("" if none).
    channel : str
        Name of the channel that is shown.
    channels : tuple of str
        Names of all channels.
    picture, previous, next : ndarray
        The slice and its neighbors in the same case.
    x, gradient, x_shifted, decoded : ndarray or None
        The source x, its loss gradient ∂L/∂x, x' = x + α ĝ, and the decoded z'.
    reference, prediction : ndarray of uint8 or None
        Class of every pixel of the slice.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    distance_u : float
        Distance to z' in neighbor distances u; NaN if not suggested.
    angle : float
        Angle to the axis z' − z in degrees; NaN where undefined.
    rank : int
        Place among the suggestions from 1, 0 if it is not suggested.
    flag : str
        "", "outside_cone" or "no_direction".
    sentence : str
        The reason in words.
    """

    suggested_id: str
    source_id: str
    channel: str
    channels: tuple[str, ...]
    picture: Picture
    previous: Picture | None
    next: Picture | None
    x: Picture | None
    gradient: Picture | None
    x_shifted: Picture | None
    decoded: Picture | None
    reference: NDArray[np.uint8] | None
    prediction: NDArray[np.uint8] | None
    spacing: tuple[float, float]
    distance_u: float
    angle: float
    rank: int
    flag: str
    sentence: str


def inspect(
    data: Data,
    row: int,
    channel: int = 0,
    *,
    study: Study | None = None,
    evidence: EvidenceSource | None = None,
    need: ShiftedLatents | None = None,
    alpha: float | None = None,
    suggestions: Suggestions | None = None,
) -> Inspection:
    """Collect what there is to see of a slice.

    Parameters
    ----------
    data : Data
        The opened cohort.
    row : int
        Row of the pool.
    channel : int
        Channel to show, from 0.
    study, evidence : optional
        Given once a model is trained: then prediction and gradients are shown.
    need : ShiftedLatents, optional
        The gradient settings that are followed.
    alpha : float, optional
        The step in use.
    suggestions : Suggestions, optional
        Those in which the slice may be found.
    """
    pool, images = data.pool, data.images
    place = -1
    if suggestions is not None and row in suggestions.rows:
        place = int(np.flatnonzero(suggestions.rows == row)[0])
    source = -1
    if suggestions is not None and place >= 0 and suggestions.source is not None:
        source = int(suggestions.source[place])
    distance = angle = float("nan")
    flag = ""
    if suggestions is not None and place >= 0:
        u = study.latent.neighbor_distance if study is not None else 1.0
        distance = _at(suggestions.distance, place) / u
        angle = _at(suggestions.angle, place)
        flag = suggestions.flags[place] if suggestions.flags else ""

    probe = evidence.known_probe(need) if evidence is not None and need is not None else None
    seen: dict[str, Any] = {"x": None, "gradient": None, "x_shifted": None, "decoded": None}
    relative = float("nan")
    wanted = source if source >= 0 else row
    if probe is not None and need is not None and alpha is not None and study is not None:
        here = np.flatnonzero(probe.sources == wanted)
        if len(here):
            which = int(here[0])
            shifted = np.asarray(probe.shifted_images(alpha, need.scale, [which]))[0]
            x = images.read([wanted])[0]
            relative = float(np.linalg.norm(shifted - x)) / max(float(np.linalg.norm(x)), 1e-12)
            seen = {
                "x": x[channel],
                "gradient": np.asarray(probe.gradients[which])[channel],
                "x_shifted": shifted[channel],
                "decoded": _decode(study, shifted)[channel],
            }
            source = wanted if place >= 0 else source
    case = int(pool.case_of[row])
    spacing = images.spacing[case]
    return Inspection(
        suggested_id=str(pool.ids[row]),
        source_id=str(pool.ids[source]) if source >= 0 else "",
        channel=images.channels[channel],
        channels=tuple(images.channels),
        picture=images.read([row])[0, channel],
        previous=_neighbor(data, row, -1, channel),
        next=_neighbor(data, row, +1, channel),
        reference=data.labels.read([row])[0] if data.labels.available[row] else None,
        prediction=_predict(evidence, row),
        spacing=(float(spacing[1]), float(spacing[2])),
        distance_u=distance,
        angle=angle,
        rank=place + 1,
        flag=flag,
        sentence=_reason(place, source, flag, relative),
        **seen,
    )


def _at(values: NDArray[np.float64] | None, place: int) -> float:
    return float("nan") if values is None else float(values[place])


def _neighbor(data: Data, row: int, step: int, channel: int) -> Picture | None:
    """Return the picture of the next slice of the same case, if it is in the store."""
    other = row + step
    ids = data.pool.ids
    if not 0 <= other < len(ids) or ids[other].case != ids[row].case:
        return None
    return data.images.read([other])[0, channel]  # type: ignore[no-any-return]


def _predict(evidence: EvidenceSource | None, row: int) -> NDArray[np.uint8] | None:
    if evidence is None or evidence.model is None:
        return None
    from workbench.training.predict import predict

    study = evidence.study
    rows = np.array([row])
    classes: NDArray[np.uint8] = finish(
        predict(evidence.model, study.data.images, rows, study.compute)
    )
    return classes[0]  # type: ignore[no-any-return]


def _decode(study: Study, shifted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode the latent code of a shifted image, shape (c, h, w)."""
    from workbench.latent.space import reconstruct

    decoded: NDArray[np.float32] = reconstruct(study.manifold.vae, shifted[None])[0]
    return decoded


def _reason(place: int, source: int, flag: str, relative: float) -> str:
    """Say in words why the slice is here."""
    if place >= 0 and source < 0:
        return f"Suggestion {place + 1}."
    if place < 0:
        sentence = "This slice is not among the suggestions."
        if np.isfinite(relative):
            sentence = "A source of suggestions: its loss gradient moves it from z to z′."
    elif flag == "outside_cone":
        sentence = "No free slice lies inside the cone: the one of smallest angle was taken."
    elif flag == "no_direction":
        sentence = "The source does not move at all: the nearest free slice was taken."
    else:
        sentence = "The free slice nearest to z′, where the loss gradient moves its source."
    if relative > 0.5:
        sentence += (
            f" x′ looks like noise: for this source the step is {relative:.1f} times as long as x."
        )
    return sentence
