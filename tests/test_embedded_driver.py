"""The embedded driver of the deployer: a second colour beside the first, on a real system."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from emily import launch
from emily.system import Layout
from emily_deployer.drivers.embedded import Embedded
from emily_deployer.errors import BadOrder, StepFailed
from emily_runtime.stacks import CURRENT
from releases import release

PATIENCE_S = 30


def pids(layout: Layout) -> dict[tuple[str, str], int | None]:
    return {(part.namespace, part.name): part.pid for part in launch.require_running(layout).parts}


@pytest.mark.chaos
@pytest.mark.timeout(120)
def test_a_colour_is_started_replaced_and_stopped_beside_one_that_goes_on(
    victim: Layout, tmp_path: Path
) -> None:
    driver = Embedded(victim.state_dir)
    heard: list[str] = []

    async def main() -> None:
        with anyio.fail_after(4 * PATIENCE_S):
            before = pids(victim)
            assert await driver.running() == {"blue": CURRENT}
            await driver.start("green", CURRENT)
            await driver.start("green", CURRENT)
            await driver.ready("green", heard.append)
            both = pids(victim)
            assert {key: pid for key, pid in both.items() if key in before} == before
            assert {name for space, name in both if space == "emily/green"} == {
                "reflex",
                "workspace",
                "inference",
            }

            other = release(tmp_path, "other", "[settings]", "EMILY_INFERENCE_SEED = 7")
            await driver.start("green", await driver.resolve(other))
            await driver.ready("green", heard.append)
            assert (await driver.running())["green"] == other
            after = pids(victim)
            assert after["emily/green", "inference"] != both["emily/green", "inference"]
            assert {key: pid for key, pid in after.items() if key in before} == before

            await driver.stop("green")
            await driver.retire("green")
            assert pids(victim) == before

            crashing = release(tmp_path, "crashing", f'python = "{_script(tmp_path, "exit 7")}"')
            await driver.start("green", crashing)
            with pytest.raises(StepFailed, match="of green ended with 7"):
                await driver.ready("green", heard.append)
            refused = release(tmp_path, "refused", "[settings]", 'EMILY_WORKSPACE_CAPACITY = "many"')
            await driver.start("green", refused)
            with pytest.raises(StepFailed, match="workspace of green ended with 2"):
                await driver.ready("green", heard.append)
            await driver.stop("green")
            assert pids(victim) == before

    anyio.run(main)
    assert any("has not announced itself yet" in words for words in heard)
    shown = launch.require_running(victim)
    assert {part.restarts for part in shown.parts} == {0}


def _script(folder: Path, body: str) -> Path:
    """An interpreter that does something else."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o700)
    return file


def test_without_a_system_it_says_how_to_start_one(tmp_path: Path) -> None:
    async def main() -> None:
        await Embedded(tmp_path).start("green", CURRENT)

    with pytest.raises(StepFailed, match="start the system with: emily up"):
        anyio.run(main)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("[settings]", "EMILY_ROUTER_COLOUR = 'red'"), "settings.EMILY_ROUTER_COLOUR"),
        (("[settings]", "EMILY_REFLEX_NAMESPACE = 'emily'"), "settings.EMILY_REFLEX_NAMESPACE"),
        (("colour = 'red'",), "unknown field `colour`"),
        (("[",), "other.toml"),
    ],
)
def test_a_release_that_makes_no_sense_is_refused(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    async def main() -> None:
        await Embedded(tmp_path).resolve(release(tmp_path, "other", *lines))

    with pytest.raises(BadOrder, match=words):
        anyio.run(main)


def test_a_version_is_a_release_a_checkout_or_an_environment(tmp_path: Path) -> None:
    driver, root = Embedded(tmp_path), Path(__file__).parents[1]

    async def main() -> None:
        assert await driver.resolve(CURRENT) == CURRENT
        assert await driver.resolve(str(root)) == str(root)
        environment = Path(sys.executable).parents[1]
        assert await driver.resolve(str(environment)) == str(environment)
        known = await driver.describe(str(root))
        assert known["source"] == str(root)
        with pytest.raises(BadOrder, match="'v9' is neither"):
            await driver.resolve("v9")
        await driver.build(str(root))

    anyio.run(main)
