"""The slider's benchmark among the others, for ``make bench``; see `slider`."""

from __future__ import annotations

from tests.benchmarks.slider import main


def test_the_slider_is_measured_and_its_table_printed(benchmark, capsys):
    with capsys.disabled():
        status = benchmark.pedantic(main, rounds=1, iterations=1)
    assert status in (0, 1)  # measured; the table tells which goals are met
