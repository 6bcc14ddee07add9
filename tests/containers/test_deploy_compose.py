"""`emily deploy` on containers: a version takes over under traffic or goes back; nothing goes unanswered."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import httpx
import pytest
from composing import MINDS, Composed, build
from emily.deploy_ask import OVER, Deployer
from emily.errors import CommandError
from emily.system import free_port
from engine import BUILD_TIMEOUT_S, VERSION, docker
from releases import CRASHING, NEVER_READY, PATCH, SLOW, WRONG

pytestmark = [pytest.mark.containers, pytest.mark.timeout(BUILD_TIMEOUT_S)]

SOCKET = Path("/var/run/docker.sock")
RATE_HZ = 20
DEPLOY_TIMEOUT_S = 150
QUICK = ("--steps", "50", "--window", "1s", "--patience", "3s")
STRICT = ("--no-shadow", "--steps", "50", "--window", "1s", "--patience", "60s", "--undecided", "roll-back")
IMPATIENT = "services:\n  deployer:\n    environment: {EMILY_DEPLOYER_READY_TIMEOUT_S: '12'}\n"
BROKEN_MIGRATION = 'import sys\nif "emily_postgres.apply" in sys.orig_argv:\n    sys.exit("no table")\n'
OVERRIDE = "compose.override.yaml"


class Ended(NamedTuple):
    """How a deploy ended.

    Attributes:
        code: Exit code of the command.
        deploy: As the command told it.
        answers: How many stimuli were answered how.
    """

    code: int
    deploy: dict[str, Any]
    answers: Counter[str]


class Delivering(Composed):
    """A project with a deployer that waits little for a colour."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.deploys_url = f"http://127.0.0.1:{port}"
        super().__init__(
            folder,
            EMILY_DEPLOYER_PORT=str(port),
            EMILY_DOCKER_GID=str(SOCKET.stat().st_gid),
            COMPOSE_PROFILES="blue,deployer",
        )
        (folder / OVERRIDE).write_text(IMPATIENT)

    def deploy(self, version: str, *options: str, then: Callable[[], None] = lambda: None) -> Ended:
        """Deploy a version while stimuli come in; each must get an answer.

        Args:
            then: What is done after the command, still under traffic.
        """

        async def main() -> Ended:
            answers: Counter[str] = Counter()
            over = anyio.Event()
            command = partial(
                self.emily, "deploy", version, *options, url=self.deploys_url, token="deploys_token"
            )
            async with (
                httpx.AsyncClient(base_url=self.url, timeout=20) as client,
                anyio.create_task_group() as asking,
            ):
                asking.start_soon(_trickle, client, answers, over)
                done = await anyio.to_thread.run_sync(partial(command, timeout_s=DEPLOY_TIMEOUT_S))
                await anyio.to_thread.run_sync(then)
                over.set()
            assert done.stdout, done.stderr
            return Ended(done.returncode, json.loads(done.stdout.splitlines()[0]), answers)

        return anyio.run(main)

    def current(self) -> dict[str, Any]:
        """How the deploy is, once the deployer answers."""
        token = self.secrets / "deploys_token"
        deadline = time.monotonic() + DEPLOY_TIMEOUT_S
        while True:
            try:
                return dict(Deployer(self.folder, url=self.deploys_url, token_file=token).current())
            except CommandError:
                assert time.monotonic() < deadline, self.do("logs", "deployer", "--tail", "20").stdout
                time.sleep(0.1)

    def kill_deployer_at(self, step: str) -> None:
        """kill -9 in a step; then wait until the deploy is over."""
        while (now := self.current())["step"] != step:
            assert now["state"] not in OVER, now
            time.sleep(0.05)
        killed = self.containers()["deployer"]["State"]["Pid"]
        subprocess.run(["kill", "-9", str(killed)], check=True, timeout=5)
        while self.current()["state"] not in OVER:
            time.sleep(0.1)
        assert self.containers()["deployer"]["State"]["Pid"] != killed

    def settled_on(self, colour: str, version: str) -> None:
        """One colour runs and answers all, and nothing is left of the other."""
        table = httpx.get(f"{self.url}/api/v1/traffic", timeout=5).json()["table"]
        assert (table["active"], table["canary"], table["shadow"]) == (colour, None, None)
        minds = {name: each["Config"]["Image"] for name, each in self.containers().items() if "-" in name}
        minds.pop("flag-service")
        assert minds == {f"{colour}-{mind}": f"emily-{mind}:{version}" for mind in MINDS}


