"""A running flag-service: what it pushes, and what it goes through.

All tests share one process and its database; each leaves it running, and changes flags of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from emily_bus import Bus, BusSettings
from emily_contracts import Act, Decision, Exposure, Outcome, Status, uuid7
from emily_contracts.flags import FlagsRequest
from emily_contracts.topics import CURRENT_FLAGS, EXPOSURE, FLAGS, INBOUND_OUTCOME, OUTBOUND_DECISION
from emily_flag_service.store.store import opened
from emily_flags import Replica, following, parse_flag
from emily_flags.testing import METADATA, define
from emily_runtime.testing import ServiceProcess
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

CANARY = "enable_gflownet_v2"
STATIC = "enable_alpha_phase_reset"
NEW = {"If-None-Match": "*"}
HEARTBEAT_S = "0.2"
pytestmark = pytest.mark.anyio


@pytest.fixture
def process(living: ServiceProcess, database_url: str) -> ServiceProcess:
    """The flag-service, running whatever an earlier test did to it."""
    with contextlib.suppress(FileNotFoundError, OSError):
        if living.is_ready():
            return living
    living.kill()
    living.start(database_url=database_url, heartbeat_s=HEARTBEAT_S)
    return living


@pytest.fixture
def settings(process: ServiceProcess) -> BusSettings:
    """Of its bus."""
    return BusSettings(endpoint=process.endpoint)


def client(process: ServiceProcess) -> httpx.Client:
    """Somebody with a token."""
    token = (process.state_dir / "flags.token").read_text().split()[1]
    return httpx.Client(base_url=process.http, timeout=20, headers={"Authorization": f"Bearer {token}"})


def put(process: ServiceProcess, key: str, expected: int = 0, **changes: Any) -> httpx.Response:
    match = {"If-Match": f'"{expected}"'} if expected else NEW
    with client(process) as http:
        return http.put(f"/api/v1/flags/{key}", json={"definition": define(**changes)}, headers=match)


def exposure(flag: str, subject: str) -> Exposure:
    now = datetime.now(UTC)
    return Exposure(id=uuid7(now), at=now, stimulus_id=uuid7(now), flag=flag, variant="on", key=subject)


def arms(process: ServiceProcess, flag: str) -> list[dict[str, Any]]:
    """Variants of a flag, with who was under them."""
    with client(process) as http:
        found: list[dict[str, Any]] = http.get(f"/api/v1/flags/{flag}/experiment").json()["arms"]
    return found


async def until(replica: Replica, key: str) -> None:
    with anyio.fail_after(10):
        while not replica.enabled(key):
            await anyio.sleep(0.005)


@pytest.fixture
def public(process: ServiceProcess) -> Iterator[Any]:
    """The OFREP provider that everybody can install, as a client."""
    api.set_provider_and_wait(OFREPProvider(process.http), "public")
    yield api.get_client("public")
    api.clear_providers()


async def test_the_public_provider_gives_what_a_replica_gives(
    public: Any, process: ServiceProcess, settings: BusSettings
) -> None:
    async with following(settings, namespace=process.namespace) as replica:

        def compare() -> int:
            on = 0
            for number in range(100):
                context = EvaluationContext(f"subject-{number}", {"room": "hall"})
                remote = public.get_boolean_details(CANARY, False, context)
                local = replica.resolve("boolean", CANARY, False, context)
                assert (remote.value, remote.variant, remote.reason) == (
                    local.value,
                    local.variant,
                    local.reason,
                )
                on += remote.value
            return on

        assert 0 < await anyio.to_thread.run_sync(compare) < 40
    missing = await anyio.to_thread.run_sync(public.get_boolean_details, "nothing", True)
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    keyless = await anyio.to_thread.run_sync(public.get_boolean_details, CANARY, True)
    assert (keyless.value, keyless.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)


async def test_a_change_reaches_every_replica(process: ServiceProcess, settings: BusSettings) -> None:
    async with following(settings, namespace=process.namespace) as replica:
        assert not replica.enabled("pushed")
        made = await anyio.to_thread.run_sync(lambda: put(process, "pushed", defaultVariant="on"))
        assert made.status_code == 200
        await until(replica, "pushed")


async def test_the_flags_are_said_again_and_again(process: ServiceProcess, settings: BusSettings) -> None:
    async with (
        Bus.open(settings, namespace=process.namespace, name="test") as bus,
        bus.subscribe(FLAGS) as snapshots,
    ):
        with anyio.fail_after(5):
            async for snapshot in snapshots:
                asked = await bus.ask(CURRENT_FLAGS, FlagsRequest(), timeout=5)
                assert snapshot.heartbeat_s == float(HEARTBEAT_S)
                assert (asked.revision, asked.document) == (snapshot.revision, snapshot.document)
                break


async def test_what_another_process_changed_in_the_database_is_served(
    process: ServiceProcess, settings: BusSettings, database_url: str
) -> None:
    async with opened(database_url, size=1) as store:
        flag = parse_flag("elsewhere", define(defaultVariant="on"))
        await store.put(flag, expected=0, author="ann", reason="")
    async with following(settings, namespace=process.namespace) as replica:
        await until(replica, "elsewhere")


def test_the_token_that_is_made_is_for_the_owner_alone(process: ServiceProcess) -> None:
    mode = (process.state_dir / "flags.token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_what_becomes_of_exposed_subjects_is_kept_and_reported(
    process: ServiceProcess, settings: BusSettings
) -> None:
    told = exposure("tried", "ann")
    now = told.at
    common: dict[str, Any] = {"at": now, "modality": "vision", "episode": "e", "subject": "ann"}
    said: list[tuple[Any, Any]] = [
        (EXPOSURE, told),
        (
            OUTBOUND_DECISION,
            Decision(
                id=uuid7(now), stimulus_id=uuid7(now), status=Status.DECIDED, act=Act(kind="look"), **common
            ),
        ),
        (
            INBOUND_OUTCOME,
            Outcome(id=uuid7(now), stimulus_id=uuid7(now), decision_id=uuid7(now), reward=1.0, **common),
        ),
    ]
    assert (await anyio.to_thread.run_sync(lambda: put(process, "tried"))).status_code == 200

    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        for topic, message in said:
            await bus.publish(topic, message)
        with anyio.fail_after(20):
            while not (
                found := [
                    arm
                    for arm in await anyio.to_thread.run_sync(lambda: arms(process, "tried"))
                    if arm["outcomes"]
                ]
            ):
                await anyio.sleep(0.05)
    assert [(arm["variant"], arm["subjects"], arm["answers"]) for arm in found] == [("on", 1, 1)]


async def test_without_its_database_it_evaluates_and_changes_nothing(
    process: ServiceProcess, settings: BusSettings, database_url: str, server_url: str
) -> None:
    name = database_url.rpartition("?")[0].rpartition("/")[2]

    def allow(allowed: bool) -> None:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}".encode())
            if not allowed:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )

    allow(False)
    refused = await anyio.to_thread.run_sync(lambda: put(process, "later"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    await anyio.to_thread.run_sync(lambda: process.wait_until(lambda: not process.is_ready()))
    async with httpx.AsyncClient(base_url=process.http) as http:
        answer = await http.post(f"/ofrep/v1/evaluate/flags/{STATIC}", json={})
    assert answer.status_code == 200
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        await bus.publish(EXPOSURE, exposure(CANARY, "patient"))
    with anyio.fail_after(10):
        while not process.logged("the database is away; trials wait"):
            await anyio.sleep(0.05)
    async with following(settings, namespace=process.namespace) as replica:
        assert CANARY in replica.definitions
        allow(True)
        await anyio.to_thread.run_sync(lambda: process.wait_until(process.is_ready))
        done = await anyio.to_thread.run_sync(lambda: put(process, "later", defaultVariant="on"))
        assert done.status_code == 200
        await until(replica, "later")
    with anyio.fail_after(10):
        while not any(
            arm["subjects"] for arm in await anyio.to_thread.run_sync(lambda: arms(process, CANARY))
        ):
            await anyio.sleep(0.05)


async def test_without_the_flag_service_the_last_values_stay_and_show_their_age(
    process: ServiceProcess, settings: BusSettings, database_url: str
) -> None:
    cache = process.state_dir / "replica.json"

    async def until_stale(replica: Replica, stale: bool) -> None:
        with anyio.fail_after(10):
            while replica.stale is not stale:
                await anyio.sleep(0.01)

    async with following(settings, namespace=process.namespace, cache=cache) as replica:
        process.kill()
        await until_stale(replica, True)
        revision = replica.revision
        context = EvaluationContext("ann")
        assert str(replica.resolve("boolean", CANARY, False, context).reason) == "STALE"
        async with following(settings, namespace=process.namespace, cache=cache) as newborn:
            assert newborn.stale
            assert newborn.revision == revision
        start = lambda: process.start(database_url=database_url, heartbeat_s=HEARTBEAT_S)  # noqa: E731
        await anyio.to_thread.run_sync(start)
        await until_stale(replica, False)
    assert process.metric("emily_flag_service_revision") == revision


def test_what_was_acknowledged_is_there_after_a_kill(process: ServiceProcess, database_url: str) -> None:
    """A kill in the middle of changes loses none that was answered, and makes none by half."""
    acknowledged = 0

    def change() -> None:
        nonlocal acknowledged
        with contextlib.suppress(httpx.TransportError):
            for number in range(1000):
                changes = {"metadata": METADATA | {"n": number + 1}}
                assert put(process, "a", number, **changes).status_code == 200
                acknowledged = number + 1

    with client(process) as http:
        before = http.get("/api/v1/flags").json()["revision"]
    changing = threading.Thread(target=change)
    changing.start()
    while acknowledged < 25 and changing.is_alive():
        time.sleep(0.001)
    process.kill()
    changing.join(30)
    process.start(database_url=database_url, heartbeat_s=HEARTBEAT_S)
    with client(process) as http:
        flag = http.get("/api/v1/flags/a").json()
        changes = http.get("/api/v1/flags/a/history?limit=1000").json()["changes"]
        revision = http.get("/api/v1/flags").json()["revision"]
    assert 25 <= acknowledged <= flag["version"] <= acknowledged + 1
    assert flag["definition"]["metadata"]["n"] == flag["version"]
    assert [each["version"] for each in changes] == list(range(flag["version"], 0, -1))
    assert revision == before + flag["version"]


def test_before_it_has_a_database_it_says_what_it_lacks_and_still_ends(endpoint: str, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "emily_flag_service")
    homeless = ServiceProcess(
        command, name="flag-service", endpoint=endpoint, namespace="emily-homeless", state_dir=tmp_path
    )
    try:
        homeless.launch(database_url="postgresql://nobody@127.0.0.1:1/nothing")
        homeless.wait_until(lambda: homeless.get("/readyz").status == 503)
        assert "database" in homeless.get("/readyz").json()["unmet"]
        assert homeless.stop() == 0
    finally:
        homeless.kill()


async def test_a_malformed_file_ends_the_start_and_changes_nothing(
    endpoint: str, url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    (folder / "bad.json").write_text("{")
    (folder / "good.json").write_text(json.dumps({"flags": {"good": define()}}))
    given = {
        "BUS_ENDPOINT": endpoint,
        "STATE_DIR": str(tmp_path),
        "NAMESPACE": "emily-malformed",
        "DATABASE_URL": url,
        "FLAGS_DIR": str(folder),
    }
    done = await anyio.run_process(
        [sys.executable, "-m", "emily_flag_service"],
        env=os.environ | {f"EMILY_FLAG_SERVICE_{name}": value for name, value in given.items()},
        check=False,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 2
    assert b"bad.json: is not JSON" in done.stderr
    async with opened(url, size=1) as store:
        assert await store.revision() == 0
