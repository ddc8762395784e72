"""Every capability that is no command: one row each, in the order in which they are announced.

LITERAL+ is announced and LITERAL- therefore never (RFC 7888 §5).
"""

from __future__ import annotations

from worldmail.protocols.imap import message_limit
from worldmail.protocols.imap.condstore import nothing_more, turn_on_condstore
from worldmail.protocols.imap.fetch.surrogates import headers_as_they_are
from worldmail.protocols.imap.rights import NEW_RIGHTS
from worldmail.protocols.imap.rows import Extension

EXTENSIONS: tuple[Extension, ...] = (
    Extension(capability="IMAP4rev1", before_login=True, rfc="RFC 3501 §6.1.1"),
    Extension(capability="IMAP4rev2", before_login=True, rfc="RFC 9051 §6.1.1", enable=headers_as_they_are),
    Extension(capability="LITERAL+", before_login=True, rfc="RFC 7888 §4"),
    Extension(capability="SASL-IR", before_login=True, rfc="RFC 4959 §3"),
    Extension(capability="CHILDREN", rfc="RFC 3348 §3"),
    Extension(capability="LIST-EXTENDED", rfc="RFC 5258 §3"),
    Extension(capability="LIST-STATUS", rfc="RFC 5819 §2"),
    Extension(capability="LIST-MYRIGHTS", rfc="RFC 8440 §3"),
    Extension(capability="LIST-METADATA", rfc="RFC 9590 §3"),
    Extension(capability="SPECIAL-USE", rfc="RFC 6154 §2"),
    Extension(capability="CREATE-SPECIAL-USE", rfc="RFC 6154 §3"),
    Extension(capability="STATUS=SIZE", rfc="RFC 8438 §2"),
    Extension(capability="ACL", rfc="RFC 4314 §1"),
    Extension(capability=f"RIGHTS={NEW_RIGHTS}", rfc="RFC 4314 §2.2"),
    Extension(capability="QUOTA", rfc="RFC 9208 §3"),
    Extension(capability="QUOTA=RES-STORAGE", rfc="RFC 9208 §5.1"),
    Extension(capability="QUOTA=RES-MAILBOX", rfc="RFC 9208 §5.3"),
    Extension(capability="BINARY", rfc="RFC 3516 §4"),
    Extension(capability="CONDSTORE", rfc="RFC 7162 §3.1", enable=turn_on_condstore),
    Extension(capability="QRESYNC", rfc="RFC 7162 §3.2", enable=turn_on_condstore),
    Extension(capability="OBJECTID", rfc="RFC 8474 §3"),
    Extension(capability="SAVEDATE", rfc="RFC 8514 §4"),
    Extension(capability="PREVIEW", rfc="RFC 8970 §3"),
    Extension(capability="UTF8=ACCEPT", rfc="RFC 6855 §3", enable=headers_as_they_are),
    Extension(capability="PARTIAL", rfc="RFC 9394 §3"),
    Extension(capability="UIDONLY", rfc="RFC 9586 §3", enable=nothing_more),
    Extension(capability="ESEARCH", rfc="RFC 4731 §3"),
    Extension(capability="SEARCHRES", rfc="RFC 5182 §2"),
    Extension(capability="SORT=DISPLAY", rfc="RFC 5957 §3"),
    Extension(capability="ESORT", rfc="RFC 5267 §3.1"),
    Extension(capability="CONTEXT=SORT", rfc="RFC 5267 §4"),
    Extension(capability="THREAD=ORDEREDSUBJECT", rfc="RFC 5256 §3"),
    Extension(capability="THREAD=REFS", rfc="draft-ietf-morg-inthread-01 §4"),
    Extension(capability="WITHIN", rfc="RFC 5032 §3"),
    Extension(capability="SEARCH=FUZZY", rfc="RFC 6203 §3"),
    Extension(capability="I18NLEVEL=1", rfc="RFC 5255 §4.3"),
    Extension(capability="INPROGRESS", rfc="RFC 9585 §3"),
    Extension(capability=message_limit.capability, rfc="RFC 9738 §3"),
)
