"""A text is found wherever it stands in a file, between two blocks too, and files may go while they are looked at."""

from pathlib import Path

from metaexpert.demo.desk import search as module
from metaexpert.demo.desk.search import Search


def test_what_stands_across_two_blocks_is_found(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * (module._BLOCK_BYTES - 3) + b"needle" + b"x" * 100)
    (tmp_path / "other").write_bytes(b"needl")
    search = Search()
    search.look(tmp_path, {"a name": "needle", "none": "haystack"})
    assert search.found == {"a name": {str(Path("deep", "file"))}}
    assert search.files == {str(Path("deep", "file")), "other"}
    assert search.size_bytes == module._BLOCK_BYTES + 103 + 5


def test_looks_add_up_as_files_come_and_go(tmp_path: Path):
    search = Search()
    (tmp_path / "first").write_bytes(b"needle")
    search.look(tmp_path, {"a": "needle"})
    (tmp_path / "first").unlink()
    (tmp_path / "second").write_bytes(b"needle")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    search.look(tmp_path, {"a": "needle"})
    assert search.found == {"a": {"first", "second"}}
