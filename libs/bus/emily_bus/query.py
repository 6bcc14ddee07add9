"""Questions and answers: one request, one reply, always a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import anyio
import anyio.abc
import msgspec
import zenoh
from anyio.streams.memory import MemoryObjectReceiveStream
from emily_contracts import Query

from emily_bus import attachment, codec
from emily_bus.errors import AskRefused, AskTimeout, ErrorReply, NoResponder, Undecodable
from emily_bus.link import settled
from emily_bus.refusals import Refusals
from emily_bus.trace import traceparent

CONCURRENT_HANDLERS = 32
WAITING_QUESTIONS = 256
HANDLER_TIMEOUT_S = 30.0

_log = logging.getLogger("emily_bus")


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

    def replied(reply: zenoh.Reply | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, reply)

    session.get(
        asked.of(request),
        zenoh.handlers.Callback(replied, lambda: replied(None), indirect=False),
        payload=codec.encode(request),
        attachment=attachment.encode(attachment.NOBODY, 0, traceparent.get()),
        timeout=timeout + 1.0,  # ours comes first, so that silence and absence stay apart
    )
    with anyio.move_on_after(timeout) as deadline:
        reply = await answer
    if deadline.cancelled_caught:
        raise AskTimeout(f"{asked.template}: no answer within {timeout:g} s")
    if reply is None:
        raise NoResponder(f"{asked.template}: nobody serves it; is the service up?")
    return _read(asked, reply)


def _read[Req: msgspec.Struct, Rep: msgspec.Struct](asked: Query[Req, Rep], reply: zenoh.Reply) -> Rep:
    if reply.ok is None:
        reason = reply.err.payload.to_bytes() if reply.err is not None else b"an empty reply"
        raise ErrorReply(reason.decode(errors="replace"))
    try:
        version, *_ = attachment.decode(reply.ok.attachment)
        decoder: codec.Decoder[Rep] = _decoder(asked.reply)
        return decoder.decode(codec.readable(reply.ok.payload, version))
    except Undecodable as failure:
        raise ErrorReply(f"{asked.template}: the reply can't be read: {failure}") from None


@cache
def _decoder[T](kind: type[T]) -> codec.Decoder[T]:
    return codec.Decoder(kind)


class Service[Req: msgspec.Struct, Rep: msgspec.Struct]:
    """Answers one query with a handler; nothing that is asked or raised ends it."""

    def __init__(
        self, asked: Query[Req, Rep], handler: Callable[[Req], Awaitable[Rep]], refusals: Refusals
    ) -> None:
        self._template = asked.template
        self._decoder = codec.Decoder(asked.request)
        self._handler = handler
        self._refusals = refusals

    @asynccontextmanager
    async def serving(self, session: zenoh.Session, pattern: str) -> AsyncIterator[None]:
        """Answer while the block runs; what was taken in before its end is still answered."""
        loop = asyncio.get_running_loop()
        send, receive = anyio.create_memory_object_stream[zenoh.Query](WAITING_QUESTIONS)

        def admit(question: zenoh.Query) -> None:
            try:
                send.send_nowait(question)
            except anyio.WouldBlock:
                self._refuse(question, f"{WAITING_QUESTIONS} questions wait already; try again later")
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                self._refuse(question, "the service stops; try again later")

        def asked(question: zenoh.Query) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(admit, question)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._answer_all, receive, tasks)
            heard: zenoh.handlers.Callback[zenoh.Query] = zenoh.handlers.Callback(asked, indirect=False)
            queryable = session.declare_queryable(pattern, heard)
            try:
                await settled(session)
                yield
            finally:
                queryable.undeclare()  # type: ignore[no-untyped-call]
                send.close()

    async def _answer_all(
        self, questions: MemoryObjectReceiveStream[zenoh.Query], tasks: anyio.abc.TaskGroup
    ) -> None:
        slots = anyio.Semaphore(CONCURRENT_HANDLERS)

        async def answer(question: zenoh.Query) -> None:
            try:
                await self._answer(question)
            finally:
                slots.release()

        with questions:
            async for question in questions:
                await slots.acquire()
                tasks.start_soon(answer, question)

    async def _answer(self, question: zenoh.Query) -> None:
        try:
            version, _, _, trace = attachment.decode(question.attachment)
            traceparent.set(trace)
            request = self._decoder.decode(codec.readable(question.payload, version))
            with anyio.fail_after(HANDLER_TIMEOUT_S):
                reply = codec.encode(await self._handler(request))
        except AskRefused as refusal:
            _reply_error(question, str(refusal))
        except Undecodable as failure:
            self._refusals.note(self._template, failure.kind, str(failure))
            self._refuse(question, f"the request can't be read, {failure}")
        except TimeoutError:
            self._refuse(question, f"the handler took longer than {HANDLER_TIMEOUT_S:g} s")
        except Exception as failure:
            _log.exception("%s: the handler failed", self._template)
            self._refuse(question, f"the handler failed with {type(failure).__name__}")
        else:
            head = attachment.encode(attachment.NOBODY, 0, traceparent.get())
            question.reply(question.key_expr, reply, attachment=head)
            question.drop()  # type: ignore[no-untyped-call]

    def _refuse(self, question: zenoh.Query, reason: str) -> None:
        _reply_error(question, f"{self._template}: {reason}")


def _reply_error(question: zenoh.Query, reason: str) -> None:
    question.reply_err(reason.encode())
    question.drop()  # type: ignore[no-untyped-call]
