"""Medical pictures: grey scale, square in millimeters, with orientation letters.

Slices are stored as they are displayed (radiological: the patient's right is at
the left of the picture), so nothing is turned here. A picture travels as a PNG,
which keeps a report small; contours are lines over it, the reference solid and
the prediction dashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from workbench.cohort.label_maps import foreground
from workbench.reports.figures.panels import Panels
from workbench.reports.theme import blank_figure, thousands, wrap
from workbench.words import count

if TYPE_CHECKING:
    from workbench.cohort.cohort import Cohort
    from workbench.cohort.pool import Pool
    from workbench.cohort.store import ImageStore
    from workbench.inspection import Inspection

__all__ = [
    "cohort_figure",
    "grey_window",
    "inspection_figure",
    "pictures_figure",
    "reconstructions_figure",
    "traversals_figure",
    "volume_figure",
]

#: Letters at the left, right, top and bottom of a picture, by the axis of the slice.
LETTERS: Mapping[str, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}


def inspection_figure(inspection: Inspection) -> go.Figure:
    """Show why something was suggested: source, gradient, x', decoded z', and itself.

    Parameters
    ----------
    inspection : Inspection
        The pictures and numbers behind one slice or volume; without a source only
        the slice and its neighbors are drawn.
    """
    seen = inspection
    upper = [
        ("source x", seen.x),
        ("loss gradient |∂L/∂x|", None if seen.gradient is None else np.abs(seen.gradient)),
        ("shifted x′", seen.x_shifted),
        ("decoded z′", seen.decoded),
    ]
    this = f"slice {seen.depth + 1} of {seen.depths}" if seen.depths else f"this {seen.noun}"
    lower = [
        ("slice before", seen.previous),
        (f"suggested {seen.noun}" if seen.rank and not seen.depths else this, seen.picture),
        ("slice after", seen.next),
        *([("uncertainty", seen.uncertainty)] if seen.uncertainty is not None else []),
    ]
    columns = max(4, len(lower) + 1)
    rows = [cells for cells in (upper, lower) if any(picture is not None for _, picture in cells)]
    titles = [[name for name, _ in cells] for cells in rows]
    letters = LETTERS.get(_axis_of(seen.suggested_id), ("", "", "", ""))
    panels = Panels(titles, seen.picture.shape, seen.spacing, letters=letters, columns=columns)
    window = grey_window(seen.picture if seen.x is None else seen.x)
    for row, cells in enumerate(rows):
        for column, (name, picture) in enumerate(cells):
            if picture is None:
                panels.say(row, column, "none")
            elif "gradient" in name or name == "uncertainty":
                panels.values(row, column, picture)
            else:
                panels.picture(row, column, picture, window)
    suggested = (len(rows) - 1, 1)
    panels.contour(*suggested, seen.reference, "reference")
    panels.contour(*suggested, seen.prediction, "prediction")
    figure = panels.finish(title=_heading(seen))
    panels.note(len(rows) - 1, columns - 1, _facts(seen))
    return figure


def _axis_of(name: str) -> str:
    parts = name.rsplit("/", 2)
    return parts[1] if len(parts) == 3 else "axial"  # a volume is a stack of axial slices


def _heading(seen: Inspection) -> str:
    name = f"{seen.noun.capitalize()} {seen.suggested_id}"
    if seen.source_id:
        name = f"Why this {seen.noun}: {seen.source_id} → {seen.suggested_id}"
    said = wrap(seen.sentence, 135)
    return f"{name}<br><span style='font-size:12px'>{said}</span>" if said else name


def _facts(seen: Inspection) -> str:
    lines = []
    if seen.rank:
        lines.append(f"<b>suggestion {seen.rank}</b>")
    if np.isfinite(seen.distance_u):
        lines.append(f"distance to z′ {seen.distance_u:.2f} u")
    if np.isfinite(seen.angle):
        lines.append(f"angle to z′ − z {seen.angle:.0f}°")
    if seen.flag:
        lines.append(
            {"outside_cone": "outside its cone", "no_direction": "no direction"}[seen.flag]
        )
    lines.append(f"channel {seen.channel}")
    if seen.uncertainty_of:
        lines.append(f"uncertainty: {seen.uncertainty_of}")
    lines.append(f"pixel {seen.spacing[0]:.3g} × {seen.spacing[1]:.3g} mm")
    return "<br>".join(lines)


def volume_figure(inspection: Inspection, most: int = 6, *, title: str = "") -> go.Figure:
    """Lead through a volume: slices with prediction and reference, below them the uncertainty.

    Parameters
    ----------
    inspection : Inspection
        Of a volume.
    most : int
        At most so many slices, evenly spread over those with reference or prediction.
    title : str
        Heading of the figure; the name of the volume if not given.
    """
    seen = inspection
    if not seen.depths:
        return blank_figure("Slices through a volume appear here where volumes are labeled.")
    places = _telling(seen, most)
    uncertain = seen.whole("uncertainty")
    slices = [f"slice {place + 1}" for place in places]
    titles = [slices] if uncertain is None else [slices, [""] * len(places)]
    panels = Panels(
        titles,
        seen.picture.shape,
        seen.spacing,
        letters=LETTERS["axial"],
        columns=len(places),
        tight=True,
    )
    window = grey_window(seen.volume["picture"])
    top = seen.uncertainty_top
    for column, place in enumerate(places):
        each = seen.at(place)
        panels.picture(0, column, each.picture, window)
        panels.contour(0, column, each.reference, "reference")
        panels.contour(0, column, each.prediction, "prediction")
        if each.uncertainty is not None:
            panels.values(1, column, each.uncertainty, top)
    figure = panels.finish(
        title=title or f"Volume {seen.suggested_id}: {seen.depths} slices, from the lowest up"
    )
    if uncertain is not None:
        panels.color_bar(1, top, seen.uncertainty_of)
        figure.update_layout(margin={"r": 110})
    return figure


def _telling(seen: Inspection, most: int) -> list[int]:
    """Choose slices of a volume that show what is marked, or all of it where nothing is."""
    marked = np.zeros(seen.depths, bool)
    for name in ("reference", "prediction"):
        classes = seen.whole(name)
        if classes is not None:
            marked |= foreground(classes).any(axis=(1, 2))
    inside = np.flatnonzero(marked) if marked.any() else np.arange(seen.depths)
    spread = np.linspace(inside[0], inside[-1], min(most, int(inside[-1] - inside[0]) + 1))
    return [int(place) for place in np.unique(spread.round())]


def pictures_figure(
    pictures: Mapping[str, NDArray[Any]],
    spacing: tuple[float, float] = (1.0, 1.0),
    *,
    values: Sequence[str] = (),
    top: float | None = None,
    reference: NDArray[Any] | None = None,
    prediction: NDArray[Any] | None = None,
    title: str = "",
) -> go.Figure:
    """Draw named pictures in a row, in the grey window of the first one.

    Parameters
    ----------
    pictures : mapping of str to ndarray, shape (h, w)
        Title and pixels of each picture.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    values : sequence of str
        Titles of pictures that hold values of at least 0; these are drawn in
        cividis, each up to its own 99.5th percentile.
    top : float, optional
        The value of the brightest color of all `values` instead.
    reference, prediction : ndarray, shape (h, w), optional
        Masks that are outlined on the first picture.
    title : str
        Heading of the figure.
    """
    first = next(iter(pictures.values()))
    panels = Panels([list(pictures)], first.shape, spacing, columns=max(3, len(pictures)))
    window = grey_window(first)
    for column, (name, picture) in enumerate(pictures.items()):
        if name in values:
            panels.values(0, column, picture, top)
        else:
            panels.picture(0, column, picture, window)
    panels.contour(0, 0, reference, "reference")
    panels.contour(0, 0, prediction, "prediction")
    return panels.finish(title=title)


def reconstructions_figure(
    originals: NDArray[Any],
    reconstructions: NDArray[Any],
    spacing: tuple[float, float] = (1.0, 1.0),
    *,
    noun: str = "slice",
    title: str = "",
) -> go.Figure:
    """Compare images with what the VAE makes of them.

    Parameters
    ----------
    originals, reconstructions : ndarray, shape (m, h, w)
        One channel of each image and of its reconstruction.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    noun : str
        What is shown: "slice" or "volume".
    title : str
        Heading of the figure.
    """
    if len(originals) == 0:
        return blank_figure("Reconstructions appear here once the manifold is trained.")
    m = len(originals)
    panels = Panels([[""] * m, [""] * m], originals.shape[1:], spacing, columns=m, tight=True)
    window = grey_window(originals)
    for column in range(m):
        panels.picture(0, column, originals[column], window)
        panels.picture(1, column, reconstructions[column], window)
    figure = panels.finish(title=title)
    panels.row_names([f"{noun} x", "reconstruction"])
    return figure


def traversals_figure(
    pictures: NDArray[Any],
    steps: Sequence[float] | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    *,
    title: str = "",
) -> go.Figure:
    """Show what each latent dimension means: the decoded mean, moved along it.

    Parameters
    ----------
    pictures : ndarray, shape (d, t, h, w)
        Decoded pictures; row i moves along dimension i.
    steps : sequence of float, length t, optional
        How far each column is moved, in standard deviations of the pool; None:
        evenly from the 2nd to the 98th percentile, as `Session.traversals` does.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    title : str
        Heading of the figure.
    """
    if len(pictures) == 0:
        return blank_figure("Latent traversals appear here once the manifold is trained.")
    d, t = pictures.shape[:2]
    names = ["2nd percentile", *[""] * (t - 2), "98th percentile"]
    if steps is not None:
        names = [f"{step:+.1f} sd" if step else "mean" for step in steps]
    panels = Panels(
        [names] + [[""] * t] * (d - 1), pictures.shape[2:], spacing, columns=t, tight=True
    )
    window = grey_window(pictures)
    for row in range(d):
        for column in range(t):
            panels.picture(row, column, pictures[row, column], window)
    figure = panels.finish(title=title)
    panels.row_names([f"z{row + 1}" for row in range(d)])
    return figure


def cohort_figure(
    cohort: Cohort,
    images: ImageStore,
    pool: Pool,
    test_cases: Sequence[str] = (),
    *,
    most: int = 12,
) -> go.Figure:
    """Show the cohort: a slice of each case, and how much of it is labeled.

    Parameters
    ----------
    cohort : Cohort
        Gives name, channels and labels.
    images : ImageStore
        Those of the pool; the middle slice of each case is shown.
    pool : Pool
        What is labeled.
    test_cases : sequence of str
        Cases held out for testing.
    most : int
        At most so many cases are shown.
    """
    numbers = np.unique(pool.case_of)
    evenly = np.linspace(0, len(numbers) - 1, min(most, len(numbers))).round().astype(int)
    shown = numbers[np.unique(evenly)]
    columns = min(6, len(shown))
    rows = -(-len(shown) // columns)
    middle = [int(np.median(np.flatnonzero(pool.case_of == number))) for number in shown]
    pictures = np.asarray(images.pictures(np.array(middle)))[:, -1]
    counts = [
        (int((pool.labeled & (pool.case_of == n)).sum()), int((pool.case_of == n).sum()))
        for n in shown
    ]
    titles = [
        f"{_short(pool.ids[row].case)}<br><span style='font-size:11px'>"
        f"{_so_far(labeled, total)}</span>"
        for row, (labeled, total) in zip(middle, counts, strict=True)
    ]
    grid = [titles[i * columns : (i + 1) * columns] for i in range(rows)]
    spacing = tuple(float(mm) for mm in np.asarray(images.spacing)[0][-2:])
    letters = LETTERS[pool.ids[middle[0]].axis]
    panels = Panels(grid, pictures.shape[1:], spacing, letters=letters, columns=columns)  # type: ignore[arg-type]
    for index, picture in enumerate(pictures):
        panels.picture(index // columns, index % columns, picture, grey_window(picture))
    heading = (
        f"{cohort.name}: {len(numbers):,} cases in the pool, {len(test_cases):,} held out for "
        f"testing · {count(len(pool), pool.ids[0].noun)}, {thousands(int(pool.labeled.sum()))} "
        f"labeled · channel {images.channels[-1]}"
    )
    return panels.finish(title=heading)


def _so_far(labeled: int, total: int) -> str:
    if total == 1:
        return "labeled" if labeled else "not labeled"
    return f"{labeled} of {total} labeled"


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else "…" + name[1 - most :]


def grey_window(pictures: NDArray[Any]) -> tuple[float, float]:
    """Grey window of pictures: the 1st to the 99th percentile of what is not background."""
    values = np.asarray(pictures, dtype=np.float64)
    inside = values[values != 0]
    if inside.size == 0:
        return 0.0, 1.0
    low, high = (float(each) for each in np.percentile(inside, (1, 99)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
