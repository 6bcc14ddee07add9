"""Settings: where they come from, and that all that is wrong is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from emily_runtime import ServiceSettings, SettingsError, load_settings
from emily_runtime.secrets import SecretRefused
from emily_runtime.settings import bus_settings
from emily_runtime.settings_table import describe_settings, markdown, usage
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta


class ReflexSettings(ServiceSettings, frozen=True, kw_only=True):
    model: Annotated[Path, Meta(description="Item memory")] = Path("model.npz")
    api_token: Annotated[Annotated[str, Meta(min_length=20)] | None, Meta(description="Of the ward")] = None
    share: Annotated[float, Meta(gt=0, lt=1, description="Of attention")] = 0.5
    alpha: bool = True
    mode: Literal["calm", "awake"] = "calm"
    title: Annotated[str, Meta(max_length=9)] = "reflex"
    senses: Annotated[tuple[str, ...], Meta(description="What is heard")] = ("vision",)


class TrainedSettings(ServiceSettings, frozen=True, kw_only=True):
    model: Annotated[Path, Meta(description="Trained model")]


def load(**environ: str) -> ReflexSettings:
    return load_settings(ReflexSettings, service="reflex", environ=environ)


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(**environ)
    return str(caught.value).splitlines()


def test_nothing_given_means_the_defaults() -> None:
    assert load(PATH="/bin", EMILY_WORLD_HTTP_PORT="x") == ReflexSettings()


def test_the_environment_is_read_as_the_types_say() -> None:
    settings = load(
        EMILY_REFLEX_HTTP_PORT="8080",
        EMILY_REFLEX_ALPHA="false",
        EMILY_REFLEX_MODEL="a/b.npz",
        EMILY_REFLEX_SHARE="0.25",
        EMILY_REFLEX_MODE="awake",
    )
    assert (settings.http_port, settings.alpha, settings.share) == (8080, False, 0.25)
    assert (settings.model, settings.mode) == (Path("a/b.npz"), "awake")


def test_a_list_is_given_as_words_between_commas(tmp_path: Path) -> None:
    assert load(EMILY_REFLEX_SENSES="vision,touch").senses == ("vision", "touch")
    assert load(EMILY_REFLEX_SENSES="").senses == ()
    file = tmp_path / "emily.toml"
    file.write_text('[reflex]\nsenses = ["smell"]\n')
    assert load(EMILY_CONFIG=str(file)).senses == ("smell",)
    (row,) = [row for row in describe_settings(ReflexSettings) if row.name == "senses"]
    assert (row.type, row.default) == ("several, between commas, of text", "vision")


def test_every_wrong_setting_is_named_with_its_value_its_bound_and_a_remedy() -> None:
    first, *lines = problems(
        EMILY_REFLEX_HTTP_PORT="70000",
        EMILY_REFLEX_SHARE="1.0",
        EMILY_REFLEX_MODE="asleep",
        EMILY_REFLEX_ALPHA="perhaps",
        EMILY_REFLEX_STATE_DIR="",
        EMILY_REFLEX_OTLP_ENDPOINT="127.0.0.1:4318",
        EMILY_REFLEX_TITLE="x" * 100,
    )
    assert first == "7 wrong in the settings of reflex:"
    assert lines == [
        "  EMILY_REFLEX_ALPHA=perhaps: give true or false, or leave it out for True",
        "  EMILY_REFLEX_HTTP_PORT=70000: give a whole number from 0 to 65535 (Its port; 0 takes a free one), "
        "or leave it out for 0",
        "  EMILY_REFLEX_MODE=asleep: give one of awake, calm, or leave it out for calm",
        "  EMILY_REFLEX_OTLP_ENDPOINT=127.0.0.1:4318: give text that matches ^https?:// or nothing "
        "(OTLP/HTTP collector that gets traces, such as http://127.0.0.1:4318), or leave it out for nothing",
        "  EMILY_REFLEX_SHARE=1.0: give a number above 0 below 1 (Of attention), or leave it out for 0.5",
        "  EMILY_REFLEX_STATE_DIR=: give a path (Where checkpoints are kept), or leave it out for .emily",
        f"  EMILY_REFLEX_TITLE={'x' * 60}...: give text of at most 9 characters, or leave it out for reflex",
    ]


@pytest.mark.parametrize("endpoint", ["bogus", "tcp/", "tcp/host", "tcp/host:port", "http://host:1", ""])
def test_what_is_no_endpoint_is_said_before_a_session_is_tried(endpoint: str) -> None:
    assert "tcp/HOST:PORT" in problems(EMILY_REFLEX_BUS_ENDPOINT=endpoint)[1]


def test_an_unknown_variable_is_answered_with_the_closest_that_there_is() -> None:
    _, closest, other = problems(EMILY_REFLEX_HTPP_PORT="1", EMILY_REFLEX_ZZZ="1")
    assert closest.endswith("EMILY_REFLEX_HTPP_PORT: no such setting; did you mean EMILY_REFLEX_HTTP_PORT?")
    assert "EMILY_REFLEX_ZZZ: no such setting; there are alpha, api_token, bus_ca_file" in other
    _, lower = problems(EMILY_REFLEX_alpha="true")
    assert lower.endswith("did you mean EMILY_REFLEX_ALPHA?")


def test_a_secret_is_never_shown() -> None:
    message = "\n".join(problems(EMILY_REFLEX_API_TOKEN="hunter2"))
    assert "EMILY_REFLEX_API_TOKEN=(hidden): give text of at least 20 characters" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["ca", "password", "certificate", "key"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file or directory"), (b"\xff\xfe", "it is not a text in UTF-8")],
)
def test_a_file_of_the_bus_that_cannot_be_read_is_a_wrong_setting(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    _, line = problems(**{f"EMILY_REFLEX_BUS_{name.upper()}_FILE": str(file)})
    assert line == f"  EMILY_REFLEX_BUS_{name.upper()}_FILE={file}: {complaint}; name a readable file"


def test_what_must_be_set_is_named() -> None:
    with pytest.raises(SettingsError, match="EMILY_ZFS_AGENT_MODEL: must be set; give a path"):
        load_settings(TrainedSettings, service="zfs-agent", environ={})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "emily.toml"
    file.write_text('[world]\nepisodes = 3\n[reflex]\nhttp_port = 1\nshare = 0.1\nmodel = "m.npz"\n')
    settings = load(EMILY_CONFIG=str(file), EMILY_REFLEX_HTTP_PORT="2")
    assert (settings.http_port, settings.share, settings.model) == (2, 0.1, Path("m.npz"))


def test_the_file_and_the_environment_are_complained_about_together(tmp_path: Path) -> None:
    file = tmp_path / "emily.toml"
    file.write_text('[reflex]\nhttp_port = "1"\ncolour = "red"\n')
    _, *lines = problems(EMILY_CONFIG=str(file), EMILY_REFLEX_SHARE="2")
    assert [line.split(":")[0].strip() for line in lines] == [
        "[reflex] http_port=1",
        "[reflex] colour",
        "EMILY_REFLEX_SHARE=2",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("= [", "Invalid"),
        ('reflex = "calm"\n', "reflex is not a table; write [reflex] above its settings"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_beside_the_rest(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "emily.toml"
    if content is not None:
        file.write_text(content)
    _, *lines = problems(EMILY_CONFIG=str(file), EMILY_REFLEX_SHARE="2")
    assert lines[0].startswith(f"  EMILY_CONFIG={file}: ")
    assert complaint in lines[0]
    assert lines[1].startswith("  EMILY_REFLEX_SHARE=2")


@pytest.mark.parametrize(
    ("given_alone", "value"), [("BUS_USER", "emily"), ("BUS_CERTIFICATE_FILE", __file__)]
)
def test_what_belongs_together_is_given_together(given_alone: str, value: str) -> None:
    _, line = problems(**{f"EMILY_REFLEX_{given_alone}": value})
    assert line.endswith("give both or neither")


@given(st.integers())
def test_a_port_is_taken_exactly_when_it_is_within_its_bounds(port: int) -> None:
    given_port = {"EMILY_REFLEX_HTTP_PORT": str(port)}
    if 0 <= port <= 65535:
        assert load(**given_port).http_port == port
    else:
        assert any(f"EMILY_REFLEX_HTTP_PORT={port}"[:60] in line for line in problems(**given_port))


def test_the_table_has_a_row_for_each_setting_with_type_default_and_meaning() -> None:
    rows = {row.name: row for row in describe_settings(ReflexSettings)}
    assert list(rows) == list(ReflexSettings.__struct_fields__)
    assert rows["api_token"][1:] == ("text of at least 20 characters or nothing", "nothing", "Of the ward")
    assert rows["alpha"][1:] == ("true or false", "True", "")
    assert describe_settings(TrainedSettings)[-1].default == "required"


def test_help_and_documentation_name_every_variable() -> None:
    for text in (usage(ReflexSettings, "reflex"), markdown(ReflexSettings, "reflex")):
        for name in ReflexSettings.__struct_fields__:
            assert f"EMILY_REFLEX_{name.upper()}" in text
    columns = {line.replace("\\|", "").count("|") for line in markdown(ReflexSettings, "reflex").splitlines()}
    assert columns == {5}


def test_who_names_no_user_gets_on_the_bus_as_the_system_in_the_state_folder(tmp_path: Path) -> None:
    home, own = {"EMILY_REFLEX_STATE_DIR": str(tmp_path)}, tmp_path / "own"
    own.write_text("pass")
    assert bus_settings(load(**home)).user is None
    (tmp_path / "bus.password").write_text("word")
    assert credentials(**home) == ("emily", "word")
    named = {"EMILY_REFLEX_BUS_USER": "blue", "EMILY_REFLEX_BUS_PASSWORD_FILE": str(own)}
    assert credentials(**home, **named) == ("blue", "pass")


def credentials(**environ: str) -> tuple[str | None, str]:
    bus = bus_settings(load(**environ))
    assert bus.password is not None
    return bus.user, bus.password()


def test_bus_password_is_given_by_reference_and_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("one")
    given = load(EMILY_REFLEX_BUS_USER="blue", EMILY_REFLEX_BUS_PASSWORD_SECRET=f"file:{file}")
    asked = bus_settings(given).password
    assert asked is not None
    assert asked() == "one"
    file.write_text("another")
    assert asked() == "another"


def test_bus_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    file = folder / "password"
    file.write_text("one")
    file.chmod(0o644)
    for setting, value in (("SECRET", f"file:{file}"), ("FILE", str(file))):
        with pytest.raises(SecretRefused, match="others may read it"):
            credentials(EMILY_REFLEX_BUS_USER="blue", **{f"EMILY_REFLEX_BUS_PASSWORD_{setting}": value})


def test_bus_password_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("one")
    _, line = problems(
        EMILY_REFLEX_BUS_USER="blue",
        EMILY_REFLEX_BUS_PASSWORD_SECRET="env:X",  # pragma: allowlist secret
        EMILY_REFLEX_BUS_PASSWORD_FILE=str(file),
    )
    assert line == "  bus_password_secret and bus_password_file: give one of them"
