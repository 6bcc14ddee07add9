"""`docker compose up` alone: a working blue system with one door, on loopback."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from composing import MINDS, Composed, build
from emily.secret_rotate import overwrite
from engine import BUILD_TIMEOUT_S, ROOT, docker, inspected, needed

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2 * BUILD_TIMEOUT_S)]

PARTS = {"bus", "postgres", "router", "flag-service", *(f"blue-{mind}" for mind in MINDS)}
LOOK = {
    "modality": "vision",
    "attended": "fovea",
    "signals": [{"channel": "fovea", "values": [3.0], "place": 27}],
    "deadline_ms": 10_000,
}
FAILING = {
    "modality": "interoception",
    "signals": [{"channel": name, "values": [0.99]} for name in ("load", "memory", "disk", "temperature")],
    "deadline_ms": 10_000,
}


@pytest.fixture(scope="module")
def images() -> None:
    """Of everything that `docker compose up` starts."""
    build()


@pytest.fixture(scope="module")
def composed(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """A blue system, up."""
    project = Composed(tmp_path_factory.mktemp("composed"))
    started = time.monotonic()
    with project.up():
        print(f"up after {time.monotonic() - started:.1f} s")
        yield project


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """compose.yaml with both colours, a deployer and operations."""
    needed()
    profiles = ("--profile", "blue", "--profile", "green", "--profile", "deployer", "--profile", "ops")
    done = docker("compose", *profiles, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    known: dict[str, Any] = json.loads(done.stdout)
    return known


def ask(composed: Composed, stimulus: Mapping[str, Any], **changes: Any) -> Any:
    """The decision for a stimulus."""
    answer = httpx.post(f"{composed.url}/api/v1/stimuli", json=dict(stimulus) | changes, timeout=15)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_stimulus_is_answered_with_a_decision_of_all_tiers(composed: Composed) -> None:
    decision = ask(composed, LOOK)
    assert decision["status"] == "decided"
    assert decision["act"]["kind"]
    health = httpx.get(f"{composed.url}/health", timeout=5).json()
    assert (health["status"], health["colour"], health["absent"]) == ("ok", "blue", [])
    assert {f"blue/{mind}" for mind in MINDS} <= set(health["alive"])


def test_a_flag_of_the_files_is_served_to_who_has_a_token(composed: Composed) -> None:
    asking = (
        "import pathlib, urllib.request as u;"
        "token = pathlib.Path('/run/secrets/flags_token').read_text().split()[1];"
        "asked = u.Request('http://127.0.0.1:8080/api/v1/flags');"
        "asked.add_header('Authorization', 'Bearer ' + token);"
        "print(u.urlopen(asked).read().decode())"
    )
    said = composed.do("exec", "-T", "flag-service", "python3", "-c", asking)
    assert said.returncode == 0, said.stderr
    assert {"enable_gflownet_v2", "enable_alpha_phase_reset"} <= {
        flag["key"] for flag in json.loads(said.stdout)["flags"]
    }


def test_what_is_worth_a_memory_is_stored_once(composed: Composed) -> None:
    assert composed.memories() == 0
    decision = ask(composed, FAILING, subject="host")
    assert decision["act"]["kind"] in ("throttle", "alert")
    deadline = time.monotonic() + 20
    while composed.memories() == 0:
        assert time.monotonic() < deadline, composed.do("logs", "blue-memory").stdout
        time.sleep(0.2)
    assert composed.memories() == 1


def test_a_mind_can_not_speak_to_who_directs_traffic(composed: Composed) -> None:
    asking = (
        "import anyio, pathlib, sys; from emily_bus import Bus, BusError, BusSettings;"
        "from emily_contracts.routing import TrafficRequest;"
        "from emily_contracts.topics import CURRENT_TRAFFIC\n"
        "async def main(user):\n"
        "    file = pathlib.Path('/run/secrets/bus_' + user)\n"
        "    settings = BusSettings(endpoint='tcp/bus:7447', user=user, password=file.read_text)\n"
        "    async with Bus.open(settings, namespace='emily', name='test') as bus:\n"
        "        try: print((await bus.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=3)).table.active)\n"
        "        except BusError as failure: print(type(failure).__name__)\n"
        "anyio.run(main, sys.argv[1])"
    )
    said = {
        user: composed.do("exec", "-T", service, "python3", "-c", asking, user)
        for user, service in (("blue", "blue-reflex"), ("control", "flag-service"))
    }
    assert said["blue"].stdout.strip() in ("NoResponder", "AskTimeout"), said["blue"].stderr
    assert said["control"].stdout.strip() == "blue", said["control"].stderr


def test_only_the_door_is_published_and_on_loopback(composed: Composed) -> None:
    known = composed.containers()
    assert set(known) == PARTS
    published = {name: bound for name, each in known.items() if (bound := each["HostConfig"]["PortBindings"])}
    assert set(published) == {"router"}
    assert [each["HostIp"] for each in published["router"]["8080/tcp"]] == ["127.0.0.1"]
    for network in ("bus", "data"):
        assert inspected("network", f"{composed.name}_{network}")["Internal"]
    assert _members(composed, "data") == {"postgres", "blue-memory", "flag-service", "router"}
    assert _members(composed, "edge") == {"router"}


def test_every_part_is_ready_bounded_and_can_do_little(composed: Composed) -> None:
    for name, each in composed.containers().items():
        host = each["HostConfig"]
        assert each["State"]["Health"]["Status"] == "healthy", name
        assert each["Config"]["User"] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Config"]["max-size"] == "10m", name
        assert not any("PASSWORD=" in variable for variable in each["Config"]["Env"]), name


def test_what_a_mind_learned_outlives_its_container(composed: Composed) -> None:
    ask(composed, LOOK, subject="lasting")
    renewed = composed.do(
        "up", "-d", "--no-build", "--wait", "--force-recreate", "blue-reflex", timeout_s=120
    )
    assert renewed.returncode == 0, renewed.stderr
    reading = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/healthz').read().decode())"
    said = composed.do("exec", "-T", "blue-reflex", "python3", "-c", reading)
    assert json.loads(said.stdout)["cold_start"] == ""
    seen = "import pathlib; print(*pathlib.Path('/var/lib/emily/checkpoints').rglob('*.ckpt'))"
    assert "emily/blue/reflex.ckpt" in composed.do("exec", "-T", "blue-reflex", "python3", "-c", seen).stdout


def test_part_that_crashes_comes_back(composed: Composed) -> None:
    before = composed.containers()["blue-workspace"]["State"]["Pid"]
    subprocess.run(["kill", "-9", str(before)], check=True, timeout=5)
    deadline = time.monotonic() + 40
    while True:
        state = composed.containers()["blue-workspace"]["State"]
        if state["Pid"] not in (0, before) and state["Health"]["Status"] == "healthy":
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    assert ask(composed, LOOK, subject="after")["status"] == "decided"


def test_traffic_goes_to_green_with_what_blue_remembers_and_back(composed: Composed) -> None:
    ask(composed, LOOK, subject="moving")
    started = composed.do("--profile", "green", "up", "-d", "--no-build", "--wait", timeout_s=180)
    assert started.returncode == 0, started.stderr[-2000:]
    try:
        moved = composed.traffic("set", "green")
        assert moved["table"]["active"] == "green"
        reading = (
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
        )
        for mind in ("reflex", "workspace", "inference"):
            metrics = composed.do("exec", "-T", f"green-{mind}", "python3", "-c", reading).stdout
            assert 'emily_adoptions_total{result="whole"} 1.0' in metrics, metrics
        assert ask(composed, LOOK, subject="moving")["status"] == "decided"
        assert httpx.get(f"{composed.url}/health", timeout=5).json()["colour"] == "green"
        back = composed.traffic("drain", "green", "--to", "blue")
        assert (back["table"]["active"], back["table"]["version"]) == ("blue", moved["table"]["version"] + 1)
        assert composed.asked("SELECT max(version) FROM routing.change") == str(back["table"]["version"])
        assert ask(composed, LOOK, subject="moving")["status"] == "decided"
    finally:
        composed.do("--profile", "green", "rm", "--stop", "--force", *(f"green-{mind}" for mind in MINDS))


def test_rotated_password_of_the_bus_takes_a_restart_of_the_bus_alone(composed: Composed) -> None:
    own = composed.secrets / "bus_blue"
    old = own.read_text()
    for file in (composed.secrets / "bus_passwords", own):
        overwrite(file, file.read_text().replace(old, "another-password-of-blue"))
    assert composed.do("restart", "bus").returncode == 0
    deadline = time.monotonic() + 60
    while not all(each["RestartCount"] for each in _minds(composed)) or not _decides(composed):
        assert time.monotonic() < deadline, composed.do("logs", "blue-reflex").stdout
        time.sleep(0.5)
    assert composed.containers()["flag-service"]["RestartCount"] == 0


def test_everything_ends_in_order(composed: Composed) -> None:
    """The last test of the system: an orderly end is faster than the ten seconds until it is cut off."""
    ask(composed, LOOK, subject="last")
    started = time.monotonic()
    assert composed.do("stop").returncode == 0
    took = time.monotonic() - started
    print(f"down after {took:.1f} s")
    assert {name: each["State"]["ExitCode"] for name, each in composed.containers().items()} == dict.fromkeys(
        PARTS, 0
    )


def test_without_secrets_nothing_starts(images: None, tmp_path: Path) -> None:
    project = Composed(tmp_path)
    try:
        up = project.do("up", "-d", "--no-build", "postgres")
        assert up.returncode != 0
        assert "postgres_password" in up.stderr
    finally:
        project.do("down", "--volumes")


def test_green_is_blue_under_another_name(configured: dict[str, Any]) -> None:
    services = configured["services"]
    for mind in MINDS:
        blue, green = (json.dumps(services[f"{colour}-{mind}"]) for colour in ("blue", "green"))
        assert blue.replace("blue", "green") == green
    assert set(services) == PARTS | {f"green-{mind}" for mind in MINDS} | {
        "deployer",
        "backup-agent",
        "prometheus",
    }


def test_pulled_images_are_ours_alone(configured: dict[str, Any]) -> None:
    assert all(each["build"]["context"] == str(ROOT) for each in configured["services"].values())
    assert all(each["image"].startswith("emily-") for each in configured["services"].values())


def _minds(composed: Composed) -> list[Any]:
    known = composed.containers()
    return [known[f"blue-{mind}"] for mind in MINDS]


def _decides(composed: Composed) -> bool:
    answer = httpx.post(f"{composed.url}/api/v1/stimuli", json=LOOK | {"subject": "rotated"}, timeout=15)
    return answer.status_code == 200 and answer.json()["status"] == "decided"


def _members(composed: Composed, network: str) -> set[str]:
    members = inspected("network", f"{composed.name}_{network}")["Containers"].values()
    return {each["Name"].removeprefix(f"{composed.name}-").removesuffix("-1") for each in members}
