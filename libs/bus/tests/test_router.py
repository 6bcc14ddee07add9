from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import anyio
import pytest
from emily_bus import Bus, BusSettings, BusUnavailable
from emily_bus.router import router_config
from emily_bus.testing import Numbered, ended_router, free_endpoint, numbered, router, start_router, take
from emily_contracts import Topic

pytestmark = pytest.mark.anyio

EVENT = Topic("event/{lane}", Numbered, "Something.")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")


async def talk(settings: BusSettings) -> None:
    async with Bus.open(settings, namespace="emily", name="test") as bus, bus.subscribe(EVENT) as events:
        await bus.publish(EVENT, numbered(1))
        assert await take(events, 1) == [numbered(1)]


async def refused(settings: BusSettings) -> str:
    with anyio.fail_after(10), pytest.raises(BusUnavailable, match=settings.endpoint) as refusal:
        await talk(settings)
    return str(refusal.value)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_router_ends_in_order_when_told(stop: signal.Signals) -> None:
    process = start_router(free_endpoint())
    process.send_signal(stop)
    assert process.wait(10) == 0


def test_router_listens_where_it_is_told_and_scouts_nowhere() -> None:
    config = json.loads(router_config("tcp/127.0.0.1:1234"))
    assert config["mode"] == "router"
    assert config["listen"]["endpoints"] == ["tcp/127.0.0.1:1234"]
    assert config["scouting"] == {"multicast": {"enabled": False}, "gossip": {"enabled": False}}


def test_listening_beyond_loopback_is_never_the_default() -> None:
    told = ended_router("--help")
    assert told.returncode == 0
    assert "tcp/127.0.0.1:7447" in told.stdout


def test_taken_port_is_named_with_what_to_do(endpoint: str) -> None:
    second = ended_router("--listen", endpoint)
    assert second.returncode == 1
    assert endpoint in second.stderr
    assert "--listen" in second.stderr
    assert "Traceback" not in second.stderr


async def test_password_opens_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("router:inside\nreflex:sesame\n")
    with router(("--passwords", str(tmp_path / "passwords"))) as endpoint:
        await talk(BusSettings(endpoint=endpoint, user="reflex", password=lambda: "sesame\n"))
        wrong = await refused(
            BusSettings(endpoint=endpoint, user="reflex", password=lambda: "barley", open_timeout_s=0.5)
        )
        nobody = await refused(BusSettings(endpoint=endpoint, open_timeout_s=0.5))
    takes = f"{endpoint} takes connections but opened no session within 0.5 s; "
    assert wrong == (
        f"{takes}a wrong user or password looks like this, and so does a router that asks for none: "
        "check bus_user (reflex) and bus_password_secret or bus_password_file"
    )
    assert nobody == (
        f"{takes}a router that asks for a user looks like this: set bus_user and bus_password_secret"
    )


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        _openssl(
            *("req", "-x509", "-subj", f"/CN={name}", "-days", "2", *_new_key(self.key)),
            *("-addext", "keyUsage=critical,keyCertSign", "-out", str(self.certificate)),
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for loopback and its key."""
        request, certificate, key = (self._folder / f"{name}.{end}" for end in ("csr", "pem", "key"))
        _openssl("req", "-subj", f"/CN={name}", *_new_key(key), "-out", str(request))
        extensions = self._folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", "2", "-extfile", str(extensions)),
            *("-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial"),
            *("-out", str(certificate)),
        )
        return certificate, key


def _new_key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path))


def _openssl(*arguments: str) -> None:
    subprocess.run(
        ("openssl", *arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True
    )


@needs_openssl
async def test_tls_router_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "authority"), Authority(tmp_path, "other")
    certificate, key = authority.issue("router")
    options = ("--certificate", str(certificate), "--key", str(key))
    with router(options, kind="tls") as endpoint:
        await talk(BusSettings(endpoint=endpoint, ca_file=authority.certificate))
        told = await refused(BusSettings(endpoint=endpoint, ca_file=other.certificate, open_timeout_s=0.5))
    assert told.endswith("for tls/ check the certificate files too")


@needs_openssl
async def test_mutual_tls_lets_in_whom_the_authority_signed(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "authority"), Authority(tmp_path, "other")
    certificate, key = authority.issue("router")
    known, known_key = authority.issue("reflex")
    stranger, stranger_key = other.issue("stranger")
    options = (
        *("--certificate", str(certificate), "--key", str(key)),
        *("--client-authority", str(authority.certificate)),
    )
    with router(options, kind="tls") as endpoint:
        trusting = BusSettings(endpoint=endpoint, ca_file=authority.certificate, open_timeout_s=0.5)
        await talk(_with(trusting, known, known_key))
        await refused(trusting)
        await refused(_with(trusting, stranger, stranger_key))


def _with(settings: BusSettings, certificate: Path, key: Path) -> BusSettings:
    return BusSettings(
        endpoint=settings.endpoint,
        ca_file=settings.ca_file,
        open_timeout_s=settings.open_timeout_s,
        certificate_file=certificate,
        key_file=key,
    )
