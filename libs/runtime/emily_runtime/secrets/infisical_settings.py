"""How an Infisical server is reached: `EMILY_INFISICAL_*`, or `[infisical]` in the file `$EMILY_CONFIG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from emily_runtime.secrets.reference import LocalReference


class InfisicalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which server, which project, who asks, and how old an answer may be."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(https://[^/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)/?$",
            description="Base of the server, https://HOST; http:// only on this machine",
        ),
    ]
    project_id: Annotated[str, Meta(min_length=1, description="Of the project, from its settings page")]
    environment: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]+$", description="Its slug")] = "prod"
    client_id: Annotated[
        LocalReference,
        Meta(description="Where the client id of the machine identity is: env:NAME or file:PATH"),
    ]
    client_secret: Annotated[
        LocalReference, Meta(description="Where its client secret is: env:NAME or file:PATH")
    ]
    ca_file: Annotated[Path | None, Meta(description="Authority of the server's certificate")] = None
    ttl_s: Annotated[
        float,
        Meta(gt=0, le=86400, description="Age from which a value is asked for anew: rotation shows then"),
    ] = 60.0
    max_age_s: Annotated[
        float, Meta(ge=0, le=604800, description="Age up to which a value is used while the server is away")
    ] = 900.0
    deadline_s: Annotated[
        float, Meta(gt=0, le=60, description="Until a reading must be over, repetitions included")
    ] = 5.0

    def __post_init__(self) -> None:
        if self.max_age_s < self.ttl_s:
            raise ValueError(f"max_age_s={self.max_age_s}: give at least ttl_s, {self.ttl_s}")
