from __future__ import annotations

import base64
import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from tests.reports.world import make_pool, make_world
from workbench.errors import SettingError
from workbench.inspection import Inspection
from workbench.reports.figures import (
    cohort_figure,
    inspection_figure,
    reconstructions_figure,
    stepped_figure,
    suggestions_figure,
    traversals_figure,
    volume_figure,
)
from workbench.reports.figures.panels import png


def pixels(image: go.Image) -> Any:
    data = base64.b64decode(image.source.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(data)))


def images(figure: go.Figure) -> list[go.Image]:
    return [each for each in figure.data if each.type == "image"]


def picture(seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(12, 16)).astype(np.float32)


@pytest.fixture
def inspection() -> Inspection:
    mask = np.zeros((12, 16), np.uint8)
    mask[3:7, 4:9] = 2
    return Inspection(
        suggested_id="case_00/axial/0005",
        source_id="case_01/axial/0007",
        channel="FLAIR",
        channels=("T1", "FLAIR"),
        picture=picture(0),
        previous=None,
        next=picture(1),
        x=picture(2),
        gradient=-np.abs(picture(3)),
        x_shifted=picture(4),
        decoded=picture(5),
        reference=mask,
        prediction=np.roll(mask, 1, axis=1),
        spacing=(2.0, 1.0),
        distance_u=0.8,
        angle=21.0,
        rank=1,
        flag="outside_cone",
        sentence="Suggestion 1: the slice nearest to where the gradient moves its source.",
    )


def test_a_picture_travels_as_it_is() -> None:
    grey = np.arange(192, dtype=np.uint8).reshape(12, 16)
    np.testing.assert_array_equal(pixels(go.Image(source=png(grey))), grey)


def test_the_inspection_shows_the_way_from_source_to_suggestion(inspection: Inspection) -> None:
    figure = inspection_figure(inspection)
    written = [note.text for note in figure.layout.annotations]
    for title in ("source x", "loss gradient |∂L/∂x|", "shifted x′", "decoded z′", "slice after"):
        assert title in written
    assert len(images(figure)) == 6  # four above; the slice and the one after it below
    facts = next(text for text in written if "distance to z′" in text)
    assert "0.80 u" in facts
    assert "21°" in facts
    assert "outside its cone" in facts


def test_the_loss_gradient_is_drawn_by_its_size_whatever_its_sign(inspection: Inspection) -> None:
    turned = replace(inspection, gradient=-inspection.gradient)
    first, second = inspection_figure(inspection), inspection_figure(turned)
    assert images(first)[1].source == images(second)[1].source


def test_the_reference_is_solid_and_the_prediction_dashed(inspection: Inspection) -> None:
    figure = inspection_figure(inspection)
    lines = {each.meta: each for each in figure.data if each.type == "scatter"}
    assert lines["reference"].line.dash == "solid"
    assert lines["prediction"].line.dash == "dash"
    assert lines["reference"].line.width == lines["prediction"].line.width == 1.5
    assert np.nanmin(lines["reference"].x) == pytest.approx(3.5)
    assert np.nanmax(lines["reference"].x) == pytest.approx(8.5)
    assert np.nanmin(lines["reference"].y) == pytest.approx(2.5)


def test_pixels_are_square_in_millimeters(inspection: Inspection) -> None:
    assert inspection_figure(inspection).layout.yaxis.scaleratio == 2.0


def volume_of(inspection: Inspection) -> Inspection:
    """A volume of 9 slices, of which the third to the fifth have a reference."""
    marked = np.zeros((9, 12, 16), np.uint8)
    marked[2:5, 3:7, 4:9] = 2
    variance = np.linspace(0, 0.2, 9 * 12 * 16, dtype=np.float32).reshape(9, 12, 16)
    stack = np.stack([picture(seed) for seed in range(9)])
    volume = {"picture": stack, "reference": marked, "uncertainty": variance}
    whole = replace(inspection, suggested_id="case_00", noun="volume", volume=volume)
    return replace(whole, prediction=None, uncertainty_of="variance over 5 dropout passes").at(3)


def test_a_volume_is_shown_where_something_is_marked_with_its_uncertainty(
    inspection: Inspection,
) -> None:
    figure = volume_figure(volume_of(inspection))
    written = [note.text for note in figure.layout.annotations]
    assert [text for text in written if text.startswith("slice")] == [
        "slice 3",
        "slice 4",
        "slice 5",
    ]
    assert len(images(figure)) == 6
    (bar,) = [
        each.marker for each in figure.data if each.type == "scatter" and each.marker.showscale
    ]
    assert bar.cmax == pytest.approx(0.198, abs=1e-3)  # few voxels lie above
    assert bar.colorbar.title.text == "variance over 5<br>dropout passes"
    assert figure.layout.title.text.startswith("Volume case_00: 9 slices")


