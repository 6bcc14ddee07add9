from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from emily_contracts import Episode, Recall, RecallRequest, Store, StoreRequest
from emily_contracts.curation import EditRequest
from emily_memory.api import rooms
from emily_memory.api.app import create_app
from emily_memory.api.rooms import Rooms
from emily_memory.curation.correcting import edit
from emily_memory.errors import Overloaded, StoreUnavailable
from emily_memory.memory import remembering
from emily_memory.metrics import Metrics
from emily_memory.testing import Home
from emily_memory.transfer.exporting import export
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
HOSTILE = ["'; DROP TABLE episode; --", "$$ \\ %s {} \x01 \u202e", "a'b\"c`d", "\t\n\r", "\\N"]
BASE = "http://127.0.0.1/api/v1/memories"
PROBLEM = "application/problem+json"


def client(open_rooms: Callable[[], Rooms]) -> httpx.AsyncClient:
    app = create_app(open_rooms, version="1", allowed_hosts=("127.0.0.1",))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, timeout=20)  # type: ignore[arg-type]  # Litestar types its scopes more closely


@pytest.fixture
def registry() -> CollectorRegistry:
    """Where the memory counts."""
    return CollectorRegistry()


@pytest.fixture
async def http(home: Home, registry: CollectorRegistry) -> AsyncIterator[httpx.AsyncClient]:
    """Asks an open memory."""
    async with remembering(home.database, home.embedder, metrics=Metrics(registry)) as memory:
        open_memory = Rooms(home.database, memory.store, memory.recall, memory.metrics)
        async with client(lambda: open_memory) as asks:
            yield asks


async def stored(http: httpx.AsyncClient, *contents: str, **fields: Any) -> list[str]:
    body = {"namespace": "home", "episodes": [{"content": content, **fields} for content in contents]}
    answer = await http.post("", json=body)
    assert answer.status_code == 201, answer.text
    return [each["id"] for each in answer.json()["stored"]]


def refusal(answer: httpx.Response) -> tuple[int, str | None]:
    assert answer.headers["content-type"] == PROBLEM, answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem.get("field")


async def test_what_is_stored_is_listed_shown_and_found(http: httpx.AsyncClient) -> None:
    ids = await stored(http, "the cat sleeps", "the dog barks", kind="fact", context={"room": "hall"})
    page = (await http.get("", params={"namespace": "home", "limit": 1, "context": "room=hall"})).json()
    rest = (await http.get("", params={"namespace": "home", "after": page["next"]})).json()
    assert {each["id"] for each in page["memories"] + rest["memories"]} == set(ids)
    assert rest["next"] is None
    seen = (await http.get(f"/{ids[0]}", params={"namespace": "home"})).json()
    assert (seen["content"], seen["kind"], seen["namespace"]) == ("the cat sleeps", "fact", "home")
    body = {"namespace": "home", "text": "cat", "limit": 1, "explain": True}
    found = (await http.post("/search", json=body)).json()
    assert [each["id"] for each in found["episodes"]] == [ids[0]]
    assert found["episodes"][0]["components"]["lexical"] == 1.0
    weighed = (await http.post("/search", json=body | {"weights": {"dense": 0, "lexical": 2}})).json()
    assert weighed["episodes"][0]["score"] > 2.0


async def test_the_same_moment_stored_again_adds_nothing(http: httpx.AsyncClient) -> None:
    body = {
        "namespace": "home",
        "episodes": [{"content": "once", "occurred_at": "2026-01-01T00:00:00Z"}] * 2,
    }
    first, second = (await http.post("", json=body)).json(), (await http.post("", json=body)).json()
    assert sum(each["new"] for each in first["stored"] + second["stored"]) == 1
    assert len({each["id"] for each in first["stored"] + second["stored"]}) == 1


