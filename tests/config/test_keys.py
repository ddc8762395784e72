"""Keys of things: what is kept, what follows where nothing was given, what is refused."""

from __future__ import annotations

import pytest

from worldmail.config.keys import Key, KeyTable, listed, switch, thing_name
from worldmail.errors import BadValue

TABLE = KeyTable(
    (
        Key(
            key="kind",
            meaning="The kind.",
            takes="one or two",
            parse=lambda t: {"one": "one", "two": "two"}.get(t) or _no(),
        ),
        Key(key="some-size", meaning="A size.", takes="a number", parse=int, default=7),
        Key(
            key="only-two",
            meaning="Of two alone.",
            takes="on or off",
            parse=switch,
            default=False,
            of=frozenset({"two"}),
        ),
        Key(key="password", meaning="A password.", takes="anything", parse=str),
    ),
    chooser="kind",
)


def _no() -> str:
    raise ValueError


def test_what_was_given_is_kept_and_the_rest_follows() -> None:
    texts = TABLE.changed({}, {"kind": " two ", "only-two": "ON"})
    assert texts == {"kind": "two", "only-two": "ON"}
    assert TABLE.read(texts) == {"kind": "two", "some_size": 7, "only_two": True}


def test_an_empty_value_takes_back_what_was_set() -> None:
    assert TABLE.changed({"some-size": "3"}, {"some-size": ""}) == {}


def test_what_means_nothing_any_more_is_kept_and_counts_again_later() -> None:
    texts = TABLE.changed({"kind": "two", "only-two": "on"}, {"kind": "one"})
    assert TABLE.read(texts)["only_two"] is False
    assert TABLE.read(TABLE.changed(texts, {"kind": "two"}))["only_two"] is True


def test_a_password_is_never_kept_as_text() -> None:
    assert TABLE.changed({}, {"password": "secret"}) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "no key 'colour'; there are: kind, some-size"),
        ({"some-size": "big"}, "some-size takes a number"),
        ({"kind": "one", "only-two": "on"}, "only-two says nothing with kind=one"),
        ({"only-two": "on"}, "only-two says nothing with kind=None"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        TABLE.changed({}, changes)


def test_lists_have_each_value_once_and_a_bound() -> None:
    assert listed(int)("3, 1,3") == (3, 1)
    with pytest.raises(ValueError, match="^$"):
        listed(int, most=2)("1,2,3")


@pytest.mark.parametrize("text", ["", "-a", "a b", "ä", "a" * 65, "#a"])
def test_names_are_words(text: str) -> None:
    assert thing_name("a hold", " Shop.1 ") == "shop.1"
    with pytest.raises(BadValue, match="cannot name a hold"):
        thing_name("a hold", text)
