"""The HTTP face of a running flag-service."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from emily_bus import Bus, BusSettings
from emily_contracts.flags import FlagsRequest
from emily_contracts.topics import CURRENT_FLAGS, FLAGS
from emily_flag_service.store.store import opened
from emily_flags import Replica, following, parse_flag
from emily_runtime.testing import ServiceProcess
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

type Define = Callable[..., dict[str, Any]]
PROBLEM = "application/problem+json"
CANARY = "enable_gflownet_v2"
STATIC = "enable_alpha_phase_reset"
NEW = {"If-None-Match": "*"}
pytestmark = pytest.mark.anyio


@pytest.fixture
async def http(process: ServiceProcess, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=process.http, timeout=20, headers=headers) as client:
        yield client


@pytest.fixture
async def stranger(process: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without."""
    async with httpx.AsyncClient(base_url=process.http, timeout=20) as client:
        yield client


async def test_no_control_endpoint_answers_without_a_token(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    asked = [
        ("GET", "/api/v1/flags"),
        ("GET", f"/api/v1/flags/{CANARY}"),
        ("GET", f"/api/v1/flags/{CANARY}/history"),
        ("PUT", f"/api/v1/flags/{CANARY}"),
        ("DELETE", f"/api/v1/flags/{CANARY}"),
    ]
    described = (await http.get("/docs/openapi.json")).json()["paths"]
    control = {
        (method.upper(), path.replace("{key}", CANARY))
        for path, methods in described.items()
        for method in methods
        if path.startswith("/api/")
    }
    assert control == set(asked)
    for method, path in asked:
        for headers in ({}, {"Authorization": "Bearer wrong-token-wrong-token"}):
            answer = await stranger.request(method, path, headers=headers, json={"definition": {}})
            assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
            assert answer.json()["field"] == "Authorization"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await http.get(f"/api/v1/flags/{CANARY}")).json()["version"] == 1


async def test_the_flags_of_the_files_are_there(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/api/v1/flags")).json()
    assert listed["revision"] == 2
    assert [flag["key"] for flag in listed["flags"]] == [STATIC, CANARY]
    assert listed["flags"][1]["owner"] == "inference"
    history = (await http.get(f"/api/v1/flags/{CANARY}/history")).json()["changes"]
    assert [(each["action"], each["author"]) for each in history] == [("loaded", "file")]


async def test_a_change_needs_the_version_that_was_looked_at(http: httpx.AsyncClient) -> None:
    path = f"/api/v1/flags/{CANARY}"
    shown = await http.get(path)
    definition = shown.json()["definition"] | {"state": "DISABLED"}
    body = {"definition": definition, "reason": "too slow"}
    blind = await http.put(path, json=body)
    assert (blind.status_code, blind.json()["field"]) == (428, "If-Match")
    odd = await http.put(path, json=body, headers={"If-Match": "1"})
    assert (odd.status_code, odd.json()["field"]) == (422, "If-Match")
    there = await http.put(path, json=body, headers=NEW)
    assert there.status_code == 412
    assert there.headers["ETag"] == '"1"'
    done = await http.put(path, json=body, headers={"If-Match": shown.headers["ETag"]})
    assert (done.status_code, done.headers["ETag"], done.json()["enabled"]) == (200, '"2"', False)
    late = await http.put(path, json=body, headers={"If-Match": shown.headers["ETag"]})
    assert late.status_code == 412
    assert "it is version 2" in late.json()["detail"]
    newest = (await http.get(f"{path}/history")).json()["changes"][0]
    assert (newest["author"], newest["reason"], newest["action"]) == ("operator", "too slow", "changed")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"state": "on"}, "definition.state"),
        ({"targeting": {"fractional": [["red", 1]]}}, "definition.targeting.fractional[0][0]"),
        ({"targeting": {"if": [{"$ref": "team"}, "on"]}}, "definition.targeting.if[0]"),
        ({"metadata": {}}, "definition.metadata.owner"),
        (
            {"metadata": {"owner": "a", "expires": "never", "prerequisites": "gone=on"}},
            "definition.metadata.prerequisites",
        ),
    ],
)
async def test_a_wrong_definition_is_named_and_changes_nothing(
    http: httpx.AsyncClient, define: Define, changes: dict[str, Any], field: str
) -> None:
    before = (await http.get("/api/v1/flags")).json()
    answer = await http.put("/api/v1/flags/fresh", json={"definition": define(**changes)}, headers=NEW)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["field"] == field
    assert answer.json()["detail"].startswith("flags.fresh.")
    assert (await http.get("/api/v1/flags")).json() == before


