"""Which part of a cone a map shows.

The condition of Dai 2022 eq. 6 has no end: twelve cones of 60° cover most of a
latent space, and a map that drew them whole would show nothing. So a cone is
drawn, and its points are highlighted, as far as the picks that it led to, and a
little beyond.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.strategies.base import Suggestions
from workbench.strategies.needs import Shift

__all__ = ["ConeFinder", "cone_reach", "inside_cones"]

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


class ConeFinder:
    """Finds the points of many cones quickly, again and again in the same latent space.

    Parameters
    ----------
    z : ndarray, shape (n, d)
        Latent codes. They are sorted once along their widest dimension, so that
        a cone of limited reach only looks at the points beside it.
    """

    def __init__(self, z: NDArray[np.float64]) -> None:
        self._widest = int(np.argmax(np.ptp(z, axis=0)))
        self._order = np.argsort(z[:, self._widest], kind="stable")
        self._z = np.ascontiguousarray(z[self._order])
        self._along = self._z[:, self._widest].copy()

    def inside(
        self, shift: Shift, half_angle: float, reach: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Find the points that lie inside at least one cone, as near as it is drawn.

        Parameters
        ----------
        shift : Shift
            Apex z' and axis z' − z of ``m`` cones.
        half_angle : float
            Degrees, 0 to 180; 180 means that there is no cone.
        reach : ndarray, shape (m,)
            Latent units from `cone_reach`; cones of reach 0 are left out.

        Returns
        -------
        ndarray of bool, shape (n,)
            Cones whose source has no direction (z' = z) hold no point.
        """
        inside = np.zeros(len(self._z), dtype=bool)
        axis = shift.shifted - shift.z
        length = np.linalg.norm(axis, axis=1)
        if half_angle >= 180:
            return inside
        limit = np.cos(np.radians(half_angle))
        for i in np.flatnonzero((reach > 0) & (length > 0)):
            apex, far = shift.shifted[i], float(reach[i])
            middle = apex[self._widest]
            first = np.searchsorted(self._along, middle - far)
            last = np.searchsorted(self._along, middle + far, side="right")
            away = self._z[first:last] - apex
            distance = np.sqrt(np.einsum("nd,nd->n", away, away))
            near = (distance <= far) & (away @ (axis[i] / length[i]) >= limit * distance)
            inside[self._order[first:last][near]] = True
        return inside


def inside_cones(
    z: NDArray[np.float64], shift: Shift, half_angle: float, reach: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Find the points inside the cones once; see `ConeFinder.inside`."""
    return ConeFinder(z).inside(shift, half_angle, reach)
