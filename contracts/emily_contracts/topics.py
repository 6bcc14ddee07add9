"""The list of everything that travels; nobody writes a key expression elsewhere.

Keys are relative to the namespace of the session: `emily` for the root space, `emily/<colour>`
inside a colour.
"""

from __future__ import annotations

from emily_contracts.attention import Attention, AttentionRequest
from emily_contracts.backups import (
    BackupAccepted,
    BackupRequest,
    BackupStatus,
    BackupStatusRequest,
    Snapshots,
    SnapshotsRequest,
)
from emily_contracts.body import BodyState
from emily_contracts.broadcast import Broadcast
from emily_contracts.curation import (
    EditRequest,
    EraseRequest,
    Erasure,
    ForgetRequest,
    History,
    ListRequest,
    Memory,
    Page,
    ShowRequest,
    Stats,
    StatsRequest,
    SupersedeRequest,
)
from emily_contracts.decision import Action, Decision
from emily_contracts.deploying import DeployCommand, DeployOrder, DeployRequest, DeployStatus
from emily_contracts.flags import Exposure, FlagSnapshot, FlagsRequest
from emily_contracts.handover import Adopted, Adoption, Barrier, StateRequest, StateSnapshot
from emily_contracts.health import Health, HealthRequest
from emily_contracts.hypotheses import Hypotheses, HypothesesRequest
from emily_contracts.memory import Lived, LivedRequest, Recall, RecallRequest, Store, StoreRequest
from emily_contracts.outcome import Outcome
from emily_contracts.percept import Percept
from emily_contracts.routing import ChangeTraffic, Standing, StandingRequest, Traffic, TrafficRequest
from emily_contracts.scene import Scene
from emily_contracts.snapshots import (
    DatasetSnapshots,
    DatasetSnapshotsRequest,
    HoldSnapshot,
    ReleaseSnapshot,
    SnapshotChanged,
    SnapshotHolds,
    SnapshotTaken,
    StorageStatus,
    StorageStatusRequest,
    TakeSnapshot,
)
from emily_contracts.stimulus import Stimulus
from emily_contracts.topic import (
    AnyQuery,
    AnyTopic,
    Congestion,
    Overflow,
    Priority,
    QoS,
    Query,
    Topic,
)
from emily_contracts.upkeeping import (
    ConsolidateRequest,
    Consolidation,
    DropRetired,
    DropRetiredRequest,
    Reembedding,
    ReembedRequest,
    Tidying,
    TidyRequest,
)

_REFLEX = QoS(priority=Priority.REAL_TIME, express=True)
_THOUGHT = QoS(priority=Priority.INTERACTIVE)
_INGRESS = QoS(priority=Priority.INTERACTIVE, overflow=Overflow.REJECT, buffer=16_384)
_TELEMETRY = QoS(
    priority=Priority.BACKGROUND, congestion=Congestion.DROP, overflow=Overflow.DROP_OLDEST, buffer=1024
)

_NOTE = QoS(
    priority=Priority.INTERACTIVE, express=True, congestion=Congestion.DROP, overflow=Overflow.DROP_OLDEST
)
"""Slows nobody down, and is not overtaken by what it is about."""

INBOUND_STIMULUS = Topic(
    "in/stimulus/{modality}", Stimulus, "A stimulus for Emily, from any sensor or client.", _INGRESS
)
INBOUND_OUTCOME = Topic("in/outcome/{modality}", Outcome, "What became of a decision.", _INGRESS)
OUTBOUND_DECISION = Topic(
    "out/decision/{modality}", Decision, "Exactly one answer per accepted stimulus.", _THOUGHT
)
OUTBOUND_PERCEPT = Topic(
    "out/percept/{modality}", Percept, "The reflex answer, before the decision.", _REFLEX
)
ACTION = Topic("out/action/{modality}", Action, "What an actuator did about a decision.", _TELEMETRY)
SCENE = Topic("out/scene/{modality}", Scene, "The whole picture, for a person who watches.", _TELEMETRY)

