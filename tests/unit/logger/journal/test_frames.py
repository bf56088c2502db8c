"""A capture as one frame and back: what it is encoded to afterwards are the bytes it would have been encoded to."""

import logging
import struct
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.every_kind import captured_entries
from support.fake_sinks import capture
from support.journals import every_capture

from metaexpert.logger.entry import DETAILS, MONOTONIC_NS, NO_MONOTONIC_NS, Capture
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.otlp_json import Json
from metaexpert.logger.formats.otlp_protobuf import Protobuf
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.frames import FrameEncoder, capture_of
from metaexpert.logger.segment import Reading, frames

IDENTITY = Identity(service="tests", boot_id="boot", pid=7, host="here")


def read_back(encoded: bytes) -> Capture:
    """The capture of a frame as it stands in a file, between others."""
    padded = encoded + bytes(-len(encoded) % 8)
    reading = Reading()
    first, second = frames(padded + padded, reading=reading)
    assert (reading.quarantined, reading.torn) == (0, False)
    assert first.payload == second.payload
    return capture_of(second.seq, second.time_ns, second.payload, second.flags)


def assert_same_bytes(before: Capture, after: Capture) -> None:
    """Every format makes the same bytes of both, each in an encoder that has seen nothing else."""
    for make in (
        lambda: JsonLines(IDENTITY),
        lambda: EcsDocuments(IDENTITY, "live"),
        lambda: TextLines(use_colors=False),
        lambda: Records(IDENTITY, Json()),
        lambda: Records(IDENTITY, Protobuf()),
    ):
        assert make()(after) == make()(before)


class TestOriginalBytes:
    async def test_of_every_kind_of_entry(self):
        encode = FrameEncoder()
        entries = await captured_entries()
        for entry in entries:
            assert_same_bytes(entry, read_back(encode(entry)))
        assert len(entries) > 10

    @settings(max_examples=80, deadline=None)
    @given(every_capture())
    @example((1, 1, 40, "l", "lone \udfff", sys._getframe().f_code, 0, b"", b"", 1, "", "trade", None, 5, 9))
    def test_of_whatever_a_call_can_capture(self, entry: Capture):
        assert_same_bytes(entry, read_back(FrameEncoder()(entry)))

    @settings(max_examples=30, deadline=None)
    @given(st.lists(every_capture(), min_size=2, max_size=6))
    def test_one_encoder_mixes_nothing_up(self, entries: list[Capture]):
        encode = FrameEncoder()
        for entry in [*entries, *entries]:
            assert encode(entry) == FrameEncoder()(entry)

    @pytest.mark.parametrize("task", [None, "", "Task-1"])
    def test_no_task_and_a_task_without_a_name_are_told_apart(self, task: str | None):
        entry = (*capture(1)[:10], task, *capture(1)[11:])
        assert read_back(FrameEncoder()(entry))[10] == task  # type: ignore[arg-type]

    def test_of_a_level_with_a_name_of_its_own(self):
        logging.addLevelName(45, "ALERT")
        entry = capture(1, 45)
        assert b"ALERT" in JsonLines(IDENTITY)(entry)
        assert_same_bytes(entry, read_back(FrameEncoder()(entry)))


class TestMonotonicTime:
    @given(every_capture())
    @settings(max_examples=30, deadline=None)
    def test_comes_back(self, entry: Capture):
        assert read_back(FrameEncoder()(entry))[MONOTONIC_NS] == entry[MONOTONIC_NS]

    @given(every_capture())
    @settings(max_examples=30, deadline=None)
    def test_a_frame_of_the_former_version_is_the_same_entry_without_it(self, entry: Capture):
        payload, flags = FrameEncoder()(entry)[40:], 2 if entry[DETAILS] is None else 3
        former = capture_of(entry[0], entry[1], payload[:12] + payload[20:], flags & ~2)
        assert former == (*capture_of(entry[0], entry[1], payload, flags)[:MONOTONIC_NS], NO_MONOTONIC_NS)


class TestWhatIsNoEntry:
    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 255))
    def test_is_a_value_error_whatever_it_is(self, payload: bytes, flags: int):
        try:
            found = capture_of(1, 1, payload, flags)
        except ValueError:
            return
        assert len(found) == 15

    @settings(max_examples=60, deadline=None)
    @given(every_capture(), st.data())
    def test_a_payload_cut_or_changed_raises_nothing_else(self, entry: Capture, data: st.DataObject):
        payload = bytearray(FrameEncoder()(entry)[40:])
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at] ^= data.draw(st.integers(1, 255))
        flags = 2 if entry[12] is None else 3
        for damaged in (bytes(payload), bytes(payload[:at])):
            try:
                capture_of(1, 1, damaged, flags)
            except ValueError:
                continue

    def test_a_line_beyond_all_files_is_a_value_error(self):
        place = struct.pack("<HiIHHHHH", 18, 10, 2**32 - 1, 0, 0, 0, 0, 0)
        place = struct.pack("<H", len(place)) + place[2:]
        origin = struct.pack("<HQ", 10, 1)
        with pytest.raises(ValueError, match="payload"):
            capture_of(1, 1, struct.pack("<III", 0, 0, 0) + place + origin, 0)


def test_many_sites_do_not_pile_up():
    encode = FrameEncoder()
    for number in range(10_050):
        encode(capture(number, logger=f"l{number}"))
    assert len(encode.sites) <= 10_000
