"""Flags: evaluation in process against bare flagd-core, and how long a change takes to reach 100 replicas.

Both sides evaluate the same document for the same keys; rounds alternate, so that drift of the machine hits
both. The change goes the whole way: HTTP with a token, PostgreSQL, the bus, and the moment when a replica in
another process answers by it. The 100 replicas are sessions of their own, in processes of `PER_PROCESS`; the
writer and the replicas read one monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anyio
import httpx
import numpy as np
import report
from emily_bus import BusSettings
from emily_bus.testing import router
from emily_flags import EmilyProvider, Replica, document_of, following, parse_flag
from emily_flags.testing import snapshot
from emily_postgres.testing import database, server
from emily_runtime.testing import ServiceProcess
from openfeature import api
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

METADATA = {"owner": "bench", "expires": "never"}
BOOLEAN = {"state": "ENABLED", "variants": {"on": True, "off": False}, "metadata": METADATA}
STATIC = parse_flag("static", BOOLEAN | {"defaultVariant": "off"})
CANARY = parse_flag(
    "canary", BOOLEAN | {"defaultVariant": "off", "targeting": {"fractional": [["on", 10], ["off", 90]]}}
)
KEYS = 10_000
ROUNDS = 15
CALLS = 10_000
SUBSCRIBERS = 100
PER_PROCESS = 25
CHANGES = 60
PAUSE_S = 0.15
NAMESPACE = "emily-bench"

type Resolve = Callable[[str, bool, EvaluationContext | None], Any]


def timed(resolve: Resolve, key: str, contexts: list[EvaluationContext]) -> np.ndarray[Any, Any]:
    """Seconds of each call."""
    seconds = np.empty(len(contexts))
    clock = time.perf_counter
    for number, context in enumerate(contexts):
        begin = clock()
        resolve(key, False, context)
        seconds[number] = clock() - begin
    return seconds


def evaluation() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and bars of evaluation in process."""
    bare = FlagdCore()
    bare.set_flags(document_of([STATIC, CANARY], 1))
    replica = Replica()
    replica.take(snapshot(STATIC, CANARY, heartbeat_s=3600))
    provider = EmilyProvider(replica)
    api.set_provider_and_wait(provider, "bench")
    client = api.get_client("bench")
    sides: dict[str, Resolve] = {
        "bare": bare.resolve_boolean_value,
        "emily": provider.resolve_boolean_details,
        "sdk": client.get_boolean_details,
    }
    contexts = [EvaluationContext(f"subject-{number}") for number in range(CALLS)]
    gc.freeze()
    runs: dict[tuple[str, str], list[np.ndarray[Any, Any]]] = {}
    for round_ in range(ROUNDS + 1):
        for key in ("static", "canary"):
            for side in sides if round_ % 2 else reversed(sides):
                seconds = timed(sides[side], key, contexts)
                if round_:  # the first warms up
                    runs.setdefault((side, key), []).append(seconds)
    p50 = {name: [float(np.median(run)) for run in found] for name, found in runs.items()}
    p99 = {name: float(np.median([np.quantile(run, 0.99) for run in found])) for name, found in runs.items()}
    ratio = {
        key: [ours / theirs for ours, theirs in zip(p50["emily", key], p50["bare", key], strict=True)]
        for key in ("static", "canary")
    }
    figures = {
        "rounds": ROUNDS,
        "calls_per_round": CALLS,
        **{
            f"{key}_{side}_us": {
                "p50": round(float(np.median(p50[side, key])) * 1e6, 2),
                "p99": round(p99[side, key] * 1e6, 2),
            }
            for key in ("static", "canary")
            for side in sides
        },
        **{
            f"{key}_ratio": {"median": float(np.median(found)), "low": min(found), "high": max(found)}
            for key, found in ratio.items()
        },
    }
    bars = [
        report.bar("static flag, replica / bare flagd-core", float(np.median(ratio["static"])), "<=", 1.3),
        report.bar("10 % canary, replica / bare flagd-core", float(np.median(ratio["canary"])), "<=", 1.3),
        report.bar("static flag p99 (us)", p99["emily", "static"] * 1e6, "<", 10),
        report.bar("10 % canary p99 (us)", p99["emily", "canary"] * 1e6, "<", 60),
    ]
    return figures, bars


