"""Why this slice, or this volume: the pictures and numbers behind one suggestion.

A screen shows one slice at a time. Of a volume all that was computed is kept
(`Inspection.volume`), so that `Inspection.at` can show any other of its slices
without asking a network again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.preprocess import without_blank_ends
from workbench.jobs import finish
from workbench.strategies.base import Suggestions
from workbench.strategies.needs import ShiftedLatents
from workbench.words import count

if TYPE_CHECKING:
    from workbench.evidence import EvidenceSource
    from workbench.study import Data, Study

__all__ = ["Inspection", "inspect", "predict_row"]

Picture = NDArray[np.float32]

#: Predictions with dropout whose variance is shown (Rahimi's T).
PASSES = 5


@dataclass(frozen=True, eq=False)
class Inspection:
    """A slice with its context, and the way that led to it if it is suggested.

    All pictures have shape (h, w), are stored as displayed and hold one channel
    in standard deviations of the volume; what does not exist is None.

    Parameters
    ----------
    suggested_id, source_id : str
        Names of the slice, or of the volume that it belongs to, and of the labeled one it was
        found from ("" if none).
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
    noun : str
        "slice" or "volume": what is suggested.
    uncertainty : ndarray or None
        How uncertain the network is about every pixel, if that was asked for.
    uncertainty_of : str
        What `uncertainty` is, with its unit.
    depth : int
        Which slice of a volume is shown, counted from 0 at the lowest that is not blank.
    volume : mapping of str to ndarray
        The pictures of all slices of a volume by the names above, shape (d, h, w); empty where
        slices are suggested.
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
    noun: str = "slice"
    uncertainty: Picture | None = None
    uncertainty_of: str = ""
    depth: int = 0
    volume: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def depths(self) -> int:
        """Slices of the volume that can be shown, 0 where slices are suggested."""
        return len(self.volume["picture"]) if self.volume else 0

    @property
    def uncertainty_top(self) -> float:
        """The uncertainty of the brightest color, the same for all slices of a volume.

        The 99th percentile of what is more than a hundredth of the highest value: most pixels
        are certain, and one alone should not make all others dark. 0 where there is none.
        """
        found = self.whole("uncertainty")
        if found is None or not found.max() > 0:
            return 0.0
        return float(np.percentile(found[found > 0.01 * found.max()], 99))

    def at(self, depth: int) -> Inspection:
        """Show another slice of the volume.

        Parameters
        ----------
        depth : int
            From 0, the lowest, to ``depths - 1``; the nearest of these is taken.
        """
        if not self.volume:
            return self
        depth = min(max(int(depth), 0), self.depths - 1)
        stack = self.volume["picture"]
        return replace(
            self,
            depth=depth,
            previous=stack[depth - 1] if depth > 0 else None,
            next=stack[depth + 1] if depth + 1 < len(stack) else None,
            **{name: each[depth] for name, each in self.volume.items()},
        )

    def whole(self, name: str) -> NDArray[Any] | None:
        """Return a picture by its name, of a volume that of all slices: to scale colors by."""
        found: NDArray[Any] | None = self.volume.get(name) if self.volume else getattr(self, name)
        return found


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
    depth: int | None = None,
    uncertainty: bool = False,
) -> Inspection:
    """Collect what there is to see of a slice, or of a volume.

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
    depth : int, optional
        Slice of a volume that is shown, from 0; the middle one if not given.
    uncertainty : bool
        Whether the uncertainty of every pixel is computed, where there is a model: the variance
        over predictions with dropout if it was trained with dropout, else the entropy.
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
    image = images.read([row])[0]
    seen: dict[str, NDArray[Any] | None] = {
        "x": None,
        "gradient": None,
        "x_shifted": None,
        "decoded": None,
        "picture": image[channel],
        "reference": data.labels.read([row])[0] if data.labels.available[row] else None,
        "prediction": predict_row(evidence, row),
    }
    of = ""
    if uncertainty and evidence is not None and evidence.model is not None:
        seen["uncertainty"], of = _uncertainty(evidence, row)
    relative = float("nan")
    wanted = source if source >= 0 else row
    if probe is not None and need is not None and alpha is not None and study is not None:
        here = np.flatnonzero(probe.sources == wanted)
        if len(here):
            which = int(here[0])
            shifted = np.asarray(probe.shifted_images(alpha, need.scale, [which]))[0]
            x = images.read([wanted])[0]
            relative = float(np.linalg.norm(shifted - x)) / max(float(np.linalg.norm(x)), 1e-12)
            seen["x"] = x[channel]
            seen["gradient"] = np.asarray(probe.gradients[which])[channel]
            seen["x_shifted"] = shifted[channel]
            seen["decoded"] = _decode(study, shifted)[channel]
            source = wanted if place >= 0 else source
    spacing = images.spacing[int(pool.case_of[row])]
    noun = pool.ids[row].noun
    found = Inspection(
        suggested_id=str(pool.ids[row]),
        source_id=str(pool.ids[source]) if source >= 0 else "",
        channel=images.channels[channel],
        channels=tuple(images.channels),
        previous=None if images.of_volumes else _neighbor(data, row, -1, channel),
        next=None if images.of_volumes else _neighbor(data, row, +1, channel),
        spacing=(float(spacing[1]), float(spacing[2])),
        distance_u=distance,
        angle=angle,
        rank=place + 1,
        flag=flag,
        sentence=_reason(noun, row, place, source, flag, relative, suggestions),
        noun=noun,
        uncertainty_of=of,
        **seen,  # type: ignore[arg-type]
    )
    if not images.of_volumes:
        return found
    kept = without_blank_ends(image[channel][None])  # the same before and after a network looked
    volume = {name: each[kept] for name, each in seen.items() if each is not None}
    whole = replace(found, volume=volume)
    return whole.at(whole.depths // 2 if depth is None else depth)


def _at(values: NDArray[np.float64] | None, place: int) -> float:
    return float("nan") if values is None else float(values[place])


def _neighbor(data: Data, row: int, step: int, channel: int) -> Picture | None:
    """Return the picture of the next slice of the same case, if it is in the store."""
    other = row + step
    ids = data.pool.ids
    if not 0 <= other < len(ids) or ids[other].case != ids[row].case:
        return None
    return data.images.read([other])[0, channel]  # type: ignore[no-any-return]


def predict_row(evidence: EvidenceSource | None, row: int) -> NDArray[np.uint8] | None:
    """Predict the classes of a slice, (h, w), or a volume, (d, h, w); None without a model."""
    if evidence is None or evidence.model is None:
        return None
    from workbench.training.predict import predict

    study = evidence.study
    rows = np.array([row])
    classes: NDArray[np.uint8] = finish(
        predict(evidence.model, study.data.images, rows, study.compute)
    )
    return classes[0]  # type: ignore[no-any-return]


def _uncertainty(evidence: EvidenceSource, row: int) -> tuple[Picture, str]:
    """Measure how uncertain the network is about every pixel; say what was measured."""
    import torch

    from workbench.models.variants import reseed_dropout, sampling_copy, variant_of
    from workbench.training.measures import entropy, variance
    from workbench.training.predict import predict_batches

    study = evidence.study
    network, compute = evidence.model, study.compute
    assert network is not None
    rows = np.array([row])
    if not variant_of(network).dropout:
        _, logits = next(predict_batches(network, study.data.images, rows, compute))
        nats = entropy(torch.softmax(logits, dim=1))[0]
        return nats.cpu().numpy(), "entropy (nats)"
    network = sampling_copy(compute.place(network))
    x = compute.tensor(study.data.images.read(rows))
    reseed_dropout(network, study.seed, evidence.index, row)
    with torch.no_grad(), compute.autocast():
        samples = torch.stack([torch.softmax(network(x).float(), dim=1) for _ in range(PASSES)])
    return variance(samples)[0].cpu().numpy(), f"variance over {PASSES} dropout passes"


def _decode(study: Study, shifted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode the latent code of a shifted image, shape (c, h, w) or (c, d, h, w)."""
    from workbench.latent.space import reconstruct

    decoded: NDArray[np.float32] = reconstruct(study.manifold.vae, shifted[None])[0]
    return decoded


