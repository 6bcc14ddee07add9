"""What the embedded system is made of: the same entry points that containers start."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Literal

import msgspec
from emily_postgres import url_of

COGNITIVE = ("reflex", "workspace", "inference")
NICENESS = {"inference": 5, "memory": 5, "flag-service": 5, "postgres": 5}
"""A reflex does not wait for a thought: who thinks longest stands back when cores are scarce."""
Tier = Literal["alpha", "allostasis", "workspace", "hypotheses"]
ABLATIONS: dict[str, tuple[str, str]] = {
    "alpha": ("reflex", "ALPHA"),
    "allostasis": ("reflex", "ALLOSTASIS"),
    "workspace": ("workspace", "WORKSPACE"),
    "hypotheses": ("inference", "HYPOTHESES"),
    "recall": ("inference", "RECALL"),
}
"""Which service, and which of its settings, takes a tier out."""
SHIPPED_FLAGS = Path(__file__).parents[3] / "infra" / "flags"
"""Flags that come with a checkout."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where an embedded system lives.

    Attributes:
        state_dir: Everything that it remembers, and its log.
        bus_port: Of the Zenoh router on loopback.
        http_port: Of the traffic router on loopback.
        colour: Of its one cognitive stack.
        ablate: Tiers that are taken out.
        seed: Of the split of the digits and of all sampling.
        memory: Whether she remembers episodes, in a database of her own, where flags are kept too.
    """

    state_dir: Path = Path(".emily")
    bus_port: int = 7447
    http_port: int = 8642
    colour: str = "blue"
    ablate: tuple[str, ...] = ()
    seed: int = 0
    memory: bool = True

    @property
    def bus_endpoint(self) -> str:
        """Zenoh endpoint of the bus."""
        return f"tcp/127.0.0.1:{self.bus_port}"

    @property
    def http_url(self) -> str:
        """Base address of the HTTP interface."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def models(self) -> Path:
        """Folder of the trained models."""
        return self.state_dir / "models"

    @property
    def database(self) -> Path:
        """Folder of the embedded PostgreSQL."""
        return self.state_dir / "postgres"

    @property
    def log(self) -> Path:
        """The one log of all parts."""
        return self.state_dir / "log" / "emily.log"

    def announcement(self, part: Part) -> Path:
        """Where a part announces its process and its HTTP address."""
        return self.state_dir / "run" / part.namespace / f"{part.name}.json"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process.

    Attributes:
        name: Of the service.
        namespace: Of its Zenoh session.
        module: Started as `python -m module`.
        arguments: Behind the module.
        environment: Added to the supervisor's own.
        niceness: How far it stands back for the others on a busy machine.
        awaited: Whether she is up only when it is ready; she thinks without the others.
    """

    name: str
    namespace: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    niceness: int = 0
    awaited: bool = True

    @property
    def command(self) -> tuple[str, ...]:
        """What is executed."""
        return (sys.executable, "-m", self.module, *self.arguments)


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """Something made once, before the first start.

    Attributes:
        makes: The file; the command is skipped when it exists.
        module: Run as `python -m module`.
        arguments: Behind the module.
    """

    title: str
    makes: Path
    module: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """What is executed."""
        return (sys.executable, "-m", self.module, *self.arguments)


def to_json(value: msgspec.Struct) -> bytes:
    """A Struct as JSON; paths as text."""
    return msgspec.json.encode(value, enc_hook=str)


def from_json[S: msgspec.Struct](data: bytes, type: type[S]) -> S:
    """The Struct that `to_json` wrote."""
    return msgspec.json.decode(data, type=type, dec_hook=lambda kind, value: kind(value))


def preparations(layout: Layout) -> tuple[tuple[Preparation, ...], ...]:
    """Stages, one after the other; what stands in one stage may run at the same time."""
    data = layout.models / f"vision-train-{layout.seed}.npz"
    reflex, inference = _models(layout)
    dataset = Preparation(
        title="digits to learn from",
        makes=data,
        module="emily_world.dataset",
        arguments=("--seed", str(layout.seed), "--out", str(data)),
    )
    trained = tuple(
        Preparation(title=title, makes=out, module=module, arguments=("--data", str(data), "--out", str(out)))
        for title, out, module in (
            ("reflex learns to recognise digits", reflex, "emily_reflex.train"),
            ("inference learns how digits are written", inference, "emily_inference.train"),
        )
    )
    return ((dataset,), trained)


def parts(layout: Layout) -> tuple[Part, ...]:
    """Every process of the embedded system, what the others stand on first."""
    bus = Part(
        name="bus", namespace="emily", module="emily_bus.router", arguments=("--listen", layout.bus_endpoint)
    )
    colour = f"emily/{layout.colour}"
    reflex, inference = _models(layout)
    own: dict[str, dict[str, str]] = {
        "reflex": {"MODEL": str(reflex)},
        "workspace": {},
        "inference": {"MODEL": str(inference), "SEED": str(layout.seed)},
        "memory": {"DATABASE_URL": url_of(layout.database)},
        "flag-service": {"DATABASE_URL": url_of(layout.database), **_shipped_flags()},
        "router": {"COLOUR": layout.colour, "HTTP_PORT": str(layout.http_port)},
    }
    for tier in layout.ablate:
        service, setting = ABLATIONS[tier]
        own[service][setting] = "false"
    services = (
        *((name, colour) for name in COGNITIVE),
        *((("memory", colour), ("flag-service", "emily")) if layout.memory else ()),
        ("router", "emily"),
    )
    database = Part(
        name="postgres",
        namespace="emily",
        module="emily_postgres",
        arguments=(str(layout.database),),
        niceness=NICENESS["postgres"],
        awaited=False,
    )
    return (
        bus,
        *((database,) if layout.memory else ()),
        *(
            Part(
                name=name,
                namespace=namespace,
                module=f"emily_{name.replace('-', '_')}",
                environment=service_environment(layout, name, namespace, own[name]),
                niceness=NICENESS.get(name, 0),
                awaited=name not in ("memory", "flag-service"),
            )
            for name, namespace in services
        ),
    )


def service_environment(layout: Layout, name: str, namespace: str, own: dict[str, str]) -> dict[str, str]:
    """The settings of one service as environment variables; numerics run on one BLAS thread."""
    settings = {
        "BUS_ENDPOINT": layout.bus_endpoint,
        "NAMESPACE": namespace,
        "STATE_DIR": str(layout.state_dir),
        **own,
    }
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    prefix = f"EMILY_{name.upper().replace('-', '_')}"
    return threads | {f"{prefix}_{key}": value for key, value in settings.items()}


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether loopback's TCP port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def alive(pid: int) -> bool:
    """Whether a process of that number runs (and is not a zombie)."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True
    return state != "Z"


def _shipped_flags() -> dict[str, str]:
    return {"FLAGS_DIR": str(SHIPPED_FLAGS)} if SHIPPED_FLAGS.is_dir() else {}


def _models(layout: Layout) -> tuple[Path, Path]:
    return (
        layout.models / f"reflex-vision-{layout.seed}.npz",
        layout.models / f"inference-vision-{layout.seed}.npz",
    )
