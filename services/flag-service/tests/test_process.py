"""The life of a flag-service."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from emily_runtime.testing import ServiceProcess

type Define = Callable[..., dict[str, Any]]
METADATA = {"owner": "tests", "expires": "2099-01-01"}


def refused(process: ServiceProcess, **settings: str) -> str:
    """What it says on stderr when it ends with wrong settings."""
    environment = {
        "EMILY_FLAG_SERVICE_BUS_ENDPOINT": process.endpoint,
        "EMILY_FLAG_SERVICE_STATE_DIR": str(process.state_dir),
        "EMILY_FLAG_SERVICE_NAMESPACE": process.namespace,
        **{f"EMILY_FLAG_SERVICE_{name.upper()}": value for name, value in settings.items()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "emily_flag_service"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_a_start_finds_what_was_changed_before(process: ServiceProcess, url: str) -> None:
    assert process.stop() == 0
    process.start(database_url=url)
    assert process.metric("emily_flag_service_flags") == 2


def test_what_was_acknowledged_is_there_after_a_kill(
    process: ServiceProcess, url: str, define: Define
) -> None:
    """A kill in the middle of changes loses none that was answered, and makes none by half."""
    token = (process.state_dir / "flags.token").read_text().split()[1]
    acknowledged = 0

    def change() -> None:
        nonlocal acknowledged
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.Client(base_url=process.http, headers={"Authorization": f"Bearer {token}"}) as http,
        ):
            for number in range(1000):
                match = {"If-Match": f'"{number}"'} if number else {"If-None-Match": "*"}
                body = {"definition": define(metadata=METADATA | {"n": number + 1})}
                assert http.put("/api/v1/flags/a", json=body, headers=match).status_code == 200
                acknowledged = number + 1

    changing = threading.Thread(target=change)
    changing.start()
    while acknowledged < 25 and changing.is_alive():
        time.sleep(0.001)
    process.kill()
    changing.join(30)
    process.start(database_url=url)
    with httpx.Client(base_url=process.http, headers={"Authorization": f"Bearer {token}"}) as http:
        flag = http.get("/api/v1/flags/a").json()
        changes = http.get("/api/v1/flags/a/history?limit=1000").json()["changes"]
        revision = http.get("/api/v1/flags").json()["revision"]
    assert 25 <= acknowledged <= flag["version"] <= acknowledged + 1
    assert flag["definition"]["metadata"]["n"] == flag["version"]
    assert [each["version"] for each in changes] == list(range(flag["version"], 0, -1))
    assert revision == 2 + flag["version"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "bad.json: is not JSON"),
        ('{"flags": {"a": {"state": "on"}}}', "bad.json: flags.a.state: 'on'; write ENABLED or DISABLED"),
        (
            json.dumps(
                {
                    "flags": {
                        "a": {
                            "state": "ENABLED",
                            "variants": {"on": True},
                            "targeting": {"if": [{"$ref": "x"}, "on"]},
                            "metadata": {"owner": "a", "expires": "never"},
                        }
                    },
                    "$evaluators": {"x": {"!": [{"$ref": "x"}]}},
                }
            ),
            "bad.json: $evaluators.x.![0]: loops: x -> x",
        ),
    ],
)
def test_a_malformed_file_ends_the_start_and_changes_nothing(
    process: ServiceProcess, url: str, tmp_path: Path, define: Define, content: str, words: str
) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    (folder / "bad.json").write_text(content)
    (folder / "good.json").write_text(json.dumps({"flags": {"good": define()}}))
    process.stop()
    assert words in refused(process, database_url=url, flags_dir=str(folder))
    process.start(database_url=url)
    assert process.metric("emily_flag_service_flags") == 2


def test_a_token_file_that_is_wrong_ends_the_start(process: ServiceProcess, url: str, tmp_path: Path) -> None:
    process.stop()
    file = tmp_path / "tokens"
    assert "FileNotFoundError" in refused(process, database_url=url, token_file=str(file))
    file.write_text("only-a-name\n")
    assert "line 1 is not NAME TOKEN" in refused(process, database_url=url, token_file=str(file))
