from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest
import zenoh
from emily_bus import Bus, BusCongested, BusSettings, attachment, codec
from emily_bus.credit import credit_for
from emily_bus.settings import session_config
from emily_bus.testing import Numbered, OpenBus, numbered, take
from emily_contracts import SCHEMA_VERSION, QoS, Topic

pytestmark = pytest.mark.anyio

ROOM = 8
EVENT = Topic("event/{lane}", Numbered, "Something.", QoS(buffer=ROOM))
OTHER = Topic("other/{lane}", Numbered, "Something else.", QoS(buffer=ROOM))


async def send(bus: Bus, count: int) -> None:
    for number in range(count):
        await bus.publish(EVENT, numbered(number))


async def test_slow_reader_gets_everything_and_never_holds_more_than_its_room(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT) as events:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, sender, 500)
            for number in range(500):
                assert await take(events, 1) == [numbered(number)]
                assert events.statistics().depth <= ROOM
        statistics = events.statistics()
        assert (statistics.received, statistics.dropped, statistics.lost, statistics.repeated) == (
            500,
            0,
            0,
            0,
        )


async def test_reader_that_does_not_read_makes_the_sender_wait_and_then_fail(open_bus: OpenBus) -> None:
    async with (
        open_bus(publish_timeout_s=0.2) as sender,
        open_bus() as reader,
        reader.subscribe(EVENT) as events,
    ):
        await send(sender, ROOM)
        with pytest.raises(BusCongested, match="does not read"):
            await sender.publish(EVENT, numbered(ROOM))
        assert await take(events, ROOM) == [numbered(number) for number in range(ROOM)]
        await sender.publish(EVENT, numbered(ROOM))
        assert await take(events, 1) == [numbered(ROOM)]


