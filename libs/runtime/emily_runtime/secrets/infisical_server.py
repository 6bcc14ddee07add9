"""Asks an Infisical server through its SDK, which has neither deadlines nor patience of its own (ADR 18)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from emily_runtime.errors import SecretRefused
from emily_runtime.secrets.deadline import within
from emily_runtime.secrets.infisical_settings import InfisicalSettings
from emily_runtime.secrets.secret import LONGEST, Secret
from emily_runtime.secrets.source import SecretSource

ATTEMPTS = 3
FIRST_PAUSE_S = 0.2
"""Before the second attempt; twice as long before each next one, and spread so that services don't march."""
REST_S = 5.0
"""After attempts in vain, nobody asks for so long."""
LOGIN = "login"
"""Instead of the server's name for an error: it was the login that failed."""
_INSTALL = "install the extra: pip install 'emily-runtime[infisical]'"


class Away(Exception):
    """The server is down, slow or busy; the message says how it showed."""


class _Again(Exception):
    """Inside the SDK: this call may be repeated. None of the errors that the SDK waits on by itself."""

    def __init__(self, what: str, pause_s: float = 0.0) -> None:
        super().__init__(what)
        self.pause_s = pause_s


class _Trouble(msgspec.Struct, frozen=True):
    """Why a call gave nothing, as a value: an exception of the SDK has the credentials in its frames.

    Attributes:
        what: In words.
        status: Of the HTTP response; 0 without one.
        error: The server's name for it.
        again: Whether it may be repeated.
        pause_s: How long the server asks to be left alone.
    """

    what: str
    status: int = 0
    error: str = ""
    again: bool = False
    pause_s: float = 0.0

    @property
    def of_token(self) -> bool:
        """Whether a new login may help: a token that expired (403), was revoked (401) or is used up (400)."""
        return self.status in {400, 401} or (self.status == 403 and self.error == "TokenError")


