"""A service from its start to its exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emily_bus.testing import free_endpoint, start_router
from emily_runtime.testing import ServiceProcess

Specimen = Callable[[str], ServiceProcess]


def test_a_service_answers_for_its_health_and_serves_its_own_application(specimen: Specimen) -> None:
    web = specimen("web")
    web.start()
    assert web.get("/healthz").json()["service"] == "web"
    assert web.get("/readyz").json() == {"status": "ready", "service": "web"}
    assert web.get("/own").text.startswith("own ")
    assert web.metric("emily_build_info", service="web", version="unreleased") == 1
    headers = web.get("/readyz", method="HEAD")
    assert (headers.status, headers.text) == (200, "")
    refused = web.get("/metrics", method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["title"] == "Method Not Allowed"
    assert web.stop() == 0


def test_a_path_that_a_mind_does_not_have_is_answered_with_those_it_has(specimen: Specimen) -> None:
    counter = specimen("counter")
    counter.start()
    missing = counter.get("/nothing")
    assert missing.status == 404
    assert missing.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no /nothing; there are /metrics, /healthz, /readyz",
    }
    assert counter.stop() == 0


def test_a_service_is_not_ready_while_a_condition_is_unmet(specimen: Specimen) -> None:
    web = specimen("web")
    web.launch(behaviour="unready")
    web.wait_until(lambda: web.get("/healthz").status == 200)
    unready = web.get("/readyz")
    assert unready.status == 503
    assert unready.json()["unmet"] == ["database"]
    assert unready.json()["detail"] == "web is starting; unmet: database"
    assert web.metric("emily_ready", condition="database") == 0
    assert web.stop() == 0


def test_a_service_whose_work_is_done_ends_with_0(specimen: Specimen) -> None:
    web = specimen("web")
    web.launch(behaviour="done")
    assert web.wait() == 0


def test_a_service_that_crashes_ends_with_1_and_logs_why(specimen: Specimen) -> None:
    web = specimen("web")
    web.launch(behaviour="crashing")
    assert web.wait() == 1
    trace = web.logged("crashed")[0]["exception"]
    assert "LookupError: the database is gone" in trace
    assert "in the task 'main'" in trace
    assert not web.announcement.exists()


def test_a_service_whose_application_does_not_start_ends_with_1(specimen: Specimen) -> None:
    web = specimen("web")
    web.launch(behaviour="unservable")
    assert web.wait() == 1
    assert "the HTTP application of the service did not start" in web.logged("crashed")[0]["exception"]


def test_a_dependency_that_comes_late_is_tried_until_it_is_there(specimen: Specimen) -> None:
    web = specimen("web")
    web.start(behaviour="flaky")
    assert web.metric("emily_task_failures_total", task="database") == 2
    assert web.stop() == 0


def test_a_service_that_drains_still_answers_and_is_not_ready(specimen: Specimen) -> None:
    web = specimen("web")
    web.start(behaviour="patient", drain_timeout_s="20")
    web.send(signal.SIGTERM)
    web.wait_until(lambda: not web.is_ready())
    assert web.get("/readyz").json()["detail"] == "web is draining; unmet: nothing"
    assert web.get("/healthz").status == 200
    assert web.get("/own").status == 200
    assert web.wait() == 0


def test_a_drain_that_is_late_is_cut_off_and_ends_with_1(specimen: Specimen) -> None:
    web = specimen("web")
    web.start(behaviour="stubborn", drain_timeout_s="0.1")
    assert web.stop() == 1
    assert web.logged("drain is late and cut off")[0]["after_s"] == 0.1


def test_a_mind_whose_drain_is_cut_off_still_keeps_what_it_lived_through(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    counter.start(drain_timeout_s="0.05", checkpoint_interval_s="60")

    async def live() -> None:
        async with counter.bus() as bus:
            await percepts(bus, stimuli(range(500), text="slow"), due=1)
            counter.send(signal.SIGTERM)

    on_loop(live)
    assert counter.wait() == 1
    handled = counter.logged("stopped")[0]["handled"]
    assert 0 < handled < 500
    counter.start()
    assert sum(counter.metric("specimen_subjects", subject=name) for name in ("zoe", "ada", "mia")) == handled
    assert counter.stop() == 0


def test_a_service_without_a_bus_ends_with_3_and_says_how_to_start_one(tmp_path: Path) -> None:
    web = web_on(free_endpoint(), tmp_path)
    web.launch()
    assert web.wait() == 3
    assert "start one with: python -m emily_bus.router" in web.logged("no bus")[0]["reason"]


def test_wrong_settings_end_with_2_and_are_all_told(specimen: Specimen) -> None:
    web = specimen("web")
    web.launch(http_port="-1", behaviour="wild", colour="red")
    assert web.wait() == 2
    told = web.log.read_text()
    assert told.startswith("3 wrong in the settings of web:")
    for name in ("HTTP_PORT=-1", "BEHAVIOUR=wild", "COLOUR"):
        assert f"EMILY_WEB_{name}" in told


def test_a_password_file_that_is_not_there_is_a_wrong_setting(specimen: Specimen, tmp_path: Path) -> None:
    web = specimen("web")
    missing = tmp_path / "password"
    web.launch(bus_user="web", bus_password_file=str(missing))
    assert web.wait() == 2
    told = web.log.read_text()
    assert f"EMILY_WEB_BUS_PASSWORD_FILE={missing}: No such file or directory; name a readable file" in told
    assert "Traceback" not in told


def test_an_address_that_is_taken_is_a_wrong_setting(specimen: Specimen) -> None:
    web = specimen("web")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        web.launch(http_port=str(port))
        assert web.wait() == 2
    assert f"http_port={port}: Address already in use; choose another" in web.log.read_text()


def test_a_state_folder_that_cannot_be_written_is_a_wrong_setting(specimen: Specimen, tmp_path: Path) -> None:
    web = specimen("web")
    file = tmp_path / "file"
    file.touch()
    web.launch(state_dir=str(file))
    assert web.wait() == 2
    assert f"state_dir={file}: Not a directory; choose a folder" in web.log.read_text()


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--port=3", 2)])
def test_help_lists_the_settings_and_any_other_argument_is_refused(argument: str, code: int) -> None:
    specimen = Path(__file__).with_name("specimen.py")
    told = subprocess.run(
        (sys.executable, specimen, "web", argument),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=os.environ,
    )
    assert told.returncode == code
    assert "EMILY_WEB_BEHAVIOUR = calm" in (told.stdout if code == 0 else told.stderr)


def test_a_service_that_loses_the_bus_says_so_and_is_ready_again_when_it_is_back(tmp_path: Path) -> None:
    endpoint = free_endpoint()
    bus = start_router(endpoint)
    web = web_on(endpoint, tmp_path)
    try:
        web.start()
        bus.kill()
        bus.wait(10)
        web.wait_until(lambda: web.get("/readyz").json().get("unmet") == ["bus"])
        assert web.get("/healthz").status == 200
        bus = start_router(endpoint)
        web.wait_until(web.is_ready)
        assert web.stop() == 0
    finally:
        web.kill()
        bus.kill()
        bus.wait(10)


def test_a_service_pays_at_its_start_only_for_what_it_uses() -> None:
    heavy = "{'numpy', 'litestar', 'opentelemetry', 'websockets'}"
    told = subprocess.run(
        (sys.executable, "-c", f"import sys, emily_runtime; print({heavy} & set(sys.modules))"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert told.stdout == "set()\n"


def web_on(endpoint: str, state_dir: Path) -> ServiceProcess:
    command = (sys.executable, str(Path(__file__).with_name("specimen.py")), "web")
    return ServiceProcess(command, name="web", endpoint=endpoint, namespace="emily/blue", state_dir=state_dir)
