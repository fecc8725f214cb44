from __future__ import annotations

import sqlite3
import time

import numpy as np
import pytest

from tests.annotation.made import CLASSES, assert_noisy, write_without_end
from workbench.annotation import Ledger

#: Longest life of a writer, s; it begins a ledger and adds some dozen entries to it.
LONGEST = 0.25


def kill_and_look(processes, path, kills, rng, ledgers=1):
    """Kill writers at random moments; return how many entries were acknowledged in all."""
    known = {}
    for kill in range(kills):
        place = path / f"{kill % ledgers}.sqlite"
        receive, send = processes.Pipe(duplex=False)
        writer = processes.Process(target=write_without_end, args=(place, 1000 * kill, send))
        writer.start()
        send.close()
        if kill % 2:
            receive.poll(60)  # killed while it adds entries; the others while they begin
        time.sleep(rng.uniform(0, LONGEST))
        writer.kill()
        writer.join()
        told = known.setdefault(place, {})
        try:
            while True:
                number, seed = receive.recv()
                told[number] = seed
        except EOFError:
            receive.close()
        with Ledger(place, images_key="k", classes=CLASSES) as ledger:
            found = {entry.number: int(entry.note) for entry in ledger.entries(maps=False)}
            assert list(found) == list(range(1, len(found) + 1))
            assert told.items() <= found.items()
            told.update(found)  # what was there once stays, acknowledged or not
    for place, told in known.items():
        with Ledger(place) as ledger:
            for entry in ledger.entries():
                assert_noisy(entry)
            assert len(ledger) == len(told)
        with sqlite3.connect(place) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    return sum(map(len, known.values()))


def test_whatever_append_returned_for_survives_twenty_kills(processes, tmp_path):
    assert kill_and_look(processes, tmp_path, 20, np.random.default_rng(0), ledgers=4) > 20


@pytest.mark.slow
def test_whatever_append_returned_for_survives_two_hundred_kills(processes, tmp_path):
    written = kill_and_look(processes, tmp_path, 200, np.random.default_rng(1), ledgers=20)
    assert written > 200
    print(f"{written:,} entries")
