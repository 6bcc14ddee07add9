"""Flags through the OpenFeature API, evaluated in process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from emily_flags.replica import Replica

NAME = "emily"


class EmilyProvider(AbstractProvider):
    """Answers from a replica; says when flags change and when they are stale.

    Args:
        replica: That somebody keeps up to date.
    """

    def __init__(self, replica: Replica) -> None:
        super().__init__()
        self._replica = replica
        self._resolve = replica.resolve

    def get_metadata(self) -> Metadata:
        """Who answers."""
        return Metadata(name=NAME)

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Begin to tell of changes.

        Raises:
            ProviderNotReadyError: No flags are known yet.
        """
        self._replica.watch(self._tell)
        if not self._replica.revision:
            raise ProviderNotReadyError("no flags are known yet; is the flag-service up?")

    def shutdown(self) -> None:
        """Tell no more."""
        self._replica.unwatch(self._tell)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Of a flag of booleans."""
        return self._resolve("boolean", flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Of a flag of texts."""
        return self._resolve("string", flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Of a flag of whole numbers."""
        return self._resolve("integer", flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Of a flag of numbers."""
        return self._resolve("float", flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Of a flag of objects."""
        return self._resolve("object", flag_key, default_value, evaluation_context)

    def _tell(self, what: str, keys: frozenset[str]) -> None:
        if what == "changed":
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(keys)))
        elif what == "stale":
            age = f"the flag-service was last heard {self._replica.age_s:.0f} s ago"
            self.emit_provider_stale(ProviderEventDetails(message=age))
        else:
            self.emit_provider_ready(ProviderEventDetails())
