"""What may stand in a targeting rule: checked before anything is changed, so that evaluation always ends.

Rules are JsonLogic with the operators of flagd: <https://flagd.dev/reference/flag-definitions/>.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from emily_flags.errors import InvalidFlag

DEEPEST = 32
"""Rules within rules; flagd's own evaluator recurses without a bound."""
MOST_NODES = 2000
MOST_WEIGHT = 2**31 - 1
REFERENCE = "$ref"
TARGETING_KEY = "targetingKey"

type Arity = tuple[int, int | None]

_ANY: Arity = (1, None)
_TWO: Arity = (2, 2)
OPERATORS: dict[str, Arity] = {
    **dict.fromkeys(("==", "===", "!=", "!==", ">", ">=", "%", "/", "in"), _TWO),
    **dict.fromkeys(("map", "filter", "all", "none", "some"), _TWO),
    **dict.fromkeys(("<", "<=", "-", "substr"), (1, 3)),
    **dict.fromkeys(("!", "!!"), (1, 1)),
    **dict.fromkeys(("and", "or", "+", "*", "max", "min", "merge", "cat", "missing"), _ANY),
    "if": (2, None),
    "reduce": (3, 3),
    "missing_some": _TWO,
    "var": (1, 2),
    "starts_with": _TWO,
    "ends_with": _TWO,
    "sem_ver": (3, 3),
    "fractional": _ANY,
}
"""Each with the least and the greatest number of its arguments."""

ITERATING = ("map", "filter", "reduce", "all", "none", "some")
"""They run a rule for each item; within each other they would take time without a bound."""
ACCUMULATOR = "accumulator"

_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "^", "~")
_OF_FLAGD = ("$flagd.flagKey", "$flagd.timestamp")


def expanded(rule: Any, evaluators: Mapping[str, Any], *, flag: str = "", place: str = "targeting") -> Any:
    """A rule with every `{"$ref": NAME}` replaced by the evaluator of that name.

    Raises:
        InvalidFlag: A name is unknown, evaluators refer to each other in a circle, or the whole would nest
            too deep or grow too large.
    """
    return _Expansion(evaluators, flag).of(rule, place, depth=0, inside=())


def check(rule: Any, variants: Collection[str], *, flag: str) -> None:
    """Make sure that an expanded rule can be evaluated, and gives variants that there are.

    Raises:
        InvalidFlag: Names the place in the rule.
    """
    if not isinstance(rule, dict):
        raise InvalidFlag(flag, "targeting", f"{_kind(rule)}, not a rule; write an object such as {{}}")
    if rule:
        _Check(variants, flag).result(rule, "targeting")


def buckets_by_key(rule: Any) -> bool:
    """Whether a rule says `fractional` without what to bucket by, and so needs a targeting key."""
    if isinstance(rule, list):
        return any(map(buckets_by_key, rule))
    if not isinstance(rule, dict):
        return False
    parts = rule.get("fractional")
    return (isinstance(parts, list) and bool(parts) and isinstance(parts[0], list)) or any(
        map(buckets_by_key, rule.values())
    )


class _Expansion:
    """One rule that grows; it stops as soon as it is too large."""

    def __init__(self, evaluators: Mapping[str, Any], flag: str) -> None:
        self._evaluators = evaluators
        self._flag = flag
        self._nodes = 0

    def of(self, node: Any, place: str, *, depth: int, inside: tuple[str, ...]) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise InvalidFlag(self._flag, "targeting", f"has over {MOST_NODES} parts; make it smaller")
        if isinstance(node, dict | list) and depth > 2 * DEEPEST:
            raise InvalidFlag(self._flag, place[:80], f"nests deeper than {DEEPEST} rules; write it flatter")
        if isinstance(node, list):
            return [
                self.of(item, f"{place}[{number}]", depth=depth + 1, inside=inside)
                for number, item in enumerate(node)
            ]
        if not isinstance(node, dict):
            return node
        if REFERENCE in node:
            return self._referred(node, place, depth, inside)
        return {
            name: self.of(value, f"{place}.{name}", depth=depth + 1, inside=inside)
            for name, value in node.items()
        }

    def _referred(self, node: dict[str, Any], place: str, depth: int, inside: tuple[str, ...]) -> Any:
        name = node[REFERENCE]
        if len(node) > 1 or not isinstance(name, str):
            raise InvalidFlag(self._flag, place, f'write {{"{REFERENCE}": NAME}} and nothing beside it')
        if name in inside:
            circle = " -> ".join((*inside[inside.index(name) :], name))
            raise InvalidFlag(self._flag, place[:80], f"loops: {circle}; break the circle in $evaluators")
        if name not in self._evaluators:
            known = ", ".join(sorted(self._evaluators)) or "none"
            raise InvalidFlag(self._flag, place, f"there is no evaluator {name!r}; there are {known}")
        return self.of(self._evaluators[name], place, depth=depth, inside=(*inside, name))