async def _trickle(client: httpx.AsyncClient, answers: Counter[str], over: anyio.Event) -> None:
    """Each of a subject of its own, so that every share of them is met."""
    async with anyio.create_task_group() as tasks:
        number = 0
        while not over.is_set():
            tasks.start_soon(_ask, client, number, answers)
            number += 1
            await anyio.sleep(1 / RATE_HZ)


async def _ask(client: httpx.AsyncClient, number: int, answers: Counter[str]) -> None:
    stimulus = {
        "modality": "vision",
        "subject": f"deploy-{number}",
        "signals": [{"channel": "fovea", "values": [3.0], "place": number % 64}],
        "deadline_ms": 10_000,
    }
    headers = {"Idempotency-Key": f"deploy-{number}-{id(answers)}"}
    while True:
        answer = await client.post("/api/v1/stimuli", json=stimulus, headers=headers)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            break
        await anyio.sleep(float(answer.headers["Retry-After"]))
    answers[answer.json()["status"] if answer.status_code == 200 else str(answer.status_code)] += 1


def version(folder: Path, name: str, **code: str) -> str:
    """Images of a version: those of the tests, of which some run code first."""
    for mind in MINDS:
        image = f"emily-{mind}:{name}"
        if mind in code:
            context = folder / f"{name}-{mind}"
            context.mkdir()
            (context / "sitecustomize.py").write_text(code[mind])
            (context / "Dockerfile").write_text(
                f"FROM emily-{mind}:{VERSION}\nCOPY sitecustomize.py /opt/emily/own/\n"
            )
            done = docker("build", "--quiet", "--tag", image, str(context), timeout_s=BUILD_TIMEOUT_S)
        else:
            done = docker("tag", f"emily-{mind}:{VERSION}", image)
        assert done.returncode == 0, done.stderr
    return name


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivering]:
    """A blue system with a deployer, up."""
    build("blue", "deployer")
    project = Delivering(tmp_path_factory.mktemp("delivering"))
    with project.up():
        yield project


@pytest.mark.parametrize(
    ("kind", "code", "options", "words"),
    [
        ("wrong", {"inference": PATCH.replace("{change}", WRONG)}, STRICT[1:], "green decides as blue in"),
        ("crashing", {"inference": PATCH.replace("{change}", CRASHING)}, STRICT, "green"),
        ("slow", {"inference": PATCH.replace("{change}", SLOW)}, STRICT, "latency"),
        ("migration", {"memory": BROKEN_MIGRATION}, STRICT, "no table"),
        ("never-ready", {"inference": NEVER_READY}, STRICT, "green-inference is running and starting"),
    ],
)
def test_a_bad_version_goes_back_by_itself(
    system: Delivering, tmp_path: Path, kind: str, code: dict[str, str], options: tuple[str, ...], words: str
) -> None:
    ended = system.deploy(version(tmp_path, f"test-{kind}", **code), *options)
    print(kind, ended.code, ended.deploy["words"], ended.answers)
    assert (ended.code, ended.deploy["state"]) == (6, "rolled back")
    assert words in ended.deploy["words"]
    assert set(ended.answers) <= ({"decided", "degraded", "failed"} if kind == "crashing" else {"decided"})
    system.settled_on("blue", VERSION)


def test_a_version_without_images_is_never_started(system: Delivering) -> None:
    ended = system.deploy("test-nowhere", *QUICK)
    assert (ended.code, ended.deploy["state"]) == (6, "rolled back")
    assert "EMILY_VERSION=test-nowhere make images" in ended.deploy["words"]
    assert set(ended.answers) == {"decided"}
    system.settled_on("blue", VERSION)


def test_a_good_version_takes_over_and_the_next_goes_on_after_a_kill(
    system: Delivering, tmp_path: Path
) -> None:
    ended = system.deploy(version(tmp_path, "test-good"), *QUICK)
    assert (ended.code, ended.deploy["state"]) == (0, "succeeded")
    assert set(ended.answers) == {"decided"}
    system.settled_on("green", "test-good")
    again = system.deploy(VERSION, *QUICK, "--detach", then=lambda: system.kill_deployer_at("canary"))
    assert system.current()["state"] == "succeeded"
    assert set(again.answers) == {"decided"}
    system.settled_on("blue", VERSION)


def test_the_deployer_is_no_root_and_who_has_no_token_orders_nothing(system: Delivering) -> None:
    known = system.containers()["deployer"]
    assert known["Config"]["User"] == "10001:10001"
    assert known["HostConfig"]["ReadonlyRootfs"]
    assert [each["HostIp"] for each in known["HostConfig"]["PortBindings"]["8080/tcp"]] == ["127.0.0.1"]
    refused = httpx.post(f"{system.deploys_url}/api/v1/deploys", json={"version": VERSION}, timeout=5)
    assert refused.status_code == 401
