"""The editor's benchmark among the others, for ``make bench``; see `editor`."""

from __future__ import annotations

from tests.benchmarks.editor import main


def test_the_editor_is_measured_and_its_table_printed(benchmark, capsys):
    with capsys.disabled():
        status = benchmark.pedantic(main, rounds=1, iterations=1)
    assert status in (0, 1)  # measured; the table tells which goals are met
