"""A folder of flags is taken as a whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emily_flags import InvalidFlag, load_folder
from emily_flags.testing import define

SHIPPED = Path(__file__).parents[3] / "infra" / "flags"


def write(folder: Path, name: str, **flags: Any) -> None:
    (folder / name).write_text(json.dumps({"flags": flags}))


def test_the_flags_that_we_ship_pass() -> None:
    flags = load_folder(SHIPPED)
    assert {"enable_gflownet_v2", "enable_alpha_phase_reset"} <= flags.keys()
    assert flags["enable_gflownet_v2"].definition["targeting"] == {"fractional": [["on", 10], ["off", 90]]}


def test_flags_of_several_files_come_together(tmp_path: Path) -> None:
    needs = {"owner": "tests", "expires": "never", "prerequisites": "b=on"}
    write(tmp_path, "one.json", a=define(metadata=needs))
    write(tmp_path, "two.json", b=define())
    (tmp_path / "notes.txt").write_text("no flags")
    assert load_folder(tmp_path).keys() == {"a", "b"}


def test_a_mistake_names_file_flag_and_field(tmp_path: Path) -> None:
    write(tmp_path, "good.json", a=define())
    write(tmp_path, "bad.json", b=define(state="on"))
    with pytest.raises(InvalidFlag, match=r"^bad\.json: flags\.b\.state: 'on'"):
        load_folder(tmp_path)
    write(tmp_path, "bad.json", a=define())
    with pytest.raises(InvalidFlag, match=r"^good\.json: flags\.a: is defined in bad\.json too"):
        load_folder(tmp_path)
    write(
        tmp_path, "bad.json", b=define(metadata={"owner": "x", "expires": "never", "prerequisites": "c=on"})
    )
    with pytest.raises(InvalidFlag, match=r"^bad\.json: flags\.b\.metadata\.prerequisites: there is no flag"):
        load_folder(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidFlag, match=r"^bad\.json: is not JSON"):
        load_folder(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFlag, match="nowhere: No such file or directory; name a folder"):
        load_folder(tmp_path / "nowhere")
