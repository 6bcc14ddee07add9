"""A whole Zenoh router from the Python wheel: `python -m emily_bus.router --listen tcp/127.0.0.1:7447`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zenoh

_MESSAGES = (
    "put",
    "delete",
    "declare_subscriber",
    "query",
    "reply",
    "declare_queryable",
    "liveliness_token",
    "liveliness_query",
    "declare_liveliness_subscriber",
)


def router_config(
    listen: str,
    *,
    passwords: Path | None = None,
    grants: Mapping[str, str] = {},
    certificate: Path | None = None,
    key: Path | None = None,
    client_authority: Path | None = None,
) -> str:
    """A router's Zenoh configuration as JSON.

    Args:
        listen: Endpoint; `tls/...` needs certificate and key.
        passwords: File of `user:password` lines; whoever is not in it is not let in.
        grants: The keys of each user, as a Zenoh key expression; once there is one, nobody speaks or hears
            on other keys than those granted.
        certificate: Of this router.
        key: Of the certificate.
        client_authority: Demand client certificates signed by it (mutual TLS).
    """
    config: dict[str, Any] = {
        "mode": "router",
        "listen": {"endpoints": [listen], "exit_on_failure": True},
        "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": False}},
    }
    transport: dict[str, Any] = {}
    if passwords is not None:
        transport["auth"] = {
            "usrpwd": {
                "user": "router",
                "password": _first_password(passwords),
                "dictionary_file": str(passwords),
            }
        }
    if certificate is not None:
        tls: dict[str, Any] = {"listen_certificate": str(certificate), "listen_private_key": str(key)}
        if client_authority is not None:
            tls |= {"enable_mtls": True, "root_ca_certificate": str(client_authority)}
        transport["link"] = {"tls": tls}
    if transport:
        config["transport"] = transport
    if grants:
        config["access_control"] = _access(grants)
    return json.dumps(config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop; 1 when the endpoint can't be listened on.
    """
    parser = argparse.ArgumentParser(
        prog="emily_bus.router", description="A Zenoh router, on loopback unless told otherwise."
    )
    parser.add_argument(
        "--listen", default="tcp/127.0.0.1:7447", help="Zenoh endpoint (default: %(default)s)"
    )
    parser.add_argument("--passwords", type=Path, help="file of user:password lines")
    parser.add_argument(
        "--grant",
        action="append",
        default=[],
        type=_grant,
        metavar="USER=KEYS",
        help="keys of a user, such as blue=emily/blue/**; once given, nobody speaks or hears on others",
    )
    parser.add_argument("--certificate", type=Path, help="TLS certificate")
    parser.add_argument("--key", type=Path, help="key of the certificate")
    parser.add_argument("--client-authority", type=Path, help="demand client certificates signed by it")
    options = parser.parse_args(arguments)
    if options.grant and options.passwords is None:
        parser.error("--grant: users are told apart by --passwords; give that too")
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    config = router_config(
        options.listen,
        passwords=options.passwords,
        grants=dict(options.grant),
        certificate=options.certificate,
        key=options.key,
        client_authority=options.client_authority,
    )
    try:
        session = zenoh.open(zenoh.Config.from_json5(config))
    except zenoh.ZError as failure:
        print(f"can't listen on {options.listen}: {failure}; choose another with --listen", file=sys.stderr)
        return 1
    print(f"router {session.zid()} listens on {options.listen}", file=sys.stderr, flush=True)
    signal.sigwait(stops)
    session.close()  # type: ignore[no-untyped-call]
    return 0


def _access(grants: Mapping[str, str]) -> dict[str, Any]:
    rules = [
        {
            "id": user,
            "permission": "allow",
            "flows": ["ingress", "egress"],
            "messages": list(_MESSAGES),
            "key_exprs": [keys],
        }
        for user, keys in grants.items()
    ]
    return {
        "enabled": True,
        "default_permission": "deny",
        "rules": rules,
        "subjects": [{"id": user, "usernames": [user]} for user in grants],
        "policies": [{"rules": [user], "subjects": [user]} for user in grants],
    }


def _grant(text: str) -> tuple[str, str]:
    user, _, keys = text.partition("=")
    try:
        zenoh.KeyExpr(keys)
    except zenoh.ZError:
        keys = ""
    if not user or not keys:
        raise argparse.ArgumentTypeError(f"{text!r} is not USER=KEYS with a Zenoh key expression")
    return user, keys


def _first_password(passwords: Path) -> str:
    return passwords.read_text().splitlines()[0].partition(":")[2]


if __name__ == "__main__":
    sys.exit(main())
