"""The HTTP API: stimuli, attention, hypotheses, health, the event stream and its own documentation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
from emily_contracts.attention import Attention, AttentionRequest
from emily_contracts.decision import Decision, Status
from emily_contracts.envelope import uuid7
from emily_contracts.hypotheses import Hypotheses, HypothesesRequest
from emily_contracts.stimulus import Stimulus, StimulusDraft
from emily_contracts.topics import ATTEND, HYPOTHESISE
from emily_runtime.problems import ProblemError
from emily_runtime.rest import StrictRequest, only_from, responses
from litestar import Litestar, Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.params import HeaderParameter
from litestar.response import ServerSentEvent

from emily_router.idempotency import digest_of, id_of_key
from emily_router.problems import HANDLERS, Problem
from emily_router.routing import traffic_api
from emily_router.routing.desk import Desk
from emily_router.settings import RouterSettings
from emily_router.sse import server_sent_events
from emily_router.traffic import Traffic

LARGEST_BODY = 2**20
ATTENTION_TIMEOUT_S = 0.5
HYPOTHESES_TIMEOUT_S = 5.0

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        required=False,
        description=(
            "Names the stimulus: a repeated key with the same body gets the same answer and is not perceived "
            "again; with another body it is refused with 422."
        ),
    ),
]


class RouterHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the whole looks from the router.

    Attributes:
        status: `degraded` while a tier of the active colour is down.
        colour: That answers, but for the subjects of a canary.
        in_flight: Stimuli that are owed an answer.
        alive: Living services; those of a colour as `blue/reflex`.
        absent: Tiers of the active colour that are down.
        version: Of the router.
        behind: Why the routing table may be older than that of its database; empty when it can't be.
    """

    status: Literal["ok", "degraded"]
    colour: str
    in_flight: int
    alive: tuple[str, ...]
    absent: tuple[str, ...]
    version: str
    behind: str = ""


def _problems(*statuses: int) -> dict[int, ResponseSpec]:
    return responses(Problem, *statuses)


@post("/api/v1/stimuli", status_code=200, responses=_problems(400, 413, 422, 429, 503, 504))
async def perceive(
    data: StimulusDraft, traffic: NamedDependency[Traffic], idempotency_key: IdempotencyKey = None
) -> Decision:
    """Gives a stimulus to Emily and waits for the decision, at most for its deadline."""
    now = datetime.now(UTC)
    if idempotency_key is None:
        decision = await traffic.submit(Stimulus.stamped(data, id=uuid7(now), at=now))
    else:
        stimulus = Stimulus.stamped(data, id=id_of_key(idempotency_key), at=now)
        decision = await traffic.submit(stimulus, digest=digest_of(data))
    if decision.status is Status.FAILED:
        raise ProblemError(
            Problem(title="No answer in time", status=504, detail=decision.reason, decision=decision)
        )
    return decision


@post("/api/v1/attention", status_code=200, responses=_problems(400, 413, 422, 503, 504))
async def attend(data: AttentionRequest, traffic: NamedDependency[Traffic]) -> Attention:
    """Gates drives through the alpha oscillator of tier 1."""
    return await traffic.ask(ATTEND, data, timeout_s=ATTENTION_TIMEOUT_S)


@post("/api/v1/gflownet/generate", status_code=200, responses=_problems(400, 413, 422, 503, 504))
async def hypothesise(data: HypothesesRequest, traffic: NamedDependency[Traffic]) -> Hypotheses:
    """Samples hypotheses from tier 3's GFlowNet and reports their diversity."""
    return await traffic.ask(HYPOTHESISE, data, timeout_s=HYPOTHESES_TIMEOUT_S)


@get("/api/v1/stream", media_type="text/event-stream", responses=_problems(503))
async def stream(traffic: NamedDependency[Traffic]) -> ServerSentEvent:
    """Server-sent events named `percept`, `decision` and `action`; `dropped` counts what was lost."""
    traffic.stream.require_room()
    return ServerSentEvent(server_sent_events(traffic.stream))


@get("/health", responses=_problems(503))
async def health(
    traffic: NamedDependency[Traffic], desk: NamedDependency[Desk], version: NamedDependency[str]
) -> RouterHealth:
    """How the router and the active colour are."""
    active = desk.now().table.active
    absent = traffic.colours.absent(active)
    return RouterHealth(
        status="degraded" if absent or desk.behind else "ok",
        colour=active,
        in_flight=traffic.in_flight,
        alive=tuple(sorted(traffic.colours.alive)),
        absent=absent,
        version=version,
        behind=desk.behind,
    )


class DocsPage(OpenAPIRenderPlugin):
    """The API for a person to read; a page of ours that needs no other site."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page; it fetches the schema by itself."""
        return resources.files("emily_router").joinpath("docs.html").read_bytes()


def create_app(
    open_traffic: Callable[[], Traffic],
    open_desk: Callable[[], Desk],
    settings: RouterSettings,
    *,
    version: str,
) -> Litestar:
    """The ASGI application.

    Args:
        open_traffic: Gives the traffic, or raises `Closed` while there is none.
        open_desk: Gives who takes orders on it, or raises `Closed`.
    """
    return Litestar(
        [perceive, attend, hypothesise, stream, health, *traffic_api.ROUTES],
        before_request=only_from(settings.allowed_hosts),
        dependencies={
            "traffic": Provide(open_traffic, sync_to_thread=False),
            "desk": Provide(open_desk, sync_to_thread=False),
            "version": Provide(lambda: version, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        openapi_config=OpenAPIConfig(
            title="Emily",
            version=version,
            description="Stimuli in, decisions out.",
            path="/docs",
            render_plugins=[DocsPage(path="/"), JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
