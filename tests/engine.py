"""A Docker engine for tests, through its command line; nobody waits for it without end."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

ROOT = Path(__file__).parent.parent
VERSION = "test"
"""EMILY_VERSION of the images that tests build."""
REVISION = "of-a-test"
"""Their EMILY_REVISION: always the same, for else the last layer were always new."""
BUILD_TIMEOUT_S = 600.0
TIMEOUT_S = 60.0
POLL_S = 0.05
REQUIRED = "EMILY_CONTAINERS"
"""Set to `required` where an engine must be: a test that lacks one fails then, and is skipped elsewhere."""

Finished = subprocess.CompletedProcess[str]


def docker(
    *arguments: str,
    timeout_s: float = TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Finished:
    """What a command of `docker` did."""
    return subprocess.run(
        ["docker", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
        cwd=folder,
    )


def lack() -> str | None:
    """Why images can't be built and run here; none when they can."""
    needed = {"engine": ("version", "--format", "{{.Server.Version}}"), "Compose v2": ("compose", "version")}
    for name, command in needed.items():
        try:
            answered = docker(*command, timeout_s=10).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            answered = False
        if not answered:
            return f"no Docker {name} answers; on Debian, infra/docker/provision-debian.sh brings it"
    return None


def needed() -> None:
    """Skip the test where no engine answers; fail it where one is required."""
    why = lack()
    if why is None:
        return
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{REQUIRED}=required: {why}", pytrace=False)
    pytest.skip(why)


def built(service: str) -> str:
    """The image of a service in compose.yaml, built anew; the test is skipped where no engine answers."""
    needed()
    done = docker("compose", "build", service, timeout_s=BUILD_TIMEOUT_S, environment=environment())
    if done.returncode != 0:
        pytest.fail(f"{service} can't be built: {done.stdout[-2000:]}{done.stderr[-2000:]}", pytrace=False)
    return f"emily-{service.removeprefix('blue-')}:{VERSION}"


def environment(**changes: str) -> dict[str, str]:
    """For Compose: ours, with the version that tests build."""
    return os.environ | {"EMILY_VERSION": VERSION, "EMILY_REVISION": REVISION} | changes


def inspected(kind: str, name: str) -> Any:
    """What the engine knows of an image or a container."""
    done = docker(kind, "inspect", name)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


class Container:
    """One that was started.

    Attributes:
        name: Of the container.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str) -> str:
        """What a command inside says; it must succeed."""
        done = docker("exec", self.name, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> None:
        """Again, after an end."""
        done = docker("start", self.name)
        assert done.returncode == 0, done.stderr

    def kill(self, signal: str) -> None:
        """Send a signal to its first process."""
        docker("kill", "--signal", signal, self.name)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit code, once it has ended."""
        return int(docker("wait", self.name, timeout_s=timeout_s).stdout)

    def wait_until(self, *command: str, timeout_s: float = TIMEOUT_S) -> None:
        """Until a command inside succeeds."""
        deadline = time.monotonic() + timeout_s
        while docker("exec", self.name, *command).returncode != 0:
            assert time.monotonic() < deadline, self.logs()
            assert inspected("container", self.name)["State"]["Running"], self.logs()
            time.sleep(POLL_S)

    def logs(self) -> str:
        """Everything that it said."""
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def address(self, port: int) -> tuple[str, int]:
        """Host and port under which a port of it is published."""
        host, _, published = docker("port", self.name, f"{port}/tcp").stdout.splitlines()[0].rpartition(":")
        return host, int(published)


@contextmanager
def container(image: str, *options: str) -> Iterator[Container]:
    """One in the background; it is removed with its volumes."""
    name = f"emily-test-{uuid4().hex[:8]}"
    try:
        done = docker("run", "--detach", "--name", name, *options, image)
        assert done.returncode == 0, done.stderr
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)
