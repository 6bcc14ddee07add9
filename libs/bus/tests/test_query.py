from __future__ import annotations

import contextlib
import logging

import anyio
import msgspec
import pytest
import zenoh
from emily_bus import AskRefused, AskTimeout, Bus, BusSettings, ErrorReply, NoResponder, attachment, codec
from emily_bus.settings import session_config
from emily_bus.testing import OpenBus
from emily_bus.trace import traceparent
from emily_contracts import SCHEMA_VERSION, Query

pytestmark = pytest.mark.anyio

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    service: str = "one"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    number: int


DOUBLE = Query("double", Question, Answer, "Doubles.")
OF_ONE = Query("of/{service}", Question, Answer, "Of one service.")


async def double(question: Question) -> Answer:
    return Answer(number=2 * question.number)


async def test_answer_is_the_handlers(open_bus: OpenBus) -> None:
    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, double):
        assert await client.ask(DOUBLE, Question(number=21), timeout=5) == Answer(number=42)


async def test_session_can_ask_itself(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.serve(DOUBLE, double):
        assert await bus.ask(DOUBLE, Question(number=21), timeout=5) == Answer(number=42)


async def test_question_reaches_the_responder_of_its_key(open_bus: OpenBus) -> None:
    async def negate(question: Question) -> Answer:
        return Answer(number=-question.number)

    async with (
        open_bus() as server,
        open_bus() as client,
        server.serve(OF_ONE, double, service="one"),
        server.serve(OF_ONE, negate, service="two"),
    ):
        assert (await client.ask(OF_ONE, Question(number=3), timeout=5)).number == 6
        assert (await client.ask(OF_ONE, Question(number=3, service="two"), timeout=5)).number == -3


async def test_nobody_who_serves_is_told_at_once(open_bus: OpenBus) -> None:
    async with open_bus() as client:
        with anyio.fail_after(5), pytest.raises(NoResponder, match="double"):
            await client.ask(DOUBLE, Question(number=1), timeout=30)


async def test_responder_that_is_silent_is_a_timeout(open_bus: OpenBus) -> None:
    gate = anyio.Event()

    async def wait(question: Question) -> Answer:
        await gate.wait()
        return Answer(number=0)

    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, wait):
        with pytest.raises(AskTimeout, match=r"double.*0\.1 s"):
            await client.ask(DOUBLE, Question(number=1), timeout=0.1)
        gate.set()


async def test_refusal_reaches_the_asker_in_the_handlers_words(open_bus: OpenBus) -> None:
    async def refuse(question: Question) -> Answer:
        raise AskRefused(f"number: {question.number} is odd; send an even one")

    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, refuse):
        with pytest.raises(ErrorReply, match=r"^number: 3 is odd; send an even one$"):
            await client.ask(DOUBLE, Question(number=3), timeout=5)


