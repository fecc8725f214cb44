"""Choose the arithmetic of this machine once, and record the choice.

On processors with bfloat16 instructions a U-Net trains about twice as fast in
bfloat16 autocast with channels-last memory than in plain float32; elsewhere
channels-last float32 is the better choice. Results repeat bitwise only with
the same device, precision and number of threads, so a `Compute` is part of the
record of every run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.errors import SettingError

__all__ = ["Compute", "Precision"]

Precision = Literal["float32", "bfloat16"]
M = TypeVar("M", bound=nn.Module)

#: Memory formats of batches of slices and of volumes, and of the weights of their convolutions.
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class Compute:
    """Where and in which arithmetic networks run.

    Parameters
    ----------
    device : str
        ``"cpu"`` or a CUDA device such as ``"cuda"``.
    precision : {"float32", "bfloat16"}
        Arithmetic of convolutions; weights and losses stay float32 either way.
    channels_last : bool
        Whether images and weights are stored with channels last.
    threads : int
        Threads of one operation on the CPU.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    channels_last: bool = True
    threads: int = 1

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "bfloat16"):
            raise SettingError(
                f"The precision is {self.precision!r}. Choose 'float32', 'bfloat16' or, in "
                f"Compute.detect, 'auto'."
            )
        if self.threads < 1:
            raise SettingError(
                f"The number of threads is {self.threads}. It must be at least 1; leave it out "
                f"to use every core."
            )

    @classmethod
    def detect(
        cls, threads: int | None = None, precision: str = "auto", *, volumes: bool = False
    ) -> Compute:
        """Choose what is fast on this machine.

        Parameters
        ----------
        threads : int, optional
            Threads of one operation; every core (or ``$OMP_NUM_THREADS``) if left out.
        precision : {"auto", "float32", "bfloat16"}
            ``"auto"`` takes bfloat16 where the hardware computes in it, and rightly.
        volumes : bool
            Whether networks are 3-D. On the CPU they run in float32: torch's gradients of 3-D
            convolutions in bfloat16 are wrong there on small grids (measured with torch 2.13 on
            grids of 1 to 5 voxels a side; compare pytorch/pytorch#169688).

        Raises
        ------
        SettingError
            If a setting is out of its range, or would give wrong gradients.
        """
        device = "cuda" if torch.cuda.is_available() else "cpu"
        wrong = volumes and device == "cpu"
        if wrong and precision == "bfloat16":
            raise SettingError(
                "The precision is 'bfloat16', in which torch computes wrong gradients of 3-D "
                "networks on a CPU. Choose 'float32' or 'auto' for volumes."
            )
        if precision == "auto":
            fast = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bfloat16()
            fast = fast and not wrong
            precision = "bfloat16" if fast else "float32"
        if threads is None:
            threads = (
                int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
                if hasattr(os, "sched_getaffinity")
                else (os.cpu_count() or 1)
            )
        return cls(device, precision, True, threads)  # type: ignore[arg-type]

    def record(self) -> Mapping[str, object]:
        """What must be the same for a result to repeat bitwise."""
        return asdict(self)

    def place(self, module: M) -> M:
        """Move a network to the device, in the chosen memory format."""
        self._set_threads()
        module = module.to(self.device)
        if self.channels_last:
            axes = max((weight.ndim for weight in module.parameters()), default=0)
            if axes in CHANNELS_LAST:
                module = module.to(memory_format=CHANNELS_LAST[axes])  # type: ignore[call-overload]
        return module

    def tensor(self, array: NDArray[np.generic] | torch.Tensor) -> torch.Tensor:
        """Bring an array or tensor to the device; images, shape (m, c, ...), channels last."""
        tensor = torch.as_tensor(array).to(self.device)
        if self.channels_last and tensor.ndim in CHANNELS_LAST and tensor.is_floating_point():
            tensor = tensor.contiguous(memory_format=CHANNELS_LAST[tensor.ndim])
        return tensor

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context in which convolutions run in the chosen precision."""
        self._set_threads()
        return torch.autocast(
            torch.device(self.device).type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        )

    def _set_threads(self) -> None:
        # The one place of the project that sets the number of threads. It is asked for
        # before every step, because OpenMP keeps it separately in every Python thread.
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux: nothing is known, and float32 is always right
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
