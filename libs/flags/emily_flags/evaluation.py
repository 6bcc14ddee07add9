"""Evaluates the flags of one revision as flagd does, and adds prerequisites."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    FlagNotFoundError,
    OpenFeatureError,
    ParseError,
    TargetingKeyMissingError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

from emily_flags.definition import prerequisites_of
from emily_flags.errors import InvalidFlag
from emily_flags.targeting import buckets_by_key

type Asked = Literal["boolean", "string", "integer", "float", "object"]
type Details = FlagResolutionDetails[Any]
type Resolve = Callable[[str, Any, EvaluationContext | None], Details]

EMPTY = '{"flags":{}}'
MISSING = object()


class Evaluator:
    """All flags at one revision; it never changes, another revision is another evaluator.

    Attributes:
        definitions: In the flagd schema, by key.
        guarded: Flags that are not evaluated by their rule alone.

    Raises:
        InvalidFlag: The document can't be used.
    """

    def __init__(self, document: str = EMPTY) -> None:
        core = FlagdCore()
        try:
            core.set_flags(document)
            self.definitions: dict[str, dict[str, Any]] = json.loads(document)["flags"]
            self._prerequisites = {
                key: prerequisites
                for key, definition in self.definitions.items()
                if (prerequisites := prerequisites_of(definition))
            }
        except (OpenFeatureError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as failure:
            raise InvalidFlag("", "", f"the document can't be used: {failure}") from None
        self._bucketed = frozenset(
            key
            for key, definition in self.definitions.items()
            if definition["state"] == "ENABLED" and buckets_by_key(definition.get("targeting"))
        )
        self.guarded = self._bucketed | self._prerequisites.keys()
        self.resolvers: dict[Asked, Resolve] = {
            "boolean": core.resolve_boolean_value,
            "string": core.resolve_string_value,
            "integer": core.resolve_integer_value,
            "float": core.resolve_float_value,
            "object": core.resolve_object_value,
        }

    def resolve(self, asked: Asked, key: str, default: Any, context: EvaluationContext | None) -> Details:
        """What a flag gives in a context.

        Raises:
            OpenFeatureError: There is no such flag, its rule fails, it gives another type, or it buckets and
                the context has no targeting key.
        """
        try:
            if key in self.guarded:
                unmet = self._guard(key, context)
                if unmet:
                    return FlagResolutionDetails(
                        default, reason=Reason.DISABLED, flag_metadata=self._metadata(key) | {"unmet": unmet}
                    )
            return self.resolvers[asked](key, default, context)
        except OpenFeatureError:
            raise
        except Exception as failure:
            raise ParseError(f"flags.{key}.targeting: {type(failure).__name__}: {failure}") from failure

    def value(self, key: str, context: EvaluationContext | None) -> Details:
        """What a flag gives, of whatever type it is; `MISSING` when that is for the code to say.

        Raises:
            OpenFeatureError: As `resolve`.
        """
        definition = self.definitions.get(key)
        if definition is None:
            raise FlagNotFoundError(f"there is no flag {key!r}")
        variants = definition["variants"]
        details = self.resolve(_asked(next(iter(variants.values()))), key, MISSING, context)
        if details.variant is not None:
            details.value = variants[details.variant]
        return details

    def _guard(self, key: str, context: EvaluationContext | None) -> str:
        """The prerequisite that is not met; empty when all are."""
        for other, variant in self._prerequisites.get(key, {}).items():
            if other not in self.definitions or self.value(other, context).variant != variant:
                return f"{other}={variant}"
        if key in self._bucketed and (context is None or not context.targeting_key):
            raise TargetingKeyMissingError(f"flags.{key}: it buckets by the targeting key; give one")
        return ""

    def _metadata(self, key: str) -> dict[str, Any]:
        return dict(self.definitions[key].get("metadata", {}))


def _asked(value: Any) -> Asked:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "float"
