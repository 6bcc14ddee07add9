"""Secrets are made once, are no default, and are never overwritten."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
from emily.app import app
from typer.testing import CliRunner, Result

MADE = [
    "postgres_password",
    "memory_database_url",
    "flag_service_database_url",
    "router_database_url",
    "deployer_database_url",
    "backup_agent_database_url",
    "flags_token",
    "traffic_token",
    "deploys_token",
    "backup_password",
    "bus_passwords",
    "bus_control",
    "bus_blue",
    "bus_green",
    "infisical_keys",
    "infisical_postgres",
    "infisical_redis",
]


def init(state_dir: Path) -> Result:
    return CliRunner().invoke(app, ["init", "--state-dir", str(state_dir), "--json"])


def test_password_is_made_and_only_the_folder_closes_it(tmp_path: Path) -> None:
    finished = init(tmp_path / "emily")
    assert finished.exit_code == 0, finished.output
    folder = tmp_path / "emily" / "secrets"
    password, *others = (folder / name for name in MADE[:9])
    addresses, tokens = others[:5], others[5:]
    assert json.loads(finished.stdout) == {"made": [str(folder / name) for name in MADE], "kept": []}
    assert len(password.read_text()) == 48
    for address in addresses:
        assert address.read_text() == f"postgresql://emily:{password.read_text()}@postgres:5432/emily"
    assert len({token.read_text() for token in tokens}) == len(tokens)
    for token in tokens:
        assert re.fullmatch(r"operator \S{32}\n", token.read_text())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o644}


def test_two_systems_have_two_passwords(tmp_path: Path) -> None:
    made = [tmp_path / name for name in ("one", "two")]
    assert [init(each).exit_code for each in made] == [0, 0]
    assert len({(each / "secrets" / "postgres_password").read_text() for each in made}) == 2


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    init(tmp_path)
    password = (tmp_path / "secrets" / "postgres_password").read_text()
    again = init(tmp_path)
    assert again.exit_code == 1
    assert "nothing was overwritten" in json.loads(again.stdout)["error"]
    assert (tmp_path / "secrets" / "postgres_password").read_text() == password


def test_a_password_made_by_hand_is_kept_and_used(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "postgres_password").write_text("by/hand\n")
    finished = init(tmp_path)
    assert json.loads(finished.stdout) == {
        "made": [str(folder / name) for name in MADE[1:]],
        "kept": [str(folder / "postgres_password")],
    }
    address = (folder / "memory_database_url").read_text()
    assert address.startswith("postgresql://emily:by%2Fhand@postgres:")  # pragma: allowlist secret


def test_what_a_later_version_needs_is_added(tmp_path: Path) -> None:
    init(tmp_path)
    folder = tmp_path / "secrets"
    before = {name: (folder / name).read_text() for name in MADE}
    for name in MADE[2:]:
        (folder / name).unlink()
    assert json.loads(init(tmp_path).stdout)["made"] == [str(folder / name) for name in MADE[2:]]
    assert {name: (folder / name).read_text() for name in MADE[:3]} == {
        name: before[name] for name in MADE[:3]
    }


@pytest.mark.parametrize(
    ("blocking", "said"),
    [
        pytest.param("secrets/memory_database_url", "without postgres_password", id="an address alone"),
        pytest.param("secrets", "File exists", id="a file in the way"),
    ],
)
def test_what_can_not_be_made_is_told(tmp_path: Path, blocking: str, said: str) -> None:
    file = tmp_path / blocking
    file.parent.mkdir(exist_ok=True)
    file.write_text("old")
    finished = init(tmp_path)
    assert finished.exit_code == 1
    assert said in json.loads(finished.stdout)["error"]
    assert file.read_text() == "old"


def test_each_user_of_the_bus_has_a_password_of_its_own(tmp_path: Path) -> None:
    init(tmp_path)
    folder = tmp_path / "secrets"
    listed = dict(line.split(":") for line in (folder / "bus_passwords").read_text().split())
    assert list(listed) == ["router", "control", "blue", "green"]
    assert len(set(listed.values())) == 4
    for user in ("control", "blue", "green"):
        assert (folder / f"bus_{user}").read_text() == listed[user]


def test_infisical_gets_keys_of_its_lengths_as_a_shell_reads_them_and_passwords_of_a_url(
    tmp_path: Path,
) -> None:
    init(tmp_path)
    keys, *passwords = (tmp_path / "secrets" / name for name in MADE[-3:])
    show = f'. {keys}; printf "%s %s" "$ENCRYPTION_KEY" "$AUTH_SECRET"'
    read = subprocess.run(["/bin/sh", "-euc", show], capture_output=True, text=True, check=True, timeout=10)
    encryption, signing = read.stdout.split(" ")
    assert re.fullmatch("[0-9a-f]{32}", encryption)
    assert len(base64.b64decode(signing, validate=True)) == 32
    assert [bool(re.fullmatch("[0-9a-f]{48}", file.read_text())) for file in passwords] == [True, True]


@pytest.mark.parametrize("lost", ["bus_passwords", "bus_blue"])
def test_a_password_of_the_bus_that_is_lost_comes_back_from_what_is_left(tmp_path: Path, lost: str) -> None:
    init(tmp_path)
    folder = tmp_path / "secrets"
    before = {user: (folder / f"bus_{user}").read_text() for user in ("control", "blue", "green")}
    (folder / lost).unlink()
    assert json.loads(init(tmp_path).stdout)["made"] == [str(folder / lost)]
    listed = dict(line.split(":") for line in (folder / "bus_passwords").read_text().split())
    assert {user: listed[user] for user in before} == before
    assert (folder / "bus_blue").read_text() == before["blue"]


@pytest.mark.parametrize("line", ["", "blue", "blue:"])
def test_a_list_that_lacks_a_password_is_named(tmp_path: Path, line: str) -> None:
    init(tmp_path)
    folder = tmp_path / "secrets"
    (folder / "bus_blue").unlink()
    (folder / "bus_passwords").write_text(f"router:inside\ncontrol:sesame\ngreen:barley\n{line}\n")
    finished = init(tmp_path)
    assert finished.exit_code == 1
    assert "has no password of blue" in json.loads(finished.stdout)["error"]
