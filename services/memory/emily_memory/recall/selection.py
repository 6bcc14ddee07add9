"""A selection as SQL conditions: those that vectors can answer by themselves, and those of the episode."""

from __future__ import annotations

from typing import Any, NamedTuple

from emily_contracts import Selection
from psycopg import sql
from psycopg.types.json import Jsonb


class Conditions(NamedTuple):
    """Conditions of a selection, without its values.

    Attributes:
        on_vector: On the columns that vectors share with episodes; `{}` in them is the table's alias.
        on_episode: On the alias `e`: what is believed and holds, and the rest of the selection.
        beyond_vectors: Whether `on_episode` selects more than what is held now.
    """

    on_vector: tuple[str, ...]
    on_episode: tuple[str, ...]
    beyond_vectors: bool

    def of_vector(self, alias: str) -> sql.Composable:
        """To stand behind WHERE on a table of vectors."""
        return _all(tuple(each.format(alias) for each in self.on_vector))

    def of_episode(self) -> sql.Composable:
        """To stand behind WHERE on `episode e`, all conditions included."""
        return _all((*(each.format("e") for each in self.on_vector), *self.on_episode))


def conditions(namespace: str, selection: Selection) -> tuple[Conditions, dict[str, Any]]:
    """The conditions of a selection in a namespace, and the values of their parameters."""
    shared: list[tuple[str, str, Any]] = [("namespace", "{}.namespace = %(namespace)s", namespace)]
    if selection.kinds:
        shared.append(("kinds", "{}.kind = ANY(%(kinds)s)", list(selection.kinds)))
    if selection.actor is not None:
        shared.append(("actor", "{}.actor = %(actor)s", selection.actor))
    if selection.occurred_from is not None:
        shared.append(("occurred_from", "{}.occurred_at >= %(occurred_from)s", selection.occurred_from))
    if selection.occurred_before is not None:
        shared.append(("occurred_before", "{}.occurred_at < %(occurred_before)s", selection.occurred_before))
    own: list[tuple[str, str, Any]] = []
    if selection.session is not None:
        own.append(("session", "e.session = %(session)s", selection.session))
    if selection.context:
        own.append(("context", "e.context @> %(context)s", Jsonb(selection.context)))
    if selection.as_of is not None:
        holds = "e.valid_from <= %(as_of)s AND (e.valid_to IS NULL OR e.valid_to > %(as_of)s)"
        own.append(("as_of", holds, selection.as_of))
    if selection.known_at is not None:
        known = "e.recorded_at <= %(known_at)s AND (e.retracted_at IS NULL OR e.retracted_at > %(known_at)s)"
        own.append(("known_at", known, selection.known_at))
    now = ["e.archived_at IS NULL", "(e.expires_at IS NULL OR e.expires_at > now())"]
    if selection.as_of is None:
        now.append("(e.valid_to IS NULL OR e.valid_to > now())")
    if selection.known_at is None:
        now.append("e.retracted_at IS NULL")
    found = Conditions(
        on_vector=tuple(condition for _, condition, _ in shared),
        on_episode=(*(condition for _, condition, _ in own), *now),
        beyond_vectors=bool(own),
    )
    return found, {name: value for name, _, value in (*shared, *own)}


def _all(parts: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL(part) for part in parts)