async def test_a_memory_is_corrected_superseded_forgotten_and_restored(http: httpx.AsyncClient) -> None:
    (old,) = await stored(http, "lives in Bren", occurred_at="2026-01-01T00:00:00Z", actor="ann")
    in_home = {"namespace": "home"}
    new = (await http.patch(f"/{old}", json=in_home | {"content": "lives in Bern", "actor": None})).json()
    assert (new["content"], new["actor"]) == ("lives in Bern", None)
    body = in_home | {"content": "lives in Rome", "valid_from": "2026-02-01T00:00:00Z", "reason": "moved"}
    later = (await http.post(f"/{new['id']}/supersede", json=body)).json()
    then = await http.get("", params=in_home | {"as_of": "2026-01-15T00:00:00Z"})
    assert [each["content"] for each in then.json()["memories"]] == ["lives in Bern"]
    gone = (await http.delete(f"/{later['id']}", params=in_home | {"reason": "asked"})).json()
    assert gone["archived_at"] is not None
    assert (await http.get("", params=in_home)).json()["memories"] == []
    archived = (await http.get("", params=in_home | {"archived": True})).json()["memories"]
    assert [each["id"] for each in archived] == [later["id"]]
    back = (await http.post(f"/{later['id']}/restore", json=in_home)).json()
    assert back["archived_at"] is None
    seen = (await http.get(f"/{old}/history", params=in_home)).json()
    assert [each["content"] for each in seen["versions"]] == [
        "lives in Bren",
        "lives in Bern",
        "lives in Rome",
    ]
    assert [(each["did"], each["reason"]) for each in seen["changes"]] == [
        ("edited", ""),
        ("superseded", "moved"),
        ("forgotten", "asked"),
        ("restored", ""),
    ]


async def test_a_request_that_names_itself_may_be_sent_again(http: httpx.AsyncClient) -> None:
    (old,) = await stored(http, "one")
    body = {"namespace": "home", "content": "two", "id": str(uuid4())}
    first, second = await http.patch(f"/{old}", json=body), await http.patch(f"/{old}", json=body)
    assert first.json() == second.json()
    assert first.status_code == 200


async def test_an_erasure_counts_first_and_proves_itself(
    http: httpx.AsyncClient, registry: CollectorRegistry
) -> None:
    await stored(http, "hers", actor="ann")
    await stored(http, "his", actor="bob")
    body = {"namespace": "home", "actor": "ann"}
    dry = (await http.post("/erase", json=body)).json()
    assert (dry["dry_run"], dry["memories"], dry["left"]) == (True, 1, None)
    wet = (await http.post("/erase", json=body | {"dry_run": False})).json()
    assert (wet["memories"], wet["vectors"], wet["left"]) == (1, 1, 0)
    assert registry.get_sample_value("emily_memory_erased_total", {"what": "memories"}) == 1
    counted = (await http.get("/stats", params={"namespace": "home"})).json()
    assert counted["namespaces"][0]["memories"] == 1
    assert counted["spaces"][0]["active"]


@pytest.mark.parametrize("compression", ["none", "zstd"])
async def test_an_export_is_imported_again_and_adds_nothing(
    http: httpx.AsyncClient, compression: str
) -> None:
    await stored(http, "one", "two")
    file = await http.get("/export", params={"namespace": "home", "compression": compression})
    assert file.status_code == 200
    assert f"home.jsonl{'.zst' if compression == 'zstd' else ''}" in file.headers["content-disposition"]
    answer = await http.post("/import", content=file.content)
    assert answer.json() == {"memories": 2, "new": 0, "updated": 0, "embedded": 0}
    body = {"namespace": "home", "actor": "nobody", "dry_run": False}
    assert (await http.post("/erase", json=body)).json()["memories"] == 0


async def test_an_import_may_be_larger_than_any_other_body(http: httpx.AsyncClient, home: Home) -> None:
    await stored(http, *(f"{number} " + "x" * 60_000 for number in range(15)))
    await stored(http, *(f"{number} " + "y" * 60_000 for number in range(15)))
    file = (await http.get("/export", params={"namespace": "home"})).content
    assert len(file) > 2**20
    assert (await http.post("/import", content=file)).json()["memories"] == 30
    body = {"namespace": "home", "episodes": [{"content": "x" * 60_000}] * 18}
    assert refusal(await http.post("", json=body))[0] == 413


async def test_a_torn_import_names_the_line_and_the_field(http: httpx.AsyncClient) -> None:
    await stored(http, "one", "two")
    lines = (await http.get("/export", params={"namespace": "home"})).content.splitlines()
    broken = json.loads(lines[2]) | {"importance": 7}
    answer = await http.post("/import", content=b"\n".join([*lines[:2], json.dumps(broken).encode()]))
    assert refusal(answer) == (422, "importance")
    assert answer.json()["detail"].startswith("line 3, importance: ")