STIMULUS = Topic("stimulus/{modality}", Stimulus, "A stimulus routed to this colour.", _REFLEX)
OUTCOME = Topic("outcome/{modality}", Outcome, "Feedback routed to this colour.", _REFLEX)
PERCEPT = Topic("percept/{modality}", Percept, "Tier 1's answer.", _REFLEX)
BODY = Topic("body/{modality}", BodyState, "The body after an event.", _TELEMETRY)
BROADCAST = Topic("broadcast/{modality}", Broadcast, "What became conscious.", _THOUGHT)
DECISION = Topic("decision/{modality}", Decision, "Tier 3's answer.", _THOUGHT)
EXPERIENCE = Topic("experience", StoreRequest, "What a mind lived and wants to remember.", _TELEMETRY)

REFLEX_BARRIER = Topic("barrier/reflex", Barrier, "A marker behind the stimuli and outcomes so far.", _REFLEX)
WORKSPACE_BARRIER = Topic("barrier/workspace", Barrier, "The marker behind the percepts so far.", _REFLEX)
INFERENCE_BARRIER = Topic("barrier/inference", Barrier, "The marker behind the broadcasts so far.", _THOUGHT)
STANDING = Topic(
    "standing",
    Standing,
    "What this colour is, whenever it changes.",
    QoS(buffer=16),
)

HEALTH_CHANGED = Topic("health/{service}", Health, "A service's health when it changes.", _TELEMETRY)
FLAGS = Topic(
    "flags", FlagSnapshot, "All flags, whenever one changes.", QoS(overflow=Overflow.DROP_OLDEST, buffer=16)
)

EXPOSURE = Topic("exposure", Exposure, "A subject came under a variant of a flag.", _NOTE)

SNAPSHOT_CHANGED = Topic(
    "storage/snapshot", SnapshotChanged, "A snapshot of a dataset was taken, or is gone.", _TELEMETRY
)

ATTEND = Query("attend", AttentionRequest, Attention, "Gates drives through the alpha oscillator.")
HYPOTHESISE = Query(
    "hypothesise", HypothesesRequest, Hypotheses, "Samples hypotheses and reports their diversity."
)
LIVED = Query("lived", LivedRequest, Lived, "What a mind lived and holds until memory has it.")
CURRENT_FLAGS = Query("flags/now", FlagsRequest, FlagSnapshot, "All flags now.")
CURRENT_STANDING = Query("standing/now", StandingRequest, Standing, "What this colour is now.")
STATE = Query("state/{service}", StateRequest, StateSnapshot, "What a mind remembered at a barrier.")
ADOPT = Query("state/{service}/adopt", Adoption, Adopted, "Lets a mind go on from what another remembered.")
CURRENT_TRAFFIC = Query("control/traffic/now", TrafficRequest, Traffic, "Which colour answers whom now.")
CHANGE_TRAFFIC = Query("control/traffic/change", ChangeTraffic, Traffic, "Changes which colour answers whom.")
CURRENT_DEPLOY = Query("control/deploy/now", DeployRequest, DeployStatus, "How the current deploy is.")
ORDER_DEPLOY = Query("control/deploy/order", DeployOrder, DeployStatus, "Begins a deploy.")
COMMAND_DEPLOY = Query(
    "control/deploy/command", DeployCommand, DeployStatus, "Tells a deploy what to do, such as to go back."
)
HEALTH = Query("health/{service}/now", HealthRequest, Health, "A service's health now.")
STORE = Query("memory/store", StoreRequest, Store, "Keeps an episode; answered when it is durable.")
RECALL = Query("memory/recall", RecallRequest, Recall, "Recalls episodes.")
SHOW_MEMORY = Query("memory/show", ShowRequest, Memory, "Shows a memory with its record.")
MEMORY_HISTORY = Query("memory/history", ShowRequest, History, "Shows all versions of a memory.")
LIST_MEMORIES = Query("memory/list", ListRequest, Page, "Lists memories, newest first.")
EDIT_MEMORY = Query("memory/edit", EditRequest, Memory, "Corrects a memory that was wrong.")
SUPERSEDE_MEMORY = Query("memory/supersede", SupersedeRequest, Memory, "Says what holds from now on.")
FORGET_MEMORY = Query("memory/forget", ForgetRequest, Memory, "Archives a memory, or restores it.")
ERASE_ACTOR = Query("memory/erase", EraseRequest, Erasure, "Removes everything about an actor.")
MEMORY_STATS = Query("memory/stats", StatsRequest, Stats, "Counts what is remembered.")
TIDY = Query("memory/tidy", TidyRequest, Tidying, "Forgets what is due.")
CONSOLIDATE = Query(
    "memory/consolidate", ConsolidateRequest, Consolidation, "Merges duplicates and sums up old sessions."
)
REEMBED = Query("memory/reembed", ReembedRequest, Reembedding, "Moves to another embedding space.")
DROP_RETIRED = Query(
    "memory/drop-retired", DropRetiredRequest, DropRetired, "Removes the vectors of former spaces."
)
BACKUPS = Query("backups/now", BackupStatusRequest, BackupStatus, "How all backups stand.")
BACK_UP = Query("backups/run", BackupRequest, BackupAccepted, "Backs up now, or drills a restore.")
BACKUP_SNAPSHOTS = Query("backups/snapshots", SnapshotsRequest, Snapshots, "What a repository holds.")
STORAGE = Query("storage/now", StorageStatusRequest, StorageStatus, "How pools and snapshots stand.")
DATASET_SNAPSHOTS = Query(
    "storage/snapshots", DatasetSnapshotsRequest, DatasetSnapshots, "Lists snapshots of datasets."
)
TAKE_SNAPSHOT = Query(
    "storage/snapshots/take", TakeSnapshot, SnapshotTaken, "Takes a snapshot of a dataset now."
)
HOLD_SNAPSHOT = Query("storage/snapshots/hold", HoldSnapshot, SnapshotHolds, "Keeps a snapshot.")
RELEASE_SNAPSHOT = Query("storage/snapshots/release", ReleaseSnapshot, SnapshotHolds, "Ends a hold.")