async def test_handler_that_fails_answers_with_an_error_and_goes_on(
    open_bus: OpenBus, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_at_zero(question: Question) -> Answer:
        return Answer(number=1 // question.number)

    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, fail_at_zero):
        with pytest.raises(ErrorReply, match="ZeroDivisionError"):
            await client.ask(DOUBLE, Question(number=0), timeout=5)
        assert await client.ask(DOUBLE, Question(number=1), timeout=5) == Answer(number=1)
    assert "the handler failed" in caplog.text


async def test_handler_that_takes_too_long_is_stopped(
    open_bus: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(question: Question) -> Answer:
        await anyio.sleep(30)
        return Answer(number=0)

    monkeypatch.setattr("emily_bus.query.HANDLER_TIMEOUT_S", 0.05)
    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, sleep):
        with pytest.raises(ErrorReply, match="longer"):
            await client.ask(DOUBLE, Question(number=0), timeout=5)


async def test_questions_beyond_the_bound_are_refused_and_the_others_answered(
    open_bus: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emily_bus.query.CONCURRENT_HANDLERS", 2)
    monkeypatch.setattr("emily_bus.query.WAITING_QUESTIONS", 3)
    gate = anyio.Event()
    replies: list[str] = []

    async def wait(question: Question) -> Answer:
        await gate.wait()
        return Answer(number=question.number)

    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, wait):

        async def ask() -> None:
            try:
                await client.ask(DOUBLE, Question(number=1), timeout=10)
                replies.append("answered")
            except ErrorReply as refusal:
                replies.append(str(refusal))
                gate.set()

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
    refusals = [reply for reply in replies if reply != "answered"]
    assert refusals
    assert all("3 questions wait already" in refusal for refusal in refusals)
    assert 3 <= replies.count("answered") == 20 - len(refusals)


async def test_question_taken_in_before_the_end_is_answered(open_bus: OpenBus) -> None:
    asked, gate = anyio.Event(), anyio.Event()

    async def wait(question: Question) -> Answer:
        asked.set()
        await gate.wait()
        return Answer(number=question.number)

    answers: list[Answer] = []
    async with open_bus() as server, open_bus() as client, anyio.create_task_group() as tasks:

        async def ask() -> None:
            answers.append(await client.ask(DOUBLE, Question(number=1), timeout=10))

        async with server.serve(DOUBLE, wait):
            tasks.start_soon(ask)
            await asked.wait()
            gate.set()
    assert answers == [Answer(number=1)]


async def test_trace_context_reaches_the_handler(open_bus: OpenBus) -> None:
    heard: list[str | None] = []

    async def hear(question: Question) -> Answer:
        heard.append(traceparent.get())
        return Answer(number=0)

    async with open_bus() as server, open_bus() as client, server.serve(DOUBLE, hear):
        token = traceparent.set(TRACE)
        await client.ask(DOUBLE, Question(number=0), timeout=5)
        traceparent.reset(token)
    assert heard == [TRACE]


HEAD = attachment.encode(attachment.NOBODY, 0, None)


@pytest.mark.parametrize(
    ("payload", "head", "kind"),
    [
        (b"\xff\xfe", HEAD, "fields"),
        (codec.encode({"number": "one"}), HEAD, "fields"),
        (codec.encode(Question(number=1)), None, "attachment"),
        (codec.encode(Question(number=1)), bytes([SCHEMA_VERSION + 1]) + HEAD[1:], "schema version"),
        (bytes(10_000_000), HEAD, "size"),
        (None, HEAD, "bytes"),
    ],
)
async def test_question_that_cannot_be_read_is_refused_and_counted(
    endpoint: str,
    namespace: str,
    open_bus: OpenBus,
    caplog: pytest.LogCaptureFixture,
    payload: bytes | None,
    head: bytes | None,
    kind: str,
) -> None:
    caplog.set_level(logging.WARNING, "emily_bus")
    config = zenoh.Config.from_json5(session_config(BusSettings(endpoint=endpoint), namespace))
    async with open_bus() as server, server.serve(DOUBLE, double):
        with zenoh.open(config) as stranger:
            replies = stranger.get("double", payload=payload, attachment=head, timeout=10)
            reply = await anyio.to_thread.run_sync(replies.recv)
        assert reply.err is not None
        assert kind in reply.err.payload.to_string()
        assert server.refusals.counts == {(DOUBLE.template, kind): 1}


@pytest.mark.parametrize(
    ("payload", "head"),
    [(b"\xff", HEAD), (codec.encode(Answer(number=1)), None)],
)
async def test_reply_that_cannot_be_read_is_an_error(
    endpoint: str, namespace: str, open_bus: OpenBus, payload: bytes, head: bytes | None
) -> None:
    config = zenoh.Config.from_json5(session_config(BusSettings(endpoint=endpoint), namespace))
    async with open_bus() as client:
        with zenoh.open(config) as stranger:
            queryable = stranger.declare_queryable(
                "double", lambda question: question.reply("double", payload, attachment=head)
            )
            with pytest.raises(ErrorReply, match="can't be read"):
                await ask_until_heard(client)
            queryable.undeclare()  # type: ignore[no-untyped-call]


async def ask_until_heard(client: Bus) -> None:
    """Ask until the router has told of who serves."""
    with anyio.fail_after(20):
        while True:
            with contextlib.suppress(NoResponder):
                await client.ask(DOUBLE, Question(number=1), timeout=5)
