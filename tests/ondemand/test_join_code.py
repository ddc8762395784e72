"""Join codes: what they say, and every slip in one."""

from __future__ import annotations

import base64
import random

import pytest
from attrs import evolve

from worldmail.errors import BadValue
from worldmail.ondemand.join_code import JoinCode, read_code, secret_name

CODE = JoinCode(
    host="relay.example",
    port=465,
    starttls=False,
    pins=frozenset({"ab" * 32, "0" * 64}),
    secret=bytes(range(16)),
    account="shop.example@relay.example",
)


@pytest.mark.parametrize(
    "code",
    [
        CODE,
        evolve(CODE, starttls=True, port=65535),
        evolve(CODE, host="2001:db8::1", pins=frozenset({"f" * 64})),
        evolve(CODE, account="bücher@relay.example"),
    ],
)
def test_a_code_says_what_it_was_made_of(code: JoinCode) -> None:
    assert read_code(code.text) == code


def test_it_begins_with_a_letter_and_may_be_broken_into_lines() -> None:
    assert CODE.text[0].isalpha()
    assert read_code(f"  {CODE.text[:50]}\n {CODE.text[50:]}\n") == CODE


def test_every_slip_is_told() -> None:
    text = CODE.text
    for at in range(len(text)):
        for other in (text[:at] + text[at + 1 :], text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]):
            with pytest.raises(BadValue):
                read_code(other)
        if at and text[at - 1] != text[at]:
            with pytest.raises(BadValue, match="slip"):
                read_code(text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :])


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no join code"), ("hello", "no join code"), ("A" * 5000, "no join code"), ("A" * 60, "slip")],
)
def test_what_is_no_code_is_told(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        read_code(text)


def with_checksum(body: bytes) -> str:
    """A code of these octets, made by whoever knows how."""
    import hashlib

    octets = body + hashlib.sha256(body).digest()[:4]
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def test_codes_of_others_are_told_whatever_is_in_them() -> None:
    octets = base64.urlsafe_b64decode(CODE.text + "=" * (-len(CODE.text) % 4))[:-4]
    with pytest.raises(BadValue, match="another release"):
        read_code(with_checksum(b"\2" + octets[1:]))
    chance = random.Random(1)
    for _ in range(500):
        made = bytearray(octets)
        made[chance.randrange(1, len(made))] = chance.randrange(256)
        del made[chance.randrange(40, len(made)) :]
        try:
            read_code(with_checksum(bytes(made)))
        except BadValue as error:
            assert "cannot be read" in str(error)


def test_the_name_of_a_secret_does_not_tell_it() -> None:
    assert CODE.secret.hex() not in secret_name(CODE.secret) and len(secret_name(CODE.secret)) == 64
    assert CODE.secret.hex() not in repr(CODE) and "secret" not in repr(CODE)
