"""The application where whole volumes are labeled: one small session for all tests here."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from widgets import Workbench
from workbench.errors import SettingError
from workbench.evidence import EvidenceSource
from workbench.jobs import finish
from workbench.session import Session
from workbench.strategies.needs import Uncertainty

SETTINGS = {
    "unit": "volumes",
    "cases": 6,
    "initial": 2,
    "budget": 1,
    "threads": 1,
    "recipe": {"spacing": 6.0},
    "manifold": {"z_dim": 2, "width": (4, 4, 4, 4), "min_steps": 6, "max_steps": 6},
    "segmentation": {
        "features": (4, 4, 8, 8, 8, 4),
        "epochs": 1,
        "min_steps": 6,
        "batch_size": 2,
    },
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    shown = Workbench("phantom", tmp_path_factory.mktemp("volumes") / "run", **SETTINGS)
    shown.session.wait()
    shown.session.start_round()
    shown.session.wait()
    yield shown
    shown.close()
    shown.session.close()


@pytest.fixture
def inspector(app):
    app.inspector.do_visible()
    app.inspector.do_uncertain(False)
    return app.inspector


def texts(figure):
    """All that a figure says outside of its hover texts."""
    layout = figure.to_plotly_json()["layout"]
    notes = [note["text"] for note in layout.get("annotations", [])]
    axes = [layout.get(axis, {}).get("title", {}).get("text", "") for axis in ("xaxis", "yaxis")]
    return " ".join([*notes, *axes, layout.get("title", {}).get("text", "")])


def test_the_application_speaks_of_volumes(app) -> None:
    assert "4 volumes in the pool" in app.header.cohort
    assert app.cohort.groups[0]["count"] == "2 volumes"
    assert "labeled volumes" in app.curves.latest
    assert all("slice" not in item["about"] for item in app.steps.items)
    assert {view.noun for view in app.views} == {"volume"}


def test_every_volume_of_the_pool_is_a_thumbnail_with_its_name(app) -> None:
    app.cohort.do_visible()
    assert app.cohort.names == [str(each) for each in app.session.pool.ids]
    columns, width, height = app.cohort.tile
    assert Image.open(io.BytesIO(app.cohort.thumbnails)).size == (columns * width, height)


def test_a_point_of_the_map_shows_its_middle_slice(app, monkeypatch) -> None:
    sent = []
    monkeypatch.setattr(app.map, "send", lambda content, buffers=(): sent.append(buffers))
    app.map.do_describe(0)
    assert Image.open(io.BytesIO(sent[0][0])).size == app.session.images.size[:0:-1]


def test_a_volume_is_inspected_slice_by_slice(app) -> None:
    session = app.session
    seen = session.inspection(0, 1, depth=3)
    stack = session.images.read([0])[0, 1]
    first = int(np.flatnonzero(np.ptp(stack, axis=(1, 2)))[0])  # no slice is blank below it
    shown = {name: len(each) for name, each in seen.volume.items()}
    assert set(shown.values()) == {seen.depths}
    assert seen.depth == 3
    start = next(i for i in range(first + 1) if np.array_equal(seen.volume["picture"][0], stack[i]))
    np.testing.assert_array_equal(seen.picture, stack[start + 3])
    np.testing.assert_array_equal(seen.previous, stack[start + 2])
    np.testing.assert_array_equal(seen.next, stack[start + 4])
    np.testing.assert_array_equal(seen.reference, session.labels.read([0])[0][start + 3])
    assert seen.prediction.shape == seen.picture.shape


def test_the_ends_of_a_volume_have_one_neighbor(app) -> None:
    seen = app.session.inspection(0)
    assert seen.depth == seen.depths // 2
    assert seen.at(-5).depth == 0
    assert seen.at(-5).previous is None
    assert seen.at(10**6).depth == seen.depths - 1
    assert seen.at(10**6).next is None


def test_the_gradient_of_a_volume_is_cut_where_its_picture_is(app) -> None:
    session = app.session
    row = int(session.suggestions.rows[0])
    seen = session.inspection(row, depth=5)
    assert {"x", "gradient", "x_shifted", "decoded"} <= set(seen.volume)
    assert seen.gradient.shape == seen.decoded.shape == seen.picture.shape
    np.testing.assert_array_equal(seen.gradient, seen.whole("gradient")[5])
    assert "this volume" not in seen.sentence
    assert "volume" in seen.sentence


def test_another_slice_asks_no_network_and_keeps_the_scale(inspector, monkeypatch) -> None:
    inspector.do_uncertain(True)
    before, picture = dict(inspector.info), inspector.pictures["picture"]
    monkeypatch.setattr(inspector.session, "inspection", None)
    inspector.do_depth(before["depth"] + 2)
    assert inspector.info["depth"] == before["depth"] + 2
    assert inspector.pictures["picture"] != picture
    for name in ("window", "gradient", "uncertainty", "depths"):
        assert inspector.info[name] == before[name]


def test_the_uncertainty_is_computed_when_it_is_asked_for(inspector) -> None:
    assert "uncertainty" not in inspector.pictures
    depth = inspector.info["depth"]
    inspector.do_uncertain(True)
    assert "uncertainty" in inspector.pictures
    assert inspector.info["uncertainty_of"] == "entropy (nats)"
    assert 0 < inspector.info["uncertainty"] <= np.log(len(inspector.session.labels.classes))
    assert inspector.info["depth"] == depth


def test_a_mean_over_a_volume_leaves_its_padding_out(app) -> None:
    evidence = app.session.round.evidence
    fresh = EvidenceSource(evidence.study, evidence.pool, evidence.model, evidence.index)
    total, mean = (Uncertainty("entropy", reduction=way) for way in ("sum", "mean"))
    found = finish(fresh.gather(frozenset({total, mean})))
    free = evidence.pool.free
    images = evidence.study.data.images.read(np.flatnonzero(free))
    voxels = (images != 0).any(axis=1).sum(axis=(1, 2, 3))
    assert voxels.max() < np.prod(images.shape[2:])
    np.testing.assert_allclose(found[total][free] / found[mean][free], voxels)


def test_a_volume_is_shown_before_the_network_has_looked_at_it(app, inspector, monkeypatch) -> None:
    async def choose_another() -> None:
        app.session.inspect((app.session.current + 1) % len(app.session.pool))
        await asyncio.sleep(0.1)  # changes are collected for a moment
        app.session.wait()

    asked: list[bool] = []
    ask = app.session.inspection
    monkeypatch.setattr(
        app.session,
        "inspection",
        lambda *which, **how: asked.append(how["network"]) or ask(*which, **how),
    )
    looking: list[bool] = []
    inspector.observe(lambda change: looking.append(change.new), "looking")
    asyncio.run(choose_another())
    inspector.unobserve_all("looking")
    assert asked == [False]  # what needs no network is drawn at once
    assert looking == [True, False]  # the rest when it is there, without another wish
    assert inspector.info["suggested"] == str(app.session.pool.ids[app.session.current])


def test_still_pictures_lead_through_the_volume_and_speak_of_volumes(app) -> None:
    figures = app.still()
    said = [texts(figure) for figure in figures]
    assert any("slices, from the lowest up" in text for text in said)
    assert not any("labeled slices" in text or "this slice" in text for text in said)
    ramp = [
        trace.marker.colorbar.title.text
        for figure in figures
        for trace in figure.data
        if trace.type == "scatter" and trace.marker.showscale
    ]
    assert "entropy (nats)" in ramp


def test_with_dropout_the_variance_over_passes_is_shown(app) -> None:
    session = app.session
    session.use("mc-dropout")
    session.label_suggestions()
    session.start_round()
    session.wait()
    seen = session.inspection(int(session.suggestions.rows[0]), uncertainty=True)
    assert seen.uncertainty_of == "variance over 5 dropout passes"
    assert 0 < seen.uncertainty_top <= seen.whole("uncertainty").max() <= 0.25
    assert seen.sentence.startswith("Suggestion 1: its score is")


def test_whole_cases_of_slices_are_left_to_simulations(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="choose unit = 'volumes'"):
        Session("phantom", tmp_path, unit="cases")
