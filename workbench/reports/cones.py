"""Which part of a cone a map shows.

The condition of Dai 2022 eq. 6 has no end: twelve cones of 60° cover most of a
latent space, and a map that drew them whole would show nothing. So a cone is
drawn, and its points are highlighted, as far as the picks that it led to, and a
little beyond.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.strategies.base import Shift, Suggestions

__all__ = ["cone_reach", "inside_cones"]

#: Cones that are drawn or highlighted at most; more would cover the map.
MAX_CONES = 60


def cone_reach(shift: Shift, picks: Suggestions, neighbor_distance: float) -> NDArray[np.float32]:
    """Say how far from z' each source's cone is drawn.

    Parameters
    ----------
    shift : Shift
        ``m`` sources.
    picks : Suggestions
        With `source` and `distance` where a pick belongs to a source.
    neighbor_distance : float
        u, in latent units.

    Returns
    -------
    ndarray, shape (m,)
        Latent units: a quarter beyond the source's farthest pick, at least 3 u; 0 where a
        source has no pick, and beyond the first 60 sources that have one.
    """
    reach = np.zeros(len(shift.sources), dtype=np.float32)
    if picks.source is None or picks.distance is None or not len(reach):
        return reach
    place = np.searchsorted(shift.sources, picks.source)
    known = (place < len(reach)) & (
        shift.sources[np.minimum(place, len(reach) - 1)] == picks.source
    )
    np.maximum.at(reach, place[known], 1.25 * picks.distance[known].astype(np.float32))
    served = np.unique(place[known])[:MAX_CONES]
    drawn = np.zeros_like(reach)
    drawn[served] = np.maximum(reach[served], 3.0 * neighbor_distance)
    return drawn


def inside_cones(
    z: NDArray[np.float64], shift: Shift, half_angle: float, reach: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Find the points that lie inside at least one cone, as near as it is drawn.

    Parameters
    ----------
    z : ndarray, shape (n, d)
        Latent codes.
    shift : Shift
        Apex z' and axis z' − z of ``m`` cones.
    half_angle : float
        Degrees, 0 to 180; 180 means that there is no cone.
    reach : ndarray, shape (m,)
        Latent units from `cone_reach`; cones of reach 0 are left out.

    Returns
    -------
    ndarray of bool, shape (n,)
        Float32 precision: for highlighting, not for selecting.
    """
    inside = np.zeros(len(z), dtype=bool)
    drawn = np.flatnonzero(reach > 0)
    axis = shift.shifted - shift.z
    length = np.linalg.norm(axis, axis=1)
    drawn = drawn[length[drawn] > 0]
    if not len(drawn) or half_angle >= 180:
        return inside
    apex = shift.shifted[drawn]
    axis = axis[drawn] / length[drawn, None]
    points = z.astype(np.float32)
    limit = np.float32(np.cos(np.radians(half_angle)))
    for tip, direction, far in zip(apex, axis, reach[drawn], strict=True):
        away = points - tip.astype(np.float32)
        squared = np.einsum("nd,nd->n", away, away)
        near = np.flatnonzero(squared <= far * far)
        along = away[near] @ direction.astype(np.float32)
        inside[near[along >= limit * np.sqrt(squared[near])]] = True
    return inside
