"""Programs of the operator that run before and after steps.

A folder holds executables named `pre-STEP` and `post-STEP`. They get the deploy as environment variables, no
standard input, and a deadline. One before a step that fails stops the deploy; one after a step is only noted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from emily_deployer.deployment import Deployment
from emily_deployer.errors import StepFailed
from emily_deployer.processes import run


class Hooks:
    """Those of one folder.

    Args:
        folder: None for none.
        timeout_s: Of each.
    """

    def __init__(self, folder: Path | None, timeout_s: float) -> None:
        self._folder = folder
        self._timeout_s = timeout_s

    async def before(self, deployment: Deployment) -> None:
        """Run the one before the deploy's step.

        Raises:
            StepFailed: It failed, or was late.
        """
        await self._run(f"pre-{deployment.step.value}", deployment)

    async def after(self, deployment: Deployment) -> str:
        """Run the one after the deploy's step; what went wrong, in words."""
        try:
            await self._run(f"post-{deployment.step.value}", deployment)
        except StepFailed as failure:
            return str(failure)
        return ""

    async def _run(self, name: str, deployment: Deployment) -> None:
        if self._folder is None or not os.access(self._folder / name, os.X_OK):
            return
        program = self._folder / name
        await run(
            [str(program)], timeout_s=self._timeout_s, environment=_variables(deployment), what=f"hook {name}"
        )


def _variables(deployment: Deployment) -> Mapping[str, str]:
    plan = deployment.plan
    return {
        "EMILY_DEPLOY_ID": str(deployment.id),
        "EMILY_DEPLOY_VERSION": deployment.order.version,
        "EMILY_DEPLOY_STEP": deployment.step.value,
        "EMILY_DEPLOY_STATE": deployment.state.value,
        "EMILY_DEPLOY_OLD": plan.old if plan else "",
        "EMILY_DEPLOY_NEW": plan.new if plan else "",
        "EMILY_DEPLOY_BY": deployment.by,
    }
