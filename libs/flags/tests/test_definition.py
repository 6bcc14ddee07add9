"""What is no flag is refused by name, and what is one is left as it was written."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from typing import Any

import pytest
from emily_flags import InvalidFlag, document_of, parse_document, parse_flag, require_consistent
from emily_flags.definition import LARGEST_DOCUMENT
from emily_flags.testing import METADATA, define
from hypothesis import given
from hypothesis import strategies as st


def test_a_flag_keeps_its_definition_and_tells_owner_and_expiry() -> None:
    flag = parse_flag("a", define())
    assert flag.definition == define()
    assert (flag.owner, flag.expires, flag.kind, flag.enabled) == ("tests", date(2099, 1, 1), "boolean", True)
    assert not flag.expired(date(2099, 1, 1))
    assert flag.expired(date(2099, 1, 2))


def test_a_text_may_talk_about_characters() -> None:
    written = define(metadata=METADATA | {"note": "write \\u0000, \\\\ or ä"})
    assert parse_flag("a", written).definition == written


def test_a_flag_may_never_expire() -> None:
    flag = parse_flag("a", define(metadata={"owner": "tests", "expires": "never"}))
    assert flag.expires is None
    assert not flag.expired()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"state": "on"}, "state", "write ENABLED or DISABLED"),
        ({"variants": {}}, "variants", "1 to 64"),
        ({"variants": {"on": True, "off": "no"}}, "variants", "must all be booleans"),
        ({"variants": {"on": [1]}}, "variants", "must all be booleans"),
        ({"variants": {"on": 2**53}, "defaultVariant": "on"}, "variants.on", "whole numbers go to"),
        ({"defaultVariant": "maybe"}, "defaultVariant", "there are on, off"),
        ({"defaultVarient": "on"}, "defaultVarient", "did you mean defaultVariant?"),
        ({"metadata": {"expires": "never"}}, "metadata.owner", "who answers"),
        ({"metadata": {"owner": "a", "expires": "soon"}}, "metadata.expires", "a day such as"),
        ({"metadata": {"owner": "a"}}, "metadata.expires", "a day such as"),
        ({"metadata": METADATA | {"more": {}}}, "metadata.more", "a text, a number"),
        ({"metadata": METADATA | {"prerequisites": "b"}}, "metadata.prerequisites", "FLAG=VARIANT"),
        ({"metadata": METADATA | {"prerequisites": "b=x,b=y"}}, "metadata.prerequisites", "once"),
        ({"targeting": "on"}, "targeting", "not a rule"),
        ({"metadata": METADATA | {"note": "a\0b"}}, "metadata", "U+0000"),
        ({"variants": {"\ud800": True}, "defaultVariant": None}, "variants", r"half a character, \ud800"),
    ],
)
def test_a_mistake_is_named_by_flag_and_field(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidFlag, match="a") as refusal:
        parse_flag("a", define(**changes))
    assert (refusal.value.flag, refusal.value.field) == ("a", field)
    assert words in refusal.value.reason
    assert str(refusal.value).startswith(f"flags.a.{field}: ")


@pytest.mark.parametrize("key", ["", "1", "a b", "a/b", "ä", "a" * 129])
def test_a_key_must_be_a_name(key: str) -> None:
    with pytest.raises(InvalidFlag, match="a key is"):
        parse_flag(key, define())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON: .* at line 1, column 2"),
        (b"\xff", "is not UTF-8"),
        ("[]", "not an object"),
        ('{"flags": []}', "flags: is not an object"),
        ('{"flags": {}, "flgs": {}}', r"flgs: no such field; did you mean flags\?"),
        ('{"flags": {"a": {}, "a": {}}}', "a: stands there twice"),
        ('{"flags": {"a": NaN}}', "NaN is no JSON"),
        ("[" * 100_000, "nests without end|not an object"),
        ('{"flags":{"a":' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}}", "nests without end|no such field"),
        (" " * (LARGEST_DOCUMENT + 1), "at most"),
    ],
)
def test_a_malformed_document_is_refused_with_the_place(text: str | bytes, words: str) -> None:
    with pytest.raises(InvalidFlag, match=words):
        parse_document(text)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_does_anything_but_pass_or_be_refused(text: str | bytes) -> None:
    with contextlib.suppress(InvalidFlag):
        parse_document(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    )
)
def test_no_json_does_anything_but_pass_or_be_refused(value: object) -> None:
    with contextlib.suppress(InvalidFlag):
        parse_flag("a", value)


def test_the_document_of_flags_is_the_same_whatever_their_order() -> None:
    flags = [parse_flag(key, define()) for key in ("b", "a")]
    assert document_of(flags, 3) == document_of(reversed(flags), 3)
    assert json.loads(document_of(flags, 3))["metadata"] == {"flagSetId": "emily", "revision": 3}
    assert parse_document(json.dumps({"flags": json.loads(document_of(flags, 3))["flags"]})).keys() == {
        "a",
        "b",
    }


def needing(**needs: str) -> dict[str, Any]:
    return {
        key: parse_flag(key, define(metadata=METADATA | {"prerequisites": said}))
        for key, said in needs.items()
    }


def test_a_prerequisite_must_be_there_with_its_variant() -> None:
    require_consistent(needing(a="b=on", b=""))
    with pytest.raises(InvalidFlag, match=r"flags\.a\.metadata\.prerequisites: there is no flag 'c'"):
        require_consistent(needing(a="c=on"))
    with pytest.raises(InvalidFlag, match="'red' is no variant of b"):
        require_consistent(needing(a="b=red", b=""))


def test_prerequisites_that_loop_are_refused() -> None:
    with pytest.raises(InvalidFlag, match="loops: a -> b -> c -> a"):
        require_consistent(needing(a="b=on", b="c=on", c="a=on"))
    with pytest.raises(InvalidFlag, match="loops: a -> a"):
        require_consistent(needing(a="a=on"))


def test_a_chain_of_prerequisites_has_a_bound() -> None:
    chain = {f"f{number}": f"f{number + 1}=on" for number in range(3)} | {"f3": ""}
    require_consistent(needing(**chain))
    longer = {f"f{number}": f"f{number + 1}=on" for number in range(300)} | {"f300": ""}
    with pytest.raises(InvalidFlag, match="a chain of over 4 flags"):
        require_consistent(needing(**longer))
    with pytest.raises(InvalidFlag, match="a chain of over 4 flags"):
        require_consistent(needing(**dict(reversed(longer.items()))))