def bucketing() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and bars of who falls into which bucket."""
    bare = FlagdCore()
    bare.set_flags(document_of([CANARY], 1))
    replica = Replica()
    replica.take(snapshot(CANARY))
    different = on = 0
    for number in range(KEYS):
        context = EvaluationContext(f"subject-{number}")
        ours = replica.resolve("boolean", "canary", False, context).value
        different += ours is not bare.resolve_boolean_value("canary", False, context).value
        on += ours
    sigmas = abs(on - KEYS / 10) / math.sqrt(KEYS * 0.1 * 0.9)
    figures = {"keys": KEYS, "on": on, "different_from_flagd": different, "sigmas_from_10_percent": sigmas}
    return figures, [
        report.bar("keys in another bucket than flagd's, of 10,000", different, "==", 0),
        report.bar("share of a 10 % canary, sigmas off", sigmas, "<=", 4),
    ]


async def listen(endpoint: str) -> None:
    """Replicas that note when they know each revision; printed at the end, as one line."""
    known: list[list[tuple[int, float]]] = [[] for _ in range(PER_PROCESS)]
    async with AsyncExitStack() as stack:
        for number in range(PER_PROCESS):
            settings = BusSettings(endpoint=endpoint)
            replica = await stack.enter_async_context(
                following(settings, namespace=NAMESPACE, name=f"replica-{number}")
            )

            def note(
                what: str,
                _: frozenset[str],
                replica: Replica = replica,
                notes: list[tuple[int, float]] = known[number],
            ) -> None:
                if what == "changed":
                    notes.append((replica.revision, time.monotonic()))

            replica.watch(note)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(json.dumps(known), flush=True)


@contextmanager
def listeners(endpoint: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of replicas, all of them ready."""
    command = (sys.executable, __file__, "--listen", endpoint)
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(SUBSCRIBERS // PER_PROCESS)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def push() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and bars of a change on its way to 100 replicas."""
    with (
        tempfile.TemporaryDirectory() as folder,
        router() as endpoint,
        server() as server_url,
        database(server_url) as url,
    ):
        service = ServiceProcess(
            (sys.executable, "-m", "emily_flag_service"),
            name="flag-service",
            endpoint=endpoint,
            namespace=NAMESPACE,
            state_dir=Path(folder),
        )
        try:
            service.start(database_url=url, heartbeat_s="300")
            with listeners(endpoint) as processes:
                begun, answered = anyio.run(change, service)
                known = [line for process in processes for line in said(process)]
        finally:
            service.kill()
    begins = {revision: begin for revision, begin, _ in begun}
    delays = [at - begins[revision] for notes in known for revision, at in notes if revision in begins]
    last = [
        max(at for notes in known for number, at in notes if number == revision) - begin
        for revision, begin in begins.items()
    ]
    missed = CHANGES * SUBSCRIBERS - len(delays)
    p50, p99 = (float(np.quantile(delays, share)) * 1e3 for share in (0.5, 0.99))
    figures = {
        "subscribers": SUBSCRIBERS,
        "changes": CHANGES,
        "deliveries": len(delays),
        "missed": missed,
        "request_to_replica_ms": {"p50": p50, "p99": p99, "max": max(delays) * 1e3},
        "request_to_last_replica_ms": {
            "p50": float(np.median(last)) * 1e3,
            "p99": float(np.quantile(last, 0.99)) * 1e3,
        },
        "request_to_answer_ms": {"p50": float(np.median(answered)) * 1e3},
    }
    return figures, [
        report.bar("a change to 100 replicas, p99 (ms)", p99, "<", 50),
        report.bar("changes that a replica missed", missed, "==", 0),
    ]


async def change(service: ServiceProcess) -> tuple[list[tuple[int, float, float]], list[float]]:
    """Make changes one after the other: revision, begin and end of each, and how long each answer took."""
    token = (service.state_dir / "flags.token").read_text().split()[1]
    begun: list[tuple[int, float, float]] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=service.http, headers=headers) as http:
        for number in range(CHANGES + 1):
            definition = STATIC.definition | {"defaultVariant": ("on", "off")[number % 2]}
            condition = {"If-Match": f'"{number}"'} if number else {"If-None-Match": "*"}
            begin = time.monotonic()
            answer = await http.put(
                "/api/v1/flags/static", json={"definition": definition}, headers=condition
            )
            end = time.monotonic()
            assert answer.status_code == 200, answer.text
            if number:  # the first opens connections
                begun.append((number + 1, begin, end))
            await asyncio.sleep(PAUSE_S)
    return begun, [end - begin for _, begin, end in begun]


def said(process: subprocess.Popen[str]) -> list[list[tuple[int, float]]]:
    """What each replica of a process noted."""
    out, _ = process.communicate("end\n", timeout=60)
    notes: list[list[tuple[int, float]]] = json.loads(out.splitlines()[-1])
    return notes


def main() -> None:
    """Measure, print and write the figures."""
    figures: dict[str, Any] = {}
    bars: list[dict[str, Any]] = []
    for name, part in (("evaluation", evaluation), ("bucketing", bucketing), ("push", push)):
        figures[name], more = part()
        bars += more
        print(name, json.dumps(figures[name]))
    report.write(
        "flags",
        figures=figures,
        bars=bars,
        versions=report.versions("openfeature-flagd-core", "openfeature-sdk", "eclipse-zenoh", "uvloop"),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen")
    options = parser.parse_args()
    if options.listen:
        anyio.run(listen, options.listen, backend_options={"use_uvloop": True})
    else:
        main()
