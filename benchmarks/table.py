"""Prints every result of `benchmarks/results` as one table; `make bench` ends with it."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """One row a bar."""
    table = Table("benchmark", "bar", "value", "bound", "met")
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        for bar in result["bars"]:
            met = "[green]yes[/]" if bar["ok"] else "[red]no[/]"
            table.add_row(
                result["name"], bar["name"], f"{bar['value']:.4g}", f"{bar['op']} {bar['bound']:g}", met
            )
    Console().print(table)


if __name__ == "__main__":
    main()
