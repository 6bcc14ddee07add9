"""What the embedded system is made of: the same entry points that containers start."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Literal

import msgspec
from emily_bus.settings import EMBEDDED_FILE, EMBEDDED_USER
from emily_postgres import url_of
from emily_runtime.stacks import Stack, read_stacks

COGNITIVE = ("reflex", "workspace", "inference")
NICENESS = {
    "workspace": 5,
    "inference": 5,
    "memory": 10,
    "flag-service": 10,
    "deployer": 10,
    "postgres": 10,
    "backup-agent": 15,
}
"""A reflex does not wait for a thought: who thinks longest stands back when cores are scarce."""
UNAWAITED = ("memory", "flag-service", "deployer", "backup-agent")
"""She thinks without them."""
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
        colour: Of its cognitive stack, unless a deploy left another one.
        ablate: Tiers that are taken out.
        seed: Of the split of the digits and of all sampling.
        memory: Whether she remembers episodes, in a database of her own, where flags are kept too.
        delivery: Whether a deployer stands by to replace the stack.
        backups: Whether her state is backed up every hour.
    """

    state_dir: Path = Path(".emily")
    bus_port: int = 7447
    http_port: int = 8642
    colour: str = "blue"
    ablate: tuple[str, ...] = ()
    seed: int = 0
    memory: bool = True
    delivery: bool = True
    backups: bool = True

    @property
    def bus_endpoint(self) -> str:
        """Zenoh endpoint of the bus."""
        return f"tcp/127.0.0.1:{self.bus_port}"

    @property
    def bus_password(self) -> Path:
        """The file of the password with which all get on the bus."""
        return self.state_dir / EMBEDDED_FILE

    @property
    def bus_passwords(self) -> Path:
        """The file of all users of the bus, for its router."""
        return self.state_dir / "bus.passwords"

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
        python: Interpreter.
        environment: Added to the supervisor's own.
        niceness: How far it stands back for the others on a busy machine (`emily.scheduling`).
        awaited: Whether she is up only when it is ready; she thinks without the others.
    """

    name: str
    namespace: str
    module: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    environment: dict[str, str] = {}
    niceness: int = 0
    awaited: bool = True

    @property
    def of_stack(self) -> bool:
        """Whether it belongs to a colour."""
        return "/" in self.namespace

    @property
    def command(self) -> tuple[str, ...]:
        """What is executed."""
        return (self.python, "-m", self.module, *self.arguments)


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


def stacks(layout: Layout) -> tuple[Stack, ...]:
    """The cognitive stacks that are wanted: the layout's own, until a deploy says otherwise."""
    return read_stacks(layout.state_dir) or (Stack(colour=layout.colour),)


def as_deployed(layout: Layout) -> Layout:
    """The layout with a colour that is wanted."""
    wanted = [stack.colour for stack in stacks(layout)]
    return layout if layout.colour in wanted else msgspec.structs.replace(layout, colour=wanted[0])


def parts(layout: Layout, wanted: tuple[Stack, ...] | None = None) -> tuple[Part, ...]:
    """Every process of the embedded system, what the others stand on first.

    Args:
        layout: Of the system.
        wanted: Stacks; those that are wanted now by default.
    """
    bus = Part(
        name="bus",
        namespace="emily",
        module="emily_bus.router",
        arguments=("--listen", layout.bus_endpoint, "--passwords", str(layout.bus_passwords)),
    )
    database = Part(
        name="postgres",
        namespace="emily",
        module="emily_postgres",
        arguments=(str(layout.database),),
        niceness=NICENESS["postgres"],
        awaited=False,
    )
    flags = {"DATABASE_URL": url_of(layout.database), **_shipped_flags()}
    records = {"DATABASE_URL": url_of(layout.database)} if layout.memory else {}
    router = {"COLOUR": as_deployed(layout).colour, "HTTP_PORT": str(layout.http_port), **records}
    return (
        bus,
        *((database,) if layout.memory else ()),
        *(part for stack in wanted or stacks(layout) for part in stack_parts(layout, stack)),
        *((_service(layout, "flag-service", "emily", flags),) if layout.memory else ()),
        *((_service(layout, "deployer", "emily", records),) if layout.delivery else ()),
        *((_service(layout, "backup-agent", "emily", records | _restic()),) if layout.backups else ()),
        _service(layout, "router", "emily", router),
    )


def stack_parts(layout: Layout, stack: Stack) -> tuple[Part, ...]:
    """The processes of one colour."""
    reflex, inference = _models(layout)
    own: dict[str, dict[str, str]] = {
        "reflex": {"MODEL": str(reflex)},
        "workspace": {},
        "inference": {"MODEL": str(inference), "SEED": str(layout.seed)},
        "memory": {"DATABASE_URL": url_of(layout.database)},
    }
    for tier in layout.ablate:
        service, setting = ABLATIONS[tier]
        own[service][setting] = "false"
    imports = {"PYTHONPATH": os.pathsep.join(stack.path)} if stack.path else {}
    return tuple(
        _service(layout, name, f"emily/{stack.colour}", own[name], stack.python, imports | stack.settings)
        for name in (*COGNITIVE, *(("memory",) if layout.memory else ()))
    )


def service_environment(layout: Layout, name: str, namespace: str, own: dict[str, str]) -> dict[str, str]:
    """The settings of one service as environment variables; numerics run on one BLAS thread."""
    settings = {
        "BUS_ENDPOINT": layout.bus_endpoint,
        "BUS_USER": EMBEDDED_USER,
        "BUS_PASSWORD_FILE": str(layout.bus_password),
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


def _service(
    layout: Layout,
    name: str,
    namespace: str,
    own: dict[str, str],
    python: str = sys.executable,
    release: dict[str, str] | None = None,
) -> Part:
    """A service as a part; what a release sets goes over what the layout sets."""
    return Part(
        name=name,
        namespace=namespace,
        module=f"emily_{name.replace('-', '_')}",
        python=python,
        environment=service_environment(layout, name, namespace, own) | (release or {}),
        niceness=NICENESS.get(name, 0),
        awaited=name not in UNAWAITED,
    )


def _shipped_flags() -> dict[str, str]:
    return {"FLAGS_DIR": str(SHIPPED_FLAGS)} if SHIPPED_FLAGS.is_dir() else {}


def restic_program() -> Path | None:
    """The restic that came with a checkout; none leaves it to the PATH."""
    own = Path(__file__).parents[3] / ".tools" / "bin" / "restic"
    return own if own.is_file() else None


def _restic() -> dict[str, str]:
    program = restic_program()
    return {} if program is None else {"RESTIC": str(program)}


def _models(layout: Layout) -> tuple[Path, Path]:
    return (
        layout.models / f"reflex-vision-{layout.seed}.npz",
        layout.models / f"inference-vision-{layout.seed}.npz",
    )