async def test_malformed_bodies_are_refused(http: httpx.AsyncClient) -> None:
    path = f"/api/v1/flags/{CANARY}"
    deep = b'{"definition": {"targeting": ' + b'{"!": [' * 5000 + b"1" + b"]}" * 5000 + b"}}"
    for body, status in ((b"{", 400), (b"\xff", 400), (b"[]", 422), (b"{}", 422), (deep, 400)):
        answer = await http.put(path, content=body, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), body[:20]
    extra = await http.put(path, json={"definition": {}, "force": True}, headers={"If-Match": '"1"'})
    assert extra.status_code == 422
    large = await http.put(path, content=b" " * (2**20 + 1), headers={"If-Match": '"1"'})
    assert large.status_code == 413
    assert (await http.get(path)).json()["version"] == 1


async def test_characters_that_no_text_can_hold_are_refused(http: httpx.AsyncClient, define: Define) -> None:
    path, match = f"/api/v1/flags/{CANARY}", {"If-Match": '"1"'}
    for reason in ("\0", "\ud800"):
        content = json.dumps({"definition": define(), "reason": reason})
        answer = await http.put(path, content=content, headers=match)
        assert answer.status_code in {400, 422}, reason
    for variant in ("\0", "\ud800"):
        content = json.dumps({"definition": define(variants={variant: True}, defaultVariant=None)})
        answer = await http.put(path, content=content, headers=match)
        assert answer.status_code in {400, 422}, variant
    assert (await http.delete(f"{path}?reason=%00", headers=match)).status_code in {400, 422}
    for key in ("%00", "%ff", "a%20b", "a" * 2000):
        assert (await http.get(f"/api/v1/flags/{key}/history")).status_code == 404
        assert (await http.get(f"/api/v1/flags/{key}")).status_code == 404
        assert (await http.post(f"/ofrep/v1/evaluate/flags/{key}", json={})).status_code == 404
        made = await http.put(f"/api/v1/flags/{key}", json={"definition": define()}, headers=NEW)
        assert made.status_code == 422
    assert (await http.get("/api/v1/flags")).json()["revision"] == 2


async def test_a_flag_is_made_and_deleted(http: httpx.AsyncClient, define: Define) -> None:
    made = await http.put("/api/v1/flags/fresh", json={"definition": define()}, headers=NEW)
    assert (made.status_code, made.json()["version"]) == (200, 1)
    gone = await http.delete("/api/v1/flags/fresh?reason=over", headers={"If-Match": '"1"'})
    assert gone.status_code == 204
    assert (await http.get("/api/v1/flags/fresh")).status_code == 404
    assert (await http.delete("/api/v1/flags/fresh", headers={"If-Match": '"2"'})).status_code == 404
    history = (await http.get("/api/v1/flags/fresh/history")).json()["changes"]
    assert [each["action"] for each in history] == ["deleted", "created"]