IDENTITY = "0190f5f0-0000-7000-8000-000000000000"
BAD: list[tuple[str, str, dict[str, Any], int, str | None]] = [
    ("GET", "", {}, 400, None),
    ("GET", "", {"params": {"namespace": "no way"}}, 422, "namespace"),
    ("GET", "", {"params": {"namespace": "home", "limit": -1}}, 400, "limit"),
    ("GET", "", {"params": {"namespace": "home", "limit": 1001}}, 400, "limit"),
    ("GET", "", {"params": {"namespace": "home", "after": "elsewhere"}}, 422, "after"),
    ("GET", "", {"params": {"namespace": "home", "actor": "two words"}}, 422, "actor"),
    ("GET", "", {"params": {"namespace": "home", "as_of": "2026-01-01T00:00:00"}}, 422, "as_of"),
    ("GET", "", {"params": {"namespace": "home", "as_of": "yesterday"}}, 400, "as_of"),
    ("GET", "", {"params": {"namespace": "home", "context": "room"}}, 422, "context"),
    ("GET", "", {"params": {"namespace": "home", "context": "a=\0"}}, 422, "context.a[0]"),
    ("GET", f"/{IDENTITY}", {"params": {"namespace": "home"}}, 404, "id"),
    ("GET", f"/{IDENTITY}/history", {"params": {"namespace": "home"}}, 404, "id"),
    ("DELETE", f"/{IDENTITY}", {"params": {"namespace": "home"}}, 404, "id"),
    ("DELETE", f"/{IDENTITY}", {"params": {"namespace": "home", "reason": "\0"}}, 422, "reason[0]"),
    ("PATCH", f"/{IDENTITY}", {"json": {"namespace": "home", "content": "x"}}, 404, "id"),
    ("PATCH", f"/{IDENTITY}", {"json": {"namespace": "home"}}, 422, "fields"),
    ("PATCH", f"/{IDENTITY}", {"json": {"namespace": "home", "importance": "1"}}, 422, "importance"),
    ("PATCH", f"/{IDENTITY}", {"content": b"{"}, 400, ""),
    ("POST", f"/{IDENTITY}/supersede", {"json": {"namespace": "home"}}, 422, "content"),
    ("POST", f"/{IDENTITY}/restore", {"json": {}}, 422, "namespace"),
    ("POST", "", {"json": {"namespace": "home", "episodes": []}}, 422, "episodes"),
    (
        "POST",
        "",
        {"json": {"namespace": "home", "episodes": [{"content": "a\0"}]}},
        422,
        "episodes[0].content[1]",
    ),
    (
        "POST",
        "",
        {"json": {"namespace": "home", "episodes": [{"content": "a"}, {"content": "b", "valence": 2}]}},
        422,
        "episodes[1].valence",
    ),
    ("POST", "/search", {"json": {"namespace": "home", "text": "x", "limit": -1}}, 422, "limit"),
    ("POST", "/search", {"json": {"text": "x"}}, 422, "namespace"),
    (
        "POST",
        "/search",
        {"json": {"namespace": "home", "text": "x", "weights": {"use": -1}}},
        422,
        "weights.use",
    ),
    ("POST", "/erase", {"json": {"namespace": "home", "actor": "a b"}}, 422, "actor"),
    ("POST", "/import", {"content": b"PK"}, 422, "json"),
    ("GET", "/export", {}, 400, None),
    ("GET", "/export", {"params": {"namespace": 'a"\r\nX: y'}}, 422, "namespace"),
    ("POST", "/import", {"params": {"namespace": "no way"}}, 422, "namespace"),
    ("GET", "/stats", {"params": {"namespace": "no way"}}, 422, "namespace"),
    ("GET", f"/{IDENTITY}", {"params": {"namespace": "no way"}}, 422, "namespace"),
    ("GET", "/export", {"params": {"namespace": "home", "compression": "rar"}}, 400, "compression"),
    ("GET", "/nothing", {"params": {"namespace": "home"}}, 404, None),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "field"), BAD)
async def test_bad_input_is_a_problem_that_names_the_field(
    http: httpx.AsyncClient, method: str, path: str, options: dict[str, Any], status: int, field: str | None
) -> None:
    assert refusal(await http.request(method, path, **options)) == (status, field)


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_text_comes_back_as_it_was_given(http: httpx.AsyncClient, text: str) -> None:
    (identity,) = await stored(http, text, context={"key": text})
    pairs = {"namespace": "home", "context": f"key={text}"}
    assert [each["content"] for each in (await http.get("", params=pairs)).json()["memories"]] == [text]
    await http.delete(f"/{identity}", params={"namespace": "home", "reason": text})
    seen = (await http.get(f"/{identity}/history", params={"namespace": "home"})).json()
    assert seen["changes"][0]["reason"] == text


