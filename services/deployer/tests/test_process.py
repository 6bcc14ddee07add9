"""A running deployer: what it answers on the bus, what it keeps, and who takes over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from emily_bus import ErrorReply
from emily_bus.testing import router
from emily_contracts.deploying import DeployCommand, DeployOrder, DeployRequest, DeployStatus
from emily_contracts.topics import COMMAND_DEPLOY, CURRENT_DEPLOY, ORDER_DEPLOY
from emily_deployer.settings import DeployerSettings
from emily_runtime import SettingsError, load_settings
from emily_runtime.testing import ServiceProcess
from emily_runtime.tokens import read

pytestmark = pytest.mark.anyio
COMMAND = (sys.executable, "-m", "emily_deployer")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with router() as listening:
        yield listening


def process(endpoint: str, state_dir: Path) -> ServiceProcess:
    state_dir.mkdir(exist_ok=True)
    return ServiceProcess(COMMAND, name="deployer", endpoint=endpoint, namespace="emily", state_dir=state_dir)


async def ended(living: ServiceProcess) -> DeployStatus:
    with anyio.fail_after(20):
        async with living.bus() as bus:
            while True:
                status = await bus.ask(CURRENT_DEPLOY, DeployRequest(), timeout=5)
                if status.ended_at is not None:
                    return status
                await anyio.sleep(0.02)


async def test_it_is_led_over_the_bus_by_who_has_a_token(endpoint: str, tmp_path: Path) -> None:
    living = process(endpoint, tmp_path)
    try:
        living.start()
        (token,) = read(tmp_path / "deploys.token").values()
        async with living.bus() as bus:
            assert (await bus.ask(CURRENT_DEPLOY, DeployRequest(), timeout=5)).state == "none"
            with pytest.raises(ErrorReply, match="token: the token is not known"):
                await bus.ask(ORDER_DEPLOY, DeployOrder(token="wrong", version="current"), timeout=5)
            order = DeployOrder(token=token, version="current", steps=(50.0, 5.0))
            with pytest.raises(ErrorReply, match="steps: "):
                await bus.ask(ORDER_DEPLOY, order, timeout=5)
            with pytest.raises(ErrorReply, match="no deploy is under way"):
                await bus.ask(COMMAND_DEPLOY, DeployCommand(token=token, command="abort"), timeout=5)
            begun = await bus.ask(ORDER_DEPLOY, DeployOrder(token=token, version="current"), timeout=5)
            assert (begun.by, begun.version, begun.step) == ("operator", "current", "lock")
        over = await ended(living)
        assert (over.state, over.old) == ("rolled back", "")
        assert over.words.startswith("plan: the router does not tell its table")
        assert living.metric("emily_deployer_deploys_total", state="rolled back") == 1
        assert living.stop() == 0
        living.start()
        assert (await ended(living)).id == over.id
        assert living.stop() == 0
    finally:
        living.kill()


async def test_one_deploys_on_a_database_and_another_takes_over_from_it(
    endpoint: str, url: str, tmp_path: Path
) -> None:
    first, second = process(endpoint, tmp_path / "one"), process(endpoint, tmp_path / "two")
    try:
        first.start(database_url=url)
        second.launch(database_url=url)
        second.wait_until(lambda: bool(second.logged("another deployer works on this database; stands by")))
        (token,) = read(tmp_path / "two" / "deploys.token").values()
        headers = {"Authorization": f"Bearer {token}"}
        refused = httpx.get(f"{second.http}/api/v1/deploys", headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        first.kill()
        second.wait_until(second.is_ready)
        assert second.stop() == 0
    finally:
        first.kill()
        second.kill()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"COLOURS": "blue,blue"}, "colours: 'blue' is there twice"),
        ({"DRIVER": "kubernetes"}, "EMILY_DEPLOYER_DRIVER"),
        ({"DATABASE_URL": "x", "DATABASE_URL_FILE": __file__}, "database_url and database_url_file"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, str], words: str) -> None:
    environ = {f"EMILY_DEPLOYER_{name}": value for name, value in given.items()}
    with pytest.raises(SettingsError, match=words):
        load_settings(DeployerSettings, service="deployer", environ=environ)
