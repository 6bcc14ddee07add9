"""What can go wrong with a deploy."""

from __future__ import annotations


class DeployerError(Exception):
    """Base of the deployer's errors; the message names what, and what to do."""


class Busy(DeployerError):
    """Another deploy is under way."""


class NoDeploy(DeployerError):
    """There is no such deploy, or none is under way."""


class NotNow(DeployerError):
    """The deploy is at a step that does not allow what was asked."""


class BadOrder(DeployerError):
    """What was ordered can't be done; the message names the field."""


class StepFailed(DeployerError):
    """A step can't be done; traffic returns to the old colour."""


class Closed(DeployerError):
    """The deployer is starting or stopping, or its records are away."""


class Unauthorised(DeployerError):
    """No token, or none that is known."""
