"""Reviewing: what is known of a slice, from whom, without opening it.

What people drew, what a network predicts and the reference can be looked at one after the other.
Where there is no network, the ledger still holds the predictions that people began with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.entry import UNOPENED
from workbench.session.answering import AnsweringSession

__all__ = ["ReviewingSession", "Source"]


@dataclass(frozen=True)
class Source:
    """Where a label map of a slice comes from.

    Parameters
    ----------
    kind : {"annotation", "prediction", "reference"}
    annotator : str
        Of an annotation: who drew it; untrusted text.
    round : int
        Of a prediction that was kept: the round that it was annotated for. -1: what the network
        that is here predicts.
    state : {"", "done", "unsure", "skipped", "in progress"}
        Of an annotation that is saved: the answer, or that there is none yet.
    number : int
        Entry of the ledger that holds it; 0 if none does.
    asked : bool
        Whether it is shown to those only who ask for it.
    """

    kind: Literal["annotation", "prediction", "reference"]
    annotator: str = ""
    round: int = -1
    state: str = field(default="", compare=False)
    number: int = field(default=0, compare=False)
    asked: bool = field(default=False, compare=False)


class ReviewingSession(AnsweringSession):
    """A session that shows what there is, from every source."""

    def sources(self, row: int, depth: int = 0) -> tuple[Source, ...]:
        """List what is known of a slice; no label map is read for it and no network asked.

        Parameters
        ----------
        row : int
            Row of the pool.
        depth : int
            Slice of a volume, counted in the stored volume from 0.

        Returns
        -------
        tuple of Source
            First what is shown if nothing else is asked for: what this person drew, what anybody
            answered "done" last, the reference where the model learns from it, the prediction.
            Then other people's annotations, and the reference of what is not labeled.
        """
        reference = []
        if self.labels.available[row]:
            reference = [Source("reference", asked=not self.pool.labeled[row])]
        found = [*self._annotations(row, depth), *reference, *self._predictions(row, depth)]
        return tuple(sorted(found, key=lambda source: source.asked))

    def known(
        self, row: int, depth: int = 0, source: Source | None = None
    ) -> tuple[NDArray[np.uint8], str]:
        """Return what there is to see of a slice without opening it.

        Parameters
        ----------
        row : int
            Row of the pool.
        depth : int
            Slice of a volume, counted in the stored volume from 0.
        source : Source, optional
            One of its `sources`; the first of them if not given, unless all are there for
            those only who ask.

        Returns
        -------
        classes : ndarray of uint8, shape (h, w)
        kind : {"annotation", "reference", "prediction", "predicting", ""}
            What it is; "" if there is nothing. "predicting": `predictions` changes as soon as the
            prediction of the volume is known.
        """
        if source is None:
            source = next((each for each in self.sources(row, depth) if not each.asked), None)
        if source is None:
            return self._nothing(), ""
        if source.number:
            return self._read_map(source.number), source.kind
        if source.kind == "annotation":
            drawn = self._unsaved.get((row, depth, source.annotator))
            return (drawn.classes, source.kind) if drawn else self.known(row, depth)  # saved now
        if source.kind == "reference":
            classes: NDArray[np.uint8] | None = self.labels.read([row])[0]
        else:
            classes = self._prediction(row)
        if classes is None:
            return self._nothing(), "" if row in self._unpredictable else "predicting"
        return classes[depth] if classes.ndim == 3 else classes, source.kind

    def _annotations(self, row: int, depth: int) -> list[Source]:
        """What each person drew or accepted: this one's, then the last "done", then the others."""
        unsaved = (row, depth, self.annotator) in self._unsaved
        mine = [Source("annotation", self.annotator)] if unsaved else []
        accepted = self._accepted.get((str(self.pool.ids[row]), depth), 0)
        others: list[Source] = []
        for part in self._known[row].parts if row in self._known else ():
            if part.depth != depth or not (part.strokes or part.done):
                continue
            if part.annotator == self.annotator and unsaved:
                continue
            own = bool(part.annotator == self.annotator and part.strokes)
            number = part.number if own else part.done or part.drawn
            asked = not own and number != accepted
            source = Source("annotation", part.annotator, -1, part.state, number, asked)
            (mine if own else others).append(source)
        return mine + sorted(others, key=lambda source: source.number != accepted)

    def _predictions(self, row: int, depth: int) -> list[Source]:
        """What the network predicts; without one, what people began with, the last round first."""
        if self._predictable(row):
            return [Source("prediction")]
        if self._writer.ledger is None or row not in self._known:
            return []
        kept: dict[int, Source] = {}
        for entry in self._writer.ledger.entries(str(self.pool.ids[row]), depth, maps=False):
            begun = entry.kind == "opened" or entry.note == UNOPENED
            if begun and entry.started_from == "prediction":
                kept[entry.round] = Source("prediction", round=entry.round, number=entry.number)
        return [kept[round] for round in sorted(kept, reverse=True)]
