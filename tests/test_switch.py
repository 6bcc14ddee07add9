"""Traffic moves between two stacks of real minds in the middle of what they think."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    ("episodes", "switches"),
    [
        pytest.param(30, 12, id="some"),
        pytest.param(200, 20, id="many", marks=pytest.mark.soak),
    ],
)
def test_minds_that_are_switched_in_the_middle_of_episodes_decide_as_at_home_bit_for_bit(
    two_colours: Any, models: Any, tmp_path: Path, episodes: int, switches: int
) -> None:
    home = two_colours.AtHome.through(models, episodes)
    with two_colours.town(models, tmp_path) as traffic:

        async def main() -> Any:
            return await two_colours.lived_through(traffic, home.heard, switches=switches)

        abroad = anyio.run(main)
        assert traffic.metric("emily_router_table_version") == switches
        assert traffic.metric("emily_router_misrouted_total") == 0
    assert two_colours.differing(home.decided, abroad.decided) == []
    assert abroad.under_way > 0
    print(f"{len(home.decided)} decisions, pauses up to {1e3 * max(abroad.switch_s):.0f} ms")
