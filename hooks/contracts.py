"""Refuse a message type that is not a frozen, keyword-only Struct in contracts/.

Run by pre-commit and `make lint`; exit 1 lists each offence.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import emily_contracts
import msgspec
from emily_contracts.topics import QUERIES, TOPICS

ROOT = Path(__file__).parent.parent
SOURCES = ("libs", "services")
ENVELOPE = "Message"


def main() -> int:
    """Print each offence; the exit code says whether there was one."""
    offences = [*_unfrozen(), *_foreign(), *_strays()]
    for offence in offences:
        print(f"contracts: {offence}", file=sys.stderr)
    return 1 if offences else 0


def _unfrozen() -> Iterator[str]:
    for info in pkgutil.iter_modules(emily_contracts.__path__):
        module = importlib.import_module(f"emily_contracts.{info.name}")
        for name, type_ in inspect.getmembers(module, inspect.isclass):
            if type_.__module__ != module.__name__ or not issubclass(type_, msgspec.Struct):
                continue
            if not type_.__struct_config__.frozen:
                yield f"{module.__name__}.{name} is not frozen: declare it `frozen=True, kw_only=True`"


def _foreign() -> Iterator[str]:
    spoken = [topic.type for topic in TOPICS.values()]
    spoken += [part for query in QUERIES.values() for part in (query.request, query.reply)]
    for type_ in spoken:
        if not type_.__module__.startswith("emily_contracts."):
            yield f"{type_.__module__}.{type_.__name__} travels on a topic but lives outside contracts/"


def _strays() -> Iterator[str]:
    """Message types and topics that are declared outside contracts/, found without importing."""
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            if "tests" in path.relative_to(ROOT).parts or path.name == "testing.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(), str(path))):
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.ClassDef) and any(_name(base) == ENVELOPE for base in node.bases):
                    yield f"{place}: message type {node.name} belongs in contracts/"
                if isinstance(node, ast.Call) and _name(node.func) in {"Topic", "Query"}:
                    yield f"{place}: a {_name(node.func)} is declared outside contracts/"


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


if __name__ == "__main__":
    sys.exit(main())
