"""Every capability that is no command: one row each, in the order in which they are announced.

LITERAL+ is announced and LITERAL- therefore never (RFC 7888 §5).
"""

from __future__ import annotations

from worldmail.protocols.imap.rows import Extension

EXTENSIONS: tuple[Extension, ...] = (
    Extension(capability="IMAP4rev1", before_login=True, rfc="RFC 3501 §6.1.1"),
    Extension(capability="LITERAL+", before_login=True, rfc="RFC 7888 §4"),
    Extension(capability="SASL-IR", before_login=True, rfc="RFC 4959 §3"),
)
