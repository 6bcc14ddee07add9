"""`emily secrets check` says of each secret whether it can be had, and shows none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from emily.app import app
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The command sends what is logged to its own stderr, which ends with it."""
    root = logging.getLogger()
    handlers, level, uvicorn = root.handlers[:], root.level, logging.getLogger("uvicorn").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn").setLevel(uvicorn)
    structlog.reset_defaults()


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    file = tmp_path / "url"
    file.write_text("hunter2-in-a-file")
    file.chmod(0o600)
    monkeypatch.setenv("PASSWORD", "hunter2-in-a-variable")  # pragma: allowlist secret
    monkeypatch.setenv("EMILY_MEMORY_DATABASE_URL_SECRET", f"file:{file}")
    return monkeypatch


def check(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    finished = CliRunner().invoke(app, ["secrets", "check", "--json", *arguments])
    assert "hunter2" not in finished.output
    return finished.exit_code, json.loads(finished.stdout.splitlines()[0]), finished.output


def test_what_can_be_had_is_ok(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "emily.toml"
    setting = "database_url_secret"
    config.write_text(f'[router]\n{setting} = "env:PASSWORD"\nhttp_port = 1\n')
    environ.setenv("EMILY_CONFIG", str(config))
    code, findings, _ = check()
    assert code == 0
    assert [(each["setting"], each["secret"], each["ok"]) for each in findings] == [
        ("EMILY_MEMORY_DATABASE_URL_SECRET", f"file:{tmp_path / 'url'}", True),
        ("[router] database_url_secret", "env:PASSWORD", True),
    ]


def test_what_can_not_is_told_with_its_remedy_and_ends_with_6(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("EMILY_ROUTER_DATABASE_URL_SECRET", "env:EMILY_NOWHERE")
    environ.setenv("EMILY_DEPLOYER_DATABASE_URL_SECRET", "hunter2-pasted")
    code, findings, output = check()
    assert code == 6
    assert [each["ok"] for each in findings] == [False, True, False]
    assert findings[0]["secret"] == ""
    assert "it may be the secret itself" in findings[0]["detail"]
    assert "set it, or refer to a file" in findings[2]["detail"]
    assert "2 of 3 secrets can't be had" in output


def test_a_reference_can_be_tried_before_it_is_set(environ: pytest.MonkeyPatch) -> None:
    code, findings, _ = check("env:PASSWORD")
    assert (code, [each["setting"] for each in findings]) == (0, ["argument"])


def test_where_nothing_refers_to_one_there_is_nothing_wrong() -> None:
    finished = CliRunner().invoke(app, ["secrets", "check"], env={"EMILY_CONFIG": ""})
    assert (finished.exit_code, finished.stdout) == (0, "no setting refers to a secret\n")


def test_a_configuration_that_can_not_be_read_is_named(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environ.setenv("EMILY_CONFIG", str(tmp_path))
    finished = CliRunner().invoke(app, ["secrets", "check"])
    assert finished.exit_code == 1
    assert f"EMILY_CONFIG={tmp_path}" in finished.output
