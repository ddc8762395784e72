"""The life of a link, against a model, and the reasons for which it is up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worldmail.interfaces.ondemand import LinkKind, LinkState
from worldmail.ondemand.link_states import (
    LONGEST_REST,
    TABLE,
    Event,
    Hours,
    Phase,
    Reasons,
    after,
    hours_of,
    is_wanted,
    rest_after,
)
from worldmail.ondemand.timetable import Timetable

NOON = 1_700_000_000.0


def reasons(
    *,
    is_open: bool = True,
    stays: bool = False,
    held: bool = False,
    called: bool = False,
    work: bool = False,
    quiet: float = 1000.0,
) -> Reasons:
    hours = Hours(open=is_open, stays=stays, next=None)
    return Reasons(hours=hours, held=held, called=called, work=work, quiet=quiet, idle=60.0)


@given(st.lists(st.sampled_from(Event)))
def test_whatever_happens_commands_come_in_turn(events: list[Event]) -> None:
    """The model: `up` runs from DOWN alone, and before it may run again `down` has run; nothing is sent but when up."""
    phase, raised, lowered = Phase.DOWN, 0, 0
    for event in events:
        to = after(phase, event)
        if to is None:
            continue
        assert to is not phase
        raised += to is Phase.RISING
        lowered += phase is Phase.FALLING
        assert raised - lowered in (0, 1) and (raised == lowered) == (to is Phase.DOWN)
        assert (to.state is LinkState.UP) == (event is Event.RAISED)
        phase = to


def test_every_state_can_be_left_and_come_to() -> None:
    assert {phase for phase, _ in TABLE} == set(TABLE.values()) == set(Phase)
    assert {event for _, event in TABLE} == set(Event)


@given(st.sampled_from(LinkKind), st.sampled_from(Phase), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_a_link_that_is_held_is_never_wanted_and_one_that_stays_always(
    kind: LinkKind, phase: Phase, is_open: bool, stays: bool, called: bool, work: bool
) -> None:
    why = reasons(is_open=is_open, stays=stays, held=True, called=called, work=work)
    assert not is_wanted(kind, phase, why)
    assert is_wanted(kind, phase, reasons(is_open=is_open, stays=True, called=called, work=work))


def test_on_demand_it_comes_up_for_work_and_goes_down_when_it_was_quiet_for_long_enough() -> None:
    for kind in (LinkKind.ON_DEMAND, LinkKind.METERED):
        assert not is_wanted(kind, Phase.DOWN, reasons(quiet=0.0))
        assert is_wanted(kind, Phase.DOWN, reasons(work=True))
        assert not is_wanted(kind, Phase.DOWN, reasons(work=True, is_open=False))
        assert is_wanted(kind, Phase.UP, reasons(quiet=59.0))
        assert not is_wanted(kind, Phase.UP, reasons(quiet=60.0))
        assert not is_wanted(kind, Phase.UP, reasons(work=True, is_open=False))


def test_one_that_is_called_comes_up_whatever_the_time_and_stays_while_there_is_work() -> None:
    for kind in LinkKind:
        assert is_wanted(kind, Phase.DOWN, reasons(called=True, is_open=False))
        assert is_wanted(kind, Phase.UP, reasons(called=True, is_open=False, quiet=1.0))
        assert is_wanted(kind, Phase.UP, reasons(called=True, is_open=False, work=True))
        assert not is_wanted(kind, Phase.UP, reasons(called=True, is_open=False))


def test_work_alone_opens_no_window() -> None:
    assert not is_wanted(LinkKind.WINDOWS, Phase.DOWN, reasons(work=True))


def test_what_a_timetable_says_of_each_kind() -> None:
    """2023-11-14 is a Tuesday, at 22:13:20 UTC."""
    always, spans = Timetable.parse("always"), Timetable.parse("tue 00:00-24:00,23:00-06:00")
    assert hours_of(LinkKind.ALWAYS, always, NOON) == Hours(open=True, stays=True, next=None)
    assert hours_of(LinkKind.ON_DEMAND, always, NOON) == Hours(open=True, stays=False, next=None)
    assert hours_of(LinkKind.WINDOWS, always, NOON) == Hours(open=True, stays=True, next=None)
    open_now = Timetable.parse("mon-sun 00:00-24:00")
    assert hours_of(LinkKind.WINDOWS, open_now, NOON).stays
    assert not hours_of(LinkKind.METERED, open_now, NOON).stays
    often = hours_of(LinkKind.WINDOWS, Timetable.parse("every 2h"), NOON)
    assert often.open and not often.stays and often.next is not None and NOON < often.next <= NOON + 7200
    moment = hours_of(LinkKind.ON_DEMAND, Timetable.parse("07:30"), NOON)
    assert not moment.open and moment.next is not None
    assert hours_of(LinkKind.WINDOWS, Timetable.parse("never"), NOON) == Hours(open=False, stays=False, next=None)
    assert hours_of(LinkKind.WINDOWS, spans, NOON).next is None


def test_rests_grow_and_have_an_end() -> None:
    rests = [rest_after(failures) for failures in range(1, 30)]
    assert rests == sorted(rests) and rests[0] == 30.0 and rests[1] == 60.0 and rests[-1] == LONGEST_REST