def test_the_slice_of_a_volume_is_named_by_its_place(inspection: Inspection) -> None:
    figure = inspection_figure(volume_of(inspection))
    written = [note.text for note in figure.layout.annotations]
    assert "slice 4 of 9" in written
    assert "uncertainty" in written
    assert figure.layout.title.text.startswith("Why this volume: case_01/axial/0007 → case_00")


def test_a_slice_has_no_slices_to_lead_through(inspection: Inspection) -> None:
    assert "where volumes are labeled" in volume_figure(inspection).layout.annotations[0].text


def test_a_slice_before_training_is_shown_without_the_row_of_its_source(
    inspection: Inspection,
) -> None:
    bare = replace(
        inspection, x=None, gradient=None, x_shifted=None, decoded=None, source_id="", rank=0,
        prediction=None, reference=None, flag="", distance_u=float("nan"), angle=float("nan"),
    )  # fmt: skip
    figure = inspection_figure(bare)
    assert len(images(figure)) == 2
    assert "this slice" in [note.text for note in figure.layout.annotations]


def test_axial_slices_have_the_patients_right_at_the_left(inspection: Inspection) -> None:
    letters = {
        note.text: note for note in inspection_figure(inspection).layout.annotations
        if note.text in {"R", "L", "A", "P"}
    }  # fmt: skip
    assert letters["R"].x < letters["L"].x
    assert letters["A"].y < letters["P"].y  # rows count downwards


def test_reconstructions_share_the_grey_window_of_their_slice() -> None:
    originals = np.stack([picture(0), picture(1)])
    figure = reconstructions_figure(originals, originals.copy(), (1.0, 1.0))
    drawn = images(figure)
    assert len(drawn) == 4
    assert drawn[0].source == drawn[1].source
    assert drawn[0].source != drawn[2].source


def test_traversals_have_a_row_for_each_dimension() -> None:
    pictures = np.stack([[picture(t + 10 * d) for t in range(3)] for d in range(2)])
    figure = traversals_figure(pictures, (-2, 0, 2))
    assert len(images(figure)) == 6
    written = [note.text for note in figure.layout.annotations]
    assert {"-2.0 sd", "mean", "+2.0 sd", "z1", "z2"} <= set(written)


def test_the_cohort_figure_counts_cases_slices_and_labels() -> None:
    stack = np.stack([np.stack([picture(0), picture(1)])])
    store: Any = SimpleNamespace(
        pictures=lambda rows: np.repeat(stack, len(rows), axis=0),
        spacing=np.full((4, 3), 2.0),
        channels=("T1", "FLAIR"),
    )
    figure = cohort_figure(
        SimpleNamespace(name="phantom"), store, make_pool(40, (3, 17)), ("a", "b")  # type: ignore[arg-type]
    )  # fmt: skip
    assert len(images(figure)) == 4
    heading = figure.layout.title.text
    assert "4 cases in the pool, 2 held out" in heading
    assert "40 slices, 2 labeled" in heading


def test_the_table_of_suggestions_gives_distances_in_u_and_says_what_is_unknown() -> None:
    _, pool, _, picks = make_world()
    table = suggestions_figure(picks, pool, neighbor_distance=0.1).data[0]
    columns = dict(zip(table.header["values"], table.cells["values"], strict=True))
    assert list(columns["<b>distance to z′ (u)</b>"]) == ["2.00", "4.00"]
    assert list(columns["<b>angle</b>"]) == ["12°", "–"]
    assert list(columns["<b>remark</b>"]) == ["", "outside its cone"]


def test_a_slider_shows_one_figure_at_a_time() -> None:
    figures = [go.Figure(go.Scatter(y=[i])).update_layout(title=f"step {i}") for i in range(3)]
    whole = stepped_figure(figures, ["a", "b", "c"], start=1)
    assert [each.visible for each in whole.data] == [False, True, False]
    for place, step in enumerate(whole.layout.sliders[0].steps):
        assert step.args[0]["visible"] == [i == place for i in range(3)]
        assert step.args[1]["title.text"] == f"step {place}"


def test_a_slider_needs_a_label_for_each_figure() -> None:
    with pytest.raises(SettingError, match="a label for each"):
        stepped_figure([go.Figure()], [])
