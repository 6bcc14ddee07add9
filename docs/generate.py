"""Writes the reference pages that follow from the code; `make docs` runs it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from emily.app import app
from emily_contracts.topic import AnyTopic, Overflow
from emily_contracts.topics import QUERIES, TOPICS
from emily_runtime.secrets import InfisicalSettings
from emily_runtime.settings_table import markdown

GENERATED = Path(__file__).parent / "reference" / "generated"
SERVICES = {
    "reflex": "emily_reflex.service:Reflex",
    "workspace": "emily_workspace.service:Workspace",
    "inference": "emily_inference.service:Inference",
    "memory": "emily_memory.service:MemoryService",
    "router": "emily_router.service:Router",
    "flag-service": "emily_flag_service.service:FlagService",
    "deployer": "emily_deployer.service:Deployer",
    "zfs-agent": "emily_zfs_agent.service:ZfsAgent",
    "backup-agent": "emily_backup_agent.service:BackupAgent",
    "world": "emily_world.service:World",
}
PAGES = "messages", "settings", "commands"


def main() -> None:
    """Write every page anew."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(PAGES, (_messages(), _settings(), _commands()), strict=True):
        (GENERATED / f"{name}.md").write_text("\n".join(lines) + "\n")


def _messages() -> Iterator[str]:
    yield "# Topics and queries"
    yield ""
    yield (
        "Keys are relative to the namespace of the session: `emily` for what begins with `in/`, `out/`, "
        "`control/`, `flags`, `exposure`, `storage/` or `backups/`, `emily/<colour>` for the rest. Made from "
        "`emily_contracts.topics`."
    )
    yield "\n## Topics\n"
    yield from _table(
        ("Name", "Key", "Message", "Meaning", "Priority", "When a buffer is full"),
        (
            (
                f"`{name}`",
                f"`{topic.template}`",
                _message(topic.type),
                topic.doc,
                _priority(topic),
                _overflow(topic),
            )
            for name, topic in TOPICS.items()
        ),
    )
    yield "\n## Queries\n"
    yield from _table(
        ("Name", "Key", "Request", "Reply", "Meaning"),
        (
            (f"`{name}`", f"`{query.template}`", _message(query.request), _message(query.reply), query.doc)
            for name, query in QUERIES.items()
        ),
    )


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield (
        "A service reads `EMILY_<SERVICE>_<NAME>` from the environment, over the table of its name in the "
        "TOML file that `EMILY_CONFIG` names, over the default. An unknown name or a bad value ends it with "
        "exit code 2 and a list of all that is wrong. `python -m emily_<service> --help` prints the same."
    )
    for service, place in SERVICES.items():
        module, _, kind = place.partition(":")
        yield f"\n## {service}\n"
        table = markdown(getattr(importlib.import_module(module), kind).settings_type, service)
        yield table.replace("[", "\\[")  # patterns are no links
    yield "\n## infisical\n"
    yield "For every service of which a setting refers to `infisical:/PATH/NAME`.\n"
    yield markdown(InfisicalSettings, "infisical").replace("[", "\\[")


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "Every command prints its options with `--help`; with `--json` its output is for a script."
    yield from _command(typer.main.get_command(app), "emily")


def _command(command: Any, path: str) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    for name, subcommand in subcommands.items():
        yield from _command(subcommand, f"{path} {name}")
    if subcommands:
        return
    yield f"\n## {path}\n"
    yield _paragraphs(command.help or "")
    yield ""
    yield from _table(("Parameter", "Default", "Meaning"), map(_parameter, command.params))


def _parameter(parameter: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    default = "required" if parameter.required else f"`{_shown(parameter.default)}`"
    variable = f" Environment: `{parameter.envvar}`." if parameter.envvar else ""
    return names, default, f"{parameter.help}{variable}"


def _shown(default: object) -> str:
    return "none" if default is None else "off" if default is False else str(default)


def _paragraphs(text: str) -> str:
    """The help with its example as code."""
    return "\n".join(
        f"Example: `{line.removeprefix('Example: ')}`" if line.startswith("Example: ") else line
        for line in text.splitlines()
    )


def _message(kind: type) -> str:
    return f"[`{kind.__name__}`](../contracts.md#{kind.__module__}.{kind.__name__})"


def _priority(topic: AnyTopic) -> str:
    return topic.qos.priority.value.replace("_", " ") + (", express" if topic.qos.express else "")


def _overflow(topic: AnyTopic) -> str:
    words = {
        Overflow.BACK_PRESSURE: "the publisher waits",
        Overflow.DROP_OLDEST: "the oldest goes",
        Overflow.REJECT: "the newest is refused",
    }
    return f"{words[topic.qos.overflow]} (holds {topic.qos.buffer})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


if __name__ == "__main__":
    main()
