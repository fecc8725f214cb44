from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from tests.reports.world import FlatMap, make_pool, make_world
from workbench.reports.cones import cone_reach, inside_cones
from workbench.reports.figures import latent_map_figure
from workbench.reports.figures.latent_map import wedge
from workbench.reports.palette import MARKS


def trace(figure: go.Figure, meta: str) -> go.Scatter:
    found = [each for each in figure.data if each.meta == meta]
    assert len(found) == 1, f"{len(found)} traces are called {meta}"
    return found[0]


def drawn(figure: go.Figure) -> list[str]:
    return [each.meta for each in figure.data]


def test_every_row_of_the_pool_is_drawn_once_in_the_state_it_has() -> None:
    z, pool, _, _ = make_world()
    figure = latent_map_figure(FlatMap(z), pool)
    unlabeled, labeled = trace(figure, "unlabeled"), trace(figure, "labeled")
    assert list(labeled.customdata) == [3, 17]
    assert sorted([*unlabeled.customdata, *labeled.customdata]) == list(range(40))
    np.testing.assert_allclose(unlabeled.x, z[unlabeled.customdata, 0])
    np.testing.assert_allclose(unlabeled.y, z[unlabeled.customdata, 1])


def test_arrows_lead_from_z_to_shifted_z() -> None:
    z, pool, shift, picks = make_world()
    arrows = trace(
        latent_map_figure(FlatMap(z), pool, shift=shift, suggestions=picks, max_angle=60), "arrow"
    )
    np.testing.assert_allclose(arrows.x[0::3], shift.z[:, 0])
    np.testing.assert_allclose(arrows.x[1::3], shift.shifted[:, 0])
    np.testing.assert_allclose(arrows.y[1::3], shift.shifted[:, 1])
    assert np.isnan(arrows.x[2::3]).all()


def test_arrow_heads_point_the_way_the_arrow_goes() -> None:
    z, pool, shift, _ = make_world()
    heads = trace(latent_map_figure(FlatMap(z), pool, shift=shift), "arrow head")
    np.testing.assert_allclose(heads.marker.angle, [90.0, -90.0])  # clockwise from up


def test_picks_are_stars_and_hollow_outside_their_cone() -> None:
    z, pool, shift, picks = make_world()
    figure = latent_map_figure(FlatMap(z), pool, shift=shift, suggestions=picks, max_angle=60)
    inside, outside = trace(figure, "suggestion"), trace(figure, "outside_cone")
    assert list(inside.customdata) == [5]
    assert inside.marker.symbol == "star"
    assert list(outside.customdata) == [9]
    assert outside.marker.symbol == "star-open"


def test_marks_differ_by_shape_not_by_color_alone() -> None:
    assert len({mark.symbol for name, mark in MARKS.items() if name != "inside"}) == 6


def test_wedges_are_drawn_only_on_the_axes_of_a_2d_latent_space() -> None:
    z, pool, shift, picks = make_world()
    given = {"shift": shift, "suggestions": picks, "max_angle": 60, "z": z}
    flat = latent_map_figure(FlatMap(z), pool, neighbor_distance=0.1, **given)
    other = latent_map_figure(FlatMap(z, latent_2d=False), pool, neighbor_distance=0.1, **given)
    assert "cone" in drawn(flat)
    assert "inside" not in drawn(flat)
    assert "cone" not in drawn(other)
    expected = inside_cones(z, shift, 60, cone_reach(shift, picks, 0.1)) & pool.free
    assert expected.any()
    assert list(trace(other, "inside").customdata) == list(np.flatnonzero(expected))


def test_a_half_angle_of_180_degrees_draws_no_cone() -> None:
    z, pool, shift, _ = make_world()
    assert "cone" not in drawn(latent_map_figure(FlatMap(z), pool, shift=shift, max_angle=180))


def test_a_wedge_opens_at_its_apex_by_twice_the_half_angle() -> None:
    outline = wedge(np.array([1.0, 2.0]), np.array([0.0, 3.0]), 30, 2.0)
    np.testing.assert_allclose(outline[0], [1, 2])
    np.testing.assert_allclose(
        outline[1], [1 + 2 * np.sin(np.pi / 6), 2 + 2 * np.cos(np.pi / 6)], atol=1e-12
    )
    np.testing.assert_allclose(
        outline[-2], [1 - 2 * np.sin(np.pi / 6), 2 + 2 * np.cos(np.pi / 6)], atol=1e-12
    )


def test_a_step_below_a_hundredth_of_u_is_drawn_as_a_dotted_direction() -> None:
    z, pool, shift, _ = make_world()
    tiny = replace(shift, shifted=shift.z + 1e-7 * (shift.shifted - shift.z))
    arrows = trace(latent_map_figure(FlatMap(z), pool, shift=tiny, neighbor_distance=0.2), "arrow")
    lengths = np.hypot(arrows.x[1::3] - arrows.x[0::3], arrows.y[1::3] - arrows.y[0::3])
    assert arrows.line.dash == "dot"
    np.testing.assert_allclose(lengths, lengths[0])
    assert lengths[0] > 0.1
    np.testing.assert_allclose(arrows.y[1::3], arrows.y[0::3], atol=1e-6)  # along z1, as the step


def test_a_source_without_direction_has_a_ring_but_no_arrow_head() -> None:
    z, pool, shift, _ = make_world()
    still = replace(shift, shifted=shift.z.copy())
    figure = latent_map_figure(FlatMap(z), pool, shift=still, max_angle=60, neighbor_distance=0.2)
    assert len(trace(figure, "arrow head").x) == 0
    assert len(trace(figure, "source").x) == 2
    assert "cone" not in drawn(figure)


def test_values_color_the_points_and_unknown_ones_stay_grey() -> None:
    z, pool, _, _ = make_world()
    area = np.arange(40.0)
    area[8] = np.nan
    figure = latent_map_figure(FlatMap(z), pool, color=area, color_name="tumor area (mm²)")
    colored = [each for each in figure.data if each.marker.coloraxis == "coloraxis"]
    rows = np.concatenate([each.customdata for each in colored])
    values = np.concatenate([each.marker.color for each in colored])
    np.testing.assert_allclose(values, area[rows])
    assert 8 not in rows
    assert figure.layout.coloraxis.colorbar.title.text == "tumor area (mm²)"


def test_both_axes_have_titles_and_the_same_scale() -> None:
    z, pool, _, _ = make_world()
    layout = latent_map_figure(FlatMap(z), pool).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("z1", "z2")
    assert layout.yaxis.scaleanchor == "x"


def test_forty_thousand_points_are_drawn_by_webgl() -> None:
    xy = np.random.default_rng(0).normal(size=(40_000, 2))
    pool = make_pool(40_000, (1, 2))
    figure = latent_map_figure(FlatMap(xy), pool)
    assert {each.type for each in figure.data} == {"scattergl"}
    assert trace(figure, "unlabeled").name == "unlabeled (39,998)"