async def test_ofrep_evaluates_one_flag(stranger: httpx.AsyncClient) -> None:
    async def ask(key: str, body: Any = None, **more: Any) -> httpx.Response:
        return await stranger.post(f"/ofrep/v1/evaluate/flags/{key}", json=body, **more)

    static = await ask(STATIC, {"context": {"targetingKey": "ann"}})
    assert static.status_code == 200
    assert static.json() | {"metadata": {}} == {
        "key": STATIC,
        "reason": "STATIC",
        "variant": "off",
        "value": False,
        "metadata": {},
    }
    assert static.json()["metadata"]["owner"] == "reflex"
    missing = await ask("nothing", {})
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    keyless = await ask(CANARY, {"context": {}})
    assert (keyless.status_code, keyless.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    assert keyless.json()["key"] == CANARY
    odd = await ask(STATIC, {"context": {"targetingKey": 3}})
    assert (odd.status_code, odd.json()["errorCode"]) == (400, "INVALID_CONTEXT")
    listed = await ask(STATIC, {"context": []})
    assert (listed.status_code, listed.json()["errorCode"]) == (400, "INVALID_CONTEXT")
    for content in (b"{", b"[]", b"\xff", b'{"context":' * 5000):
        answer = await stranger.post(f"/ofrep/v1/evaluate/flags/{STATIC}", content=content)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "PARSE_ERROR"), content[:20]


async def test_ofrep_evaluates_all_and_knows_what_did_not_change(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    path, body = "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "ann"}}
    first = await stranger.post(path, json=body)
    assert [flag["key"] for flag in first.json()["flags"]] == [STATIC, CANARY]
    tag = first.headers["ETag"]
    again = await stranger.post(path, json=body, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.headers["ETag"], again.content) == (304, tag, b"")
    shown = (await http.get(f"/api/v1/flags/{STATIC}")).json()["definition"]
    change = {"definition": shown | {"defaultVariant": "on"}}
    await http.put(f"/api/v1/flags/{STATIC}", json=change, headers={"If-Match": '"1"'})
    changed = await stranger.post(path, json=body, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["flags"][0]["value"] is True
    keyless = (await stranger.post(path, json={})).json()["flags"]
    assert keyless[1]["errorCode"] == "TARGETING_KEY_MISSING"


async def test_a_disabled_flag_leaves_the_value_to_the_code(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    shown = (await http.get(f"/api/v1/flags/{STATIC}")).json()["definition"]
    change = {"definition": shown | {"state": "DISABLED"}}
    await http.put(f"/api/v1/flags/{STATIC}", json=change, headers={"If-Match": '"1"'})
    one = (await stranger.post(f"/ofrep/v1/evaluate/flags/{STATIC}", json={})).json()
    assert one["reason"] == "DISABLED"
    assert "value" not in one
    many = (await stranger.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "a"}})).json()
    assert [flag["key"] for flag in many["flags"]] == [CANARY]


@pytest.fixture
def public(process: ServiceProcess) -> Iterator[Any]:
    """The OFREP provider that everybody can install, as a client."""
    api.set_provider_and_wait(OFREPProvider(process.http), "public")
    yield api.get_client("public")
    api.clear_providers()


async def test_the_public_provider_gives_what_a_replica_gives(public: Any, process: ServiceProcess) -> None:
    settings = BusSettings(endpoint=process.endpoint)
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


async def test_other_hosts_and_pages_are_refused(process: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=process.http) as client:
        path = f"/ofrep/v1/evaluate/flags/{STATIC}"
        host = await client.post(path, json={}, headers={"Host": "evil.example"})
        page = await client.post(path, json={}, headers={"Origin": "http://evil.example"})
    assert (host.status_code, page.status_code) == (421, 403)


async def test_a_change_reaches_every_replica(http: httpx.AsyncClient, process: ServiceProcess) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    async with following(settings, namespace=process.namespace) as replica:
        assert not replica.enabled(STATIC)
        shown = (await http.get(f"/api/v1/flags/{STATIC}")).json()["definition"]
        change = {"definition": shown | {"defaultVariant": "on"}}
        await http.put(f"/api/v1/flags/{STATIC}", json=change, headers={"If-Match": '"1"'})
        with anyio.fail_after(5):
            while not replica.enabled(STATIC):
                await anyio.sleep(0.002)
        assert replica.revision == 3


