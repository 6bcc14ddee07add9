"""Proxies that people switch with, each before two colours over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from emily.system import free_port
from storm import COLOURS

COLOUR = Path(__file__).parent / "peers" / "http_colour.py"
START_S = 10.0

type Proxied = tuple[str, Callable[[str], None]]
"""The address of stimuli, and what directs them to a colour."""


@contextmanager
def nginx(folder: Path) -> Iterator[Proxied]:
    """nginx, which is given another upstream and reloads."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    with _colours() as ports:
        (folder / "nginx.conf").write_text(
            f"""
            worker_processes 1;
            pid {folder}/nginx.pid;
            error_log {folder}/error.log;
            events {{ worker_connections 256; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi; scgi_temp_path {folder}/scgi;
                uwsgi_temp_path {folder}/uwsgi;
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

        direct(COLOURS[0])
        _nginx(folder)
        try:
            yield _stimuli(port), direct
        finally:
            _nginx(folder, "-s", "stop")


@contextmanager
def caddy(folder: Path) -> Iterator[Proxied]:
    """Caddy, which is given another upstream through its own API and loads it."""
    folder.mkdir(exist_ok=True)
    port, admin = free_port(), free_port()
    with _colours() as ports, ExitStack() as stack:

        def proxying(colour: str) -> dict[str, Any]:
            return {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{ports[colour]}"}]}

        served = {
            "listen": [f"127.0.0.1:{port}"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": [{**proxying(COLOURS[0]), "@id": "colour"}]}],
        }
        (folder / "caddy.json").write_text(
            json.dumps(
                {
                    "admin": {"listen": f"127.0.0.1:{admin}", "config": {"persist": False}},
                    "logging": {"logs": {"default": {"level": "ERROR"}}},
                    "apps": {"http": {"servers": {"emily": served}}},
                }
            )
        )
        process = subprocess.Popen(
            ["caddy", "run", "--config", str(folder / "caddy.json")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "GOMAXPROCS": "1"},
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        web = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{admin}", timeout=10))

        def direct(colour: str) -> None:
            order = {**proxying(colour), "@id": "colour"}
            web.patch("/id/colour", json=order).raise_for_status()

        deadline = time.monotonic() + START_S
        while not _listens(web):
            if time.monotonic() > deadline:
                raise RuntimeError(f"caddy did not start within {START_S:g} s")
            time.sleep(0.05)
        yield _stimuli(port), direct


def _listens(web: httpx.Client) -> bool:
    try:
        return web.get("/config/").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _colours() -> Iterator[dict[str, int]]:
    """Two colours that answer over HTTP: the port of each."""
    ports = {colour: free_port() for colour in COLOURS}
    with ExitStack() as stack:
        for colour, port in ports.items():
            command = [sys.executable, str(COLOUR), str(port), colour]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield ports


def _stimuli(port: int) -> str:
    return f"http://127.0.0.1:{port}/api/v1/stimuli"


def _nginx(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
    )
