"""What compose.yaml says of the server that keeps secrets, which no test can start without its images."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from emily.init import make_secrets
from engine import ROOT

PARTS = ("infisical", "infisical-postgres", "infisical-redis")


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """The parts of the profile `secrets`; no engine has to run for that."""
    compose = shutil.which("docker-compose")
    command = [compose] if compose else ["docker", "compose"]
    if shutil.which(command[0]) is None:
        pytest.skip("neither docker nor docker-compose is installed")
    done = subprocess.run(
        [*command, "--profile", "secrets", "config", "--format", "json"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if "not a docker command" in done.stderr or "unknown" in done.stderr:
        pytest.skip("Compose is not installed")
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def test_nothing_of_it_starts_unless_its_profile_is_asked_for(configured: dict[str, Any]) -> None:
    assert {name for name in configured if "infisical" in name} == set(PARTS)
    assert {tuple(configured[name]["profiles"]) for name in PARTS} == {("secrets",)}


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_pinned_bounded_and_without_rights(configured: dict[str, Any], name: str) -> None:
    part = configured[name]
    assert re.search(r":v?[0-9]+\.[0-9]+", part["image"])
    limits = part["deploy"]["resources"]["limits"]
    assert all(limits[each] for each in ("cpus", "memory", "pids"))
    assert part["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert (part["cap_drop"], part["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert part["healthcheck"]["test"]


def test_only_its_server_is_published_and_on_loopback(configured: dict[str, Any]) -> None:
    published = {name: configured[name].get("ports", []) for name in PARTS}
    assert [port["host_ip"] for port in published.pop("infisical")] == ["127.0.0.1"]
    assert not any(published.values())


def test_its_secrets_are_files_of_emily_init_and_in_no_environment(
    configured: dict[str, Any], tmp_path: Path
) -> None:
    made = {Path(file).name for file in make_secrets(tmp_path).made}
    for name in PARTS:
        assert {secret["source"] for secret in configured[name]["secrets"]} <= made
        for variable, value in (configured[name].get("environment") or {}).items():
            assert variable.endswith("_FILE") or not re.search("PASSWORD|KEY|SECRET|URI|REDIS", variable), (
                value
            )


@pytest.mark.parametrize(
    ("name", "program", "wanted"),
    [
        (
            "infisical",
            "./standalone-entrypoint.sh",
            r"[0-9a-f]{32} \S{44} postgres://infisical:[0-9a-f]{48}@infisical-postgres:5432/infisical "
            r"redis://:[0-9a-f]{48}@infisical-redis:6379",
        ),
        ("infisical-redis", "redis-server", r"requirepass [0-9a-f]{48}"),
    ],
)
def test_its_start_gives_each_program_what_the_files_hold(
    configured: dict[str, Any], tmp_path: Path, name: str, program: str, wanted: str
) -> None:
    make_secrets(tmp_path / "secrets")
    shell, flags, script = configured[name]["entrypoint"]
    script = script.replace("$$", "$").replace("/run/secrets", str(tmp_path / "secrets"))
    script = script.replace("/tmp/redis.conf", str(tmp_path / "redis.conf"))
    stub = tmp_path / Path(program).name
    stub.write_text(
        "#!/bin/sh\n"
        'if [ -n "${1:-}" ]; then cat "$1"; '
        'else echo "$ENCRYPTION_KEY $AUTH_SECRET $DB_CONNECTION_URI $REDIS_URL"; fi\n'
    )
    stub.chmod(0o755)
    done = subprocess.run(
        [shell, flags, script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert re.fullmatch(wanted, done.stdout.strip())