def _reason(
    noun: str,
    row: int,
    place: int,
    source: int,
    flag: str,
    relative: float,
    suggestions: Suggestions | None,
) -> str:
    """Say in words why the slice, or the volume, is here."""
    if suggestions is not None and place >= 0 and source < 0:
        return f"Suggestion {place + 1}{_by_score(noun, row, suggestions)}."
    if place < 0:
        sentence = f"This {noun} is not among the suggestions."
        if np.isfinite(relative):
            sentence = "A source of suggestions: its loss gradient moves it from z to z′."
    elif flag == "outside_cone":
        sentence = f"No free {noun} lies inside the cone: the one of smallest angle was taken."
    elif flag == "no_direction":
        sentence = f"The source does not move at all: the nearest free {noun} was taken."
    else:
        sentence = f"The free {noun} nearest to z′, where the loss gradient moves its source."
    if relative > 0.5:
        sentence += (
            f" x′ looks like noise: for this source the step is {relative:.1f} times as long as x."
        )
    return sentence


def _by_score(noun: str, row: int, suggestions: Suggestions) -> str:
    """Compare the score of a suggestion with those of the others, where it was chosen by one."""
    scores = suggestions.scores
    if scores is None or not np.isfinite(scores[row]):
        return ""
    known = scores[np.isfinite(scores)]
    free = count(len(known), f"free {noun}")
    return f": its score is {scores[row]:.3g}; the median of {free} is {np.median(known):.3g}"
