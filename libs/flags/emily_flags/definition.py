"""A flag as it is defined: the JSON of flagd, checked, with an owner and a day by which it should be gone."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec

from emily_flags import targeting
from emily_flags.errors import InvalidFlag

LARGEST_DOCUMENT = 2**20
MOST_VARIANTS = 64
MOST_FLAGS = 2048
SAFEST_INTEGER = 2**53 - 1
"""Beyond it JSON readers of other languages round."""
FLAG_SET = "emily"
NEVER = "never"
MOST_PREREQUISITES = 4
LONGEST_CHAIN = 4
"""Both bound what an evaluation looks at."""

type Kind = Literal["boolean", "string", "number", "object"]

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_FIELDS = ("state", "variants", "defaultVariant", "targeting", "metadata")
_TOP = ("$schema", "flags", "$evaluators", "metadata")
_KINDS: dict[type, Kind] = {
    bool: "boolean",
    str: "string",
    int: "number",
    float: "number",
    dict: "object",
}


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A definition that passed every check.

    Attributes:
        key: Its name.
        definition: In the flagd schema; complete in itself, without `$ref`.
        kind: Of its variants.
        owner: Who answers for it.
        expires: The day by which it should be gone; none when it is to stay.
        prerequisites: Variant that another flag must have, by its key; else this one is as if disabled.
    """

    key: str
    definition: dict[str, Any]
    kind: Kind
    owner: str
    expires: date | None
    prerequisites: dict[str, str] = {}

    @property
    def enabled(self) -> bool:
        """Whether its kill switch is not thrown."""
        return bool(self.definition["state"] == "ENABLED")

    def expired(self, today: date | None = None) -> bool:
        """Whether it should be gone by now."""
        return self.expires is not None and (today or datetime.now(UTC).date()) > self.expires


def parse_flag(key: str, definition: Any, evaluators: Mapping[str, Any] | None = None) -> Flag:
    """A flag from its definition.

    Args:
        key: Its name.
        definition: As JSON gives it.
        evaluators: Rules that it may refer to.

    Raises:
        InvalidFlag: Names the flag and the field.
    """
    if not KEY.fullmatch(key):
        raise InvalidFlag(key[:40], "", "a key is letters, digits, '_', '.', '-', from a letter, at most 128")
    if not isinstance(definition, dict):
        raise InvalidFlag(key, "", "is not an object; write at least state, variants and metadata")
    _known(key, "", definition, _FIELDS)
    if definition.get("state") not in {"ENABLED", "DISABLED"}:
        raise InvalidFlag(key, "state", f"{definition.get('state')!r}; write ENABLED or DISABLED")
    kind = _variants(key, definition.get("variants"))
    variants = definition["variants"]
    default = definition.get("defaultVariant")
    if default is not None and (not isinstance(default, str) or default not in variants):
        raise InvalidFlag(
            key, "defaultVariant", f"{default!r} is no variant; there are {', '.join(variants)}, or null"
        )
    owner, expires, prerequisites = _metadata(key, definition.get("metadata"))
    complete = dict(definition)
    if "targeting" in definition:
        complete["targeting"] = targeting.expanded(definition["targeting"], evaluators or {}, flag=key)
        targeting.check(complete["targeting"], variants, flag=key)
    _require_text(key, complete)
    return Flag(
        key=key,
        definition=complete,
        kind=kind,
        owner=owner,
        expires=expires,
        prerequisites=prerequisites,
    )


def parse_document(text: str | bytes) -> dict[str, Flag]:
    """The flags of a document in the flagd schema, by key; each is complete in itself.

    Prerequisites may be flags of another document: `require_consistent` looks at all together.

    Raises:
        InvalidFlag: Names the flag and the field.
    """
    document = read_json(text)
    if not isinstance(document, dict):
        raise InvalidFlag("", "", 'the document is not an object; write {"flags": {...}}')
    _known("", "", document, _TOP)
    flags, evaluators = document.get("flags"), document.get("$evaluators", {})
    if not isinstance(flags, dict):
        raise InvalidFlag("", "flags", "is not an object of definitions by key")
    if not isinstance(evaluators, dict):
        raise InvalidFlag("", "$evaluators", "is not an object of rules by name")
    for name in evaluators:
        targeting.expanded({targeting.REFERENCE: name}, evaluators, place=f"$evaluators.{name}")
    return {key: parse_flag(key, definition, evaluators) for key, definition in flags.items()}


