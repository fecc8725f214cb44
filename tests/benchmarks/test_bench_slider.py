"""The slider's benchmark among the others, for ``make bench``; see `slider`."""

from __future__ import annotations

from tests.benchmarks.slider import main


def test_the_picture_follows_the_slider(benchmark):
    assert benchmark.pedantic(main, rounds=1, iterations=1) == 0
