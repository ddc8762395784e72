"""What a view takes over of messages that were changed together."""

from __future__ import annotations

from worldmail.interfaces.messages import Alike, Marked
from worldmail.protocols.imap.view.view import View

SEEN, FLAGGED = 1, 4


def looks(view: View) -> list[tuple[int, bytes, int]]:
    rendered = view.flag_states.rendered
    return [(uid, rendered[at], seq) for uid, at, seq in zip(view.uids, view.states, view.modseqs, strict=True)]


def test_messages_that_are_alike_are_taken_over_at_once_with_Recent_where_it_is() -> None:
    view = View(total=0, uidnext=30, modseq=9, first_recent=20)
    view.append([Marked(uid, 0, None, uid) for uid in (3, 5, 8, 20, 21)])
    view.know([Alike(1, 4, FLAGGED, None, 40), Alike(6, 20, SEEN, "word", 41), Alike(22, 29, SEEN, None, 42)])
    assert looks(view) == [
        (3, b"\\Flagged", 40),
        (5, b"", 5),
        (8, b"\\Seen word", 41),
        (20, b"\\Seen \\Recent word", 41),
        (21, b"\\Recent", 21),
    ]


def test_messages_that_were_never_changed_keep_the_MODSEQ_of_their_arrival() -> None:
    view = View(total=0, uidnext=30, modseq=9)
    view.append([Marked(uid, SEEN, None, uid) for uid in (3, 5)])
    view.know([Alike(1, 9, 0, None, 0)])
    assert looks(view) == [(3, b"", 3), (5, b"", 5)]