def require_consistent(flags: Mapping[str, Flag]) -> None:
    """Make sure that prerequisites are there and lead to an end.

    Raises:
        InvalidFlag: Names the flag whose prerequisite is missing, has no such variant, or loops.
    """
    if len(flags) > MOST_FLAGS:
        raise InvalidFlag("", "flags", f"{len(flags)} of them, at most {MOST_FLAGS} fit; delete old ones")
    for flag in flags.values():
        for key, variant in flag.prerequisites.items():
            place = "metadata.prerequisites"
            if key not in flags:
                raise InvalidFlag(flag.key, place, f"there is no flag {key!r}; define it first")
            variants = flags[key].definition["variants"]
            if variant not in variants:
                known = ", ".join(variants)
                raise InvalidFlag(flag.key, place, f"{variant!r} is no variant of {key}; there are {known}")
    lengths: dict[str, int] = {}
    for key in flags:
        _length(key, flags, (), lengths)


def document_of(flags: Iterable[Flag], revision: int) -> str:
    """All flags as one document in the flagd schema, the same for the same flags."""
    document = {
        "flags": {flag.key: flag.definition for flag in sorted(flags, key=lambda flag: flag.key)},
        "metadata": {"flagSetId": FLAG_SET, "revision": revision},
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=False)


def prerequisites_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """What other flags must be, read from a definition that was checked before."""
    said = definition.get("metadata", {}).get("prerequisites", "")
    return {
        key: variant for key, _, variant in (pair.strip().partition("=") for pair in said.split(",") if pair)
    }


def read_json(text: str | bytes) -> Any:
    """JSON without repeated names.

    Raises:
        InvalidFlag: It is none, is too large, nests without end, or says a name twice.
    """
    if len(text) > LARGEST_DOCUMENT:
        raise InvalidFlag("", "", f"{len(text)} bytes, at most {LARGEST_DOCUMENT} fit; split it")
    try:
        return json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_number)
    except RecursionError:
        raise InvalidFlag("", "", "nests without end; write it flatter") from None
    except UnicodeDecodeError as failure:
        raise InvalidFlag("", "", f"is not UTF-8 at byte {failure.start}") from None
    except json.JSONDecodeError as failure:
        place = f"line {failure.lineno}, column {failure.colno}"
        raise InvalidFlag("", "", f"is not JSON: {failure.msg} at {place}") from None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidFlag("", twice[:80], "stands there twice; keep one")
    return found


def _no_number(name: str) -> Any:
    raise InvalidFlag("", "", f"{name} is no JSON; write a finite number")


def _known(flag: str, place: str, given: Mapping[str, Any], fields: tuple[str, ...]) -> None:
    for name in given:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
            raise InvalidFlag(flag, ".".join(filter(None, (place, name[:80]))), f"no such field; {meant}")


def _variants(key: str, variants: Any) -> Kind:
    if not isinstance(variants, dict) or not 1 <= len(variants) <= MOST_VARIANTS:
        raise InvalidFlag(key, "variants", f"write an object of 1 to {MOST_VARIANTS} values by name")
    kinds = {_KINDS.get(type(value)) for value in variants.values()}
    if len(kinds) != 1 or None in kinds:
        raise InvalidFlag(key, "variants", "must all be booleans, all texts, all numbers or all objects")
    for name, value in variants.items():
        if not name:
            raise InvalidFlag(key, "variants", "a variant has no name; give it one")
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidFlag(key, f"variants.{name}", "is not a finite number")
        if isinstance(value, int) and abs(value) > SAFEST_INTEGER:
            raise InvalidFlag(key, f"variants.{name}", f"whole numbers go to {SAFEST_INTEGER}")
        if isinstance(value, dict):
            _shallow(key, f"variants.{name}", value, 0)
    kind = kinds.pop()
    assert kind is not None  # noqa: S101 - looked for above
    return kind


