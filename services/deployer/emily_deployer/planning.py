"""From an order to a plan: which colour is replaced, by what, in which steps. Changes nothing."""

from __future__ import annotations

from emily_deployer.drivers.driver import Driver
from emily_deployer.errors import BadOrder
from emily_deployer.order import Order, Plan
from emily_deployer.traffic import Switchboard


async def planned(order: Order, driver: Driver, switchboard: Switchboard, colours: tuple[str, str]) -> Plan:
    """What an order means now.

    Raises:
        BadOrder: There is no such version, or traffic is not as a deploy finds it.
        StepFailed: The router does not answer.
    """
    release = await driver.resolve(order.version)
    table = (await switchboard.now()).table
    if table.active not in colours:
        raise BadOrder(f"version: {table.active} answers, and deploys go between {' and '.join(colours)}")
    busy = table.canary or table.shadow
    if busy:
        raise BadOrder(f"version: {busy} has a part in the traffic; take it out with: emily traffic set")
    new = colours[1] if table.active == colours[0] else colours[0]
    running = await driver.running()
    plan = Plan(old=table.active, old_version=running.get(table.active, ""), new=new, release=release)
    return Plan(
        old=plan.old,
        old_version=plan.old_version,
        new=new,
        release=release,
        steps=tuple(described(order, plan)),
    )


def described(order: Order, plan: Plan) -> list[str]:
    """The steps of a plan in words."""
    criteria, patience = order.criteria, order.patience
    shares = ", ".join(f"{percent:g} %" for percent in order.steps)
    wait = f"each at most {patience.seconds:g} s, undecided: {patience.undecided.value}"
    lines = [
        f"build or fetch {plan.release}",
        "expand migrations, which both versions can live with",
        f"start {plan.new}, wait until it is ready, and smoke-test it without traffic",
    ]
    if order.shadow:
        lines.append(
            f"shadow: {plan.new} thinks about copies; it is sent back when it agrees with {plan.old} "
            f"in less than {100 * criteria.agreement:g} %"
        )
    if order.weights:
        lines.append(f"canary: {plan.new} answers {shares} of the subjects ({wait})")
    lines.append(f"switch: {plan.new} answers all")
    if order.window_s:
        lines.append(f"rollback window: {plan.old} can take all back for {order.window_s:g} s")
    lines.append(f"stop {plan.old}, contract migrations, retire it")
    return lines
