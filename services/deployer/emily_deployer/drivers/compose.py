"""Colours as containers of Docker Compose; every command runs without input and within a deadline.

Only the services of the colour are named, and without what they depend on: a router that answers is not made
anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from emily_deployer.drivers.driver import Hear
from emily_deployer.drivers.engine import Engine
from emily_deployer.errors import BadOrder, StepFailed
from emily_deployer.processes import run

TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
MINDS = ("reflex", "workspace", "inference", "memory")
VERSION = "EMILY_VERSION"
URL_FILE = "EMILY_DATABASE_URL_FILE=/run/secrets/memory_database_url"  # pragma: allowlist secret
LABELS = {"org.opencontainers.image.version": "version", "org.opencontainers.image.revision": "revision"}
COMMAND_TIMEOUT_S = 120.0
PULL_TIMEOUT_S = 1800.0
MIGRATION_TIMEOUT_S = 3600.0
POLL_S = 0.5
DEAD = ("exited", "dead", "removing")


class Compose:
    """A `Driver` for a project of Compose.

    Args:
        folder: With `compose.yaml`.
        command: Of Compose.
        engine: On which the containers run.
    """

    def __init__(
        self, folder: Path, command: tuple[str, ...] = ("docker", "compose"), engine: Engine | None = None
    ) -> None:
        self._folder = folder
        self._command = command
        self._engine = engine or Engine()

    async def resolve(self, version: str) -> str:
        """A tag of images."""
        if not TAG.fullmatch(version):
            raise BadOrder(f"version: {version!r} is no tag of images; use letters, digits, '.', '_' and '-'")
        return version

    async def running(self) -> dict[str, str]:
        """By the images of the containers."""
        said = await self._compose("ps", "--all", "--format", "json")
        found = {}
        for container in _documents(said):
            colour, _, mind = container["Service"].partition("-")
            if mind in MINDS:
                found[colour] = container["Image"].rpartition(":")[2]
        return found

    async def describe(self, release: str) -> dict[str, str]:
        """The labels of an image, and its digest."""
        name = _image("inference", release)
        image = await self._engine.image(name)
        if image is None:
            raise StepFailed(f"{name} is not here; build it with: EMILY_VERSION={release} make images")
        labels = image["Config"].get("Labels") or {}
        known = {name: labels[label] for label, name in LABELS.items() if label in labels}
        return {"release": release, "image": image["Id"], "created": image["Created"], **known}

    async def build(self, release: str) -> None:
        """Fetch the images that are not here."""
        missing = [mind for mind in MINDS if await self._engine.image(_image(mind, release)) is None]
        if not missing:
            return
        services = [f"green-{mind}" for mind in missing]
        try:
            await self._compose(
                "--profile", "green", "pull", "--quiet", *services, release=release, timeout_s=PULL_TIMEOUT_S
            )
        except StepFailed as failure:
            raise StepFailed(f"{failure}; build them with: EMILY_VERSION={release} make images") from None

    async def expand(self, release: str) -> None:
        """Memory's migrations up to the first contraction, by its image."""
        await self._migrate(release)

    async def contract(self, release: str) -> None:
        """Memory's contractions too."""
        await self._migrate(release, "--contract")

    async def start(self, colour: str, release: str) -> None:
        """Make and start its containers."""
        await self._compose("--profile", colour, "up", "-d", "--no-deps", *_services(colour), release=release)

    async def ready(self, colour: str, hear: Hear) -> None:
        """Until the health check of each container passes."""
        while lacking := await self._lacking(colour):
            hear(lacking)
            await anyio.sleep(POLL_S)

    async def stop(self, colour: str) -> None:
        """Stop its containers, which finish what they hold."""
        await self._compose("--profile", colour, "stop", *_services(colour))

    async def retire(self, colour: str) -> None:
        """Remove its stopped containers; volumes and images stay."""
        await self._compose("--profile", colour, "rm", "--force", *_services(colour))

    async def _lacking(self, colour: str) -> str:
        said = await self._compose("--profile", colour, "ps", "--all", "--format", "json", *_services(colour))
        containers = {container["Service"]: container for container in _documents(said)}
        lacking = []
        for service in _services(colour):
            container = containers.get(service)
            if container is None:
                lacking.append(f"{service} is not there")
            elif container["State"] in DEAD:
                logs = await self._compose("--profile", colour, "logs", "--no-color", "--tail", "10", service)
                code = container.get("ExitCode")
                raise StepFailed(f"{service} is {container['State']} with {code}; it said: {logs.strip()}")
            elif container.get("Health") != "healthy":
                lacking.append(
                    f"{service} is {container['State']} and {container.get('Health') or 'not checked'}"
                )
        return "; ".join(lacking)

    async def _migrate(self, release: str, *options: str) -> None:
        await self._compose(
            "--profile", "green", "run", "--rm", "--no-deps", "-T", "-e", URL_FILE, "--entrypoint", "python3",
            "green-memory", "-m", "emily_postgres.apply", "memory", "emily_memory.store", *options,
            release=release,
            timeout_s=MIGRATION_TIMEOUT_S,
        )  # fmt: skip

    async def _compose(
        self, *arguments: str, release: str | None = None, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str:
        environment: Mapping[str, str] = {} if release is None else {VERSION: release}
        what = next(
            (word for word in arguments if not word.startswith("-") and word not in {"blue", "green"}), ""
        )
        return await run(
            [*self._command, *arguments],
            timeout_s=timeout_s,
            what=f"docker compose {what}",
            environment=environment,
            folder=self._folder,
        )


def _services(colour: str) -> tuple[str, ...]:
    return tuple(f"{colour}-{mind}" for mind in MINDS)


def _image(mind: str, release: str) -> str:
    return f"emily-{mind}:{release}"


def _documents(said: str) -> list[dict[str, Any]]:
    """Containers, which Compose gives as one list or as one document a line, by its version."""
    text = said.strip()
    if text.startswith("["):
        listed: list[dict[str, Any]] = json.loads(text)
        return listed
    return [json.loads(line) for line in text.splitlines() if line]
