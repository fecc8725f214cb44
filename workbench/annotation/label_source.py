"""Labels for training: what people answered "done", and references where there are some."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.annotation.entry import pack, unpack
from workbench.annotation.history import stacked
from workbench.cohort.label_source import LabelSource
from workbench.errors import LedgerError
from workbench.files import content_key
from workbench.words import times

if TYPE_CHECKING:
    from workbench.annotation.ledger import Ledger
    from workbench.cohort.label_maps import Samples

__all__ = ["LedgerLabels", "images_key"]


def images_key(store: Samples) -> str:
    """Name the images that a ledger belongs to: their samples, size and pixel spacing.

    Not the files: a data set that was copied to another disk keeps its annotations.
    """
    names = [str(each) for each in store.ids]
    return content_key("annotated", names, store.size, np.round(store.spacing, 4).tolist())


class LedgerLabels:
    """The label maps of a ledger as they are now: a `LabelSource`.

    It is a snapshot: what is annotated afterwards does not change it. Slices of a volume that
    nobody answered "done" are ignored, if another slice of it was.

    Parameters
    ----------
    ledger : Ledger
        The annotations; samples that the store does not have are left out.
    store : ImageStore
        The slices or volumes; their order and size.
    reference : LabelSource, optional
        Labels of the rows that nobody answered "done".
    until : int, optional
        Number of the last entry that counts; all if not given. A round that is read from its
        folder finds the labels that it was trained on.
    classes, regions : optional
        As of `LabelSource`; those of `reference` if not given.

    Raises
    ------
    LedgerError
        If an annotation has another size than the images, or is damaged.

    Attributes
    ----------
    key, classes, regions, available
        See `LabelSource`.
    annotated : ndarray of bool, shape (n,)
        Rows that carry an annotation.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Samples,
        reference: LabelSource | None = None,
        until: int | None = None,
        classes: Sequence[str] = (),
        regions: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.classes: tuple[str, ...] = tuple(classes or _of(reference, "classes", ledger.classes))
        plain = {name: (index,) for index, name in enumerate(self.classes) if index}
        self.regions: Mapping[str, tuple[int, ...]] = regions or _of(reference, "regions", plain)
        self._reference, self._size = reference, store.size
        rows = {str(each): row for row, each in enumerate(store.ids)}
        #: Row to depth to checksum and packed label map.
        self._maps: dict[int, dict[int, tuple[int, bytes]]] = {}
        digest = hashlib.sha256()
        for (sample, depth), number in sorted(ledger.accepted(until).items()):
            if sample not in rows:
                continue
            drawn = ledger.read(number).classes
            assert drawn is not None  # "done" has a label map
            if drawn.shape != store.size[-2:]:
                raise LedgerError(
                    f"The annotation of {sample} has {times(drawn.shape)} pixels, the images have "
                    f"{times(store.size[-2:])}. The ledger {ledger.path} belongs to another "
                    f"cohort, or to other settings."
                )
            self._maps.setdefault(rows[sample], {})[depth] = pack(drawn)
            digest.update(repr((rows[sample], sample, depth)).encode() + drawn.tobytes())
        self._names = {row: str(store.ids[row]) for row in self._maps}
        self.key = content_key("ledger", _of(reference, "key", ""), digest.hexdigest())
        self.annotated: NDArray[np.bool_] = np.zeros(len(store.ids), np.bool_)
        self.annotated[list(self._maps)] = True
        self.available: NDArray[np.bool_] = self.annotated | _of(reference, "available", False)
        self.annotated.flags.writeable = self.available.flags.writeable = False

    def read(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return the class of every pixel of `rows`, shape (m, h, w) or (m, d, h, w)."""
        chosen = np.asarray(rows, dtype=np.int64)
        if self._reference is None:
            result = np.zeros((len(chosen), *self._size), np.uint8)
        else:
            result = self._reference.read(chosen)
        height, width = self._size[-2:]
        slices = self._size[0] if len(self._size) == 3 else None
        for place, row in enumerate(chosen.tolist()):
            maps = {
                depth: unpack(height, width, check, packed)
                for depth, (check, packed) in self._maps.get(row, {}).items()
            }
            drawn = stacked(self._names.get(row, ""), maps, slices)
            if drawn is not None:
                result[place] = drawn
        return result


def _of(reference: LabelSource | None, name: str, otherwise: object) -> Any:
    return otherwise if reference is None else getattr(reference, name)
