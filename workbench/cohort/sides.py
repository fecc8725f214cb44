"""Which classes are the left and the right of one structure: what a mirror image swaps.

A network may be shown slices mirrored left to right. Where classes have sides
(*left hippocampus*, *Lung_R*) their labels must be swapped with the pixels; a
side without its partner in the table cannot be swapped, so such slices are not
mirrored at all. The names of the label table alone decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.cohort.pool import Axis

__all__ = ["mirrored_classes"]

SIDE = re.compile(r"(?<![^\W_])(left|right|l|r|lh|rh)(?![^\W_])", re.IGNORECASE)
OTHER = {"left": "right", "l": "r", "lh": "rh"}
OTHER |= {right: left for left, right in OTHER.items()}


def mirrored_classes(classes: Sequence[str], axis: Axis) -> tuple[int, ...] | None:
    """Find what each class is in a mirror image of a slice, columns reversed.

    Parameters
    ----------
    classes : sequence of str
        Their names; a side is a word ``left``, ``right``, ``L``, ``R``, ``lh`` or ``rh`` in it,
        also between underscores.
    axis : {"axial", "coronal", "sagittal"}
        Columns run from right to left in axial and coronal slices. In a sagittal one they do
        not, so that every class stays what it is.

    Returns
    -------
    tuple of int or None
        The class that each one becomes; None if one has a side and no partner, so that no
        mirror image is right.
    """
    if axis == "sagittal":
        return tuple(range(len(classes)))
    place = {name.casefold(): number for number, name in enumerate(classes)}
    mirrored = []
    for number, name in enumerate(classes):
        partner = SIDE.sub(lambda word: OTHER[word[0].casefold()], name.casefold(), count=1)
        if partner != name.casefold() and partner not in place:
            return None
        mirrored.append(place[partner] if partner != name.casefold() else number)
    return tuple(mirrored)
