"""A project of Compose for tests: images that were built, secrets of its own, and one door on a free port."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from emily.init import make_secrets
from emily.system import free_port
from engine import BUILD_TIMEOUT_S, ROOT, TIMEOUT_S, Finished, docker, environment, inspected, needed

UP_TIMEOUT_S = 180.0
MINDS = ("reflex", "workspace", "inference", "memory")


def build(*profiles: str) -> None:
    """Every image that `docker compose up` starts with these profiles."""
    needed()
    options = (word for profile in profiles for word in ("--profile", profile))
    done = docker("compose", *options, "build", timeout_s=BUILD_TIMEOUT_S, environment=environment())
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


class Composed:
    """A project in a folder with what `docker compose` needs of a checkout.

    Attributes:
        url: Of its one door.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.name = f"emily-test-{uuid4().hex[:8]}"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.secrets = folder / ".emily" / "secrets"
        known = {"EMILY_HTTP_PORT": str(port), "EMILY_PROJECT_DIR": str(folder)}
        self._environment = environment(**known, **variables)
        for name in ("compose.yaml", ".env"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "infra").symlink_to(ROOT / "infra")
        folder.chmod(0o755)

    def do(self, *command: str, timeout_s: float = TIMEOUT_S) -> Finished:
        """A command of Compose."""
        where = ("--project-directory", str(self.folder), "-p", self.name)
        return docker(
            "compose",
            *where,
            *command,
            timeout_s=timeout_s,
            environment=self._environment,
            folder=self.folder,
        )

    def containers(self) -> dict[str, Any]:
        """What the engine knows of each, by the name of the service."""
        names = self.do("ps", "--all", "--format", "{{.Service}} {{.Name}}").stdout.splitlines()
        return {each.split()[0]: inspected("container", each.split()[1]) for each in names}

    def asked(self, query: str) -> str:
        """What the database answers."""
        done = self.do("exec", "-T", "postgres", "psql", "-U", "postgres", "emily", "-tAc", query)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def memories(self) -> int:
        """Episodes in the database."""
        return int(self.asked("SELECT count(*) FROM memory.episode"))

    def emily(self, *command: str, url: str, token: str, timeout_s: float = TIMEOUT_S) -> Finished:
        """A command of `emily` with a token that was made, and JSON for an answer."""
        options = ("--url", url, "--token-file", str(self.secrets / token), "--json")
        return subprocess.run(
            [sys.executable, "-m", "emily", *command, *options],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def traffic(self, *command: str) -> Any:
        """What `emily traffic` prints."""
        done = self.emily("traffic", *command, url=self.url, token="traffic_token")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Secrets, and everything up and ready; in the end nothing is left."""
        make_secrets(self.secrets)
        try:
            up = self.do("up", "-d", "--no-build", "--wait", timeout_s=UP_TIMEOUT_S)
            assert up.returncode == 0, up.stderr[-2000:] + self.do("logs", "--tail", "20").stdout[-6000:]
            yield
        finally:
            self.do("--profile", "*", "down", "--volumes", "--timeout", "10")
