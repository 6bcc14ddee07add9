"""Flags are evaluated over HTTP as the OpenFeature Remote Evaluation Protocol has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from emily_flag_service.api.app import create_app
from emily_flag_service.book import Book
from emily_flag_service.errors import Closed
from emily_runtime.secrets import FileSource
from emily_runtime.tokens import Tokens

CANARY = "enable_gflownet_v2"
STATIC = "enable_alpha_phase_reset"
pytestmark = pytest.mark.anyio


async def test_ofrep_evaluates_one_flag(stranger: httpx.AsyncClient) -> None:
    async def ask(key: str, body: Any = None, **more: Any) -> httpx.Response:
        return await stranger.post(f"/ofrep/v1/evaluate/flags/{key}", json=body, **more)

    static = await ask(STATIC, {"context": {"targetingKey": "ann"}})
    assert static.status_code == 200
    assert static.json() | {"metadata": {}} == {
        "key": STATIC,
        "reason": "STATIC",
        "variant": "on",
        "value": True,
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
    change = {"definition": shown | {"defaultVariant": "off"}}
    await http.put(f"/api/v1/flags/{STATIC}", json=change, headers={"If-Match": '"1"'})
    changed = await stranger.post(path, json=body, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["flags"][0]["value"] is False
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


async def test_other_hosts_and_pages_are_refused(stranger: httpx.AsyncClient) -> None:
    path = f"/ofrep/v1/evaluate/flags/{STATIC}"
    host = await stranger.post(path, json={}, headers={"Host": "evil.example"})
    page = await stranger.post(path, json={}, headers={"Origin": "http://evil.example"})
    assert (host.status_code, page.status_code) == (421, 403)


async def test_before_the_flags_are_there_it_says_when_to_ask_again(tmp_path: Path) -> None:
    def closed() -> Book:
        raise Closed("the flag-service is starting")

    app: Any = create_app(
        closed, tokens=Tokens(FileSource(tmp_path / "token")), allowed_hosts=("localhost",), version="1"
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.post(f"/ofrep/v1/evaluate/flags/{STATIC}", json={})
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "PROVIDER_NOT_READY")
    assert answer.headers["Retry-After"] == "1"
