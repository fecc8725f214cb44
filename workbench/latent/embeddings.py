"""t-SNE and UMAP as work that can be stopped and is kept.

openTSNE optimizes a few iterations at a time, with its neighbors found in
chunks; UMAP has no such seams and runs in a child process, which is ended when
the work is closed. Results are kept under a key of the codes and the seed.
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError, TrainingError
from workbench.files import cache_folder, content_key, replace_file
from workbench.jobs import Progress, Work

__all__ = ["kept", "neighbors", "tsne_map", "umap_map"]

#: Iterations of t-SNE: with early exaggeration, and after it.
EXAGGERATED, PLAIN = 250, 500
#: Fewest samples of which a neighbor map says anything.
FEWEST = 10


def kept(method: str, key: object, cache: Path | None, make: Work[NDArray[Any]]) -> Work[Any]:
    """Return a map that was computed before, or compute and keep it.

    Parameters
    ----------
    method : str
        Beginning of the file's name.
    key : JSON-serializable
        Everything that decides the map.
    cache : Path or None
        Folder; ``maps`` in the cache folder by default.
    make : generator of Progress
        Computes the array; closed unstarted if it is not needed.
    """
    folder = cache if cache is not None else cache_folder() / "maps"
    path = folder / f"{method}-{content_key(method, key)}.npy"
    try:
        found = np.load(path)
    except (OSError, ValueError, EOFError):  # absent, or not whole: made again
        found = yield from make
        replace_file(path, lambda temporary: np.save(temporary, found))
    else:
        make.close()
    return found


def tsne_map(z: NDArray[np.float64], seed: int = 0, cache: Path | None = None) -> Work[Any]:
    """Compute the t-SNE map of latent codes; perplexity 30, started from PCA.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        At least `FEWEST` codes.
    seed : int
        Decides the map, bitwise.
    cache : Path, optional
        Folder of kept maps.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    SettingError
        If there are too few codes.
    """
    _check_enough(z, "t-SNE")
    return (yield from kept("tsne", [_digest(z), seed], cache, _tsne(z, seed)))


def _tsne(z: NDArray[np.float64], seed: int) -> Work[NDArray[np.float32]]:
    total = EXAGGERATED + PLAIN
    yield Progress("t-SNE: loading", 0, total)
    import openTSNE
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    perplexity = min(30.0, (len(z) - 1) / 3)
    index, distances = yield from neighbors(z, min(math.ceil(3 * perplexity), len(z) - 1))
    affinities = openTSNE.affinity.PerplexityBasedNN(
        perplexity=perplexity, knn_index=PrecomputedNeighbors(index, distances), n_jobs=-1
    )
    start = openTSNE.initialization.pca(z, random_state=seed)
    embedding = openTSNE.TSNEEmbedding(
        start,
        affinities,
        negative_gradient_method="bh" if len(z) < 10_000 else "fft",
        n_jobs=-1,
        random_state=seed,
    )
    chunk = 10 if len(z) < 20_000 else 5
    for done in range(0, total, chunk):
        early = done < EXAGGERATED
        embedding.optimize(
            n_iter=chunk,
            exaggeration=12 if early else 1,
            momentum=0.5 if early else 0.8,
            inplace=True,
        )
        yield Progress("t-SNE", done + chunk, total)
    return np.asarray(embedding, dtype=np.float32)


def neighbors(
    z: NDArray[np.float64], k: int, chunk: int = 1000
) -> Work[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Find the k nearest other codes of every code, exactly.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
    k : int
        Less than n.
    chunk : int
        Codes between two progress reports.

    Returns
    -------
    index : ndarray of int, shape (n, k)
        Nearest first, never the code itself (an equal one may be).
    distances : ndarray of float64, shape (n, k)
    """
    n = len(z)
    index = np.empty((n, k), dtype=np.int64)
    distances = np.empty((n, k))
    tree: Any = None
    if z.shape[1] <= 10:
        from scipy.spatial import cKDTree

        tree = cKDTree(z)
    squares = (z**2).sum(axis=1)
    for start in range(0, n, chunk):
        part = np.arange(start, min(start + chunk, n))
        if tree is not None:
            _, near = tree.query(z[part], k=k + 1, workers=-1)
        else:
            ranks = squares - 2.0 * z[part] @ z.T
            near = np.argpartition(ranks, k, axis=1)[:, : k + 1]
        away = np.sqrt(((z[near] - z[part][:, None]) ** 2).sum(axis=2))
        away[near == part[:, None]] = -1.0  # the code itself comes first, also among equals
        near, away = (np.take_along_axis(a, np.argsort(away, axis=1), axis=1) for a in (near, away))
        index[part], distances[part] = near[:, 1:], np.maximum(away[:, 1:], 0.0)
        yield Progress("finding neighbors", int(part[-1]) + 1, n)
    return index, distances


def umap_map(z: NDArray[np.float64], seed: int = 0, cache: Path | None = None) -> Work[Any]:
    """Compute the UMAP map of latent codes, in a child process; 15 neighbors.

    Parameters, result and errors are those of `tsne_map`. Closing the work ends the child.

    Raises
    ------
    TrainingError
        If the child fails.
    """
    _check_enough(z, "UMAP")
    return (yield from kept("umap", [_digest(z), seed], cache, _umap(z, seed)))


def _umap(z: NDArray[np.float64], seed: int) -> Work[NDArray[np.float32]]:
    yield Progress("UMAP", 0, 100)
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    expected = 12.0 + len(z) / 500.0  # seconds, roughly
    with tempfile.TemporaryDirectory() as folder:
        source, target, said = (Path(folder) / name for name in ("z.npy", "xy.npy", "said.txt"))
        np.save(source, z)
        with said.open("w", encoding="utf-8") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "workbench.latent.umap_child", source, target, str(seed)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            started = time.monotonic()
            try:
                while child.poll() is None:
                    elapsed = time.monotonic() - started
                    yield Progress("UMAP", int(99 * (1 - math.exp(-elapsed / expected))), 100)
                    try:
                        child.wait(0.1)
                    except subprocess.TimeoutExpired:
                        continue
            finally:
                child.kill()
                child.wait()
        if child.returncode != 0 or not target.is_file():
            lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise TrainingError(
                f"UMAP could not be computed ({lines[-1] if lines else 'no reason was given'}). "
                f"The other maps show the same pool; t-SNE is the nearest to it."
            )
        return np.asarray(np.load(target), dtype=np.float32)


def _check_enough(z: NDArray[np.float64], name: str) -> None:
    if len(z) < FEWEST:
        raise SettingError(
            f"{name} needs a pool of at least {FEWEST}, and this one has {len(z)}. Look at the "
            f"latent axes instead."
        )


def _digest(z: NDArray[np.float64]) -> list[object]:
    return [list(z.shape), hashlib.sha256(np.ascontiguousarray(z).tobytes()).hexdigest()]
