"""Opening a ledger of 1,000 annotations, against reading their label maps: ``make bench``."""

from __future__ import annotations

import time

import numpy as np

from tests.session.bare import bare_session
from workbench.annotation import Entry, Ledger

ANNOTATIONS, STROKES, SIZE = 1000, 20, 240


def disks():
    """Label maps that grow by a disk with every stroke."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    rng = np.random.default_rng(0)
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(STROKES + 1):
        yield drawn.copy()
        row, column = rng.integers(60, 180, 2)
        drawn[(rows - row) ** 2 + (columns - column) ** 2 < 200] = rng.integers(1, 4)


def write(path):
    maps = list(disks())
    with Ledger(path) as ledger:
        for index in range(ANNOTATIONS):
            sample = f"case_{index // 50:02d}/axial/{index % 50:04d}"
            ledger.extend(
                [Entry(sample, "opened", maps[0], annotator="Ada", started_from="prediction")]
                + [Entry(sample, "stroke", each, annotator="Ada", tool="brush", active_seconds=2.5,
                         contour_mm=40.0) for each in maps[1:]]
                + [Entry(sample, "done", maps[-1], annotator="Ada")]
            )  # fmt: skip


def test_opening_a_ledger_of_1000_annotations(benchmark, tmp_path):
    path = tmp_path / "annotations.sqlite"
    write(path)

    def open_and_list():
        with Ledger(path) as ledger:
            return ledger.states()

    def naively():
        with Ledger(path) as ledger:
            return {entry.sample: entry.kind for entry in ledger.entries()}

    start = time.perf_counter()
    read = naively()
    naive = time.perf_counter() - start
    states = benchmark.pedantic(open_and_list, rounds=3)
    assert {sample: state.state for sample, state in states.items()} == read
    seconds = benchmark.stats.stats.min
    with Ledger(path) as ledger:
        start = time.perf_counter()
        history = ledger.history("case_07/axial/0007", annotator="Ada")
        one = time.perf_counter() - start
        assert len(history.undo) == STROKES
        start = time.perf_counter()
        ledger.totals(("round",))
        totals = time.perf_counter() - start
        saved = []
        for number in history.undo:
            entry = ledger.read(number)
            start = time.perf_counter()
            ledger.append(entry)
            saved.append(time.perf_counter() - start)
        start = time.perf_counter()
        ledger.states()
        again = time.perf_counter() - start
    print(
        f"\na ledger of {ANNOTATIONS:,} annotations, {ANNOTATIONS * (STROKES + 2):,} entries, "
        f"{path.stat().st_size / 1e6:.0f} MB: opened and listed in {seconds:.2f} s, "
        f"{naive / seconds:.1f} times as fast as by reading every label map ({naive:.2f} s); "
        f"listed again after a stroke {again * 1e3:.1f} ms, one history {one * 1e3:.1f} ms, "
        f"all totals {totals * 1e3:.0f} ms, a stroke of {SIZE}×{SIZE} saved in "
        f"{np.median(saved) * 1e3:.1f} ms (median)"
    )


def test_a_stroke_costs_the_same_however_many_came_before(tmp_path):
    """Median processor time of 30 strokes on one slice that was drawn on before."""
    maps = [np.full((8, 8), value, np.uint8) for value in (1, 2)]
    told = {"tool": "brush", "active_seconds": 2.0, "contour_mm": 5.0}
    for before in (10, 1_000, 10_000):
        session = bare_session(tmp_path / str(before), trained=False)
        session.edit(1)
        sample = session.editing.sample
        session._writer.ledger.extend(
            Entry(sample, "stroke", maps[i % 2], annotator="anna", **told) for i in range(before)
        )
        session.edit(1)
        spent = []
        for i in range(30):
            start = time.process_time()
            session.draw(maps[i % 2], **told)
            spent.append(time.process_time() - start)
        assert session.editing.cost.strokes == before + 30
        print(f"\n{before:6,} strokes before: a stroke takes {np.median(spent) * 1e3:.2f} ms")
        session.close()