async def test_what_may_not_wait_is_not_sent_to_a_full_reader_and_takes_no_number(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(EVENT) as events:
        await send(sender, ROOM)
        assert not sender.offer(EVENT, numbered(ROOM))
        await take(events, ROOM)
        await sender.publish(EVENT, numbered(ROOM))
        assert await take(events, 1) == [numbered(ROOM)]
        assert events.statistics().lost == 0


async def test_announced_room_counts_rather_than_the_topics(open_bus: OpenBus) -> None:
    async with (
        open_bus(publish_timeout_s=0.2) as sender,
        open_bus() as reader,
        reader.subscribe(EVENT, buffer=2),
    ):
        await send(sender, 2)
        with pytest.raises(BusCongested):
            await sender.publish(EVENT, numbered(2))


async def test_reader_that_leaves_frees_the_sender(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, anyio.create_task_group() as tasks:
        async with reader.subscribe(EVENT):
            await send(sender, ROOM)
            tasks.start_soon(send, sender, 1)
            await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await send(sender, 10 * ROOM)


async def test_nobody_to_read_is_no_reason_to_wait(open_bus: OpenBus) -> None:
    async with open_bus(publish_timeout_s=0.5) as sender:
        await send(sender, 100 * ROOM)


async def test_topic_whose_reader_hangs_stalls_no_other(open_bus: OpenBus) -> None:
    async with (
        open_bus() as sender,
        open_bus() as reader,
        reader.subscribe(EVENT),
        reader.subscribe(OTHER) as others,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(send, sender, 2 * ROOM)
        for number in range(10 * ROOM):
            await sender.publish(OTHER, numbered(number))
            assert await take(others, 1) == [numbered(number)]
        tasks.cancel_scope.cancel()


async def test_more_senders_than_one_room_holds_lose_nothing(open_bus: OpenBus) -> None:
    senders, each = 12, 40
    async with open_bus() as one, open_bus() as two, open_bus() as reader:
        async with reader.subscribe(EVENT) as events, anyio.create_task_group() as tasks:
            for bus in (one, two) * (senders // 2):
                tasks.start_soon(send, bus, each)
            read = await take(events, senders * each)
            assert sorted(message.number for message in read) == sorted(list(range(each)) * senders)
        assert events.statistics().dropped == 0


async def test_sender_that_ignores_credit_is_bounded_and_its_excess_counted(
    endpoint: str, namespace: str, open_bus: OpenBus
) -> None:
    async with open_bus() as reader, reader.subscribe(EVENT) as events:
        with stranger(endpoint, namespace) as session:
            for number in range(1, 101):
                put(session, number, SCHEMA_VERSION)
            with anyio.fail_after(5):
                while events.statistics().dropped < 100 - 2 * ROOM:
                    await anyio.sleep(0.01)
            read = await take(events, 2 * ROOM)
        assert [message.number for message in read] == list(range(101 - 2 * ROOM, 101))
        assert events.statistics().dropped == 100 - 2 * ROOM


async def test_refused_messages_earn_their_sender_credit_like_any(
    endpoint: str, namespace: str, open_bus: OpenBus
) -> None:
    granted: list[bytes] = []
    async with open_bus() as reader, reader.subscribe(EVENT) as events:
        with stranger(endpoint, namespace) as session:
            credit = session.declare_subscriber(
                credit_for(EVENT.template, SENDER), lambda sample: granted.append(sample.payload.to_bytes())
            )
            for number in range(1, ROOM):
                put(session, number, SCHEMA_VERSION + 1)
            put(session, ROOM, SCHEMA_VERSION)
            assert await take(events, 1) == [numbered(ROOM)]
            with anyio.fail_after(5):
                while len(granted) < 4:
                    await anyio.sleep(0.01)
            credit.undeclare()  # type: ignore[no-untyped-call]


async def test_gap_in_a_senders_sequence_is_counted_as_lost(
    endpoint: str, namespace: str, open_bus: OpenBus
) -> None:
    async with open_bus() as reader, reader.subscribe(EVENT) as events:
        with stranger(endpoint, namespace) as session:
            for number in (1, 2, 5, 5):
                put(session, number, SCHEMA_VERSION)
            await take(events, 4)
        assert (events.statistics().lost, events.statistics().repeated) == (2, 1)


async def test_killed_reader_frees_the_sender(endpoint: str, namespace: str, open_bus: OpenBus) -> None:
    program = (
        "import anyio\n"
        "from emily_bus import Bus, BusSettings\n"
        "from emily_bus.testing import Numbered\n"
        "from emily_contracts import QoS, Topic\n"
        "async def main():\n"
        f"    settings = BusSettings(endpoint={endpoint!r})\n"
        f"    async with Bus.open(settings, namespace={namespace!r}, name='hung') as bus:\n"
        f"        async with bus.subscribe(Topic('event/{{lane}}', Numbered, '', QoS(buffer={ROOM}))):\n"
        "            print('ready', flush=True)\n"
        "            await anyio.sleep(50)\n"
        "anyio.run(main)\n"
    )
    process = subprocess.Popen(
        (sys.executable, "-c", program), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    async with open_bus() as sender:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        async with anyio.create_task_group() as tasks:
            await send(sender, ROOM)
            tasks.start_soon(send, sender, 1)
            await anyio.wait_all_tasks_blocked()
            os.kill(process.pid, signal.SIGKILL)
            with anyio.fail_after(8):
                await send(sender, 10 * ROOM)
    process.communicate(timeout=5)


SENDER = b"stranger"


@contextmanager
def stranger(endpoint: str, namespace: str) -> Iterator[zenoh.Session]:
    settings = BusSettings(endpoint=endpoint)
    with zenoh.open(zenoh.Config.from_json5(session_config(settings, namespace))) as session:
        yield session


def put(session: zenoh.Session, number: int, version: int) -> None:
    head = bytes([version]) + attachment.encode(SENDER, number, None)[1:]
    session.put(
        "event/a",
        codec.encode(numbered(number)),
        attachment=head,
        congestion_control=zenoh.CongestionControl.BLOCK,
    )
