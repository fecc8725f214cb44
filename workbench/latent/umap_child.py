"""Run UMAP in a process of its own: ``python -m workbench.latent.umap_child z.npy xy.npy seed``.

umap-learn cannot be interrupted, but a process can be ended (see `embeddings`).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

__all__ = ["main"]


def main(source: str, target: str, seed: int) -> None:
    """Read codes from `source`, write their place on a UMAP map to `target`.

    Parameters
    ----------
    source, target : str
        Paths of ``.npy`` files of shapes (n, d) and (n, 2).
    seed : int
        Decides the map.
    """
    warnings.simplefilter("ignore")
    import umap

    z = np.load(source)
    neighbors = min(15, len(z) - 1)
    kind = "spectral" if len(z) > 50 else "random"
    mapper = umap.UMAP(n_neighbors=neighbors, random_state=seed, init=kind)
    np.save(Path(target), np.asarray(mapper.fit_transform(z), dtype=np.float32))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
