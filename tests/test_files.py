"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from workbench.errors import StoreError
from workbench.files import cache_folder, content_key, read_json, replace_file, write_json


def test_json_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "record.json"
    write_json(path, {"name": "Müller", "values": [1, 2.5, None]})
    assert read_json(path) == {"name": "Müller", "values": [1, 2.5, None]}
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, "old")

    def full(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError, match=r"No space left on device.*Nothing was lost.*Free some"):
        replace_file(path, full)
    assert read_json(path) == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_where_nothing_may_be_written_the_advice_is_to_allow_it(tmp_path, number):
    def forbidden(temporary: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match=f"Allow writing in {tmp_path} or choose") as told:
        replace_file(tmp_path / "record.json", forbidden)
    assert "space" not in str(told.value)


def test_a_folder_that_cannot_be_made_is_told_like_a_full_disk(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"could not be written .* choose another folder"):
        write_json(tmp_path / "file" / "record.json", 1)


def test_a_key_of_something_that_has_no_plain_value_is_refused():
    with pytest.raises(TypeError, match="not JSON serializable"):
        content_key(object())


def test_equal_content_has_equal_keys_and_any_difference_another():
    assert content_key({"a": 1, "b": 2}, (3,)) == content_key({"b": 2, "a": 1}, (3,))
    assert content_key({"a": 1}) != content_key({"a": 2})


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("WORKBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "suggestive-workbench"