def _shallow(key: str, place: str, value: Any, depth: int) -> None:
    if depth > targeting.DEEPEST:
        raise InvalidFlag(key, place[:80], f"nests deeper than {targeting.DEEPEST}; write it flatter")
    if isinstance(value, dict):
        for name, part in value.items():
            _shallow(key, f"{place}.{name}", part, depth + 1)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _shallow(key, f"{place}[{number}]", part, depth + 1)


def _metadata(key: str, metadata: Any) -> tuple[str, date | None, dict[str, str]]:
    if not isinstance(metadata, dict):
        raise InvalidFlag(key, "metadata", "write an object with owner and expires")
    for name, value in metadata.items():
        if not isinstance(value, str | int | float):
            raise InvalidFlag(key, f"metadata.{name}", "write a text, a number, true or false")
    owner, expires = metadata.get("owner"), metadata.get("expires")
    if not isinstance(owner, str) or not owner.strip():
        raise InvalidFlag(key, "metadata.owner", "write who answers for it")
    said = metadata.get("prerequisites", "")
    if not isinstance(said, str):
        raise InvalidFlag(key, "metadata.prerequisites", "write FLAG=VARIANT, several between commas")
    return owner, _day(key, expires), _prerequisites(key, said)


def _day(key: str, expires: Any) -> date | None:
    if expires == NEVER:
        return None
    try:
        return date.fromisoformat(expires)
    except (TypeError, ValueError):
        raise InvalidFlag(
            key, "metadata.expires", f"{expires!r}; write a day such as 2027-06-30, or {NEVER}"
        ) from None


def _prerequisites(key: str, said: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, said.split(",")):
        other, equals, variant = pair.strip().partition("=")
        if not equals or not other or not variant or other in found:
            raise InvalidFlag(
                key, "metadata.prerequisites", f"{pair.strip()!r}; write each FLAG=VARIANT once"
            )
        found[other] = variant
    if len(found) > MOST_PREREQUISITES:
        raise InvalidFlag(
            key, "metadata.prerequisites", f"{len(found)} of them, at most {MOST_PREREQUISITES} fit"
        )
    return found


def _length(key: str, flags: Mapping[str, Flag], inside: tuple[str, ...], lengths: dict[str, int]) -> int:
    """How many flags must be looked at one after the other to evaluate a flag."""
    if key in inside:
        circle = " -> ".join((*inside[inside.index(key) :], key))
        raise InvalidFlag(inside[0], "metadata.prerequisites", f"loops: {circle}; break the circle")
    if len(inside) >= LONGEST_CHAIN:
        chain = " -> ".join((*inside, key))
        raise InvalidFlag(
            inside[0], "metadata.prerequisites", f"{chain}: a chain of over {LONGEST_CHAIN} flags; shorten it"
        )
    if key not in lengths:
        others = flags[key].prerequisites if key in flags else {}
        lengths[key] = 1 + max(
            (_length(other, flags, (*inside, key), lengths) for other in others), default=0
        )
    if len(inside) + lengths[key] > LONGEST_CHAIN:
        raise InvalidFlag(
            inside[0], "metadata.prerequisites", f"a chain of over {LONGEST_CHAIN} flags; shorten it"
        )
    return lengths[key]


def _require_text(key: str, definition: Mapping[str, Any]) -> None:
    """Make sure that PostgreSQL can keep it: JSON may hold characters that no text can."""
    for name, value in definition.items():
        written = json.dumps(value, ensure_ascii=False)
        if "\\u0000" in written.replace("\\\\", ""):
            raise InvalidFlag(key, name, "holds the character U+0000; leave it out")
        try:
            written.encode()
        except UnicodeEncodeError as failure:
            lone = written[failure.start]
            raise InvalidFlag(
                key, name, f"holds half a character, \\u{ord(lone):04x}; leave it out"
            ) from None
