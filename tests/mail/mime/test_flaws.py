"""What 7bit and 8bit data may not hold is found however the octets are cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.flaws import LONGEST_LINE, Flaws

PIECES = st.lists(
    st.sampled_from(
        [
            b"",
            b"\r",
            b"\n",
            b"\r\n",
            b"\0",
            b"\xe4",
            b"=",
            b"x",
            b"y" * 499,
            b"z" * 998,
            b"z" * 999 + b"\n",
            b"\x7f",
            b" ",
        ]
    )
)


def found(*pieces: bytes) -> Flaws:
    flaws = Flaws()
    for piece in pieces:
        flaws.look(piece)
    flaws.finish()
    return flaws


@given(pieces=PIECES)
def test_it_finds_what_a_look_at_the_whole_finds(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    flaws = found(*pieces)
    assert flaws.octets == len(octets)
    assert flaws.high == sum(octet > 127 for octet in octets)
    assert flaws.escapes == sum(octet in b"=\0\x7f" or octet > 127 for octet in octets)
    assert flaws.nul == (b"\0" in octets)
    assert flaws.bare == (re.search(rb"(?<!\r)\n|\r(?!\n)", octets) is not None)
    if re.search(rb"\r(?!\n)", octets) is None:
        assert flaws.long == any(len(line) > LONGEST_LINE for line in re.split(rb"\r?\n", octets))
    if not flaws.long:
        assert flaws.ended == (not octets or octets.endswith(b"\n"))


@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore", b"\r\n", b"\r\nmore"])
@pytest.mark.parametrize(("size", "long"), [(998, False), (999, True)])
def test_a_line_may_have_998_octets(size: int, long: bool, end: bytes) -> None:
    octets = b"first\r\n" + b"x" * size + end
    for cut in range(len(octets)):
        assert found(octets[:cut], octets[cut:]).long is long