async def test_the_flags_are_said_again_and_again(process: ServiceProcess) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    async with (
        Bus.open(settings, namespace=process.namespace, name="test") as bus,
        bus.subscribe(FLAGS) as snapshots,
    ):
        with anyio.fail_after(5):
            async for snapshot in snapshots:
                asked = await bus.ask(CURRENT_FLAGS, FlagsRequest(), timeout=5)
                assert (snapshot.revision, snapshot.heartbeat_s) == (2, 0.2)
                assert asked.document == snapshot.document
                break


async def test_without_the_flag_service_the_last_values_stay_and_show_their_age(
    process: ServiceProcess, url: str
) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    cache = process.state_dir / "replica.json"

    async def until(replica: Replica, stale: bool) -> None:
        with anyio.fail_after(10):
            while replica.stale is not stale:
                await anyio.sleep(0.01)

    async with following(settings, namespace=process.namespace, cache=cache) as replica:
        process.kill()
        await until(replica, True)
        assert replica.revision == 2
        context = EvaluationContext("ann")
        assert str(replica.resolve("boolean", CANARY, False, context).reason) == "STALE"
        async with following(settings, namespace=process.namespace, cache=cache) as newborn:
            assert newborn.stale
            assert newborn.revision == 2
        await anyio.to_thread.run_sync(lambda: process.start(database_url=url, heartbeat_s="0.2"))
        await until(replica, False)
    assert process.metric("emily_flag_service_revision") == 2


async def test_without_its_database_it_evaluates_and_changes_nothing(
    http: httpx.AsyncClient, process: ServiceProcess, url: str, server_url: str
) -> None:
    name = url.rpartition("?")[0].rpartition("/")[2]

    def allow(allowed: bool) -> None:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}".encode())
            if not allowed:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )

    path = f"/api/v1/flags/{STATIC}"
    shown = (await http.get(path)).json()["definition"]
    change = {"definition": shown | {"defaultVariant": "on"}}
    allow(False)
    refused = await http.put(path, json=change, headers={"If-Match": '"1"'})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    await anyio.to_thread.run_sync(lambda: process.wait_until(lambda: not process.is_ready()))
    answer = await http.post(f"/ofrep/v1/evaluate/flags/{STATIC}", json={})
    assert answer.json()["value"] is False
    async with following(BusSettings(endpoint=process.endpoint), namespace=process.namespace) as replica:
        assert replica.revision == 2
        allow(True)
        await anyio.to_thread.run_sync(lambda: process.wait_until(process.is_ready))
        done = await http.put(path, json=change, headers={"If-Match": '"1"'})
        assert done.status_code == 200
        with anyio.fail_after(5):
            while not replica.enabled(STATIC):
                await anyio.sleep(0.01)


async def test_before_it_has_a_database_it_says_so(process: ServiceProcess) -> None:
    process.stop()
    process.launch(database_url="postgresql://nobody@127.0.0.1:1/nothing")
    process.wait_until(lambda: process.get("/healthz").status == 200)
    async with httpx.AsyncClient(base_url=process.http) as http:
        answer = await http.post(f"/ofrep/v1/evaluate/flags/{STATIC}", json={})
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "PROVIDER_NOT_READY")
        assert answer.headers["Retry-After"] == "1"
    assert "database" in process.get("/readyz").json()["unmet"]
    assert process.stop() == 0


async def test_the_token_that_is_made_is_for_the_owner_alone(process: ServiceProcess) -> None:
    mode = (process.state_dir / "flags.token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_what_another_process_changed_in_the_database_is_served(
    process: ServiceProcess, url: str, define: Define
) -> None:
    async with opened(url) as store:
        await store.put(parse_flag("other", define()), expected=0, author="ann", reason="")
    settings = BusSettings(endpoint=process.endpoint)
    async with following(settings, namespace=process.namespace) as replica:
        with anyio.fail_after(5):
            while "other" not in replica.definitions:
                await anyio.sleep(0.01)
