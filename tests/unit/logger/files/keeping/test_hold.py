"""Legal holds: what is under one, how they are placed and released, and that a damaged list holds everything."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.log_files import log_file

from metaexpert.logger.files.keeping.hold import HOLDS_FILE, Hold, HoldError, find, place, read_holds, release
from metaexpert.logger.owner_lock import OwnerLock

LOG = Path("logs/trades.log")


def a_hold(**what: Any) -> Hold:
    return Hold(id="1", reason="case 7", actor="me", placed_at="", **what)


class TestWhatIsUnderOne:
    @pytest.mark.parametrize(
        ("what", "is_held"),
        [
            ({}, True),
            ({"log": "trades.log"}, True),
            ({"log": "expert.log"}, False),
            ({"pattern": "trades.2026*"}, True),
            ({"pattern": "trades.2027*"}, False),
            ({"log": "trades.log", "pattern": "expert*"}, False),
            ({"since": 150.0}, True),
            ({"since": 201.0}, False),
            ({"until": 100.0}, True),
            ({"until": 99.0}, False),
            ({"since": 120.0, "until": 130.0}, True),
            ({"since": 0.0, "until": 50.0}, False),
        ],
    )
    def test_all_that_is_given_has_to_fit(self, what: dict[str, Any], is_held: bool):
        assert a_hold(**what).covers(log_file(LOG), 100.0, 200.0) is is_held

    @given(st.floats(0, 300), st.floats(0, 300), st.floats(0, 300))
    def test_any_entry_in_the_range_holds_the_file(self, since: float, length: float, entry: float):
        held = a_hold(since=since, until=since + length)
        if 100.0 <= entry <= 200.0 and since <= entry <= since + length:
            assert held.covers(log_file(LOG), 100.0, 200.0)


class TestPlaceAndRelease:
    def test_it_stands_until_it_is_released(self, tmp_path: Path):
        assert read_holds(tmp_path).over(log_file(LOG), 0.0, 1.0) == ""
        placed = place(tmp_path, reason="case 7", actor="counsel", log="trades.log", since=5.0)
        other = place(tmp_path, reason="case 8", actor="counsel")
        assert read_holds(tmp_path).holds == (placed, other)
        assert read_holds(tmp_path).over(log_file(LOG), 0.0, 6.0) == (
            f"hold {placed.id} (case 7), hold {other.id} (case 8)"
        )
        assert release(tmp_path, placed.id) == placed
        assert read_holds(tmp_path).holds == (other,)
        assert (tmp_path / HOLDS_FILE).stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == [HOLDS_FILE]

    def test_an_unknown_id_is_told_with_those_there_are(self, tmp_path: Path):
        placed = place(tmp_path, reason="case 7", actor="me")
        with pytest.raises(HoldError, match=placed.id):
            find(tmp_path, "nonsense")

    @pytest.mark.parametrize("wrong", [{"reason": "  "}, {"reason": "x", "since": 2.0, "until": 1.0}])
    def test_a_hold_without_sense_is_refused(self, tmp_path: Path, wrong: dict[str, Any]):
        with pytest.raises(HoldError):
            place(tmp_path, actor="me", **wrong)
        assert not (tmp_path / HOLDS_FILE).exists()

    def test_two_at_once_do_not_lose_one(self, tmp_path: Path):
        lock = OwnerLock.acquire(tmp_path / "holds.lock")
        assert lock is not None
        with pytest.raises(HoldError, match="try again"):
            place(tmp_path, reason="x", actor="me")
        lock.release(delete=True)
        place(tmp_path, reason="x", actor="me")


class TestDamage:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            '{"version": 2, "holds": []}',
            '{"version": 1}',
            '{"version": 1, "holds": [{}]}',
            '{"version": 1, "holds": [7]}',
            '{"version": 1, "holds": 7}',
        ],
    )
    def test_everything_is_held(self, tmp_path: Path, text: str):
        (tmp_path / HOLDS_FILE).write_text(text)
        assert "everything is held" in read_holds(tmp_path).over(log_file(LOG), 0.0, 1.0)
        with pytest.raises(HoldError, match=r"holds\.json cannot be read"):
            place(tmp_path, reason="x", actor="me")
        assert (tmp_path / HOLDS_FILE).read_text() == text, "what is damaged is mended by people"

    @given(st.data())
    def test_a_byte_changed_never_raises_and_never_frees_by_ignoring(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ):
        folder = tmp_path_factory.mktemp("holds")
        document = {"version": 1, "holds": [asdict(a_hold(since=1.0))]}
        text = bytearray(json.dumps(document).encode())
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        (folder / HOLDS_FILE).write_bytes(text)
        holds = read_holds(folder)
        assert holds.damage or len(holds.holds) == 1

    def test_a_file_that_cannot_be_read_holds_everything(self, tmp_path: Path):
        (tmp_path / HOLDS_FILE).mkdir()
        assert read_holds(tmp_path).damage
