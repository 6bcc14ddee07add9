"""The life of a flag-service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emily_runtime.testing import ServiceProcess

type Define = Callable[..., dict[str, Any]]


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
