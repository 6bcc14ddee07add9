"""Every message, query and key expression that crosses a service.

The only thing that services share with each other.
"""

from emily_contracts.attention import Attention, AttentionRequest
from emily_contracts.body import BodyState, Levels, Modulation
from emily_contracts.broadcast import Broadcast, Conscious, Suppressed
from emily_contracts.curation import (
    Change,
    EditRequest,
    EraseRequest,
    Erasure,
    ForgetRequest,
    History,
    ListRequest,
    Memory,
    NamespaceStats,
    Page,
    ShowRequest,
    SpaceStats,
    Stats,
    StatsRequest,
    SupersedeRequest,
)
from emily_contracts.decision import (
    Act,
    Action,
    Decision,
    ExpectedFreeEnergy,
    Provenance,
    Recollection,
    Status,
)
from emily_contracts.envelope import SCHEMA_VERSION, Message, successor_id, uuid7
from emily_contracts.flags import FlagSnapshot, FlagsRequest
from emily_contracts.health import Health, HealthRequest
from emily_contracts.hypotheses import Hypotheses, HypothesesRequest, Hypothesis
from emily_contracts.memory import (
    Components,
    Episode,
    Recall,
    RecallRequest,
    Selection,
    Store,
    StoreRequest,
    Weights,
)
from emily_contracts.outcome import Outcome
from emily_contracts.percept import GatedSignal, Percept
from emily_contracts.scene import Scene
from emily_contracts.stimulus import Signal, Stimulus, StimulusDraft
from emily_contracts.topic import Congestion, Overflow, Priority, QoS, Query, Reliability, Topic

__all__ = [
    "SCHEMA_VERSION",
    "Act",
    "Action",
    "Attention",
    "AttentionRequest",
    "BodyState",
    "Broadcast",
    "Change",
    "Components",
    "Congestion",
    "Conscious",
    "Decision",
    "EditRequest",
    "Episode",
    "EraseRequest",
    "Erasure",
    "ExpectedFreeEnergy",
    "FlagSnapshot",
    "FlagsRequest",
    "ForgetRequest",
    "GatedSignal",
    "Health",
    "HealthRequest",
    "History",
    "Hypotheses",
    "HypothesesRequest",
    "Hypothesis",
    "Levels",
    "ListRequest",
    "Memory",
    "Message",
    "Modulation",
    "NamespaceStats",
    "Outcome",
    "Overflow",
    "Page",
    "Percept",
    "Priority",
    "Provenance",
    "QoS",
    "Query",
    "Recall",
    "RecallRequest",
    "Recollection",
    "Reliability",
    "Scene",
    "Selection",
    "ShowRequest",
    "Signal",
    "SpaceStats",
    "Stats",
    "StatsRequest",
    "Status",
    "Stimulus",
    "StimulusDraft",
    "Store",
    "StoreRequest",
    "SupersedeRequest",
    "Suppressed",
    "Topic",
    "Weights",
    "successor_id",
    "uuid7",
]
