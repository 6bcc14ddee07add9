from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import anyio
import pytest
import zenoh
from emily_bus import Bus, BusSettings, BusUnavailable, attachment, codec
from emily_bus.settings import session_config
from emily_bus.testing import Numbered, OpenBus, free_endpoint, numbered, take
from emily_bus.trace import traceparent
from emily_contracts import SCHEMA_VERSION, Overflow, QoS, Topic

pytestmark = pytest.mark.anyio

EVENT = Topic("event/{lane}", Numbered, "Something.")
OTHER = Topic("other/{lane}", Numbered, "Something else.")
SENDER = b"stranger"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_message_arrives_as_it_was_sent(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT) as events:
        await sender.publish(EVENT, numbered(1, text="äöü"))
        assert await take(events, 1) == [numbered(1, text="äöü")]


async def test_message_that_must_not_wait_is_sent_at_once(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT) as events:
        await sender.publish(EVENT, numbered(0))  # by now it knows who reads
        assert sender.offer(EVENT, numbered(1))
        assert await take(events, 2) == [numbered(0), numbered(1)]


async def test_order_of_a_sender_is_kept_across_keys_and_topics(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT, OTHER) as events:
        sent = [numbered(number, lane=f"lane-{number % 3}") for number in range(300)]
        for message in sent:
            await sender.publish(EVENT if message.number % 2 else OTHER, message)
        assert await take(events, len(sent)) == sent


async def test_session_hears_its_own_messages(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        await bus.publish(EVENT, numbered(1))
        assert await take(events, 1) == [numbered(1)]


async def test_namespaces_do_not_hear_each_other(endpoint: str, namespace: str) -> None:
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace=f"{namespace}/blue", name="blue") as blue,
        Bus.open(settings, namespace=f"{namespace}/green", name="green") as green,
        blue.subscribe(EVENT) as in_blue,
        green.subscribe(EVENT) as in_green,
    ):
        await blue.publish(EVENT, numbered(1))
        await green.publish(EVENT, numbered(2))
        assert await take(in_blue, 1) == [numbered(1)]
        assert await take(in_green, 1) == [numbered(2)]


