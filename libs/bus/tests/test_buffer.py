from __future__ import annotations

import threading

import anyio
import pytest
from emily_bus.buffer import Buffer
from emily_contracts import Overflow
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: the doorbell stands in for a future of either."""
    return "asyncio", {"use_uvloop": request.param}


async def drained(buffer: Buffer[int]) -> list[int]:
    items = []
    while len(buffer) and await buffer.filled():
        item = buffer.take()
        assert item is not None
        items.append(item)
    return items


@given(overflow=st.sampled_from(Overflow), limit=st.integers(1, 20), count=st.integers(0, 60))
def test_buffer_holds_its_limit_and_counts_the_rest(overflow: Overflow, limit: int, count: int) -> None:
    async def check() -> None:
        buffer = Buffer[int](overflow, limit)
        for item in range(count):
            buffer.put(item)
            assert len(buffer) <= limit
        excess = max(0, count - limit)
        rejects = overflow is Overflow.REJECT
        kept = list(range(count))[:limit] if rejects else list(range(count))[excess:]
        assert (buffer.dropped, buffer.rejected) == ((0, excess) if rejects else (excess, 0))
        assert len(buffer.refused) <= limit
        assert await drained(buffer) == kept
        buffer.close()

    anyio.run(check)


async def test_nothing_put_by_other_threads_is_lost_and_each_keeps_its_order() -> None:
    threads, each = 4, 5000
    buffer = Buffer[tuple[int, int]](Overflow.BACK_PRESSURE, threads * each)

    def put_all(lane: int) -> None:
        for item in range(each):
            buffer.put((lane, item))

    putting = [threading.Thread(target=put_all, args=(lane,)) for lane in range(threads)]
    for thread in putting:
        thread.start()
    taken: list[tuple[int, int]] = []
    with anyio.fail_after(20):
        while len(taken) < threads * each and await buffer.filled():
            while (item := buffer.take()) is not None:
                taken.append(item)
    for thread in putting:
        thread.join()
    buffer.close()
    for lane in range(threads):
        assert [item for of, item in taken if of == lane] == list(range(each))


async def test_close_lets_the_reader_take_what_waits_and_then_stop() -> None:
    buffer = Buffer[int](Overflow.BACK_PRESSURE, 4)
    buffer.put(1)
    buffer.close()
    buffer.put(2)
    assert await drained(buffer) == [1]
    assert not await buffer.filled()


async def test_close_wakes_a_reader_that_waits() -> None:
    buffer = Buffer[int](Overflow.BACK_PRESSURE, 4)
    results: list[bool] = []

    async def read() -> None:
        results.append(await buffer.filled())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            buffer.close()
    assert results == [False]


async def test_cancelled_reader_leaves_a_buffer_that_another_can_read() -> None:
    buffer = Buffer[int](Overflow.BACK_PRESSURE, 4)
    with anyio.move_on_after(0.01) as patience:
        await buffer.filled()
    assert patience.cancelled_caught
    buffer.put(1)
    with anyio.fail_after(5):
        assert await buffer.filled()
    assert buffer.take() == 1
    assert buffer.take() is None
    buffer.close()
