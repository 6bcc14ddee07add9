"""What the driver tells Compose and makes of its answers; a script and a socket stand in for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from emily_deployer.drivers.compose import Compose
from emily_deployer.drivers.engine import Engine
from emily_deployer.errors import BadOrder, StepFailed

pytestmark = pytest.mark.anyio

DOCKER = """#!/bin/bash
echo "$EMILY_VERSION|$PWD|$*" >> {folder}/calls
read -t 1 line && echo "somebody typed" >> {folder}/calls
case "$*" in
    *" ps "*) cat {folder}/containers ;;
    *" logs "*) echo "no model" ;;
    *" $(cat {folder}/fails 2>/dev/null || echo nothing) "*) echo "it burns" >&2; exit 3 ;;
esac
"""


class Images(BaseHTTPRequestHandler):
    """Answers as the engine does, from a folder; `broken` is an engine that fails."""

    def do_GET(self) -> None:
        file = self.server.folder / unquote(self.path).removeprefix("/images/").removesuffix("/json")  # type: ignore[attr-defined]
        status, said = (200, file.read_bytes()) if file.exists() else (404, b'{"message": "no such image"}')
        if "broken" in self.path:
            status, said = 500, b"it burns"
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def address_string(self) -> str:
        return "a test"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


class Docker:
    """The script, what it was told, and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "images").mkdir()
        self.program = folder / "docker"
        self.program.write_text(DOCKER.format(folder=folder))
        self.program.chmod(0o700)
        self.show()

    def show(self, *containers: dict[str, Any]) -> None:
        (self.folder / "containers").write_text("".join(json.dumps(each) + "\n" for each in containers))

    def has(self, image: str) -> None:
        labels = {"org.opencontainers.image.version": "v2", "org.opencontainers.image.revision": "abc"}
        described = {"Id": "sha256:1", "Created": "2026", "Config": {"Labels": labels}}
        (self.folder / "images" / image).write_text(json.dumps(described))

    def fails(self, command: str) -> None:
        (self.folder / "fails").write_text(command)

    @property
    def called(self) -> bool:
        return (self.folder / "calls").exists()

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


@pytest.fixture
def engine(docker: Docker) -> Iterator[Engine]:
    path = docker.folder / "docker.sock"
    with ThreadingUnixStreamServer(str(path), Images) as server:
        server.folder = docker.folder / "images"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Engine(path)
        server.shutdown()


@pytest.fixture
def driver(docker: Docker, engine: Engine) -> Compose:
    return Compose(docker.folder, (str(docker.program), "compose"), engine)


def container(mind: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "Service": f"green-{mind}",
        "Image": f"emily-{mind}:v2",
        "State": "running",
        "Health": "healthy",
    }
    return fields | {"ExitCode": 0} | changes


MINDS = ("reflex", "workspace", "inference", "memory")
GREEN = "green-reflex green-workspace green-inference green-memory"


async def test_only_the_colour_is_started_and_nothing_that_answers_is_made_anew(
    driver: Compose, docker: Docker
) -> None:
    await driver.start("green", "v2")
    await driver.stop("green")
    await driver.retire("green")
    assert docker.calls == [
        f"v2|{docker.folder}|compose --profile green up -d --no-deps {GREEN}",
        f"|{docker.folder}|compose --profile green stop {GREEN}",
        f"|{docker.folder}|compose --profile green rm --force {GREEN}",
    ]


async def test_it_is_ready_when_every_container_is_healthy(driver: Compose, docker: Docker) -> None:
    heard: list[str] = []
    docker.show(container("reflex", Health="starting"), *map(container, MINDS[1:3]))
    with anyio.move_on_after(1.2):
        await driver.ready("green", heard.append)
    assert heard[-1] == "green-reflex is running and starting; green-memory is not there"
    docker.show(*map(container, MINDS))
    await driver.ready("green", heard.append)


async def test_one_that_ended_never_will_be(driver: Compose, docker: Docker) -> None:
    docker.show(container("inference", State="exited", ExitCode=2), *map(container, ("reflex", "workspace")))
    with pytest.raises(StepFailed, match="green-inference is exited with 2; it said: no model"):
        await driver.ready("green", lambda words: None)


async def test_what_runs_is_known_by_its_images(driver: Compose, docker: Docker) -> None:
    docker.show(
        *map(container, MINDS), {"Service": "router", "Image": "emily-router:dev", "State": "running"}
    )
    assert await driver.running() == {"green": "v2"}


async def test_only_images_that_are_missing_are_fetched(driver: Compose, docker: Docker) -> None:
    for mind in MINDS:
        docker.has(f"emily-{mind}:v2")
    await driver.build("v2")
    assert not docker.called
    docker.fails("pull")
    (docker.folder / "images" / "emily-memory:v2").unlink()
    with pytest.raises(StepFailed, match=r"(?s)it burns.*EMILY_VERSION=v2 make images"):
        await driver.build("v2")
    assert docker.calls[-1].endswith("pull --quiet green-memory")


async def test_migrations_run_in_the_image_of_the_release(driver: Compose, docker: Docker) -> None:
    await driver.expand("v2")
    await driver.contract("v2")
    assert all(call.startswith("v2|") and "run --rm --no-deps -T" in call for call in docker.calls)
    assert docker.calls[0].endswith("green-memory -m emily_postgres.apply memory emily_memory.store")
    assert docker.calls[1].endswith("--contract")
    docker.fails("run")
    with pytest.raises(StepFailed, match="docker compose run: exit 3; it said: it burns"):
        await driver.expand("v2")


async def test_a_version_is_a_tag(driver: Compose, docker: Docker) -> None:
    assert await driver.resolve("v2.1_rc-3") == "v2.1_rc-3"
    for bad in ("", "a b", "-rm", "x/y", "v2;reboot"):
        with pytest.raises(BadOrder, match="is no tag of images"):
            await driver.resolve(bad)
    docker.has("emily-inference:v2")
    assert (await driver.describe("v2"))["revision"] == "abc"
    with pytest.raises(StepFailed, match=r"emily-inference:v3 is not here.*EMILY_VERSION=v3 make images"):
        await driver.describe("v3")


async def test_an_engine_that_does_not_answer_is_named(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StepFailed, match=r"docker.sock: answers 500: it burns"):
        await engine.image("broken:v2")
    with pytest.raises(StepFailed, match=r"nobody.sock: No such file or directory"):
        await Engine(tmp_path / "nobody.sock").image("emily-reflex:v2")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    assert await Engine().image("emily-reflex:v2") is None
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    with pytest.raises(StepFailed, match=r"DOCKER_HOST: 'tcp://elsewhere:2375' is no Unix socket"):
        await Engine().image("emily-reflex:v2")
