"""What the labels of a run had cost, round by round: what its curves can be drawn against.

What came from the reference cost nobody a stroke. So it counts nothing, and it is told how
much of a run that is: a run that was given its labels is not cheaper than one that was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["COSTS", "EFFORTS", "GIVEN", "efforts", "plain_costs"]

#: What a round may have cost: slices annotated; slices shown (each suggested one with its two
#: neighbors); cases with an annotated slice; all pixels of the annotated slices.
COSTS = ("slices", "shown", "cases", "pixels")
#: What else it may have cost where an annotator drew labels (`workbench.annotation.costs`).
EFFORTS = (
    "contour_pixels", "changed_pixels", "contour_mm", "strokes", "active_seconds", "opened",
)  # fmt: skip
#: Beside `EFFORTS` in ``annotated``: how many labeled slices, or volumes, came from the reference.
GIVEN = "from_reference"


def plain_costs(annotated: Sequence[Mapping[str, float]], unit: str) -> list[dict[str, float]]:
    """Return `COSTS` up to each round.

    Parameters
    ----------
    annotated : sequence of mapping
        ``annotated`` of every round (see `workbench.rounds.Round`).
    unit : str
        What is suggested: "slices" are shown with their neighbors.
    """
    found = []
    for each in annotated:
        neighbors = 2 * (each["slices"] - annotated[0]["slices"]) if unit == "slices" else 0
        shown = {"slices": each["slices"], "shown": each["slices"] + neighbors}
        found.append({**shown, "cases": each["cases"], "pixels": each["pixels"]})
    return found


def efforts(
    annotated: Sequence[Mapping[str, float]], labeled: Sequence[int], simulated: bool
) -> list[dict[str, float]] | None:
    """Return `EFFORTS` and `GIVEN` up to each round.

    Parameters
    ----------
    annotated : sequence of mapping
        ``annotated`` of every round.
    labeled : sequence of int
        How many slices, or volumes, were labeled up to each round.
    simulated : bool
        Whether a simulated annotator drew every label.

    Returns
    -------
    list of dict or None
        None where nobody drew anything, or where older versions did not save how much came from
        the reference.
    """
    drawn = [set(EFFORTS) <= set(each) for each in annotated]
    known = all(GIVEN in each for each, yes in zip(annotated, drawn, strict=True) if yes)
    if not any(drawn) or not (known or simulated):
        return None
    spent = dict.fromkeys(EFFORTS, 0.0)
    found = []
    for each, yes, count in zip(annotated, drawn, labeled, strict=True):
        if yes:
            spent = {name: each[name] for name in EFFORTS}
        found.append({**spent, GIVEN: each.get(GIVEN, 0) if yes else count})
    return found
