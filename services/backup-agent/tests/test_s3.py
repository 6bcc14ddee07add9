"""A repository in a bucket, of a server that speaks S3."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from emily_backup_agent.backup import Run
from emily_backup_agent.drill import Rehearsal
from emily_backup_agent.errors import RepositoryMissing
from emily_backup_agent.plan import Plan
from emily_backup_agent.testing import JOB, OpenRoom, quiet
from emily_bus.testing import free_endpoint
from msgspec.structs import replace

pytestmark = pytest.mark.chaos

START_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where it listens; it has one bucket, `kept`."""
    port = free_endpoint().rpartition(":")[2]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        try:
            made = urllib.request.Request(f"http://127.0.0.1:{port}/kept", method="PUT")
            deadline = time.monotonic() + START_S
            while True:
                assert time.monotonic() < deadline
                with suppress(urllib.error.URLError):
                    urllib.request.urlopen(made, timeout=5).close()
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture
def in_bucket(plan: Plan, server: str, tmp_path: Path) -> Plan:
    keys = tmp_path / "keys.env"
    keys.write_text("AWS_ACCESS_KEY_ID=who\nAWS_SECRET_ACCESS_KEY=of-a-test\n")  # pragma: allowlist secret
    repository = replace(
        plan.repository, location=f"s3:{server}/kept/{tmp_path.name}", environment_file=keys, make=True
    )
    return replace(plan, repository=repository)


def test_backup_in_a_bucket_is_proved_by_a_drill(open_room: OpenRoom, in_bucket: Plan) -> None:
    with open_room(in_bucket, makes=True) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        drill = Rehearsal(room, JOB, attempt, quiet).run()
        (made,) = room.repository.snapshots(JOB)
    assert (made.complete, drill.files, drill.compared) == (True, 21, 20)


def test_bucket_without_a_repository_gets_none_by_itself(open_room: OpenRoom, in_bucket: Plan) -> None:
    with open_room(in_bucket) as room, pytest.raises(RepositoryMissing, match="there is no repository there"):
        Run(room, JOB, quiet, digests=False).run()
