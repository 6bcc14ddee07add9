from __future__ import annotations

import json
from pathlib import Path

import pytest
from emily_bus import BusSettings
from emily_bus.settings import session_config


def test_scouting_is_off_and_the_router_is_on_loopback() -> None:
    config = json.loads(session_config(BusSettings(), "emily"))
    assert config["mode"] == "client"
    assert config["connect"]["endpoints"] == ["tcp/127.0.0.1:7447"]
    assert config["scouting"] == {"multicast": {"enabled": False}, "gossip": {"enabled": False}}
    assert "listen" not in config


def test_password_is_asked_for_anew_for_each_session() -> None:
    given = iter(["open sesame\n", "another"])
    settings = BusSettings(user="reflex", password=lambda: next(given))
    for password in ("open sesame", "another"):
        config = json.loads(session_config(settings, "emily"))
        assert config["transport"]["auth"]["usrpwd"] == {"user": "reflex", "password": password}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user": "reflex"}, "password"),
        ({"password": str}, "user"),
        ({"certificate_file": Path("c"), "ca_file": Path("a")}, "key_file"),
        ({"key_file": Path("k"), "ca_file": Path("a")}, "certificate_file"),
    ],
)
def test_half_a_pair_is_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        BusSettings(**fields)  # type: ignore[arg-type]
