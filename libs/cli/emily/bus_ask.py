"""How commands ask a service over the bus."""

from __future__ import annotations

from typing import Any

import msgspec
from emily_bus import AskError, AskTimeout, Bus, BusUnavailable, NoResponder
from emily_contracts.topic import Query

from emily.bus import settings as bus_settings
from emily.errors import CommandError, NotUp
from emily.system import Layout


async def asked[Req: msgspec.Struct, Rep: msgspec.Struct](
    layout: Layout,
    query: Query[Req, Rep],
    request: Req,
    *,
    namespace: str,
    service: str,
    remedy: str,
    timeout_s: float,
) -> Rep:
    """What a service of a running Emily answers.

    Args:
        layout: Of the running Emily.
        query: That the service serves.
        request: To ask.
        namespace: The service's own.
        service: Its name.
        remedy: What to do when it is not up.
        timeout_s: Seconds it may take.

    Raises:
        NotUp: Nobody serves it.
        CommandError: It refused, or did not answer in time.
    """
    try:
        async with Bus.open(bus_settings(layout), namespace=namespace, name=f"{service}-command") as session:
            return await session.ask(query, request, timeout=timeout_s)
    except (NoResponder, BusUnavailable):
        raise NotUp(f"{service} is not up", remedy) from None
    except AskTimeout as failure:
        raise CommandError(str(failure), f"ask again, or look at the log of {service}") from None
    except AskError as refusal:
        raise CommandError(str(refusal)) from None


def made[S: msgspec.Struct](type: type[S], **fields: Any) -> S:
    """A request of the contract.

    Raises:
        CommandError: A field does not fit.
    """
    try:
        return msgspec.convert(fields, type)
    except msgspec.ValidationError as failure:
        raise CommandError(str(failure), "look at the options with --help") from None
