"""What is told of a request's path: neither a route with ids in it nor a path with what may be secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.tracing.answers import exchange_code, request_id
from metaexpert.logger.tracing.routes import path_of, route_of


@pytest.mark.parametrize(
    ("path", "shown", "route"),
    [
        ("/", "/", "/"),
        ("/api/v3/order", "/api/v3/order", "/api/v3/order"),
        ("/v5/market/orderbook", "/v5/market/orderbook", "/v5/market/orderbook"),
        ("/api/v2.1/ticker", "/api/v2.1/ticker", "/api/v2.1/ticker"),
        ("/orders/4503599627", "/orders/4503599627", "/orders/{id}"),
        (
            "/orders/550e8400-e29b-41d4-a716-446655440000/fills",
            "/orders/550e8400-e29b-41d4-a716-446655440000/fills",
            "/orders/{id}/fills",
        ),
        ("/klines/BTCUSDT", "/klines/BTCUSDT", "/klines/BTCUSDT"),
        ("/options/BTC-240628-70000-C", "/options/BTC-240628-70000-C", "/options/BTC-240628-70000-C"),
        ("/ws/pqia91ma19a5s61c", "/ws/{token}", "/ws/{id}"),
        ("/bot123456:AAH-abcdef/sendMessage", "/{token}/sendMessage", "/{id}/sendMessage"),
        ("/services/T00/B00/xoxq1b2c3d4e5f6", "/services/T00/B00/{token}", "/services/T00/B00/{id}"),
        ("/order/3f2504e04f8911d3", "/order/{token}", "/order/{id}"),
        ("/a b/" + "x" * 60, "/{token}/{token}", "/{id}/{id}"),
    ],
)
def test_a_path_and_its_route(path: str, shown: str, route: str):
    assert (path_of(path), route_of(path)) == (shown, route)


@given(st.text(st.characters(codec="utf-8"), max_size=600))
def test_any_path_is_shown_bounded_and_without_control_characters(path: str):
    for told in (path_of(path), route_of(path)):
        assert len(told) <= 257
        assert told.isprintable()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"code":-1013,"msg":"Filter failure: LOT_SIZE"}', 400, "-1013"),
        (b'{"retCode":10001,"retMsg":"params error","result":{}}', 200, "10001"),
        (b'{"retCode":0,"retMsg":"OK","result":{}}', 200, None),
        (b'{"code":"51000","msg":"Parameter error","data":[]}', 200, "51000"),
        (b'{"code":"0","msg":"","data":[]}', 200, None),
        (b'{"label":"BALANCE_NOT_ENOUGH","message":"x"}', 400, "BALANCE_NOT_ENOUGH"),
        (b'{"error":["EOrder:Insufficient funds"]}', 200, "EOrder:Insufficient funds"),
        (b'{"error":[],"result":{}}', 200, None),
        (b'{"code":"BTC","name":"Bitcoin"}', 200, None),
        (b'{"code":404,"items":[]}', 200, None),
        (b'[{"code":-1013,"msg":"x"}]', 200, None),
        (b"<html>502 Bad Gateway</html>", 502, None),
        (b"", 500, None),
    ],
)
def test_the_code_an_exchange_refused_with(body: bytes, status: int, code: str | None):
    assert exchange_code(body, status) == code


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-mbx-uuid": "3f2504e0-4f89"}, "3f2504e0-4f89"),
        ({"x-request-id": "a-17", "cf-ray": "b"}, "a-17"),
        ({"x-request-id": "a\x1b[31m"}, None),
        ({"x-request-id": "x" * 200}, None),
        ({}, None),
    ],
)
def test_the_id_a_server_gave_a_request(headers: dict[str, str], found: str | None):
    assert request_id(headers) == found
