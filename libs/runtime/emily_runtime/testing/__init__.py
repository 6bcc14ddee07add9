"""A service as a real process for tests: start it, look at it from outside, stop or kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from emily_bus import Bus, BusSettings
from prometheus_client.parser import text_string_to_metric_families

from emily_runtime.loading import variable

DEADLINE_S = 20.0
POLL_S = 0.01


class Answer(NamedTuple):
    """What a service said over HTTP."""

    status: int
    headers: Message
    text: str

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.text)


class ServiceProcess:
    """One service on a bus; it can be started again on the same state.

    Attributes:
        announcement: Where it tells its process id and HTTP address.
        checkpoint: Where a mind keeps its state.
        log: What it wrote to stdout and stderr in all its lives.
    """

    def __init__(
        self, command: Sequence[str], *, name: str, endpoint: str, namespace: str, state_dir: Path
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.namespace = namespace
        self.state_dir = state_dir
        self.announcement = state_dir / "run" / namespace / f"{name}.json"
        self.checkpoint = state_dir / "checkpoints" / namespace / f"{name}.ckpt"
        self.log = state_dir / f"{name}.log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http(self) -> str:
        """The address that it announced.

        Raises:
            FileNotFoundError: It announces none now.
        """
        address: str = json.loads(self.announcement.read_text())["http"]
        return address

    def launch(self, **settings: str) -> None:
        """Start it with settings by their names and wait for nothing."""
        given = {"bus_endpoint": self.endpoint, "namespace": self.namespace, "state_dir": str(self.state_dir)}
        variables = {variable(self.name, key): value for key, value in (given | settings).items()}
        self.announcement.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | variables
            )

    def start(self, **settings: str) -> None:
        """Start it and wait until it is ready."""
        self.launch(**settings)
        self.wait_until(self.is_ready)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for what a process that lives will bring about.

        Raises:
            RuntimeError: It ended first.
            TimeoutError: It did not hold within 20 s.
        """
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} does not run; it logged:\n{self.log.read_text()}")
            with suppress(OSError, ValueError):
                if holds():
                    return
            time.sleep(POLL_S)
        raise TimeoutError(f"{self.name} logged:\n{self.log.read_text()}")

    def is_ready(self) -> bool:
        """Whether it says that it is ready."""
        return self.get("/readyz").status == 200

    def get(self, path: str, method: str = "GET") -> Answer:
        """What it answers over HTTP; errors are answers too."""
        request = urllib.request.Request(self.http + path, method=method)  # noqa: S310 - it announced http
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.headers, refused.read().decode())

    def metric(self, name: str, **labels: str) -> float:
        """A sample of its metrics.

        Raises:
            LookupError: It exposes none of that name and labels.
        """
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if (sample.name, sample.labels) == (name, labels):
                    return sample.value
        raise LookupError(f"{name}{labels} is not exposed")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines about an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def bus(self, name: str = "test") -> AbstractAsyncContextManager[Bus]:
        """A session in its namespace."""
        return Bus.open(BusSettings(endpoint=self.endpoint), namespace=self.namespace, name=name)


@contextmanager
def service_process(name: str, *, endpoint: str, namespace: str, state_dir: Path) -> Iterator[ServiceProcess]:
    """The service of the package `emily_<name>`, not yet started; it is killed at the end of the block."""
    command = (sys.executable, "-m", f"emily_{name}")
    process = ServiceProcess(command, name=name, endpoint=endpoint, namespace=namespace, state_dir=state_dir)
    try:
        yield process
    finally:
        process.kill()
