"""Names of folders: what they can be, and where they lead."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.errors import BadName
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OTHERS, PUBLIC
from worldmail.mail.address import Address
from worldmail.store.folders.names import Place, canonical, is_own, locate, new_name, normal, shown

BOB = Account(
    id=1,
    address=Address.parse("bob@example.test"),
    name="",
    enabled=True,
    generation=1,
    quota=None,
    max_message=None,
    legacy_auth=False,
)


@given(st.text(max_size=40))
def test_a_name_is_kept_in_one_form_or_refused(text: str) -> None:
    try:
        name = normal(text)
    except BadName:
        return
    assert normal(name) == name == unicodedata.normalize("NFC", name)
    assert name >= " " and all(name.split("/"))
    assert name.isprintable() or not name.isascii()


@pytest.mark.parametrize("text", ["inbox", "InBoX/a", "INBOX/inbox"])
def test_the_first_level_INBOX_is_written_in_capitals(text: str) -> None:
    assert normal(text) == "INBOX" + text[5:]


@pytest.mark.parametrize("text", ["inboxes", "a/inbox", "in/box", "\u0131nbox"])
def test_what_only_resembles_INBOX_stays(text: str) -> None:
    assert normal(text) == text


def test_the_bounds_of_a_name() -> None:
    assert new_name("/".join(["x" * 30] * 32))
    assert normal("x" * 255)
    for text in ("x" * 256, "/".join("x" * 33), "/".join(["x" * 250] * 4)):
        with pytest.raises(BadName):
            normal(text)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a/b", Place(None, "a/b")),
        ("Other Users", Place("", "")),
        ("Other Users/amy@example.test", Place("amy@example.test", "")),
        ("Other Users/Amy@EXAMPLE.test/inbox", Place("amy@example.test", "INBOX")),
        ("Other Users/bob@example.test/a", Place(None, "a")),
        ("Other Users/a=2Fb=3Dc@example.test/x/y", Place("a/b=c@example.test", "x/y")),
        ("Other Users/no address/x", Place("", "x")),
        ("Other Users/@/x", Place("", "x")),
        ("Other Users/a=00b@example.test/x", Place("a=00b@example.test", "x")),
        ("Shared Folders", Place("", "")),
        ("Shared Folders/News/x", Place("\x01public@example.test", "News/x")),
        ("Other Usersx/y", Place(None, "Other Usersx/y")),
        ("other users/y", Place(None, "other users/y")),
    ],
)
def test_where_a_name_leads(name: str, place: Place) -> None:
    assert locate(normal(name), BOB) == place
    assert is_own(name) == (place == Place(None, name))


@given(st.text(alphabet="ab=/%*3DF2.", min_size=1, max_size=20), st.text(alphabet="ab/=", min_size=1, max_size=10))
def test_a_name_that_is_shown_leads_back(local: str, path: str) -> None:
    try:
        key, path = Address(local, "example.test").key, new_name(path)
    except (BadName, ValueError):
        return
    name = shown(key, path)
    level = name[len(OTHERS) :].split("/")[0]
    assert not set("%*") & set(level)
    assert locate(normal(name), BOB) == Place(key, path) and canonical(name, BOB) == name


def test_the_name_that_counts_is_the_one_that_is_shown() -> None:
    assert canonical("Other Users/Amy@Example.test/inbox/x", BOB) == "Other Users/amy@example.test/INBOX/x"
    assert canonical("Other Users/bob@example.test/x", BOB) == "x"
    for name in ("x", f"{PUBLIC}x", "Other Users", "Other Users/?/x"):
        assert canonical(name, BOB) == name
