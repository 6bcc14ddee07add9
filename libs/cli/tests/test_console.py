"""What a person is told is what the error says."""

from __future__ import annotations

import pytest
import typer
from emily.console import reports_errors
from emily.errors import CommandError


def test_brackets_in_an_error_are_shown_and_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    @reports_errors
    def refuse() -> None:
        raise CommandError("jobs[models].every: give [1-9][0-9]*[smhd]", "write every = [/]")

    with pytest.raises(typer.Exit):
        refuse()
    said = capsys.readouterr().err
    assert "jobs[models].every: give [1-9][0-9]*[smhd]" in said
    assert "write every = [/]" in said
