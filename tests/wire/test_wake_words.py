"""The word of a wake-up message: the secret itself, or what was made with it for one address and one moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.wire.wake_words import AHEAD, OLDEST, judge, make_token

SECRET, ADDRESS, NOW = "open.sesame-1234", "wake@relay.test", 1_700_000_000.5


def test_a_token_is_right_for_its_address_secret_and_time_alone() -> None:
    token = make_token(SECRET, ADDRESS, NOW)
    assert SECRET not in token
    assert judge(token, SECRET, ADDRESS, NOW) == int(NOW)
    assert judge(token, SECRET + "x", ADDRESS, NOW) is None
    assert judge(token, SECRET, "other@relay.test", NOW) is None
    seconds = str(int(NOW))
    assert judge(token.replace(seconds, str(int(NOW) + 1)), SECRET, ADDRESS, NOW) is None


@pytest.mark.parametrize(
    ("later", "right"), [(-AHEAD, True), (-AHEAD - 2, False), (OLDEST - 1, True), (OLDEST + 1, False)]
)
def test_a_token_holds_for_a_day(later: float, right: bool) -> None:
    token = make_token(SECRET, ADDRESS, NOW)
    assert (judge(token, SECRET, ADDRESS, NOW + later) is not None) is right


def test_the_secret_itself_will_do() -> None:
    assert judge(SECRET, SECRET, ADDRESS, NOW) == 0


@given(st.text(max_size=100))
def test_anything_else_is_wrong_and_no_fault(word: str) -> None:
    assert word == SECRET or judge(word, SECRET, ADDRESS, NOW) is None