class _Check:
    """One rule that is looked through."""

    def __init__(self, variants: Collection[str], flag: str) -> None:
        self._variants = variants
        self._flag = flag

    def result(self, node: Any, place: str, depth: int = 0) -> None:
        """What becomes the variant."""
        if isinstance(node, dict):
            self._rule(node, place, depth, result=True)
        elif isinstance(node, list):
            raise self._wrong(place, "a list is no variant; write one, or a rule that gives one")
        elif node is not None and _named(node) not in self._variants:
            raise self._wrong(place, f"{_named(node)!r} is no variant; there are {', '.join(self._variants)}")

    def _value(self, node: Any, place: str, depth: int) -> None:
        """What a rule works with."""
        if isinstance(node, dict):
            self._rule(node, place, depth, result=False)
        elif isinstance(node, list):
            if depth > DEEPEST:
                raise self._too_deep(place)
            for number, item in enumerate(node):
                self._value(item, f"{place}[{number}]", depth + 1)
        elif isinstance(node, float) and not math.isfinite(node):
            raise self._wrong(place, "is not a finite number")

    def _rule(self, node: dict[str, Any], place: str, depth: int, *, result: bool) -> None:
        if depth > DEEPEST:
            raise self._too_deep(place)
        if len(node) != 1:
            raise self._wrong(place, f"a rule has one operator, this has {len(node)}")
        operator, given = next(iter(node.items()))
        if operator not in OPERATORS:
            known = ", ".join(sorted(OPERATORS))
            raise self._wrong(place, f"there is no operator {operator!r}; there are {known}")
        here = f"{place}.{operator}"
        arguments = given if isinstance(given, list) else [given]
        least, most = OPERATORS[operator]
        if len(arguments) < least or (most is not None and len(arguments) > most):
            bounds = f"{least}" if least == most else f"{least} to {most or 'any number of'}"
            raise self._wrong(here, f"takes {bounds} arguments, got {len(arguments)}")
        if operator == "fractional":
            self._fractional(arguments, here, depth, result=result)
            return
        self._special(operator, arguments, here)
        for number, argument in enumerate(arguments):
            last = number == len(arguments) - 1
            branch = operator == "if" and (number % 2 == 1 or (last and number % 2 == 0))
            where = f"{here}[{number}]" if isinstance(given, list) else here
            if result and branch:
                self.result(argument, where, depth + 1)
            else:
                self._value(argument, where, depth + 1)

    def _special(self, operator: str, arguments: list[Any], place: str) -> None:
        """What an operator's arguments must be beyond their number."""
        first = arguments[0]
        if operator == "var":
            self._variable(first, place)
        elif operator in ITERATING:
            if any(_used(argument, ITERATING) for argument in arguments):
                raise self._wrong(place, "runs for each item within a rule that does; write it flatter")
            if operator == "reduce" and _reads(arguments[1], ACCUMULATOR) > 1:
                raise self._wrong(f"{place}[1]", "reads the accumulator twice, it could double for ever")
        elif operator == "sem_ver" and isinstance(arguments[1], str) and arguments[1] not in _COMPARISONS:
            raise self._wrong(
                f"{place}[1]", f"{arguments[1]!r} compares nothing; use {', '.join(_COMPARISONS)}"
            )

    def _variable(self, name: Any, place: str) -> None:
        if not isinstance(name, str | int):
            raise self._wrong(place, "write the name of what to read, no rule")
        if isinstance(name, str) and name.startswith("$flagd") and name not in _OF_FLAGD:
            raise self._wrong(place, f"{name!r} is not given; there are {', '.join(_OF_FLAGD)}")

    def _fractional(self, arguments: list[Any], place: str, depth: int, *, result: bool) -> None:
        shares = arguments
        offset = 0
        if not isinstance(arguments[0], list):
            self._value(arguments[0], f"{place}[0]", depth + 1)
            shares, offset = arguments[1:], 1
        total: int | None = 0
        for number, share in enumerate(shares, start=offset):
            weight = self._share(share, f"{place}[{number}]", depth, result=result)
            total = None if weight is None or total is None else total + weight
        if not shares or total == 0:
            raise self._wrong(place, "no share has a weight above 0; write [VARIANT, WEIGHT]")
        if total is not None and total > MOST_WEIGHT:
            raise self._wrong(place, f"the weights add up to {total}, at most {MOST_WEIGHT} fit")

    def _share(self, share: Any, place: str, depth: int, *, result: bool) -> int | None:
        """Its weight; none when it is reckoned as the rule is."""
        if not isinstance(share, list) or not 1 <= len(share) <= 2:
            raise self._wrong(place, f"{_kind(share)}, not a share; write [VARIANT, WEIGHT]")
        if result:
            self.result(share[0], f"{place}[0]", depth + 1)
        else:
            self._value(share[0], f"{place}[0]", depth + 1)
        if len(share) == 1:
            return 1
        weight = share[1]
        if isinstance(weight, dict):
            self._value(weight, f"{place}[1]", depth + 1)
            return None
        if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
            raise self._wrong(f"{place}[1]", f"weight {weight!r}; write a whole number from 0")
        return weight

    def _too_deep(self, place: str) -> InvalidFlag:
        return self._wrong(place[:80], f"nests deeper than {DEEPEST} rules; write it flatter")

    def _wrong(self, place: str, reason: str) -> InvalidFlag:
        return InvalidFlag(self._flag, place, reason)


def _used(rule: Any, operators: Collection[str]) -> bool:
    """Whether one of the operators stands in a rule."""
    if isinstance(rule, list):
        return any(_used(part, operators) for part in rule)
    return isinstance(rule, dict) and any(
        name in operators or _used(part, operators) for name, part in rule.items()
    )


def _reads(rule: Any, variable: str) -> int:
    """How often a rule reads a variable, alone or with all others."""
    if isinstance(rule, list):
        return sum(_reads(part, variable) for part in rule)
    if not isinstance(rule, dict):
        return 0
    read = rule.get("var")
    name = read[0] if isinstance(read, list) and read else read
    own = isinstance(name, str) and name.partition(".")[0] in {"", variable}
    return own + sum(_reads(part, variable) for part in rule.values())


def _named(value: Any) -> str:
    """The variant that a literal names, as flagd reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
