"""Images and labels small enough to train on in a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.cohort.pool import Axis, SliceId


@dataclass(eq=False)
class ToyImages:
    """A bright disk that wanders: two channels, 16×16, four slices a case."""

    count: int = 12
    seed: int = 0
    key: str = "toy"
    channels: tuple[str, ...] = ("a", "b")
    axis: Axis = "axial"
    ids: tuple[SliceId, ...] = field(init=False)
    cases: tuple[str, ...] = field(init=False)
    spacing: NDArray[np.float64] = field(init=False)
    case_of: NDArray[np.int32] = field(init=False)
    arrays: NDArray[np.float32] = field(init=False)
    maps: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        rows, columns = np.mgrid[:16, :16]
        centers = rng.uniform(5, 11, (self.count, 2, 1, 1))
        distance = np.hypot(rows - centers[:, 0], columns - centers[:, 1])
        self.maps = (distance < 4).astype(np.uint8) + (distance < 2)
        noise = 0.1 * rng.standard_normal((self.count, 2, 16, 16))
        self.arrays = (noise + np.stack([self.maps, 1.0 - self.maps], axis=1)).astype(np.float32)
        self.case_of = (np.arange(self.count) // 4).astype(np.int32)
        self.cases = tuple(f"case_{number}" for number in range(self.case_of.max(initial=-1) + 1))
        self.ids = tuple(
            SliceId(self.cases[case], "axial", 5 + row % 4)
            for row, case in enumerate(self.case_of.tolist())
        )
        self.spacing = np.tile([3.0, 1.0, 2.0], (len(self.cases), 1))

    def read(self, rows: ArrayLike) -> NDArray[np.float32]:
        return self.arrays[np.asarray(rows)]


@dataclass(eq=False)
class ToyLabels:
    """The label maps of `ToyImages`."""

    images: ToyImages
    key: str = "toy labels"
    classes: tuple[str, ...] = ("background", "rim", "core")
    regions: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"whole": (1, 2), "core": (2,)}
    )
    available: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.available = np.ones(self.images.count, bool)

    def read(self, rows: ArrayLike) -> NDArray[np.uint8]:
        return self.images.maps[np.asarray(rows)]
