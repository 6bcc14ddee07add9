"""Requests over HTTP through switches: the router, and nginx that is told of the other upstream and reloads.

Both get the same requests over the same number of kept connections. What nginx leaves out is not measured:
its switch moves no state, and nothing is answered once only.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
from emily.system import free_port
from emily_runtime.tokens import read
from storm import COLOURS, Town

CONNECTIONS = 8
THINK_S = 0.02
SWITCHES = 20
APART_S = 0.4
AROUND_S = 0.1
"""Before and after a switch, in which a request counts as made during it."""
TIMEOUT_S = 10.0
COLOUR = Path(__file__).parent / "peers" / "http_colour.py"
BODY = msgspec.json.encode(
    {"modality": "vision", "signals": [{"channel": "fovea", "values": [1.0]}], "deadline_ms": 4000}
)

type Switch = Callable[[str], Awaitable[None]]


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


async def nginx_switches(folder: Path) -> dict[str, Any]:
    """Through nginx."""
    with nginx(folder) as (url, direct):

        async def switch(colour: str) -> None:
            await asyncio.to_thread(direct, colour)

        return await through_switches(url, switch)


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """nginx before two colours: its address, and what directs it to one of them."""
    folder.mkdir(exist_ok=True)
    ports = {colour: free_port() for colour in COLOURS}
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""
        worker_processes 1;
        pid {folder}/nginx.pid;
        error_log {folder}/error.log;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            include {folder}/upstream.conf;
            server {{
                listen 127.0.0.1:{port};
                keepalive_requests 1000000;
                location / {{
                    proxy_pass http://colour; proxy_http_version 1.1; proxy_set_header Connection "";
                }}
            }}
        }}
        """
    )

    def direct(colour: str) -> None:
        text = f"upstream colour {{ server 127.0.0.1:{ports[colour]}; keepalive 16; }}"
        (folder / "upstream.conf").write_text(text)
        if (folder / "nginx.pid").exists():
            _nginx(folder, "-s", "reload")

    with ExitStack() as stack:
        for colour in COLOURS:
            command = [sys.executable, str(COLOUR), str(ports[colour]), colour]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        direct(COLOURS[0])
        _nginx(folder)
        stack.callback(_nginx, folder, "-s", "stop")
        yield f"http://127.0.0.1:{port}/api/v1/stimuli", direct


def _nginx(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
    )


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
