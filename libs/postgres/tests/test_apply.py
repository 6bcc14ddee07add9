"""Migrations are applied by the code of the version that they belong to, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_postgres.apply import URL, URL_FILE, main
from emily_postgres.migrating import Database


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with an expansion and a contraction."""
    folder = tmp_path / f"of_{tmp_path.name}"
    (folder / "migrations").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "migrations" / "0001_thing.expand.sql").write_text("CREATE TABLE thing (name text, old text);")
    (folder / "migrations" / "0002_thing.contract.sql").write_text("ALTER TABLE thing DROP COLUMN old;")
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_contractions_wait_until_they_are_asked_for(
    url: str, package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["things", package], {URL: url}) == 0
    assert capsys.readouterr().out == "applied 0001_thing.expand.sql\n"
    file = tmp_path / "url"
    file.write_text(url + "\n")
    assert main(["things", package, "--contract"], {URL_FILE: str(file)}) == 0
    assert capsys.readouterr().out == "applied 0002_thing.contract.sql\n"
    assert main(["things", package], {URL: url}) == 0
    assert capsys.readouterr().out == "nothing to do\n"
    assert Database(url, "things").version() == 2


def test_what_fails_is_said(
    url: str, package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["things", package], {}) == 1
    assert "must be set" in capsys.readouterr().err
    assert main(["things", "no_such_package"], {URL: url}) == 1
    assert "no_such_package" in capsys.readouterr().err
    (tmp_path / package / "migrations" / "0001_thing.expand.sql").write_text("CREATE NONSENSE;")
    assert main(["things", package], {URL: url}) == 1
    assert "0001_thing.expand.sql: syntax error" in capsys.readouterr().err
