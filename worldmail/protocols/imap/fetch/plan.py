"""What one FETCH asks for, as one format over columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from attrs import frozen

from worldmail.protocols.imap.fetch.batch import Batch, Item, Need
from worldmail.protocols.imap.fetch.items import FLAGS, IN_RFC_3501, MODSEQ, UID
from worldmail.protocols.imap.view.untagged import Style

if TYPE_CHECKING:
    from worldmail.protocols.imap.fetch.surrogates import Surrogates


@frozen(eq=False)
class Plan:
    """The items of a FETCH.

    Args:
        word: FETCH or UIDFETCH.
        form: of one answer.
        sees: \\Seen is to be set.
        copies: how many times the octets of a message may be in its answer, at least 1.
        flags_too, modseq_too: what is told beside the items of a message whose flags the command changed
            (RFC 9051 §6.4.5, RFC 7162 §3.1.4).
        uid_only: messages are named by their UIDs (RFC 9586).
        surrogates: makes headers ASCII; None where they are given as they are.
    """

    items: tuple[Item, ...]
    word: bytes
    form: bytes
    need: Need
    sees: bool
    copies: int
    flags_too: bool
    modseq_too: bool
    uid_only: bool
    surrogates: Surrogates | None

    @property
    def tells_modseq(self) -> bool:
        """MODSEQ is told of a message whose flags are told."""
        return self.modseq_too or MODSEQ in self.items

    def render(self, batch: Batch) -> bytes:
        """The answers for a batch."""
        if Need.OCTETS in self.need:
            return self._spliced(batch)
        columns: list[Sequence[Any]] = [batch.numbers]
        for item in self.items:
            columns += item.columns(batch)
        if self.sees:
            columns.append(self.beside(batch))
        return self.form * len(batch) % tuple(chain.from_iterable(zip(*columns, strict=True)))

    def _spliced(self, batch: Batch) -> bytes:
        """The same where there is much to give: it is copied once, in between what is formatted."""
        form = b"* %%d %b (" % self.word
        columns: list[Sequence[Any]] = [batch.numbers]
        pieces: list[Sequence[bytes]] = []
        for at, item in enumerate(self.items):
            form += b" " + item.form if at else item.form
            columns += item.columns(batch)
            if item.octets:
                octets = columns.pop()
                pieces += _each(form, columns, len(batch)), octets
                form, columns = b"", []
        if self.sees:
            form += b"%b"
            columns.append(self.beside(batch))
        pieces.append(_each(form + b")\r\n", columns, len(batch)))
        return b"".join(chain.from_iterable(zip(*pieces, strict=True)))

    def beside(self, batch: Batch) -> list[bytes]:
        """What follows the items of each message."""
        if not batch.changed:
            return [b""] * len(batch)
        rendered, changed = batch.flag_states.rendered, batch.changed
        return [
            self._beside(rendered[state], modseq) if uid in changed else b""
            for uid, state, modseq in zip(batch.uids, batch.states, batch.modseqs, strict=True)
        ]

    def _beside(self, flags: bytes, modseq: int) -> bytes:
        told = b" FLAGS (%b)" % flags if self.flags_too else b""
        return told + b" MODSEQ (%d)" % modseq if self.modseq_too else told


def _each(form: bytes, columns: Sequence[Sequence[Any]], count: int) -> Sequence[bytes]:
    """A format for each message."""
    return list(map(form.__mod__, zip(*columns, strict=True))) if columns else [form % ()] * count


def make_plan(
    items: Sequence[Item],
    style: Style,
    *,
    uid: bool,
    modseq: bool,
    sees: bool,
    utf8: bool = True,
    surrogates: Surrogates | None = None,
) -> Plan:
    """The plan for these items.

    Args:
        uid: the UID is told though nobody asked for it (RFC 9051 §6.4.9).
        modseq: the MODSEQ likewise (RFC 7162 §3.1.4.1).
        sees: \\Seen may be set.
        utf8: the client enabled UTF8=ACCEPT or IMAP4rev2.
    """
    wanted = list(items) if utf8 else [IN_RFC_3501.get(item, item) for item in items]
    if uid and UID not in wanted and not style.uid_only:
        wanted.insert(0, UID)
    if modseq and MODSEQ not in wanted:
        wanted.append(MODSEQ)
    sees = sees and any(item.sees for item in wanted)
    need = Need.NOTHING
    for item in wanted:
        need |= item.need
    word = b"UIDFETCH" if style.uid_only else b"FETCH"  # RFC 9586 §3.3
    form = b"* %%d %b (%b%b)\r\n" % (word, b" ".join(item.form for item in wanted), b"%b" if sees else b"")
    flags_too, modseq_too = FLAGS not in wanted, style.modseq and MODSEQ not in wanted
    copies = max(1, sum(item.octets for item in wanted))
    return Plan(tuple(wanted), word, form, need, sees, copies, flags_too, modseq_too, style.uid_only, surrogates)
