"""A margin ratio crosses its limit and comes back: an alert and its resolution, as a webhook receives them.

Run it with `python examples/alerts.py`; the webhook is a small server on loopback.
"""

import asyncio

from aiohttp import web

from metaexpert.logger import (
    AlertsOptions,
    ConsoleTargetOptions,
    LoggerConfig,
    ThresholdRuleOptions,
    WebhookTargetOptions,
    get_logger,
    setup_logging,
)

log = get_logger("risk")


async def main() -> None:
    """Serve the webhook, log, and show what came."""
    received: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        received.put_nowait((await request.json())["text"])
        return web.Response()

    server = web.Application()
    server.router.add_post("/alerts", take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/alerts"

    margin = ThresholdRuleOptions(
        name="margin",
        severity="critical",
        field="margin_ratio",
        above=0.8,
        resolve_at=0.6,
        group_by=("symbol",),
        note="reduce the position, or add margin",
    )
    config = LoggerConfig(
        log_to_console=False,
        log_to_file=False,
        alerts=AlertsOptions(
            rules=(margin,),
            targets=(WebhookTargetOptions(url=url, group_for=0.0), ConsoleTargetOptions(bell=False, group_for=0.0)),  # pyright: ignore[reportArgumentType]
        ),
    )
    async with setup_logging(config) as logging_runtime:
        for ratio in (0.5, 0.85, 0.9):
            log.info("margin", symbol="BTCUSDT", margin_ratio=ratio)
        print(await received.get())
        log.info("margin", symbol="BTCUSDT", margin_ratio=0.55)
        print(await received.get())
        alerts = logging_runtime.stats().alerts
        if alerts is not None:
            rule = alerts.rules["margin"]
            print(f"fired {rule.fired}, resolved {rule.resolved}, suppressed {rule.suppressed}")
    await runner.cleanup()


asyncio.run(main())
