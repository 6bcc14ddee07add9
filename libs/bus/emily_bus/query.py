"""Questions and answers: one request, one reply, always a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import msgspec
import zenoh
from emily_contracts import Query

from emily_bus import attachment
from emily_bus.errors import AskRefused, AskTimeout, ErrorReply, NoResponder, Undecodable
from emily_bus.trace import traceparent

CONCURRENT_HANDLERS = 32
WAITING_QUESTIONS = 256
HANDLER_TIMEOUT_S = 30.0

_log = logging.getLogger("emily_bus")
_NOBODY = bytes(8)


async def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
    session: zenoh.Session,
    asked: Query[Req, Rep],
    request: Req,
    timeout: float,  # noqa: ASYNC109
) -> Rep:
    """The first reply; see `Bus.ask`."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[zenoh.Reply | None] = loop.create_future()

    def settle(reply: zenoh.Reply | None) -> None:
        if not answer.done():
            answer.set_result(reply)

    def replied(reply: zenoh.Reply) -> None:
        loop.call_soon_threadsafe(settle, reply)

    def finished() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, None)

    session.get(
        asked.of(request),
        zenoh.handlers.Callback(replied, finished),
        payload=msgspec.msgpack.encode(request),
        attachment=attachment.encode(_NOBODY, 0, traceparent.get()),
        timeout=timeout + 1.0,
    )
    with anyio.move_on_after(timeout) as deadline:
        reply = await answer
    if deadline.cancelled_caught:
        raise AskTimeout(f"{asked.template}: no answer within {timeout:g} s")
    if reply is None:
        raise NoResponder(f"{asked.template}: nobody serves it; is the service up?")
    return _read(asked, reply)


def _read[Req: msgspec.Struct, Rep: msgspec.Struct](asked: Query[Req, Rep], reply: zenoh.Reply) -> Rep:
    if reply.err is not None:
        raise ErrorReply(reply.err.payload.to_bytes().decode(errors="replace"))
    if reply.ok is None:
        raise NoResponder(f"{asked.template}: an empty reply")
    try:
        return msgspec.msgpack.decode(reply.ok.payload.to_bytes(), type=asked.reply)
    except msgspec.DecodeError as failure:
        raise ErrorReply(f"{asked.template}: the reply can't be read: {failure}") from None


@asynccontextmanager
async def serving[Req: msgspec.Struct, Rep: msgspec.Struct](
    session: zenoh.Session,
    tasks: anyio.abc.TaskGroup,
    asked: Query[Req, Rep],
    handler: Callable[[Req], Awaitable[Rep]],
    pattern: str,
) -> AsyncIterator[None]:
    """Answer questions while the block runs; see `Bus.serve`."""
    loop = asyncio.get_running_loop()
    slots = anyio.CapacityLimiter(CONCURRENT_HANDLERS)
    decoder = msgspec.msgpack.Decoder(asked.request)
    send, receive = anyio.create_memory_object_stream[zenoh.Query](WAITING_QUESTIONS)

    def admit(question: zenoh.Query) -> None:
        try:
            send.send_nowait(question)
        except anyio.WouldBlock:
            _refuse(
                question, f"{asked.template}: {WAITING_QUESTIONS} questions wait already; try again later"
            )

    def asked_on_zenoh_thread(question: zenoh.Query) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(admit, question)

    async def answer(question: zenoh.Query) -> None:
        try:
            await _answer(question, asked, decoder, handler)
        finally:
            slots.release_on_behalf_of(question)

    async def answer_all() -> None:
        async for question in receive:
            await slots.acquire_on_behalf_of(question)
            tasks.start_soon(answer, question)

    queryable = session.declare_queryable(pattern, asked_on_zenoh_thread)
    tasks.start_soon(answer_all)
    try:
        yield
    finally:
        queryable.undeclare()  # type: ignore[no-untyped-call]
        send.close()


async def _answer(
    question: zenoh.Query,
    asked: Query[Any, Any],
    decoder: msgspec.msgpack.Decoder[Any],
    handler: Callable[[Any], Awaitable[Any]],
) -> None:
    try:
        beside = question.attachment
        if beside is not None:
            traceparent.set(attachment.decode(beside.to_bytes()).traceparent)
        request = decoder.decode(question.payload.to_bytes() if question.payload is not None else b"")
        with anyio.fail_after(HANDLER_TIMEOUT_S):
            reply = await handler(request)
    except (AskRefused, Undecodable) as refusal:
        _refuse(question, str(refusal))
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        _refuse(question, f"{asked.template}: the request can't be read: {failure}")
    except TimeoutError:
        _refuse(question, f"{asked.template}: the handler took longer than {HANDLER_TIMEOUT_S:g} s")
    except Exception as failure:
        _log.exception("%s: the handler failed", asked.template)
        _refuse(question, f"{asked.template}: the handler failed with {type(failure).__name__}")
    else:
        question.reply(question.key_expr, msgspec.msgpack.encode(reply))
        question.drop()  # type: ignore[no-untyped-call]


def _refuse(question: zenoh.Query, reason: str) -> None:
    question.reply_err(reason.encode())
    question.drop()  # type: ignore[no-untyped-call]
