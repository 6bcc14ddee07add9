"""Logs: one JSON object a line, from whoever wrote it and on whatever thread."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

WRITER = """
import logging, sys, threading
from emily_bus.trace import traceparent
from emily_runtime.logs import configure_logs, get_logger

configure_logs(service="reflex", namespace="emily/blue", level="info", format=sys.argv[1])
log = get_logger("emily_reflex")
log.info("own", modality="vision")
log.debug("too quiet")
threading.Thread(target=logging.getLogger("library").warning, args=("of %s", "a library")).start()
traceparent.set("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
try:
    raise KeyError("lost")
except KeyError:
    log.exception("failed")
    logging.getLogger("library").exception("failed too")
traceparent.set("not a trace")
log.info("untraced")
"""


def written(format: str, **streams: Any) -> bytes:
    completed = subprocess.run(
        (sys.executable, "-c", WRITER, format),
        stdin=subprocess.DEVNULL,
        stderr=streams.get("stderr", subprocess.PIPE),
        timeout=20,
        check=True,
    )
    return completed.stderr or b""


def test_each_line_is_an_object_that_says_where_it_is_from() -> None:
    lines = {line["event"]: line for line in map(json.loads, written("auto").splitlines())}
    assert list(lines) == ["own", "of a library", "failed", "failed too", "untraced"]
    assert {(line["service"], line["namespace"]) for line in lines.values()} == {("reflex", "emily/blue")}
    assert [line["level"] for line in lines.values()] == ["info", "warning", "error", "error", "info"]
    assert lines["own"]["modality"] == "vision"
    assert lines["own"]["timestamp"].endswith("Z")
    for event in ("failed", "failed too"):
        assert lines[event]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert "KeyError: 'lost'" in lines[event]["exception"]
    assert "trace_id" not in lines["own"]
    assert "trace_id" not in lines["untraced"]


def test_what_is_configured_last_holds_for_a_logger_that_has_spoken_before() -> None:
    code = """
from emily_runtime.logs import configure_logs, get_logger
log = get_logger("emily_reflex")
for colour in ("blue", "green"):
    configure_logs(service="reflex", namespace=f"emily/{colour}", level="info", format="json")
    log.info("own")
"""
    completed = subprocess.run(
        (sys.executable, "-c", code), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20, check=True
    )
    assert [json.loads(line)["namespace"] for line in completed.stderr.splitlines()] == [
        "emily/blue",
        "emily/green",
    ]


def test_a_person_on_a_terminal_reads_lines_and_not_json() -> None:
    ours, theirs = pty.openpty()
    try:
        written("auto", stderr=theirs)
        text = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "vision" in text
    assert "{" not in text.splitlines()[0]


def test_the_form_can_be_chosen() -> None:
    assert not written("console").startswith(b"{")
    assert written("json").startswith(b"{")