async def test_a_correction_to_what_is_held_already_names_the_content(http: httpx.AsyncClient) -> None:
    one, _ = await stored(http, "one", "two", occurred_at="2026-01-01T00:00:00Z")
    answer = await http.patch(f"/{one}", json={"namespace": "home", "content": "two"})
    assert refusal(answer) == (422, "content")


async def test_another_namespace_does_not_see_a_memory(http: httpx.AsyncClient) -> None:
    (identity,) = await stored(http, "secret")
    assert refusal(await http.get(f"/{identity}", params={"namespace": "work"})) == (404, "id")
    assert refusal(await http.patch(f"/{identity}", json={"namespace": "work", "content": "x"}))[0] == 404


@pytest.mark.parametrize(
    ("failure", "status"), [(Overloaded("queue: full"), 429), (StoreUnavailable("database: gone"), 503)]
)
async def test_what_can_not_be_stored_now_says_which_and_when_to_come_again(
    home: Home, failure: Exception, status: int
) -> None:
    async def store(request: StoreRequest) -> Store:
        if request.episode.content == "two":
            raise failure
        return Store(id=request.episode.id, new=True)

    async def recall(request: RecallRequest) -> Recall:
        raise failure

    full = Rooms(home.database, store, recall, Metrics.unseen())
    async with client(lambda: full) as http:
        body = {"namespace": "home", "episodes": [{"content": "one"}, {"content": "two"}]}
        answer = await http.post("", json=body)
        assert (refusal(answer)[0], answer.headers["retry-after"]) == (status, "1")
        assert answer.json()["detail"].startswith("episodes[1]: ")
        assert "1 of 2 are stored" in answer.json()["detail"]


async def test_a_memory_that_is_not_open_yet_is_unavailable() -> None:
    def closed() -> Rooms:
        raise StoreUnavailable("database: memory is not open yet")

    async with client(closed) as http:
        assert refusal(await http.get("", params={"namespace": "home"}))[0] == 503


async def test_pages_of_other_hosts_may_not_ask(http: httpx.AsyncClient) -> None:
    body = {"namespace": "home", "actor": "ann", "dry_run": False}
    answer = await http.post("/erase", json=body, headers={"Origin": "https://elsewhere.example"})
    assert refusal(answer) == (403, "Origin")


async def test_another_name_of_this_machine_is_not_served(http: httpx.AsyncClient) -> None:
    rebound = {"Host": "attacker.example"}
    assert refusal(await http.get("/stats", headers=rebound)) == (421, "Host")


async def test_one_export_runs_at_a_time_and_gives_back_what_it_held(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(3)))
    doors = rooms.OneAtATime()
    with (
        doors.alone("export"),
        doors.alone("import"),
        pytest.raises(Overloaded, match="export: another one runs"),
        doors.alone("export"),
    ):
        pass
    chunks = export(home.database, "home")
    await anext(chunks)
    await chunks.aclose()
    assert home.database.statistics()["reader"]["pool_available"] == 2
    with doors.alone("export"):
        pass


async def test_its_documentation_names_every_path(http: httpx.AsyncClient) -> None:
    schema = (await http.get("http://127.0.0.1/docs/openapi.json")).json()
    prefix = "/api/v1/memories"
    assert {path.removeprefix(prefix) for path in schema["paths"]} == {
        "",
        "/erase",
        "/export",
        "/import",
        "/search",
        "/stats",
        "/{memory_id}",
        "/{memory_id}/history",
        "/{memory_id}/restore",
        "/{memory_id}/supersede",
    }
    edits = schema["components"]["schemas"]["EditDraft"]
    assert edits["required"] == ["namespace"]


async def test_edits_at_the_same_time_make_one_correction(home: Home, http: httpx.AsyncClient) -> None:
    (old,) = await stored(http, "one")
    outcomes: list[str] = []

    async def correct(content: str) -> None:
        answer = await http.patch(f"/{old}", json={"namespace": "home", "content": content})
        outcomes.append(answer.json().get("content", "refused"))

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(correct, f"version {number}")
    assert outcomes.count("refused") == 4
    again = EditRequest(**home.says(UUID(old), content="late"))
    with pytest.raises(Exception, match="was corrected"):
        await edit(home.database, again)