async def test_reader_that_stops_halfway_loses_nothing(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        sent = [numbered(number) for number in range(100)]
        for message in sent:
            await bus.publish(EVENT, message)
        assert await take(events, 10) + await take(events, 90) == sent


async def test_batches_hold_what_waits(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        sent = [numbered(number) for number in range(600)]
        for message in sent:
            await bus.publish(EVENT, message)
        read: list[Numbered] = []
        with anyio.fail_after(10):
            async for batch in events.batches():
                assert 0 < len(batch) <= 256
                read += batch
                if len(read) == len(sent):
                    break
        assert read == sent
        assert events.statistics().received == len(sent)


async def test_trace_context_travels_with_the_message(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        token = traceparent.set(TRACE)
        await bus.publish(EVENT, numbered(1))
        traceparent.reset(token)
        await bus.publish(EVENT, numbered(2))
        heard = []
        with anyio.fail_after(5):
            async for _ in events:
                heard.append(traceparent.get())
                if len(heard) == 2:
                    break
        assert heard == [TRACE, None]


async def test_key_field_that_cannot_stand_in_a_key_is_named(open_bus: OpenBus) -> None:
    async with open_bus() as bus:
        with pytest.raises(ValueError, match="lane"):
            await bus.publish(EVENT, numbered(1, lane="a/**"))


async def test_more_keys_than_stay_declared_are_all_heard(
    open_bus: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emily_bus.publisher.MOST_KEYS", 3)
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT) as events:
        sent = [numbered(number, lane=f"lane-{number % 7}") for number in range(50)]
        for message in sent:
            await sender.publish(EVENT, message)
        assert await take(events, len(sent)) == sent


async def test_topics_of_one_buffer_share_one_policy(open_bus: OpenBus) -> None:
    state = Topic("state/{lane}", Numbered, "State.", QoS(overflow=Overflow.DROP_OLDEST))
    async with open_bus() as bus:
        with pytest.raises(ValueError, match="topics: 2 overflow policies"):
            bus.subscribe(EVENT, state)


async def test_buffer_without_room_is_refused(open_bus: OpenBus) -> None:
    async with open_bus() as bus:
        with pytest.raises(ValueError, match="buffer: 0"):
            bus.subscribe(EVENT, buffer=0)


async def test_end_of_the_bus_ends_its_readers_after_what_waits(open_bus: OpenBus) -> None:
    sent = [numbered(number) for number in range(4)]
    async with open_bus() as bus:
        events = bus.subscribe(EVENT, buffer=len(sent))
        for message in sent:
            await bus.publish(EVENT, message)
        with anyio.fail_after(5):
            while events.statistics().depth < len(sent):
                await anyio.sleep(0.01)
    with anyio.fail_after(5):
        assert [message async for message in events] == sent


async def test_cancelled_entry_leaves_no_reader_that_a_sender_would_wait_for(open_bus: OpenBus) -> None:
    async with open_bus(publish_timeout_s=2) as sender, open_bus() as reader:
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with reader.subscribe(EVENT, buffer=1):
                pytest.fail("entered although it was cancelled")
        for number in range(10):
            await sender.publish(EVENT, numbered(number))


async def test_cancelled_reader_leaves_the_session_usable(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        with anyio.move_on_after(0.05):
            await take(events, 1)
        await bus.publish(EVENT, numbered(1))
        assert await take(events, 1) == [numbered(1)]


async def failure_to_open(settings: BusSettings) -> str:
    with anyio.fail_after(5), pytest.raises(BusUnavailable) as failure:
        async with Bus.open(settings, namespace="emily", name="test"):
            pytest.fail("opened without a router")
    return str(failure.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "nowhere.invalid"])
async def test_router_that_is_not_there_is_named(host: str) -> None:
    endpoint = free_endpoint().replace("127.0.0.1", host)
    told = await failure_to_open(BusSettings(endpoint=endpoint, open_timeout_s=0.5))
    assert told == f"no router at {endpoint} within 0.5 s; start one with: python -m emily_bus.router"


async def test_listener_that_never_speaks_does_not_hold_the_opening_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"tcp/127.0.0.1:{silent.getsockname()[1]}"
        told = await failure_to_open(BusSettings(endpoint=endpoint, open_timeout_s=0.5))
    assert told.startswith(f"{endpoint} takes connections but opened no session within 0.5 s")


async def test_where_it_cannot_be_told_who_listens_a_wrong_password_is_suspected_too() -> None:
    settings = BusSettings(
        endpoint=free_endpoint().replace("tcp/", "udp/"),
        open_timeout_s=0.5,
        user="reflex",
        password=lambda: "sesame",
    )
    told = await failure_to_open(settings)
    assert told.startswith(f"no router at {settings.endpoint} within 0.5 s; ")
    assert "a wrong user or password looks like this" in told


type Spoil = Callable[[zenoh.Session], None]


def put(payload: bytes, version: int = SCHEMA_VERSION) -> Spoil:
    head = bytes([version]) + attachment.encode(SENDER, 1, None)[1:]
    return lambda session: session.put(
        "event/a", payload, attachment=head, congestion_control=zenoh.CongestionControl.BLOCK
    )


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda session: session.put("event/a", codec.encode(numbered(1))), "attachment"),
        (lambda session: session.put("event/a", b"x", attachment=b"short"), "attachment"),
        (lambda session: session.put("event/a", b"x", attachment=b"\xff" * 999), "attachment"),
        (lambda session: session.delete("event/a"), "attachment"),
        (put(b""), "bytes"),
        (put(b"\xff\xfe\xfd"), "fields"),
        (put(codec.encode(numbered(1))[:-3]), "bytes"),
        (put(codec.encode({"lane": b"\xff\xfe", "number": "one"})), "fields"),
        (put(codec.encode(numbered(1, text="zz")).replace(b"zz", b"\xff\xfe")), "bytes"),
        (put(codec.encode(numbered(1)), SCHEMA_VERSION + 1), "schema version"),
        (put(bytes(10_000_000)), "size"),
    ],
)
async def test_what_cannot_be_read_is_counted_and_logged_once_and_reading_goes_on(
    endpoint: str,
    namespace: str,
    open_bus: OpenBus,
    caplog: pytest.LogCaptureFixture,
    spoil: Spoil,
    kind: str,
) -> None:
    caplog.set_level(logging.WARNING, "emily_bus")
    stranger = zenoh.open(zenoh.Config.from_json5(session_config(BusSettings(endpoint=endpoint), namespace)))
    async with open_bus() as bus, bus.subscribe(EVENT) as events:
        spoil(stranger)
        spoil(stranger)
        stranger.put("event/a", codec.encode(numbered(1)), attachment=attachment.encode(b"neighbor", 1, None))
        assert await take(events, 1) == [numbered(1)]
        assert events.statistics().undecodable == 2
        assert bus.refusals.counts == {(EVENT.template, kind): 2}
    assert len(caplog.records) == 1
    stranger.close()  # type: ignore[no-untyped-call]


async def test_failing_statement_in_the_block_comes_out_as_itself(open_bus: OpenBus) -> None:
    with pytest.raises(KeyError):
        async with open_bus():
            raise KeyError
