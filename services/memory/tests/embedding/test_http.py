from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import structlog
from emily_memory.embedding import EmbedderDown, EmbedderUnusable, Endpoint
from emily_memory.embedding.http import HttpEmbedder, _pause_s
from emily_runtime.secrets import FileSource, Secrets
from emily_runtime.secrets.setting import SecretSetting

DIMENSION = 8


def vector(text: str) -> list[float]:
    """A vector by which a text can be told from the others; not of unit length."""
    return [float(len(text) + 1), float(ord(text[-1]))] + [1.0] * (DIMENSION - 2)


def answer(texts: list[str]) -> bytes:
    """As a server gives it, in no order."""
    items = [
        {"object": "embedding", "index": place, "embedding": vector(text)} for place, text in enumerate(texts)
    ]
    return json.dumps({"object": "list", "data": items[::-1], "model": "m", "usage": {}}).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        assert self.path == "/v1/embeddings"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((body, dict(self.headers)))
        status, headers, content = self.server.script.pop(0) if self.server.script else (200, {}, None)
        if status == 0:  # hang until the test is over
            self.server.over.wait(30)
            self.close_connection = True
            return
        if status == -2:  # drip until nobody listens
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.over.wait(0.01):
                    self.wfile.write(b" ")
            self.close_connection = True
            return
        if status == -1:  # break the connection
            self.close_connection = True
            return
        content = answer(body["input"]) if content is None else content
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """Answers by a script, then well."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, dict[str, str], bytes | None]] = []
        self.requests: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join(10)


def embedder(server: Server, **settings: Any) -> HttpEmbedder:
    return HttpEmbedder(Endpoint(**{"url": server.url, "model": "m", "dimension": DIMENSION, **settings}))


def unit(texts: list[str]) -> Any:
    rows = np.array([vector(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_vectors_come_in_the_order_of_the_texts_and_of_unit_length(server: Server) -> None:
    texts = ["a", "bb", "ccc"]
    assert embedder(server).embed(texts) == pytest.approx(unit(texts), abs=1e-6)
    assert embedder(server).embed_query("a") == pytest.approx(unit(["a"])[0], abs=1e-6)
    assert server.requests[0][0] == {"model": "m", "input": texts, "encoding_format": "float"}


def test_a_request_holds_no_more_than_a_batch(server: Server) -> None:
    texts = [chr(ord("a") + number) * (number + 1) for number in range(10)]
    assert embedder(server, batch=4).embed(texts) == pytest.approx(unit(texts), abs=1e-6)
    assert [len(body["input"]) for body, _ in server.requests] == [4, 4, 2]


def test_texts_that_show_nothing_are_not_sent(server: Server) -> None:
    vectors = embedder(server).embed(["", "a", " \n"])
    assert server.requests[0][0]["input"] == ["a"]
    assert np.array_equal(vectors[[0, 2]], np.eye(1, DIMENSION, dtype=np.float32).repeat(2, axis=0))


def test_no_texts_ask_nothing(server: Server) -> None:
    assert embedder(server).embed([]).shape == (0, DIMENSION)
    assert server.requests == []


def test_what_no_server_can_read_is_made_readable(server: Server) -> None:
    embedder(server, characters=6).embed(["a\0b\ud800c and the rest"])
    assert server.requests[0][0]["input"] == ["a\ufffdb\ufffdc "]


def test_the_key_is_sent_and_never_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    secrets = Secrets({"KEY": "open-sesame"})
    key = SecretSetting("env:KEY", name="embedder_key_secret", secrets=secrets)
    caplog.set_level(0)
    with structlog.testing.capture_logs() as lines:
        remote = embedder(server, api_key=key)
        remote.embed(["a"])
        server.script = [(401, {}, b"wrong key: open-sesame")]
        with pytest.raises(EmbedderDown) as caught:
            remote.embed(["a"])
    assert server.requests[0][1]["Authorization"] == "Bearer open-sesame"
    assert {line["purpose"] for line in lines} == {"embedder_key_secret"}
    assert "open-sesame" not in f"{caught.value}{remote!r}{vars(remote)}{caplog.text}{lines}"


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"two\nlines", b"\xff\xfe"])
def test_a_key_file_that_holds_no_key_is_named(server: Server, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EmbedderUnusable, match=r"^embedder_key_secret: "):
        embedder(server, api_key=FileSource(file))


def test_a_rotated_key_is_sent_with_the_next_request_and_one_that_is_gone_is_said(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("open-sesame\n")
    remote = embedder(server, api_key=FileSource(file))
    remote.embed(["a"])
    file.write_text("another")
    remote.embed(["a"])
    sent = [headers["Authorization"] for _, headers in server.requests]
    assert sent == ["Bearer open-sesame", "Bearer another"]
    file.unlink()
    with pytest.raises(EmbedderDown, match=r"embedder_key_secret: .*No such file"):
        remote.embed(["a"])


@pytest.mark.parametrize(
    "failure", [(500, {}, b""), (503, {}, b""), (429, {"Retry-After": "0"}, b""), (-1, {}, b"")]
)
def test_a_failure_that_may_pass_is_tried_again(
    server: Server, failure: tuple[int, dict[str, str], bytes]
) -> None:
    server.script = [failure, failure]
    assert embedder(server).embed(["a"]) == pytest.approx(unit(["a"]), abs=1e-6)
    assert len(server.requests) == 3


def test_attempts_are_bounded(server: Server) -> None:
    server.script = [(500, {}, b"")] * 9
    with pytest.raises(EmbedderDown, match=rf"^{server.url}/embeddings: status 500, after 2 attempts$"):
        embedder(server, attempts=2).embed(["a"])
    assert len(server.requests) == 2


def test_a_server_that_wants_a_pause_beyond_the_deadline_is_not_waited_for(server: Server) -> None:
    server.script = [(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(EmbedderDown, match="status 429, after 1 attempts"):
        embedder(server, deadline_s=30).embed(["a"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "check embedder_model"),
        (401, "check embedder_key_secret"),
        (403, "check embedder_key_secret"),
        (404, "check embedder_url"),
        (307, "check embedder_url"),
        (204, "check embedder_url"),
    ],
)
def test_a_failure_that_will_not_pass_is_not_repeated_and_names_the_setting(
    server: Server, status: int, hint: str
) -> None:
    server.script = [(status, {"Location": "/elsewhere"}, b"")]
    with pytest.raises(EmbedderDown, match=rf"status {status}: .*{hint}"):
        embedder(server).embed(["a"])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [0, -2], ids=["silent", "dripping"])
def test_a_server_that_never_comes_to_an_end_is_left_at_the_deadline(server: Server, status: int) -> None:
    server.script = [(status, {}, b"")]
    with pytest.raises(EmbedderDown, match=r"no answer within deadline_s, 0\.2$"):
        embedder(server, deadline_s=0.2).embed(["a"])
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_down() -> None:
    with Server() as gone:
        remote = embedder(gone, deadline_s=5)
    with pytest.raises(EmbedderDown, match="ConnectError, after 3 attempts"):
        remote.embed(["a"])


def entry(embedding: str, index: int = 0) -> str:
    return f'{{"index": {index}, "embedding": {embedding}}}'


WELL = "[1, 2, 3, 4, 5, 6, 7, 8]"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (entry("[1, 2, 3]"), "vectors of 3; embedder_dimension is 8"),
        (entry("[1, 2, 3, 4, 5, 6, 7, NaN]"), "not an answer of embeddings"),
        (entry("[1, 2, 3, 4, 5, 6, 7, null]"), "not an answer of embeddings"),
        (entry("[1, 2, 3, 4, 5, 6, 7, 1e999]"), "not an answer of embeddings|NaN or infinity"),
        (entry('"AACAPw=="'), "not an answer of embeddings"),
        ("", "0 vectors, not one for each of 1 texts"),
        (f"{entry(WELL)}, {entry(WELL, 1)}", "2 vectors, not one for each of 1 texts"),
        (entry(WELL, 1), "1 vectors, not one for each of 1 texts"),
    ],
)
def test_an_answer_that_is_none_is_refused(server: Server, data: str, why: str) -> None:
    server.script = [(200, {}, f'{{"data": [{data}]}}'.encode())]
    with pytest.raises(EmbedderDown, match=why):
        embedder(server).embed(["a"])


@pytest.mark.parametrize("content", [b"<html>", b"", b"{}", b"\xff", b"x" * 200_000])
def test_a_page_instead_of_an_answer_is_refused(server: Server, content: bytes) -> None:
    server.script = [(200, {}, content)]
    with pytest.raises(EmbedderDown, match=r"not an answer of embeddings|an answer of more than"):
        embedder(server).embed(["a"])


def test_a_vector_of_zeros_becomes_the_first_axis(server: Server) -> None:
    server.script = [(200, {}, f'{{"data": [{entry(str([0] * DIMENSION))}]}}'.encode())]
    assert embedder(server).embed_query("a").tolist() == [1.0] + [0.0] * (DIMENSION - 1)


def test_numbers_at_the_edge_of_double_precision_still_give_unit_length(server: Server) -> None:
    server.script = [
        (200, {}, f'{{"data": [{entry(str([1e300, -1e300, 0, 0, 0, 0, 0, 1e-300]))}]}}'.encode())
    ]
    assert np.linalg.norm(embedder(server).embed_query("a")) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "127.0.0.1:8000"}, "embedder_url"),
        ({"url": "file:///etc/passwd"}, "embedder_url"),
        ({"url": "http://user:hunter2@127.0.0.1/"}, "embedder_url"),  # pragma: allowlist secret
        ({"model": ""}, "embedder_model"),
        ({"dimension": 0}, "embedder_dimension"),
        ({"dimension": 4001}, "embedder_dimension"),
        ({"deadline_s": 0.0}, "deadline_s"),
        ({"deadline_s": float("nan")}, "deadline_s"),
        ({"attempts": 0}, "attempts"),
        ({"batch": 0}, "batch"),
        ({"characters": 0}, "characters"),
    ],
)
def test_a_setting_out_of_bounds_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(EmbedderUnusable, match=rf"^{field}: ") as caught:
        Endpoint(**{"url": "http://127.0.0.1/v1", "model": "m", "dimension": 8, **settings})
    assert "hunter2" not in str(caught.value)


def test_another_url_model_or_dimension_is_another_space() -> None:
    base = Endpoint(url="http://127.0.0.1/v1", model="m", dimension=8)
    others = [
        msgspec.structs.replace(base, **change)
        for change in ({"url": "http://127.0.0.2/v1"}, {"model": "n"}, {"dimension": 9})
    ]
    assert len({endpoint.space.key for endpoint in (base, *others)}) == 4


@pytest.mark.parametrize("base", ["https://host/v1", "https://host/v1/"])
def test_a_query_in_the_url_is_sent_and_not_shown(base: str) -> None:
    endpoint = Endpoint(url=f"{base}?version=7", model="m", dimension=8)
    assert endpoint.address == "https://host/v1/embeddings?version=7"
    assert endpoint.name == "https://host/v1/embeddings"


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert _pause_s("7") == 7
    assert 90 < (_pause_s(soon) or 0) <= 100
    assert _pause_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert _pause_s("soon") is None
    assert _pause_s(None) is None
