"""What people drew, how they got there and what it cost them, kept for good.

::

    Entry ─► Ledger.append ─► annotations.sqlite ─► history   undo and redo after a restart
                                                  ├► states    the queue
                                                  ├► totals    the effort
                                                  ├► agreement, conflicts   two people
                                                  └► LedgerLabels           training
"""

from workbench.annotation.agreement import Agreement, Conflict
from workbench.annotation.entry import Entry
from workbench.annotation.history import History, Part, SampleState, Totals
from workbench.annotation.label_source import LedgerLabels, images_key
from workbench.annotation.ledger import Ledger

__all__ = [
    "Agreement",
    "Conflict",
    "Entry",
    "History",
    "Ledger",
    "LedgerLabels",
    "Part",
    "SampleState",
    "Totals",
    "images_key",
]
