"""A plan is right, or its key is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_backup_agent import restoring
from emily_backup_agent.errors import PlanInvalid
from emily_backup_agent.plan import read

GOOD = """
host = "hera"
[repository]
location = "/backups/emily"
password_file = "/etc/emily/backup.password"
[jobs.models]
paths = ["/tank/models"]
every = "6h"
[jobs.models.retention]
daily = 3
"""


def test_plan_of_a_file_is_read_with_what_it_leaves_out(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(GOOD)
    plan = read(file)
    job = plan.jobs["models"]
    assert (plan.host, job.paths, job.every_s, job.drill_every_s) == (
        "hera",
        (Path("/tank/models"),),
        21_600,
        604_800,
    )
    assert (job.retention.daily, job.retention.weekly, job.retention.monthly, job.retention.yearly) == (
        3,
        4,
        12,
        3,
    )


@pytest.mark.parametrize(
    ("said", "instead", "named"),
    [
        ('every = "6h"', 'every = "often"', r"jobs\[...\].every"),
        ('paths = ["/tank/models"]', "paths = []", "paths: none"),
        ('paths = ["/tank/models"]', 'paths = ["models"]', "models is not absolute"),
        (
            'paths = ["/tank/models"]',
            'paths = ["/backups/emily/data"]',
            "jobs.models.paths: .* lies in the repository",
        ),
        ('location = "/backups/emily"', 'location = "backups"', "repository.location"),
        ('paths = ["/tank/models"]', "recursive = true\ndatabase = true", "recursive: there is no dataset"),
        ('paths = ["/tank/models"]', 'dataset = "/tank/models"', r"jobs\[...\].dataset"),
        ("daily = 3", "daily = -3", "retention.daily"),
        ("daily = 3", "daily = 0\nweekly = 0\nmonthly = 0\nyearly = 0", "keeps nothing"),
        ("daily = 3", "dayly = 3", "unknown field `dayly`"),
        ("[jobs.models]", "[jobs.'A b']", "jobs"),
        ('host = "hera"', "host = 5", "host"),
        ('host = "hera"', "host = ", "line 2"),
    ],
)
def test_what_is_wrong_in_a_plan_is_named(tmp_path: Path, said: str, instead: str, named: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(GOOD.replace(said, instead))
    with pytest.raises(PlanInvalid, match=named):
        read(file)


def test_only_the_state_of_emily_takes_the_place_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(GOOD)
    arguments = ["--state-dir", str(tmp_path / "state"), "--plan-file", str(file), "--job", "models"]
    assert restoring.main(arguments) == 1
    assert "so it takes no place; name a folder" in capsys.readouterr().err


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid, match=r"absent\.toml: No such file"):
        read(tmp_path / "absent.toml")
