"""Every service's image: small, without anything that builds, and told apart by its labels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from emily_runtime.testing.infisical import ENVIRON, VALUE, StandIn
from engine import BUILD_TIMEOUT_S, REVISION, ROOT, VERSION, built, docker, inspected

pytestmark = [pytest.mark.containers, pytest.mark.timeout(BUILD_TIMEOUT_S)]

LARGEST_MB = 250
SERVICES = (
    "bus",
    "router",
    "flag-service",
    "deployer",
    "backup-agent",
    "blue-reflex",
    "blue-workspace",
    "blue-inference",
    "blue-memory",
)
MODELS = {"blue-reflex": ["reflex.npz"], "blue-inference": ["inference.npz"]}
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
BUILDERS = ("pip", "pip3", "uv", "hatch", "gcc", "cc", "c++", "make", "ld", "strip", "git")
INSTALLERS = ("apt", "apt-get", "dpkg", "perl", "su", "mount", "tar", "curl", "wget")


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def image(service: str) -> str:
    """Built as `make images` does it."""
    return built(service)


def said(image: str, *command: str) -> str:
    """What a command says in a container of the image, hardened as in compose.yaml."""
    program, *arguments = command
    done = docker("run", "--rm", *HARDENED, "--network=none", f"--entrypoint={program}", image, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_image_is_small_and_nobody_is_root(service: str, image: str) -> None:
    known = inspected("image", image)
    size_mb = known["Size"] / 1e6
    print(f"{image}: {size_mb:.0f} MB")
    assert size_mb <= LARGEST_MB
    assert known["Config"]["User"] == "10001:10001"
    assert known["Config"]["Healthcheck"]["Test"] == ["CMD", "ready"]


def test_labels_say_which_version_of_which_revision(image: str) -> None:
    labels = inspected("image", image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.revision"] == REVISION


def test_nothing_that_builds_or_installs_is_inside(image: str) -> None:
    looked = f"for each in {' '.join(BUILDERS + INSTALLERS)}; do command -v $each; done; true"
    assert said(image, "sh", "-c", f"PATH=$PATH:/usr/sbin; {looked}") == ""
    modules = "import importlib.util as u; print([m for m in ('pip', 'uv', 'hatchling') if u.find_spec(m)])"
    assert said(image, "python3", "-c", modules) == "[]"
    assert said(image, "find", "/usr", "/opt", "-xdev", "-perm", "/6000", "-type", "f") == ""


def test_nothing_can_be_written_but_state(image: str) -> None:
    folders = "/ /etc /opt/emily/own /opt/emily/lib"
    tried = f"for each in {folders}; do touch $each/x 2>/dev/null && echo $each; done; true"
    assert said(image, "sh", "-c", tried) == ""
    assert said(image, "sh", "-c", "touch /var/lib/emily/x && id -u") == "10001"


def test_models_are_inside_where_a_mind_needs_one(service: str, image: str) -> None:
    assert said(image, "ls", "/opt/emily/models").split() == MODELS.get(service, [])


def test_only_what_the_package_needs_is_inside(service: str, image: str) -> None:
    listed = "from importlib.metadata import distributions as d; print(*{each.name for each in d()})"
    inside = {_normal(name) for name in said(image, "python3", "-c", listed).split()}
    folder = "libs/bus" if service == "bus" else f"services/{service.removeprefix('blue-')}"
    pinned = _pins(ROOT / "requirements" / "images" / f"{folder}.txt")
    assert {name for name in inside if not name.startswith("emily")} == set(pinned)
    assert f"emily-{folder.rpartition('/')[2]}" in inside
    everywhere = _pins(ROOT / "requirements" / "dev.txt")
    assert pinned.items() <= everywhere.items()


def test_every_service_asks_infisical(service: str, image: str) -> None:
    if service == "bus":
        return
    stand_in = StandIn()
    stand_in.start()
    environ = ENVIRON | {"EMILY_INFISICAL_URL": stand_in.url}
    variables = [f"--env={name}={value}" for name, value in environ.items()]
    asked = (
        "from emily_runtime.secrets import Secrets;"
        "secret = Secrets().read('infisical:/memory/DATABASE_URL', purpose='test');"
        "print(len(secret.reveal()), secret)"
    )
    host = ("--network=host", "--entrypoint=python3", image)
    done = docker("run", "--rm", *HARDENED, *variables, *host, "-c", asked)
    stand_in.stop()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{len(VALUE)} Secret(hidden)"
    assert stand_in.broken == []


def test_wrong_settings_end_it_with_a_list_of_them(service: str, image: str) -> None:
    if service == "bus":
        done = docker("run", "--rm", *HARDENED, image, "--listen", "nonsense")
        assert done.returncode == 1
        return
    name = service.removeprefix("blue-").upper().replace("-", "_")
    done = docker("run", "--rm", *HARDENED, f"--env=EMILY_{name}_NONSENSE=1", image)
    assert done.returncode == 2
    assert f"EMILY_{name}_NONSENSE" in done.stderr


def test_health_is_bad_while_nothing_answers(image: str) -> None:
    done = docker("run", "--rm", *HARDENED, "--network=none", "--entrypoint=ready", image)
    assert done.returncode == 1


def _pins(file: Path) -> dict[str, str]:
    """Versions by name, of what is installed on this kind of machine."""
    found: dict[str, str] = {}
    for line in file.read_text().splitlines():
        pin = re.match(r"([\w.-]+)==([\w.]+)( ; (.*?))? \\$", line)
        if pin and not _foreign(pin[4] or ""):
            found[_normal(pin[1])] = pin[2]
    return found


def _foreign(marker: str) -> bool:
    return "win32" in marker or "emscripten" in marker


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