TOPICS: dict[str, AnyTopic] = {
    "inbound_stimulus": INBOUND_STIMULUS,
    "inbound_outcome": INBOUND_OUTCOME,
    "outbound_decision": OUTBOUND_DECISION,
    "outbound_percept": OUTBOUND_PERCEPT,
    "action": ACTION,
    "scene": SCENE,
    "stimulus": STIMULUS,
    "outcome": OUTCOME,
    "percept": PERCEPT,
    "body": BODY,
    "broadcast": BROADCAST,
    "decision": DECISION,
    "experience": EXPERIENCE,
    "reflex_barrier": REFLEX_BARRIER,
    "workspace_barrier": WORKSPACE_BARRIER,
    "inference_barrier": INFERENCE_BARRIER,
    "standing": STANDING,
    "health_changed": HEALTH_CHANGED,
    "flags": FLAGS,
    "exposure": EXPOSURE,
    "snapshot_changed": SNAPSHOT_CHANGED,
}
QUERIES: dict[str, AnyQuery] = {
    "attend": ATTEND,
    "hypothesise": HYPOTHESISE,
    "lived": LIVED,
    "current_flags": CURRENT_FLAGS,
    "current_standing": CURRENT_STANDING,
    "state": STATE,
    "adopt": ADOPT,
    "current_traffic": CURRENT_TRAFFIC,
    "change_traffic": CHANGE_TRAFFIC,
    "current_deploy": CURRENT_DEPLOY,
    "order_deploy": ORDER_DEPLOY,
    "command_deploy": COMMAND_DEPLOY,
    "health": HEALTH,
    "store": STORE,
    "recall": RECALL,
    "show_memory": SHOW_MEMORY,
    "memory_history": MEMORY_HISTORY,
    "list_memories": LIST_MEMORIES,
    "edit_memory": EDIT_MEMORY,
    "supersede_memory": SUPERSEDE_MEMORY,
    "forget_memory": FORGET_MEMORY,
    "erase_actor": ERASE_ACTOR,
    "memory_stats": MEMORY_STATS,
    "tidy": TIDY,
    "consolidate": CONSOLIDATE,
    "reembed": REEMBED,
    "drop_retired": DROP_RETIRED,
    "backups": BACKUPS,
    "back_up": BACK_UP,
    "backup_snapshots": BACKUP_SNAPSHOTS,
    "storage": STORAGE,
    "dataset_snapshots": DATASET_SNAPSHOTS,
    "take_snapshot": TAKE_SNAPSHOT,
    "hold_snapshot": HOLD_SNAPSHOT,
    "release_snapshot": RELEASE_SNAPSHOT,
}
