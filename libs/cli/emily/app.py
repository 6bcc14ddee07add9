"""The command line: one file a command, put together here."""

from __future__ import annotations

import typer

from emily import (
    backup,
    contracts,
    deploy,
    doctor,
    experiment,
    flags,
    init,
    lifecycle,
    memory,
    perceive,
    replay,
    secret,
    traffic,
    watch,
    zfs,
)

app = typer.Typer(
    name="emily",
    help="Emily: a cognitive platform that can be replaced while it thinks.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Example: [bold]emily up[/], then [bold]emily perceive digits[/]",
)
app.command()(lifecycle.up)
app.command()(lifecycle.down)
app.command()(lifecycle.status)
app.command()(doctor.doctor)
app.command()(init.init)
app.command()(deploy.deploy)
app.command()(deploy.rollback)
app.command()(watch.watch)
app.command()(replay.replay)
app.add_typer(perceive.app, name="perceive")
app.add_typer(memory.app, name="memory")
app.add_typer(deploy.app, name="releases")
app.add_typer(backup.app, name="backup")
app.add_typer(zfs.app, name="zfs")
app.add_typer(traffic.app, name="traffic")
app.add_typer(flags.app, name="flags")
app.add_typer(experiment.app, name="experiment")
app.add_typer(secret.app, name="secrets")
app.add_typer(contracts.app, name="contracts")


def main() -> None:
    """Entry point of the `emily` script."""
    app()
