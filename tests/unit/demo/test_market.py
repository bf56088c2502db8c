"""The market server: time runs on from the first connection, whoever is connected hears it."""

import aiohttp
import pytest

from metaexpert.demo.frame_source import TimedFrame
from metaexpert.demo.market import MarketServer


async def test_frames_arrive_in_order_and_silence_follows():
    frames = [TimedFrame(number / 100, f"frame {number}") for number in range(20)]
    async with MarketServer(frames, speed=10) as market, aiohttp.ClientSession() as session:
        assert market.frames_sent == 0
        async with session.ws_connect(market.url) as socket:
            assert [await socket.receive_str(timeout=5) for _ in frames] == [frame.text for frame in frames]
            await market.finished.wait()
            assert not socket.closed
    assert market.frames_sent == 20


async def test_the_pace_is_the_frames_own_times_speed():
    frames = [TimedFrame(0, "first"), TimedFrame(2, "last")]
    async with (
        MarketServer(frames, speed=10) as market,
        aiohttp.ClientSession() as session,
        session.ws_connect(market.url) as socket,
    ):
        await socket.receive_str(timeout=5)
        with pytest.raises(TimeoutError):
            await socket.receive_str(timeout=0.1)


async def test_a_client_that_comes_back_joins_at_the_present():
    frames = [TimedFrame(0, "past"), TimedFrame(0.3, "present")]
    async with MarketServer(frames) as market, aiohttp.ClientSession() as session:
        async with session.ws_connect(market.url) as socket:
            assert await socket.receive_str(timeout=5) == "past"
            await market.disconnect_all()
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        async with session.ws_connect(market.url) as socket:
            assert await socket.receive_str(timeout=5) == "present"


async def test_it_falls_silent_when_it_is_told_to_and_connections_stay():
    frames = [TimedFrame(0, "first"), TimedFrame(0.2, "never")]
    async with (
        MarketServer(frames) as market,
        aiohttp.ClientSession() as session,
        session.ws_connect(market.url) as socket,
    ):
        assert await socket.receive_str(timeout=5) == "first"
        market.fall_silent()
        await market.finished.wait()
        with pytest.raises(TimeoutError):
            await socket.receive_str(timeout=0.5)
        assert not socket.closed
    assert market.frames_sent == 1
