"""A person who loses everything but the backup gets it back with one command."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_backup_agent.testing import program
from emily_bus import Bus, NoResponder
from emily_contracts import Episode, StoreRequest, uuid7
from emily_contracts.topics import STORE
from harness import fresh_layout, invoke, printed, up

pytestmark = pytest.mark.chaos

__all__ = ["program"]

TEXTS = ("The kettle is blue.", "Ada waters the plants on Mondays.")


@pytest.fixture
def backed_up(trained: Path, tmp_path: Path, program: Path) -> Layout:
    """A system that remembers and is backed up; it is not up."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    return fresh_layout(state_dir, trained, memory=True, backups=True)


@pytest.mark.timeout(180)
def test_state_that_was_lost_is_restored_and_remembers(backed_up: Layout, tmp_path: Path) -> None:
    with up(backed_up):
        anyio.run(_remember, backed_up)
        before = invoke(backed_up, "backup", "status", "--json")
        assert before.returncode == 6
        assert json.loads(before.stdout.splitlines()[0])["jobs"][0]["state"] == "never"
        proved = printed(invoke(backed_up, "backup", "drill", "--json"))
        assert proved["rows"] >= len(TEXTS)
        assert proved["tables"] > 5
        assert printed(invoke(backed_up, "backup", "status", "--json"))["jobs"][0]["state"] == "good"
        assert printed(invoke(backed_up, "backup", "check", "--json"))["whole_at"]
        opened_with = (backed_up.state_dir / "backup.password").read_text()
        assert printed(invoke(backed_up, "secrets", "rotate", "backup.password", "--json"))
        assert (backed_up.state_dir / "backup.password").read_text() != opened_with
        assert printed(invoke(backed_up, "backup", "drill", "--json"))["rows"] >= len(TEXTS)
        assert "Emily is up" in invoke(backed_up, "backup", "restore", "--in-place", "--yes").stderr
        assert "there is no 'other'" in invoke(backed_up, "backup", "run", "--job", "other").stderr
        listed = printed(invoke(backed_up, "backup", "snapshots", "--json"))["snapshots"]
        assert sorted((each["kind"], each["complete"]) for each in listed) == [
            *[("database", True)] * 2,
            *[("files", True)] * 2,
        ]
    _lose(backed_up)
    to = tmp_path / "elsewhere"
    assert printed(invoke(backed_up, "backup", "restore", "--to", str(to), "--json"))["dump"]
    assert "is not empty" in invoke(backed_up, "backup", "restore", "--to", str(to)).stderr
    assert "--yes" in invoke(backed_up, "backup", "restore", "--in-place").stderr
    again = printed(invoke(backed_up, "backup", "init", "--json"))
    assert (again["made"], again["repository"]) == (False, str(backed_up.state_dir / "backup" / "repository"))
    unknown = invoke(backed_up, "backup", "restore", "--to", str(tmp_path / "x"), "--snapshot", "abc")
    assert (unknown.returncode, "no abc backup" in unknown.stderr) == (1, True)
    restored = printed(invoke(backed_up, "backup", "restore", "--in-place", "--yes", "--json"))
    assert restored["tables"] == proved["tables"]
    assert Path(restored["aside"]).is_dir()
    with up(backed_up):
        anyio.run(_remember, backed_up)
        found = printed(invoke(backed_up, "memory", "list", "--namespace", "home", "--json"))
        assert {memory["content"] for memory in found["memories"]} == set(TEXTS)
        assert printed(invoke(backed_up, "backup", "run", "--json"))["reason"] == ""


def _lose(layout: Layout) -> None:
    for each in layout.state_dir.iterdir():
        if each.is_dir() and not each.is_symlink() and each != layout.state_dir / "backup":
            shutil.rmtree(each)


async def _remember(layout: Layout) -> None:
    """Store what is not remembered yet; content is remembered once."""
    async with Bus.open(bus_settings(layout), namespace=f"emily/{layout.colour}", name="test") as colour:
        for text in TEXTS:
            at = datetime.now(UTC)
            episode = Episode(id=uuid7(at), occurred_at=at, content=text)
            request = StoreRequest(
                id=episode.id, at=at, stimulus_id=episode.id, namespace="home", episode=episode
            )
            with anyio.fail_after(30):
                while True:
                    try:
                        await colour.ask(STORE, request, timeout=5)
                        break
                    except NoResponder:
                        await anyio.sleep(0.1)
