"""What was told of one mailbox to whoever looked, and may never be taken back."""

from __future__ import annotations

from attrs import define, evolve, field

from oracle.imap import Answer, Fetched


@define
class Witness:
    """Remembers what all sessions were told; `wrong` is what contradicts it, each with its kind in front.

    MODSEQ, UIDNEXT and HIGHESTMODSEQ only grow, UIDVALIDITY stays, a MODSEQ of a message means the same flags for
    ever, a UID the same octets (RFC 7162 §3.1, RFC 9051 §2.3.1.1).
    """

    name: str
    wrong: set[str] = field(factory=set)
    _codes: dict[bytes, int] = field(factory=dict)
    _modseqs: dict[int, int] = field(factory=dict)
    _flags: dict[tuple[int, int], frozenset[bytes]] = field(factory=dict)
    _digests: dict[int, bytes] = field(factory=dict)

    def fetched(self, told: Fetched) -> None:
        """A FETCH response came."""
        before = self._flags.setdefault((told.uid, told.modseq), told.flags)
        if before != told.flags:
            flags = f"{sorted(before)} and {sorted(told.flags)}"
            self._wrong("modseq", f"UID {told.uid} has {flags} under one MODSEQ {told.modseq}")
        self._modseqs[told.uid] = max(told.modseq, self._modseqs.get(told.uid, 0))

    def heard(self, answer: Answer) -> None:
        """All FETCH responses of it."""
        for told in answer.fetched:
            self.fetched(told)

    def read(self, uid: int, digest: bytes) -> None:
        """A message was read whole."""
        if self._digests.setdefault(uid, digest) != digest:
            self._wrong("uid reused", f"UID {uid} names two messages")

    def opened(self, answer: Answer) -> None:
        """It was selected, and is as it was when the last one looked, or newer."""
        codes = answer.codes
        if codes[b"UIDVALIDITY"] != self._codes.get(b"UIDVALIDITY", codes[b"UIDVALIDITY"]):
            self._wrong("uidvalidity", f"{self._codes[b'UIDVALIDITY']} became {codes[b'UIDVALIDITY']}")
        if codes[b"UIDNEXT"] < max((*(uid + 1 for uid in self._modseqs), self._codes.get(b"UIDNEXT", 0))):
            self._wrong("uidnext", f"fell to {codes[b'UIDNEXT']}")
        if codes[b"HIGHESTMODSEQ"] < max((*self._modseqs.values(), self._codes.get(b"HIGHESTMODSEQ", 0))):
            self._wrong("modseq", f"HIGHESTMODSEQ fell to {codes[b'HIGHESTMODSEQ']}")
        self._codes = codes

    def truth(self, told: Fetched) -> None:
        """A message as it is, while nobody changes anything."""
        if told.modseq < self._modseqs.get(told.uid, 0):
            self._wrong("modseq", f"of UID {told.uid} fell from {self._modseqs[told.uid]} to {told.modseq}")
        if told.modseq > self._codes[b"HIGHESTMODSEQ"]:
            self._wrong("modseq", f"{told.modseq} of UID {told.uid} is above HIGHESTMODSEQ")
        self.fetched(told)

    def _wrong(self, kind: str, detail: str) -> None:
        self.wrong.add(f"{kind}: {self.name}: {detail}")


@define
class Cache:
    """What a client with QRESYNC keeps of one mailbox while it is away (RFC 7162 §3.2.5)."""

    witness: Witness
    uidvalidity: int = 0
    modseq: int = 0
    flags: dict[int, frozenset[bytes]] = field(factory=dict)

    @property
    def parameter(self) -> bytes:
        """Of SELECT."""
        return b" (QRESYNC (%d %d))" % (self.uidvalidity, self.modseq) if self.modseq else b""

    @property
    def copied(self) -> Cache:
        """As it is now."""
        return evolve(self, flags=dict(self.flags))

    def hear(self, answer: Answer) -> None:
        """Take over what was told."""
        self.witness.heard(answer)
        self.flags.update((told.uid, told.flags) for told in answer.fetched)
        for uid in answer.vanished:
            self.flags.pop(uid, None)

    def opened(self, answer: Answer) -> None:
        """SELECT was answered, and all that it left out was fetched: from now on this much is known."""
        self.uidvalidity, self.modseq = answer.codes[b"UIDVALIDITY"], answer.codes[b"HIGHESTMODSEQ"]

    def compare(self, answer: Answer, truth: dict[int, Fetched]) -> None:
        """A SELECT with QRESYNC was answered while nobody changes anything: it told the difference, and that alone."""
        told, gone = {one.uid for one in answer.fetched}, answer.vanished
        newer = {uid for uid, one in truth.items() if one.modseq > self.modseq}
        here = set(truth)
        self._expect("what changed, or came, was told", newer - told)
        self._expect("nothing else was told", told - newer)
        self._expect("what went was told", (self.flags.keys() - here) - gone)
        self._expect("what is there was not told as gone", gone & here)
        self._expect("there is nothing above UIDNEXT that went", {u for u in gone if u >= answer.codes[b"UIDNEXT"]})
        self.hear(answer)
        otherwise = {uid for uid in here & self.flags.keys() if self.flags[uid] != truth[uid].flags}
        self._expect("the flags are known", otherwise)
        self._expect("all messages are known", here ^ self.flags.keys())

    def _expect(self, claim: str, exceptions: set[int]) -> None:
        if exceptions:
            self.witness.wrong.add(
                f"qresync: {self.witness.name} since {self.modseq}: {claim}, but not for UIDs {sorted(exceptions)[:9]}"
            )
