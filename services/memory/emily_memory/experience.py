"""What of a mind's life becomes an episode: what was judged, and calls to slow down or to a person.

Dopamine tags importance: the further an outcome was from what was expected, the more it matters.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from emily_contracts import Broadcast, Decision, Episode, Outcome, Status, StoreRequest, successor_id

NAMESPACE = "mind"
TELLING = ("throttle", "alert")
"""Acts that are worth a memory although nobody judges them."""
MOST_PENDING = 1024
LEAST_IMPORTANCE = 0.2


class Experience:
    """Follows the broadcasts and decisions of one colour; what came lately is remembered, bounded."""

    def __init__(self) -> None:
        self._decisions: OrderedDict[UUID, Decision] = OrderedDict()
        self._broadcasts: OrderedDict[UUID, Broadcast] = OrderedDict()

    def lived(self, event: Broadcast | Decision) -> StoreRequest | None:
        """What is to be stored of an event; mostly nothing."""
        if isinstance(event, Decision):
            if event.act.kind in TELLING and event.status is Status.DECIDED:
                return _telling(event, self._broadcasts.get(event.stimulus_id))
            _keep(self._decisions, event.stimulus_id, event)
            return None
        if event.outcome is None:
            _keep(self._broadcasts, event.stimulus_id, event)
            return None
        decision = self._decisions.pop(event.stimulus_id, None)
        return None if decision is None else _judged(event, event.outcome, decision)


def _keep[T](recent: OrderedDict[UUID, T], key: UUID, value: T) -> None:
    recent[key] = value
    if len(recent) > MOST_PENDING:
        recent.popitem(last=False)


def _judged(broadcast: Broadcast, outcome: Outcome, decision: Decision) -> StoreRequest:
    error = broadcast.reward_prediction_error
    verdict = "right" if outcome.reward > 0 else "wrong"
    truth = "" if outcome.label is None else f" It was {outcome.label}."
    did = decision.act.kind if decision.act.label is None else f"{decision.act.kind} {decision.act.label}"
    context = {
        "modality": decision.modality,
        "subject": decision.subject,
        "act": decision.act.kind,
        "verdict": verdict,
    }
    if decision.act.label is not None:
        context["label"] = decision.act.label
    if outcome.label is not None:
        context["truth"] = outcome.label
    return _request(
        decision,
        broadcast,
        kind="outcome",
        content=f"{decision.modality}: {did} was {verdict}.{truth} {decision.reason}",
        context=context,
        importance=min(1.0, LEAST_IMPORTANCE + abs(error)),
        valence=max(-1.0, min(1.0, outcome.reward)),
    )


def _telling(decision: Decision, broadcast: Broadcast | None) -> StoreRequest:
    felt = broadcast.modulation.caution if broadcast is not None else 0.0
    return _request(
        decision,
        broadcast,
        kind="decision",
        content=f"{decision.modality}: {decision.reason}",
        context={"modality": decision.modality, "subject": decision.subject, "act": decision.act.kind},
        importance=max(LEAST_IMPORTANCE, min(1.0, felt)),
        valence=-min(1.0, felt),
    )


def _request(
    decision: Decision,
    broadcast: Broadcast | None,
    *,
    kind: str,
    content: str,
    context: dict[str, str],
    importance: float,
    valence: float,
) -> StoreRequest:
    episode = Episode(
        id=successor_id(decision.id, f"memory of {kind}"),
        occurred_at=decision.at if broadcast is None else broadcast.at,
        content=content,
        kind=kind,
        session=decision.episode,
        context=context,
        importance=importance,
        valence=valence,
        arousal=None if broadcast is None else max(0.0, min(1.0, broadcast.modulation.arousal)),
    )
    return StoreRequest(
        id=episode.id,
        at=decision.at,
        stimulus_id=decision.stimulus_id,
        causation_id=decision.id,
        namespace=NAMESPACE,
        episode=episode,
    )
