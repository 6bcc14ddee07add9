"""The one way to a secret: each reading goes into the log, without the value."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from emily_runtime.errors import SecretUnavailable
from emily_runtime.loading import load_settings
from emily_runtime.logs import get_logger
from emily_runtime.secrets.environment import EnvironmentSource
from emily_runtime.secrets.file import FileSource
from emily_runtime.secrets.infisical import InfisicalSource
from emily_runtime.secrets.infisical_server import InfisicalServer
from emily_runtime.secrets.infisical_settings import InfisicalSettings
from emily_runtime.secrets.reference import Reference, referred
from emily_runtime.secrets.secret import Secret
from emily_runtime.secrets.source import SecretSource

INFISICAL = "infisical"
"""Whose settings are `EMILY_INFISICAL_*`."""

_log = get_logger(__name__)


class Secrets:
    """The secrets that a process refers to; keep one as long as the process, for what it holds and compares.

    The log of a service says in each line who it is and when; a reading adds which secret, what for, how it
    ended (`read`, `refused`, `unavailable`), and whether it is another value than the last time. One that
    gives what the last gave is told at level debug.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._sources: dict[Reference, SecretSource] = {}
        self._last: dict[Reference, Secret] = {}
        self._infisical: tuple[InfisicalServer, InfisicalSettings] | None = None
        self._lock = threading.Lock()

    def read(self, reference: str, *, purpose: str) -> Secret:
        """The secret that a reference names, as it is now.

        Args:
            reference: `env:NAME`, `file:PATH` or `infisical:/PATH/NAME`.
            purpose: For the log: the setting that holds the reference.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: Its server is away, and no value is held that is young enough.
        """
        place = referred(reference)
        outcome, before = "refused", None
        try:
            secret = self._source(place).read()
            outcome, before = "read", self._swapped(place, secret)
        except SecretUnavailable:
            outcome = "unavailable"
            raise
        finally:
            same = before is not None and before == secret
            _log.log(
                logging.DEBUG if same else logging.INFO,
                "secret asked for",
                reference=str(place),
                purpose=purpose,
                outcome=outcome,
                rotated=before is not None and not same,
            )
        return secret

    def _source(self, place: Reference) -> SecretSource:
        with self._lock:
            if place not in self._sources:
                self._sources[place] = self._new_source(place)
            return self._sources[place]

    def _new_source(self, place: Reference) -> SecretSource:
        if place.kind == "env":
            return EnvironmentSource(place.place, self._environ)
        if place.kind == "file":
            return FileSource(Path(place.place))
        if self._infisical is None:
            settings = load_settings(InfisicalSettings, service=INFISICAL, environ=self._environ)
            credentials = [
                self._new_source(referred(each)) for each in (settings.client_id, settings.client_secret)
            ]
            server = InfisicalServer(settings, client_id=credentials[0], client_secret=credentials[1])
            self._infisical = server, settings
        server, settings = self._infisical
        return InfisicalSource(server, place.place, ttl_s=settings.ttl_s, max_age_s=settings.max_age_s)

    def _swapped(self, place: Reference, secret: Secret) -> Secret | None:
        """The one that was read before, in whose place this one comes."""
        with self._lock:
            before = self._last.get(place)
            self._last[place] = secret
            return before
