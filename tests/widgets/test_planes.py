"""Cuts across a stack of slices look as a reader expects them."""

from __future__ import annotations

import numpy as np
import pytest

from widgets.planes import planes_across
from workbench.cohort.preprocess import as_slices

#: Patient's right, front and top are bright, each in a volume of its own (RAS+).
SIDES = {"R": 0, "A": 1, "S": 2}


def stack_of(axis, side):
    ramp = np.arange(1.0, 7.0, dtype=np.float32)
    volume = np.broadcast_to(np.moveaxis(np.zeros((6, 6, 6)) + ramp, -1, SIDES[side]), (6, 6, 6))
    return np.asarray(as_slices(np.ascontiguousarray(volume), axis), np.float32)


def brightest(picture):
    left, right = picture[:, 0].mean(), picture[:, -1].mean()
    top, bottom = picture[0].mean(), picture[-1].mean()
    edges = {"left": left, "right": right, "top": top, "bottom": bottom}
    found = max(edges, key=edges.get)
    return found if edges[found] == 6 else None


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("side", list(SIDES))
def test_every_letter_stands_at_the_side_that_it_names(axis, side):
    # in RAS+ the first index grows to the patient's right: the brightest is R, A or S
    for plane in planes_across(stack_of(axis, side), axis, (2, 3, 1), (1.0, 1.0, 1.0)):
        seen = brightest(plane.picture)
        if seen is not None:
            place = ("left", "right", "top", "bottom").index(seen)
            assert plane.letters[place] == side, plane.name
        else:
            assert side not in plane.letters


def test_both_planes_go_through_the_pixel():
    stack = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    for axis in ("axial", "coronal", "sagittal"):
        for plane in planes_across(stack, axis, (1, 3, 2), (3.0, 1.0, 2.0)):
            assert plane.picture[plane.cross] == stack[1, 3, 2]
            assert sorted(plane.spacing) in ([2.0, 3.0], [1.0, 3.0])
