"""A secret on an Infisical server: asked for anew as it ages, held for a while when the server is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from emily_runtime.errors import SecretRefused, SecretUnavailable
from emily_runtime.logs import get_logger
from emily_runtime.secrets.infisical_server import Away, InfisicalServer
from emily_runtime.secrets.secret import Secret

_log = get_logger(__name__)


class _Held(NamedTuple):
    secret: Secret
    at: float


class InfisicalSource:
    """One secret of a project: `place` is `/PATH/NAME`.

    Nothing runs in the background: a reading asks when the value is older than `ttl_s`, which is how long a
    rotation may take to show. While the server is away a value serves up to `max_age_s`; a refusal drops it.
    """

    def __init__(
        self,
        server: InfisicalServer,
        place: str,
        *,
        ttl_s: float,
        max_age_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder, _, self._name = place.rpartition("/")
        self._path = folder or "/"
        self._place = place
        self._server = server
        self._ttl_s = ttl_s
        self._max_age_s = max_age_s
        self._clock = clock
        self._held: _Held | None = None
        self._warned = False
        self._lock = threading.Lock()

    def read(self) -> Secret:
        """The secret, at most `ttl_s` old, or at most `max_age_s` when the server is away.

        Raises:
            SecretRefused: The server said no.
            SecretUnavailable: The server is away, and no value is held that is young enough.
        """
        with self._lock:
            asked_at = self._clock()
            if self._held is not None and asked_at - self._held.at < self._ttl_s:
                return self._held.secret
            try:
                secret = self._server.secret(self._path, self._name)
            except SecretRefused:
                self._held = None
                raise
            except Away as away:
                reason = str(away)
            else:
                self._held, self._warned = _Held(secret, asked_at), False
                return secret
            return self._stale(reason)

    def _stale(self, reason: str) -> Secret:
        held, now = self._held, self._clock()
        if held is not None and now - held.at <= self._max_age_s:
            if not self._warned:
                self._warned = True
                _log.warning(
                    "secret is old, its server is away",
                    reference=f"infisical:{self._place}",
                    server=self._server.url,
                    reason=reason,
                    age_s=round(now - held.at, 1),
                    max_age_s=self._max_age_s,
                )
            return held.secret
        self._held = None
        age = f"the value held is {now - held.at:.0f} s old" if held is not None else "no value is held"
        raise SecretUnavailable(
            f"infisical:{self._place}: {self._server.url} is away ({reason}), and {age}, where "
            f"max_age_s={self._max_age_s:g} is allowed; bring the server back, or check EMILY_INFISICAL_URL"
        )
