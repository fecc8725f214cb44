"""Names come from people and from folders: they are text, never SQL, markup or code."""

from __future__ import annotations

import pytest

from tests.annotation.made import picture
from workbench.annotation import Entry, Ledger
from workbench.annotation.entry import clean_name
from workbench.errors import LedgerError

KEPT = [
    "Robert'); DROP TABLE entries; --",
    'Ada "the" O\'Hara',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{7*7}} ${x} %s %(a)s",
    "\\x00 \\n C:\\temp",
    "Ольга",
    "李小龍",
    "אברהם",
    "محمد",
    "नेहा",
    "👩‍⚕️",
    "می‌خواهم",
    "🧠" * 200,
    "NULL",
    "",
    "1e309",
    "a/b/axial/0001",
]
REFUSED = {
    "nul": "Ada\0Bob",
    "a new line": "Ada\nBob",
    "an escape": "Ada\x1b[31m",
    "a tab": "Ada\tBob",
    "text turned around": "Ada\u202egnp.exe",
    "a direction mark": "Ada\u200f",
    "an isolate": "\u2066Ada\u2069",
    "a blank of no width": "A\u200bda",
    "a byte order mark": "\ufeffAda",
    "half a pair": "Ada\ud800",
    "a file name of no encoding": b"Ada\xff".decode("utf-8", "surrogateescape"),
}


@pytest.mark.parametrize("name", KEPT)
def test_any_visible_name_of_a_person_or_case_is_kept_as_text(ledger, name):
    sample = f"{name or 'case'}/axial/0001"
    ledger.append(Entry(sample, "opened", picture(), annotator=name))
    ledger.append(Entry(sample, "stroke", picture(1), annotator=name, tool=name, note=name * 3))
    ledger.append(Entry("other/axial/0001", "done", picture(2), annotator="other"))
    with Ledger(ledger.path) as again:
        (_, entry, _) = again.entries()
        assert (entry.sample, entry.annotator, entry.tool) == (sample, name, name)
        assert entry.note == name * 3
        assert len(again.entries(sample, annotator=name)) == 2
        assert again.history(sample, 0, name).part.annotator == name
        assert set(again.states()) == {sample, "other/axial/0001"}
        assert again.totals(("annotator",))[name,].strokes == 1


@pytest.mark.parametrize("what", REFUSED)
def test_a_name_with_what_cannot_be_seen_is_refused_in_a_sentence(ledger, what):
    with pytest.raises(LedgerError, match=r"U\+[0-9A-F]{4}") as told:
        ledger.append(Entry("case/axial/0001", "done", picture(1), annotator=REFUSED[what]))
    assert str(told.value).isascii()
    assert str(told.value).isprintable()
    with pytest.raises(LedgerError, match="cannot be seen|is no text"):
        clean_name(REFUSED[what])
    assert len(ledger) == 0


@pytest.mark.parametrize("what", ["nul", "a new line", "half a pair", "a file name of no encoding"])
def test_a_case_whose_name_is_no_text_is_refused_in_a_sentence(ledger, what):
    with pytest.raises(LedgerError, match="rename the file"):
        ledger.append(Entry(f"{REFUSED[what]}/axial/0001", "done", picture(1)))


def test_names_and_notes_of_ten_thousand_characters_are_refused_in_a_short_sentence(ledger):
    for given in (
        {"annotator": "a" * 10_000},
        {"tool": "a" * 10_000},
        {"sample": "a" * 10_000},
        {"note": "a" * 10_001},
    ):
        with pytest.raises(LedgerError, match=r"has 10,00\d characters. At most") as told:
            ledger.append(Entry(**{"sample": "a", "kind": "unsure", **given}))
        assert len(str(told.value)) < 200
    ledger.append(Entry("a", "skipped", note="line\n\ttab\n" * 1000))
    assert len(ledger.entries()[0].note) == 10_000


def test_one_name_typed_on_two_machines_is_one_annotator(ledger):
    composed, decomposed = "Jos\u00e9", " Jose\u0301 "
    ledger.append(Entry("a", "done", picture(1), annotator=composed))
    ledger.append(Entry("a", "done", picture(2), annotator=decomposed))
    assert ledger.states()["a"].annotators == (composed,)
    assert len(ledger.entries(annotator=decomposed)) == 2
    assert ledger.history("a", 0, decomposed).part.annotator == composed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "erased"}, "Kinds are opened, stroke"),
        ({"started_from": "nothing"}, "starts from one of prediction"),
        ({"classes": None}, "has no label map"),
        ({"classes": picture(1).astype(int)}, "type int64. It must be one slice of uint8"),
        ({"classes": picture(1)[None]}, r"shape \(1, 16, 24\)"),
        ({"classes": picture(1)[:0]}, r"shape \(0, 24\)"),
        ({"classes": picture(1, value=7)}, "class 7. Classes are 0 to 2: background, tumor"),
        ({"active_seconds": float("nan")}, "active_seconds is nan"),
        ({"contour_mm": -1.0}, "contour_mm is -1.0"),
        ({"depth": -1}, "depth is -1"),
        ({"round": 2**70}, "round is"),
        ({"sample": ""}, "must name the slice"),
    ],
)
def test_an_entry_that_cannot_be_kept_is_refused_in_a_sentence(ledger, change, words):
    with pytest.raises(LedgerError, match=words):
        ledger.append(Entry(**{"sample": "a", "kind": "done", "classes": picture(1), **change}))
    assert len(ledger) == 0


@pytest.mark.parametrize("name", ["it's", 'a "quoted"', "a b?c#d%20", "<script>", "ünï🧠", "-rf"])
def test_a_ledger_lies_in_a_folder_of_any_name(tmp_path, name):
    path = tmp_path / name / "annotations.sqlite"
    with Ledger(path) as ledger:
        ledger.append(Entry("a", "done", picture(1)))
    assert path.is_file()
    assert sorted(each.name for each in tmp_path.iterdir()) == [name]
    with Ledger(path) as again:
        assert len(again) == 1