class InfisicalServer:
    """One machine identity on one server; safe to use from several threads, one call at a time."""

    def __init__(
        self,
        settings: InfisicalSettings,
        *,
        client_id: SecretSource,
        client_secret: SecretSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._client: Any = None
        self._rests_until = float("-inf")
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Of the server."""
        return self._settings.url

    def secret(self, path: str, name: str) -> Secret:
        """A secret as the server has it now.

        Raises:
            SecretRefused: The server said no, or can't be asked like this.
            Away: It could not be asked in time.
        """
        with self._lock:
            if self._clock() < self._rests_until:
                raise Away(f"it was asked in vain less than {REST_S:g} s ago")
            client, self._client = self._client, None
            ask = partial(self._ask_patiently, client, path, name)
            try:
                found, self._client = within(self._settings.deadline_s, ask, name="infisical")
            except TimeoutError:
                found = _Trouble(f"no answer within {self._settings.deadline_s:g} s", again=True)
            if isinstance(found, Secret):
                return found
            if not found.again:
                raise SecretRefused(f"infisical:{path.rstrip('/')}/{name}: {self._refusal(found)}")
            self._rests_until = self._clock() + REST_S
            raise Away(found.what)

    def _ask_patiently(self, client: Any, path: str, name: str) -> tuple[Secret | _Trouble, Any]:
        """What is found, and the client that is logged in by then; repeats what may be, for a while."""
        until = time.monotonic() + self._settings.deadline_s
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            found, client = self._ask(client, path, name)
            if isinstance(found, Secret) or not found.again or attempt == ATTEMPTS:
                break
            wait_s = max(pause_s * random.SystemRandom().uniform(0.8, 1.2), found.pause_s)
            if time.monotonic() + wait_s >= until:
                break
            time.sleep(wait_s)
            pause_s *= 2
        return found, client

    def _ask(self, client: Any, path: str, name: str) -> tuple[Secret | _Trouble, Any]:
        """Asks with the token at hand, and once more with a new one if that was the trouble."""
        if client is not None:
            found = self._fetched(client, path, name)
            if isinstance(found, Secret) or not found.of_token:
                return found, client
        client = self._logged_in()
        if isinstance(client, _Trouble):
            return client, None
        return self._fetched(client, path, name), client

    def _logged_in(self) -> Any:
        client_id, client_secret = self._client_id.read(), self._client_secret.read()
        client = self._new_client()
        answer = _outcome(
            lambda: client.auth.universal_auth.login(
                client_id=client_id.reveal(), client_secret=client_secret.reveal()
            )
        )
        return msgspec.structs.replace(answer, error=LOGIN) if isinstance(answer, _Trouble) else client

    def _new_client(self) -> Any:
        try:
            from infisical_sdk import InfisicalSDKClient  # noqa: PLC0415 - only who refers to Infisical pays
        except ModuleNotFoundError as missing:
            raise SecretRefused(f"infisical: the package {missing.name} is not there; {_INSTALL}") from None
        client: Any = InfisicalSDKClient(host=self._settings.url, cache_ttl=None)
        session = client.api.session
        session.trust_env = False  # a .netrc would replace the token
        if self._settings.ca_file is not None:
            session.verify = str(self._settings.ca_file)
        session.request = partial(_request, session.request, self._settings.deadline_s)
        return client

    def _fetched(self, client: Any, path: str, name: str) -> Secret | _Trouble:
        found = _outcome(
            lambda: _value(
                client.secrets.get_secret_by_name(
                    secret_name=name,
                    project_id=self._settings.project_id,
                    environment_slug=self._settings.environment,
                    secret_path=path,
                )
            )
        )
        return found if isinstance(found, Secret | _Trouble) else _Trouble("it gave no secret")

    def _refusal(self, trouble: _Trouble) -> str:
        """Why the server said no, and what to change."""
        where = f"project {self._settings.project_id}, environment {self._settings.environment}"
        status = f"{self.url} answered {trouble.status}"
        match trouble:
            case _Trouble(status=0):
                return f"{self.url}: {trouble.what}"
            case _Trouble(error=error) if error == LOGIN:
                return (
                    f"{status} to the login; check client_id and client_secret of the machine identity, "
                    "its trusted addresses, and whether it is locked"
                )
            case _Trouble(status=401 | 403):
                return f"{status}; let the machine identity read secrets of {where} at this path"
            case _Trouble(status=404):
                return (
                    f"{status}; there is no such secret in {where}: check its path and name, and project_id"
                )
            case _:
                return f"{status}; check project_id and environment ({where})"


def _request(send: Callable[..., Any], timeout_s: float, method: str, url: str, **options: Any) -> Any:
    """A call of the SDK's session that ends, goes where it was sent, and says when to repeat it."""
    options |= {"timeout": timeout_s, "allow_redirects": False}
    try:
        response = send(method, url, **options)
    except OSError as failure:
        raise _Again(type(failure).__name__) from None
    if response.status_code == 429 or response.status_code >= 500:
        pause = response.headers.get("Retry-After", "")
        raise _Again(f"it answered {response.status_code}", float(pause) if pause.isdecimal() else 0.0)
    return response


def _outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or its trouble."""
    from infisical_sdk.infisical_requests import APIError  # noqa: PLC0415 - see _new_client

    try:
        return call()
    except _Again as again:
        return _Trouble(str(again), again=True, pause_s=again.pause_s)
    except APIError as refusal:
        answer = refusal.response if isinstance(refusal.response, dict) else {}
        return _Trouble("it said no", status=refusal.status_code, error=str(answer.get("error", "")))
    except Exception as failure:
        return _Trouble(
            f"what it answers is not what an Infisical does ({type(failure).__name__}); check url"
        )


def _value(found: Any) -> Secret | _Trouble:
    if found.secretValueHidden:
        return _Trouble("the value is hidden from the machine identity", status=403)
    if not isinstance(found.secretValue, str) or not found.secretValue:
        return _Trouble("the secret has no value; give it one")
    if len(found.secretValue.encode(errors="replace")) > LONGEST:
        return _Trouble(f"the secret has more than {LONGEST} bytes; keep it elsewhere")
    return Secret(found.secretValue)
