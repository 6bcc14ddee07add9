"""Flags are changed over HTTP by who has a token, one version after the other."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from emily_flags.testing import define

PROBLEM = "application/problem+json"
CANARY = "enable_gflownet_v2"
STATIC = "enable_alpha_phase_reset"
NEW = {"If-None-Match": "*"}
pytestmark = pytest.mark.anyio


async def test_no_control_endpoint_answers_without_a_token(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    asked = [
        ("GET", "/api/v1/flags"),
        ("GET", f"/api/v1/flags/{CANARY}"),
        ("GET", f"/api/v1/flags/{CANARY}/history"),
        ("GET", f"/api/v1/flags/{CANARY}/experiment"),
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
    http: httpx.AsyncClient, changes: dict[str, Any], field: str
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


async def test_characters_that_no_text_can_hold_are_refused(http: httpx.AsyncClient) -> None:
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


async def test_a_flag_is_made_and_deleted(http: httpx.AsyncClient) -> None:
    made = await http.put("/api/v1/flags/fresh", json={"definition": define()}, headers=NEW)
    assert (made.status_code, made.json()["version"]) == (200, 1)
    gone = await http.delete("/api/v1/flags/fresh?reason=over", headers={"If-Match": '"1"'})
    assert gone.status_code == 204
    assert (await http.get("/api/v1/flags/fresh")).status_code == 404
    assert (await http.delete("/api/v1/flags/fresh", headers={"If-Match": '"2"'})).status_code == 404
    history = (await http.get("/api/v1/flags/fresh/history")).json()["changes"]
    assert [each["action"] for each in history] == ["deleted", "created"]
