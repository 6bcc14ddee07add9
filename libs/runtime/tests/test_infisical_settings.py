"""A process that refers to Infisical: one login, its settings, and the SDK that only it needs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog
from emily_runtime import SettingsError
from emily_runtime.secrets import (
    Secrets,
)
from emily_runtime.testing.infisical import (
    CREDENTIALS,
    ENVIRON,
    VALUE,
    StandIn,
)


def test_secrets_of_one_process_share_a_login_and_the_log_names_each(server: StandIn) -> None:
    server.values["/memory", "KEY"] = "another"
    secrets = Secrets(ENVIRON | {"EMILY_INFISICAL_URL": server.url})
    with structlog.testing.capture_logs() as lines:
        for name in ("DATABASE_URL", "KEY"):
            secrets.read(f"infisical:/memory/{name}", purpose="test")
    assert server.asked == ["login", "get", "get"]
    assert [(line["reference"], line["outcome"]) for line in lines] == [
        ("infisical:/memory/DATABASE_URL", "read"),
        ("infisical:/memory/KEY", "read"),
    ]


def test_a_client_secret_in_a_file_is_rotated_without_a_restart(server: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "client"
    file.write_text(CREDENTIALS["clientSecret"])
    file.chmod(0o600)
    environ = ENVIRON | {
        "EMILY_INFISICAL_URL": server.url,
        "EMILY_INFISICAL_CLIENT_SECRET": f"file:{file}",
        "EMILY_INFISICAL_TTL_S": "0.01",
    }
    secrets = Secrets(environ)
    secrets.read("infisical:/memory/DATABASE_URL", purpose="test")
    server.credentials["clientSecret"] = "another-horse"  # pragma: allowlist secret
    server.tokens.clear()
    file.write_text("another-horse\n")
    time.sleep(0.02)
    assert secrets.read("infisical:/memory/DATABASE_URL", purpose="test").reveal() == VALUE


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"URL": "http://infisical:8080"}, "https://HOST; http:// only on this machine"),
        ({"URL": "https://me:pass@host"}, "https://HOST"),  # pragma: allowlist secret
        ({"CLIENT_SECRET": "hunter2"}, r"CLIENT_SECRET=\(hidden\): give text"),  # pragma: allowlist secret
        ({"CLIENT_SECRET": "infisical:/X"}, "CLIENT_SECRET"),  # pragma: allowlist secret
        ({"MAX_AGE_S": "1"}, r"max_age_s=1\.0: give at least ttl_s"),
        ({"PROJECT_ID": ""}, "EMILY_INFISICAL_PROJECT_ID"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, str], complaint: str) -> None:
    environ = ENVIRON | {"EMILY_INFISICAL_URL": "https://infisical.example"}
    with pytest.raises(SettingsError, match=complaint) as refusal:
        Secrets(environ | {f"EMILY_INFISICAL_{name}": value for name, value in given.items()}).read(
            "infisical:/X", purpose="test"
        )
    assert "hunter2" not in str(refusal.value)


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = """
import sys
sys.modules["infisical_sdk"] = None
from emily_runtime.secrets import SecretRefused, Secrets
try:
    Secrets().read("infisical:/X", purpose="test")
except SecretRefused as refusal:
    print(refusal)
assert "boto3" not in sys.modules
"""
    environ = ENVIRON | {"EMILY_INFISICAL_URL": "https://infisical.example"}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    assert "pip install 'emily-runtime[infisical]'" in finished.stdout


def test_who_refers_to_no_infisical_does_not_load_its_sdk() -> None:
    code = (
        "import sys, emily_runtime.secrets; print('infisical_sdk' in sys.modules, 'requests' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert finished.stdout.split() == ["False", "False"]
