"""The selection of method.md §4, written down as slowly and plainly as possible."""

from __future__ import annotations

import math

import numpy as np


def select_plainly(z, free, source_z, shifted, max_angle, budget, rng, fallback=True):
    """Return (rows, sources, flags) as lists; see `workbench.strategies.cone`."""
    free = set(np.flatnonzero(free).tolist())
    budget = min(budget, len(free))
    served = list(range(len(shifted)))
    if budget < len(served):
        served = sorted(rng.permutation(len(served))[:budget].tolist())
    rows, sources, flags = [], [], []
    while served and len(rows) < budget:
        for i in list(served):
            if len(rows) == budget:
                break
            if free:
                row, flag = pick(z, free, source_z[i], shifted[i], max_angle)
            if not free or (flag == "outside_cone" and not fallback):
                served.remove(i)
                continue
            free.remove(row)
            rows.append(row)
            sources.append(i)
            flags.append(flag)
    return rows, sources, flags


def pick(z, free, source, apex, max_angle):
    """Nearest free row in the cone; else the smallest angle of the fifty nearest."""
    nearest = sorted(free, key=lambda j: (distance(z[j], apex), j))
    if all(source == apex):
        return nearest[0], "no_direction"
    if max_angle == 180:
        return nearest[0], ""
    limit = math.cos(math.radians(max_angle)) - 1e-12
    for j in nearest:
        if cosine(z[j], source, apex) >= limit:
            return j, ""
    return max(nearest[:50], key=lambda j: cosine(z[j], source, apex)), "outside_cone"


def distance(a, b):
    """Squared distance, summed in order."""
    return sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True))


def cosine(point, source, apex):
    """Cosine between the axis z' − z and the direction from z' to the point; 1 at z' itself."""
    axis = [float(a) - float(s) for a, s in zip(apex, source, strict=True)]
    offset = [float(p) - float(a) for p, a in zip(point, apex, strict=True)]
    length = math.sqrt(sum(o * o for o in offset))
    if length == 0:
        return 1.0
    return sum(o * a for o, a in zip(offset, axis, strict=True)) / (length * math.hypot(*axis))
