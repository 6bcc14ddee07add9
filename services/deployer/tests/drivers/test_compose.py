"""What the driver tells Compose, and what it makes of the answers; a script stands in for the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily_deployer.drivers.compose import Compose
from emily_deployer.errors import BadOrder, StepFailed

pytestmark = pytest.mark.anyio

DOCKER = """#!/bin/bash
echo "$EMILY_VERSION|$PWD|$*" >> {folder}/calls
read -t 1 line && echo "somebody typed" >> {folder}/calls
case "$*" in
    *" ps "*) cat {folder}/containers ;;
    "image inspect "*) cat {folder}/images/"${{@: -1}}" ;;
    *" logs "*) echo "no model" ;;
    *" $(cat {folder}/fails 2>/dev/null || echo nothing) "*) echo "it burns" >&2; exit 3 ;;
esac
"""


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
        (self.folder / "images" / image).write_text(json.dumps([described]))

    def fails(self, command: str) -> None:
        (self.folder / "fails").write_text(command)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


@pytest.fixture
def driver(docker: Docker) -> Compose:
    return Compose(docker.folder, (str(docker.program), "compose"))


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
    assert not any("pull" in call for call in docker.calls)
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
