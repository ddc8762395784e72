"""What the fuzzing of IMAP begins with."""

from __future__ import annotations

IMAP_ARGUMENTS = (
    b' "a b" {3}\r\nabc\r\n (\\Seen kw)',
    b" bob secret",
    b' ("name" "x" "os" NIL)',
    b" 1:*,5,$ (UID FLAGS BODY.PEEK[1.2.HEADER.FIELDS (To Cc)]<0.10> ENVELOPE)",
    b" 1:3 +FLAGS.SILENT (\\Deleted)",
    b' CHARSET UTF-8 OR (NOT SEEN SINCE 1-Feb-2030) (FROM "x" LARGER 10) UID 1:5',
    b" RETURN (MIN MAX COUNT) (REVERSE DATE SUBJECT) UTF-8 ALL",
    b' (SUBSCRIBED) "" ("%" "*") RETURN (CHILDREN STATUS (MESSAGES UIDNEXT))',
    b" INBOX (MESSAGES UNSEEN)",
    b" INBOX (QRESYNC (1 2 1:3 (1 2)))",
    b" PLAIN AGJvYgBzZWNyZXQ=",
    b" &AOQ-/x y",
    b" Drafts (\\Seen) CATENATE (URL {9}\r\n/x/;UID=1\r\n TEXT {3}\r\nabc\r\n UTF8 (~{1}\r\nx\r\n)) CATENATE (URL a)",
    b' "imap://h/x/;UID=1;URLAUTH=anonymous" INTERNAL',
    b" (x BINARY BODYPARTSTRUCTURE) y",
)
IMAP_COMMANDS = (
    b"FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])",
    b"UID SEARCH OR SUBJECT x NOT SEEN",
    b"STORE 1 +FLAGS (\\Deleted kw)",
    b"COPY 1:2 Sent",
    b"UID MOVE 3 Trash",
    b"EXPUNGE",
    b'LIST "" (% *) RETURN (STATUS (MESSAGES))',
    b"CREATE a/b",
    b"RENAME a c",
    b"STATUS INBOX (MESSAGES UIDNEXT)",
    b"SORT (DATE) UTF-8 ALL",
    b"THREAD REFERENCES UTF-8 ALL",
    b"ENABLE QRESYNC UTF8=ACCEPT",
    b"APPEND INBOX CATENATE (URL ;UID=1 TEXT {2+}\r\nxy URL /INBOX/;UID=2/;SECTION=1/;PARTIAL=1.2)",
    b'GENURLAUTH "imap://bob%40example.test@h/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
    b"URLFETCH (imap://h/x/;UID=1;URLAUTH=anonymous:internal:" + b"0" * 64 + b" BINARY)",
    b"RESETKEY INBOX",
    b"CLOSE",
)
