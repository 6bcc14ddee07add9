"""Requests over HTTP through switches: the router, and proxies that are told of the other upstream.

The proxies are those of Debian, where they are installed (apt-get install nginx-light caddy). All get the
same requests over the same number of kept connections, to colours that count instead of thinking. What the
proxies leave out is not measured: their switch moves no state, and nothing is answered once only.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import report
from emily_runtime.tokens import read
from proxies import Proxied, caddy, nginx
from storm import COLOURS, Town, town

CONNECTIONS = 8
THINK_S = 0.02
SWITCHES = 20
APART_S = 0.4
AROUND_S = 0.1
"""Before and after a switch, in which a request counts as made during it."""
TIMEOUT_S = 10.0
BODY = msgspec.json.encode(
    {"modality": "vision", "signals": [{"channel": "fovea", "values": [1.0]}], "deadline_ms": 4000}
)

type Switch = Callable[[str], Awaitable[None]]
type Proxy = Callable[[Path], AbstractContextManager[Proxied]]

PROXIES: dict[str, Proxy] = {"nginx": nginx, "caddy": caddy}


class Request(NamedTuple):
    """One request: when it began and ended, and whether it was answered with 200."""

    begin: float
    end: float
    answered: bool


async def through_switches(url: str, switch: Switch) -> dict[str, Any]:
    """Errors and latency of requests, of all and of those during switches; times in milliseconds."""
    requests: list[Request] = []
    stop = asyncio.Event()
    clients = [asyncio.create_task(_client(url, requests, stop)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(2 * APART_S)
    switches = []
    for number in range(SWITCHES):
        begin = time.perf_counter()
        await switch(COLOURS[1 - number % 2])
        switches.append((begin, time.perf_counter()))
        await asyncio.sleep(APART_S)
    stop.set()
    await asyncio.gather(*clients)
    during = [
        each
        for each in requests
        if any(each.end > begin - AROUND_S and each.begin < end + AROUND_S for begin, end in switches)
    ]
    return {
        "requests": len(requests),
        "errors": sum(not each.answered for each in requests),
        "p50_ms": _quantile(requests, 0.5),
        "p99_ms": _quantile(requests, 0.99),
        "during": len(during),
        "p99_during_ms": _quantile(during, 0.99),
        "longest_ms": _quantile(requests, 1.0),
        "switch_ms": 1e3 * float(np.median([end - begin for begin, end in switches])),
    }


async def our_switches(town: Town) -> dict[str, Any]:
    """Through the router, minds and all."""
    token = next(iter(read(town.router.state_dir / "traffic.token").values()))
    async with httpx.AsyncClient(base_url=town.router.http, timeout=TIMEOUT_S) as web:

        async def switch(colour: str) -> None:
            version = (await web.get("/api/v1/traffic")).json()["table"]["version"]
            order = {"version": version, "active": colour}
            headers = {"Authorization": f"Bearer {token}"}
            (await web.put("/api/v1/traffic", json=order, headers=headers)).raise_for_status()

        return await through_switches(f"{town.router.http}/api/v1/stimuli", switch)


async def proxied_switches(proxy: Proxy, folder: Path) -> dict[str, Any]:
    """Through a proxy before two colours."""
    with proxy(folder) as (url, direct):

        async def switch(colour: str) -> None:
            await asyncio.to_thread(direct, colour)

        return await through_switches(url, switch)


async def _client(url: str, requests: list[Request], stop: asyncio.Event) -> None:
    """Asks, thinks and asks again over one connection, which it makes anew when it was closed."""
    address = urlsplit(url)
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not stop.is_set():
        begin = time.perf_counter()
        try:
            if connection is None:
                connection = await asyncio.open_connection(address.hostname, address.port)
            async with asyncio.timeout(TIMEOUT_S):
                status, closes = await _ask(*connection, head + BODY)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            status, closes = 0, True
        requests.append(Request(begin, time.perf_counter(), status == 200))
        if closes:
            connection = None
        await asyncio.sleep(THINK_S)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bool]:
    """The status of the reply, and whether the connection is closed after it."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), b"connection: close" in head


def _quantile(requests: list[Request], share: float) -> float:
    return 1e3 * float(np.quantile([each.end - each.begin for each in requests], share))


def main() -> None:
    """Measure and write `results/http_switch.json`."""
    with tempfile.TemporaryDirectory(prefix="emily-http-switch-") as name:
        folder = Path(name)
        (folder / "router").mkdir()
        with town(folder / "router") as here:
            figures = {"router": asyncio.run(our_switches(here))}
        for each, proxy in PROXIES.items():
            if shutil.which(each):
                figures[each] = asyncio.run(proxied_switches(proxy, folder / each))
    for each, figure in figures.items():
        print(each, figure, flush=True)
    errors = figures["router"]["errors"]
    versions = {each: _version(each) for each in PROXIES if each in figures}
    report.write(
        "http_switch",
        figures=figures,
        bars=[report.bar("errors over HTTP through switches", errors, "==", 0)],
        versions=report.versions("litestar", "uvloop") | versions,
    )


def _version(proxy: str) -> str:
    asked = {"nginx": ["nginx", "-v"], "caddy": ["caddy", "version"]}[proxy]
    told = subprocess.run(
        asked, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10
    )
    return (told.stdout + told.stderr).strip()


if __name__ == "__main__":
    main()
