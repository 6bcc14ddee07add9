"""A service that a rotated password of the bus locks out ends, and starts again with the new one."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from emily_bus.testing import free_endpoint, start_router
from emily_runtime.bus_password import LOOK_S
from emily_runtime.testing import ServiceProcess

OLD, NEW = "an-old-password", "another-password"


class Guarded:
    """A router that asks for a password, and starts again on the same endpoint."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = free_endpoint()
        self._passwords = folder / "passwords"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, password: str) -> None:
        self._passwords.write_text(f"router:inside\nweb:{password}\n")
        self._process = start_router(self.endpoint, ("--passwords", str(self._passwords)))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path)
    guarded.start(OLD)
    yield guarded
    guarded.stop()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "web.password"
    file.write_text(OLD)
    return file


@pytest.fixture
def web(specimen: Callable[[str], ServiceProcess], guarded: Guarded, password: Path) -> ServiceProcess:
    process = specimen("web")
    process.endpoint = guarded.endpoint
    process.start(bus_user="web", bus_password_secret=f"file:{password}")
    return process


def test_service_that_is_locked_out_by_a_rotation_ends_and_gets_on_with_the_new_password(
    web: ServiceProcess, guarded: Guarded, password: Path
) -> None:
    rotate(password)
    guarded.stop()
    guarded.start(NEW)
    assert web.wait() == 3
    assert "its password was rotated" in web.log.read_text()
    web.start(bus_user="web", bus_password_secret=f"file:{password}")
    assert web.stop() == 0
    assert NEW not in web.log.read_text()


def test_service_whose_link_stands_goes_on_when_the_password_is_rotated(
    web: ServiceProcess, password: Path
) -> None:
    rotate(password)
    time.sleep(2 * LOOK_S)
    assert web.get("/readyz").status == 200
    assert web.stop() == 0


def test_service_gets_back_by_itself_to_a_router_that_starts_again_with_the_same_password(
    web: ServiceProcess, guarded: Guarded
) -> None:
    guarded.stop()
    web.wait_until(lambda: web.get("/readyz").status == 503)
    guarded.start(OLD)
    web.wait_until(lambda: web.get("/readyz").status == 200)
    assert web.stop() == 0


def rotate(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text(NEW)
    new.rename(file)
