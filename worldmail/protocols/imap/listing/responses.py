"""LIST and LSUB responses (RFC 9051 §7.3.1, RFC 3501 §7.2.3).

mailbox-list    = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
                  [SP mbox-list-extended]
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from worldmail.interfaces.folders import Folder


@frozen(kw_only=True)
class Teller:
    """Writes LIST responses.

    Args:
        extended: the client knows \\NonExistent (RFC 9051 §6.3.9.4); others are told \\Noselect beside it.
        subscribed: \\Subscribed is told.
        criteria: what CHILDINFO names.
    """

    extended: bool = True
    subscribed: bool = False
    criteria: Sequence[bytes] = ()
    _attributes: dict[tuple[bool, bool, bool, bool, str | None], bytes] = field(factory=dict, init=False)

    def line(self, folder: Folder, name: bytes, *, childinfo: bool = False, oldname: bytes | None = None) -> bytes:
        """One response. `name` and `oldname` (RFC 9051 §6.3.9.7) are astrings in the encoding that the client chose."""
        if childinfo or oldname is not None:
            items = b" ".join(self._extended_items(childinfo, oldname))
            return b'* LIST (%b) "/" %b (%b)\r\n' % (self._of(folder), name, items)
        return b'* LIST (%b) "/" %b\r\n' % (self._of(folder), name)

    def _extended_items(self, childinfo: bool, oldname: bytes | None) -> list[bytes]:
        items = []
        if childinfo:
            items.append(b'"CHILDINFO" (%b)' % b" ".join(b'"%b"' % name for name in self.criteria))
        if oldname is not None:
            items.append(b'"OLDNAME" (%b)' % oldname)
        return items

    def _of(self, folder: Folder) -> bytes:
        key = (
            folder.exists,
            "r" in folder.rights,
            folder.has_children,
            folder.subscribed and self.subscribed,
            folder.special_use,
        )
        written = self._attributes.get(key)
        if written is None:
            written = self._attributes[key] = b" ".join(self._attributes_of(*key))
        return written

    def _attributes_of(
        self, exists: bool, readable: bool, has_children: bool, subscribed: bool, special_use: str | None
    ) -> list[bytes]:
        told = []
        if not exists:
            told.append(b"\\NonExistent")
        if not (exists and readable) and not (self.extended and not exists):
            told.append(b"\\Noselect")  # without the right r it cannot be selected either (RFC 4314 §4)
        if subscribed:
            told.append(b"\\Subscribed")
        told.append(b"\\HasChildren" if has_children else b"\\HasNoChildren")
        if special_use is not None:
            told.append(special_use.encode("ascii"))
        return told


def lsub(wire_name: bytes, *, subscribed: bool) -> bytes:
    """An LSUB response; a level that is not subscribed to itself is \\Noselect (RFC 3501 §6.3.9)."""
    return b'* LSUB (%b) "/" %b\r\n' % (b"" if subscribed else b"\\Noselect", wire_name)
