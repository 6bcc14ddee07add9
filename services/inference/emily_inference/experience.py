"""What of a mind's life is worth a memory: what was judged, and calls to slow down or to a person.

Dopamine tags importance: the further an outcome was from what was expected, the more it matters.
"""

from __future__ import annotations

from emily_contracts import Broadcast, Decision, Episode, Outcome, Status, StoreRequest, successor_id

NAMESPACE = "mind"
TELLING = ("throttle", "alert")
"""Acts that are worth a memory although nobody judges them."""
LEAST_IMPORTANCE = 0.2


def told(decision: Decision, broadcast: Broadcast) -> StoreRequest | None:
    """What is to be stored of a decision that was just made; mostly nothing."""
    if decision.act.kind not in TELLING or decision.status is not Status.DECIDED:
        return None
    felt = broadcast.modulation.caution
    return _request(
        decision,
        broadcast,
        kind="decision",
        content=f"{decision.modality}: {decision.reason}",
        context={"modality": decision.modality, "subject": decision.subject, "act": decision.act.kind},
        importance=max(LEAST_IMPORTANCE, min(1.0, felt)),
        valence=-min(1.0, felt),
    )


def judged(decision: Decision, broadcast: Broadcast, outcome: Outcome) -> StoreRequest:
    """What is to be stored of a decision whose outcome came to mind."""
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
        importance=min(1.0, LEAST_IMPORTANCE + abs(broadcast.reward_prediction_error)),
        valence=max(-1.0, min(1.0, outcome.reward)),
    )


def _request(
    decision: Decision,
    broadcast: Broadcast,
    *,
    kind: str,
    content: str,
    context: dict[str, str],
    importance: float,
    valence: float,
) -> StoreRequest:
    episode = Episode(
        id=successor_id(decision.id, f"memory of {kind}"),
        occurred_at=broadcast.at,
        content=content,
        kind=kind,
        session=decision.episode,
        context=context,
        importance=importance,
        valence=valence,
        arousal=max(0.0, min(1.0, broadcast.modulation.arousal)),
    )
    return StoreRequest(
        id=episode.id,
        at=broadcast.at,
        stimulus_id=decision.stimulus_id,
        causation_id=decision.id,
        namespace=NAMESPACE,
        episode=episode,
    )
