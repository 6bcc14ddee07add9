"""What memory is asked before an episode is decided about, and what of its answer counts."""

from __future__ import annotations

from emily_contracts import Broadcast, Recall, RecallRequest, Recollection, Weights
from emily_contracts.topics import RECALL
from emily_runtime import Question

from emily_inference.experience import NAMESPACE

RECALLED = 64
LIKENESS = Weights(affect=0.02, recency=1.0, importance=0.0, use=0.0, recency_days=0.002)
"""What makes a moment similar: nearness in time, then feeling; meaning and words where a stimulus has any.

Importance and use do not count: what surprised, or was often recalled, is no fair sample of what to expect.
"""


def question(broadcast: Broadcast, *, timeout_s: float) -> Question:
    """About moments of this sense and subject that were judged, like this one in meaning and feeling."""
    modulation = broadcast.modulation
    request = RecallRequest(
        namespace=NAMESPACE,
        text=broadcast.text or "",
        limit=RECALLED,
        kinds=("outcome",),
        context={"modality": broadcast.modality, "subject": broadcast.subject},
        arousal=max(0.0, min(1.0, modulation.arousal)),
        weights=LIKENESS,
        present=broadcast.at,
        stimulus_id=broadcast.stimulus_id,
    )
    return Question(RECALL, request, timeout_s)


def recollections(recall: Recall | None) -> tuple[Recollection, ...]:
    """The recalled moments whose truth is known, the oldest first."""
    if recall is None:
        return ()
    return tuple(
        Recollection(id=episode.id, truth=episode.context["truth"])
        for episode in sorted(recall.episodes, key=lambda episode: (episode.occurred_at, episode.id))
        if "truth" in episode.context
    )
