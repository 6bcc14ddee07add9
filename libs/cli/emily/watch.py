"""`emily watch`: everything that goes by on the bus, as it happens."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import msgspec
import typer
from emily_bus import Bus, Subscription
from emily_contracts import Message, Overflow
from emily_contracts.topic import AnyTopic
from emily_contracts.topics import TOPICS

from emily import launch
from emily.bus import settings as bus_settings
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, err, out, print_json, reports_errors
from emily.errors import CommandError
from emily.system import Layout

_SHOWN = 100


@reports_errors
def watch(
    topic: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(TOPICS)}. Repeatable.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, help="Stop after so many seconds.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Print every message on the bus, without slowing anybody down. Ctrl-C ends it.

    Example: emily watch --topic outbound_decision --for 10 --json
    """
    unknown = [name for name in topic or () if name not in TOPICS]
    if unknown:
        raise CommandError(
            f"--topic {unknown[0]}: there is no such topic", f"choose from {', '.join(TOPICS)}"
        )
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    chosen = {name: TOPICS[name] for name in topic or TOPICS}
    if err.is_terminal and not as_json:
        err.print(f"listening to {', '.join(chosen)}; Ctrl-C ends it", highlight=False, soft_wrap=True)
    try:
        missed = anyio.run(_watch, layout, chosen, seconds, as_json)
    except KeyboardInterrupt:
        return
    if missed:
        err.print(f"{missed} messages went by too fast to be shown", highlight=False)


async def _watch(layout: Layout, chosen: dict[str, AnyTopic], seconds: float | None, as_json: bool) -> int:
    bus = bus_settings(layout)
    names = {topic: name for name, topic in chosen.items()}
    root = [topic for topic in names if topic.template.startswith(("in/", "out/"))]
    inner = [topic for topic in names if topic not in root]
    subscriptions: list[Subscription] = []
    async with (
        Bus.open(bus, namespace="emily", name="watch") as outside,
        Bus.open(bus, namespace=f"emily/{layout.colour}", name="watch") as inside,
        anyio.create_task_group() as tasks,
    ):
        for session, topics in ((outside, root), (inside, inner)):
            for topic in topics:
                subscription = session.subscribe(topic, overflow=Overflow.DROP_OLDEST)
                subscriptions.append(subscription)
                tasks.start_soon(_print, subscription, names[topic], as_json)
        with anyio.move_on_after(seconds):
            await anyio.sleep_forever()
        tasks.cancel_scope.cancel()
    for subscription in subscriptions:
        subscription.close()
    return sum(subscription.statistics().dropped for subscription in subscriptions)


async def _print(messages: Subscription, name: str, as_json: bool) -> None:
    async for message in messages:
        if as_json:
            print_json({"topic": name, "message": message})
        else:
            out.print(
                f"{message.at:%H:%M:%S.%f} {name:<18} {_line(message)}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def _line(message: Message) -> str:
    fields: dict[str, Any] = msgspec.to_builtins(message)
    shown = {
        name: value
        for name, value in fields.items()
        if name not in {"id", "at", "stimulus_id", "causation_id"}
    }
    text = msgspec.json.encode(shown).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
