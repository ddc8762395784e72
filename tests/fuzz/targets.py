"""What is fuzzed: each target takes octets and either comes back or raises what it may.

A target's own checks are assertions, such as that what was read is written so that it is read
back, or that a session says the same however its input was cut.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import field, frozen
from dns_answers import SEEDS as DNS_ANSWERS
from dns_answers import read_as_every_type
from imap_seeds import IMAP_ARGUMENTS, IMAP_COMMANDS
from outgoing_mail import SEALED, convert, report
from releases import finger, wake
from smtp_servers import SERVERS, smtp_server

from worldmail.auth.sasl.scram_messages import read_client_final, read_client_first
from worldmail.config.reader import parse_settings
from worldmail.errors import ConfigurationError, Refusal
from worldmail.mail.address import Address
from worldmail.mail.domain import normal_domain
from worldmail.mail.header import Header
from worldmail.mail.imap_url import ImapUrl
from worldmail.mail.labels import CharsetSense
from worldmail.mail.mailboxes import addresses_of
from worldmail.mail.mime.decoding import UnknownEncoding, decoded, decoded_size
from worldmail.mail.mime.rendered import envelope_fields, read_addresses, read_text, read_value
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.section_text import parse_section
from worldmail.mail.mime.sections import Kind, Section, find_section, numbered
from worldmail.mail.mime.summary import summary_of
from worldmail.mail.mime.surrogates import grown, patches_of, surrogate_message
from worldmail.mail.submission import qualified_header
from worldmail.mail.surrogate import surrogate_header
from worldmail.mail.transfer_encoding import BinaryInBase64
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.parser import Announced, CommandLine, Literal, Octets, Parser
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.protocols.imap.verbs import ROWS
from worldmail.protocols.pop3 import grammar as pop3
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.protocols.smtp import grammar as smtp
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.protocols.smtp.xtext import decode_utf8_address, decode_xtext, encode_xtext
from worldmail.testing.imap import ImapServer
from worldmail.testing.pop3 import Pop3Server
from worldmail.testing.real_store import RealStoreWorld
from worldmail.testing.smtp import SmtpScene
from worldmail.transport.deflate import PIECE, CorruptDeflate, Deflate
from worldmail.transport.dns.message import Malformed
from worldmail.wire.dots import DotReader, stuff_bytes
from worldmail.wire.lines import LineBuffer
from worldmail.wire.sasl.saslprep import saslprep

LONGEST = 16 * 1024
FILE = Path("/fuzz/worldmail.toml")
PROTOCOLS = {"smtp": SmtpSettings, "pop3": Pop3Settings, "imap": ImapSettings}


@frozen(kw_only=True)
class Target:
    """One thing to fuzz.

    Args:
        run: takes the octets.
        allowed: what it may raise.
        seeds: octets to start from.
    """

    run: Callable[[bytes], object]
    allowed: tuple[type[BaseException], ...] = ()
    seeds: tuple[bytes, ...] = field(default=(b"",))

    def __call__(self, octets: bytes) -> None:
        """Run it; raises what must not be."""
        with suppress(*self.allowed):
            self.run(octets[:LONGEST])


def _address(octets: bytes) -> None:
    address = Address.parse(octets.decode())
    assert Address.parse(str(address)) == address
    assert "\n" not in address.key
    assert len(str(address).splitlines()) == 1


def _dots(octets: bytes) -> None:
    cut = octets[0] if octets else 0
    whole, pieces = DotReader(), DotReader()
    text = whole.feed(octets)
    parts = []
    for start, end in ((0, cut), (cut, len(octets))):
        if not pieces.finished:
            parts.append(pieces.feed(octets[start:end]))
    assert whole.finished == pieces.finished
    assert not whole.finished or (text, whole.fault) == (b"".join(parts), pieces.fault)
    stuffed = DotReader()
    back = stuffed.feed(stuff_bytes(text) + b".\r\n") if text.endswith(b"\r\n") else text
    assert back == text


def _lines(octets: bytes) -> None:
    buffer = LineBuffer(64)
    for start in range(0, len(octets), 7):
        buffer.append(octets[start : start + 7])
        while (line := buffer.take()) is not None:
            assert not isinstance(line, bytes) or not set(line) & set(b"\r\n\0")
            assert not isinstance(line, bytes) or len(line) <= 62


def _xtext(octets: bytes) -> None:
    text = octets.decode("ascii")
    assert decode_xtext(encode_xtext(text)) == text
    decode_utf8_address(text)
    decode_xtext(text)


def _header(octets: bytes) -> None:
    header = Header(octets)
    for name in (b"from", b"to", b"subject"):
        header.values(name)
    qualified_header(header, "example.test")
    for value in header.values(b"from"):
        addresses_of(value)


def _surrogate(octets: bytes) -> None:
    header = octets.replace(b"\r", b"").replace(b"\n", b"\r\n")  # what is stored has no other line ends
    made = surrogate_header(header)
    assert made.isascii()
    assert made == header or not header.isascii()


def _surrogate_message(octets: bytes) -> None:
    made = surrogate_message(octets)
    root = scan(made)
    patches = patches_of(octets, scan(octets))
    assert len(made) == len(octets) + grown(patches)
    assert made[root.start : root.body].isascii()


def _body(octets: bytes) -> None:
    sense, base64 = CharsetSense(), BinaryInBase64()
    for start in range(0, len(octets), 1000):
        sense.feed(octets[start : start + 1000])
        base64.feed(octets[start : start + 1000])


def _mime(octets: bytes) -> None:
    summary = summary_of(scan(octets))
    for place, octets_of_it in enumerate(envelope_fields(summary.envelope)):
        (read_addresses if 2 <= place < 8 else read_text)(octets_of_it)
    read_value(summary.structure)
    root = scan(octets)
    for path, part in numbered(root):
        assert 0 <= part.start <= part.body <= part.end <= len(octets)
        for kind in Kind:
            find_section(octets, root, Section(path, kind, frozenset({b"subject"})))
        with suppress(UnknownEncoding):
            assert decoded_size(octets, part) == sum(map(len, decoded(octets, part)))


def _smtp_arguments(octets: bytes) -> None:
    for parse in (smtp.parse_mail, smtp.parse_rcpt, smtp.parse_chunk, smtp.parse_auth, smtp.parse_lookup):
        _unless_refused(parse, octets)
    _unless_refused(smtp.parse_client_name, octets)


def _pop3_arguments(octets: bytes) -> None:
    for parse in (pop3.number, pop3.optional_number, pop3.top, pop3.login_name, pop3.apop, pop3.auth):
        _unless_refused(parse, octets)
    _unless_refused(pop3.language_range, octets)
    _unless_refused(pop3.sasl_response, octets)


def _unless_refused(parse: Callable[[bytes], object], octets: bytes) -> None:
    with suppress(Refusal):
        parse(octets)


def _smtp_session(octets: bytes) -> None:
    SmtpScene(tls=True).play(b"EHLO a.test\r\n" + octets[:2000])


def _starttls_session(octets: bytes) -> None:
    scene = SmtpScene()  # what lies behind STARTTLS depends on how it was cut: once only
    talk = scene.play(b"EHLO a.test\r\nSTARTTLS\r\n" + octets[:2000], ways=("whole",))
    assert not octets or not scene.contents()
    assert not octets or talk.closed


def _submission_session(octets: bytes) -> None:
    SmtpScene(listener="submissions", tls=True).play(SIGNED_IN + octets[:2000], ways=("whole", "octet by octet"))


def _pop3_session(octets: bytes) -> None:
    client = Pop3Server.make(b"Subject: x\r\n\r\n.a\r\n").connect().login()
    for line in octets[:4000].split(b"\r\n"):
        client.say(line)
    client.drop()


def _imap_events(octets: bytes, size: int, limit: int = 400) -> list[object]:
    """What a parser makes of them in pieces of this size; every other literal is streamed."""
    parser, found = Parser(limit), []
    for start in range(0, len(octets), size):
        parser.lines.append(octets[start : start + size])
        while (event := parser.next_event()) is not None:
            if isinstance(event, Announced):
                if event.waits:
                    parser.forget()
                elif event.size > 1000:
                    parser.skip()
                elif event.size % 2:
                    parser.stream("sink")
                else:
                    parser.keep()
                found.append((event.size, event.waits, event.binary, event.kept))
            elif isinstance(event, CommandLine):
                found.append([part.octets if isinstance(part, Literal) else part for part in event.parts])
            elif isinstance(event, Octets):
                found.append(event.data)
            else:
                found.append(event)
                if not isinstance(event, bytes):
                    return found
    return found


def _imap_parser(octets: bytes) -> None:
    whole = _imap_events(octets, len(octets) or 1)
    pieces = _imap_events(octets, 5)
    assert [event for event in whole if isinstance(event, list)] == [
        event for event in pieces if isinstance(event, list)
    ]


def _imap_arguments(octets: bytes) -> None:
    """Every command's arguments; lines stand for literals by turns."""
    parts = [Literal(part, len(part)) if number % 2 else part for number, part in enumerate(octets.split(b"\r\n"))]
    for row in ROWS:
        with suppress(Refusal):
            row.parse(Reader(parts))


def _imap_session(octets: bytes) -> None:
    site = RealStoreWorld.make()
    bob = site.add_account("bob@example.test", "secret")
    site.add(bob, HEADER + b"\r\n" + BODY, BODY, b"Subject: x\r\n\r\ny\r\n")
    server = ImapServer.over(site.world)
    client = server.connect().login()
    client.say(b"SELECT INBOX")
    for line in octets[:4000].splitlines(keepends=True):
        client.send(line)
    client.drop()
    assert not site.memory.journal.failures


def _imap_url(octets: bytes) -> None:
    url = ImapUrl.parse(octets.decode())
    assert ImapUrl.parse(str(url)) == url
    assert octets.decode().startswith(url.rump)
    parse_section(url.section)


def _deflate(octets: bytes) -> None:
    deflate, back = Deflate(), Deflate()
    back.receive(deflate.compress(octets))
    expanded = b"".join(iter(back.expand, b""))
    assert expanded == octets
    for start in range(0, len(octets), 100):
        deflate.receive(octets[start : start + 100])
        while piece := deflate.expand():
            assert len(piece) <= PIECE


def _configuration(octets: bytes) -> None:
    parse_settings(octets.decode(), PROTOCOLS, FILE)


SIGNED_IN = b"EHLO a.test\r\nAUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n"
TRANSACTION = (
    b"MAIL FROM:<a@a.test> SIZE=10\r\nRCPT TO:<bob@example.test> NOTIFY=NEVER\r\n"
    b"DATA\r\nA: b\r\n\r\n..\r\n.\r\nQUIT\r\n"
)
CHUNKS = b"MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<bob@example.test>\r\nBDAT 3\r\na\0bBDAT 0 LAST\r\nRSET\r\n"
HEADER = b'From: "J\xc3\xbc" <j@x.test>, k\r\nTo: g: a@b, c@d;\r\nSubject: =?utf-8?B?w7w=?=\r\n folded\r\n'
BODY = (
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\xe4\r\n--x--\r\n"
)

MIME = (
    HEADER + b'Content-Type: multipart/digest; boundary="b"\r\n\r\n--b\r\n\r\n' + HEADER + b"\r\ntext\r\n--b\r\n"
    b"Content-Type: text/plain; name*0*=utf-8''%41; name*1=\"b\"\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    b"Content-Disposition: attachment; filename=x\r\nContent-Language: en, de\r\n\r\n=41 \r\n=\r\n--b--\r\n"
)

TARGETS: dict[str, Target] = {
    "address": Target(
        run=_address,
        allowed=(ValueError,),
        seeds=(b'"a b"@x.test', b"a@[IPv6:::1]", "jü@bü.test".encode(), b"a.b+c@d.e"),
    ),
    "domain": Target(
        run=lambda octets: normal_domain(octets.decode()),
        allowed=(ValueError,),
        seeds=("bü.test".encode(), b"[1.2.3.4]"),
    ),
    "dots": Target(run=_dots, seeds=(b"a\r\n..b\r\n.\r\nQUIT\r\n", b"\x03\r\n.\r\n")),
    "lines": Target(run=_lines, seeds=(b"a\r\nb\nc\r\n\0\r\n" + b"x" * 80 + b"\r\n",)),
    "xtext": Target(run=_xtext, allowed=(ValueError, Refusal), seeds=(b"a+2Bb", rb"a\x{FC}b", b"rfc822;x+40y")),
    "header": Target(run=_header, allowed=(ValueError,), seeds=(HEADER,)),
    "surrogate message": Target(run=_surrogate_message, seeds=(MIME, BODY, HEADER)),
    "surrogate": Target(run=_surrogate, seeds=(HEADER, b"X: a; b*=utf-8''%C3; c=\"\xff\"\r\n")),
    "mime": Target(run=_mime, seeds=(MIME, BODY, b"Content-Type: message/rfc822\r\n\r\nDate: 1 Jan 2001\r\n\r\n")),
    "body": Target(run=_body, seeds=(BODY,)),
    "conversion": Target(run=convert, seeds=(MIME, BODY, SEALED)),
    "report": Target(run=report, seeds=(MIME, b"Subject: a\r\nMessage-ID: <a@b>\r\n\r\n550 5.1.1 f\xc3\xbcr")),
    "smtp-arguments": Target(
        run=_smtp_arguments,
        seeds=(
            b"FROM:<a@b.test> SIZE=1 BODY=8BITMIME RET=HDRS ENVID=x",
            b"FROM:<> HOLDUNTIL=2030-03-17T17:46:40.5+02:00 BY=-600;NT MT-PRIORITY=-9 REQUIRETLS",
            b"TO:<@a,@b:c@d> ORCPT=rfc822;a+2Bb",
            b"1 LAST",
            b"PLAIN =",
        ),
    ),
    "pop3-arguments": Target(
        run=_pop3_arguments, seeds=(b"1", b"1 10", b"bob 0123456789abcdef0123456789abcdef", b"PLAIN =", b"en-GB")
    ),
    "finger": Target(run=finger, seeds=(b"/W word\r\n", b"a@b@c", b"\r\n Ok, shop: 1\x07\n")),
    "wake-up": Target(run=wake, seeds=(b"Subject: wake\r\n t1-1700000000-0\r\n\r\n", b"A: b\r\n\r\n\r\nwake x\r\n")),
    "saslprep": Target(
        run=lambda octets: saslprep(octets.decode()),
        allowed=(ValueError, Refusal),
        seeds=("I\u00adX \u2168 ª".encode(),),
    ),
    "scram": Target(
        run=lambda octets: (read_client_first if octets[:1] in b"npy" else read_client_final)(octets),
        allowed=(ValueError, Refusal),
        seeds=(
            b"n,,n=user,r=fyko",
            b"p=tls-exporter,a=x,n=a=2Cb,r=x",
            b"c=biws,r=fyko3rfc,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        ),
    ),
    "smtp-session": Target(run=_smtp_session, seeds=(TRANSACTION, CHUNKS, b"VRFY bob\r\nHELP\r\nX\r\n")),
    "starttls-session": Target(run=_starttls_session, seeds=(TRANSACTION, b"E")),
    "submission-session": Target(
        run=_submission_session, seeds=(TRANSACTION.replace(b"a@a.test", b"bob@example.test"),)
    ),
    "pop3-session": Target(
        run=_pop3_session, seeds=(b"STAT\r\nTOP 1 0\r\nDELE 1\r\nRSET\r\nUIDL\r\nCAPA\r\nLANG *\r\nQUIT\r\n",)
    ),
    "imap-parser": Target(
        run=_imap_parser,
        seeds=(b"a X {3+}\r\nabc d {4+}\r\nefgh\r\nb Y {9}\r\nc Z ~{2+}\r\n\0\0\r\n", b"a {5000+}\r\nx\r\nb N\r\n"),
    ),
    "imap-arguments": Target(run=_imap_arguments, seeds=IMAP_ARGUMENTS),
    "imap-session": Target(
        run=_imap_session,
        seeds=(
            b"".join(b"t%d %s\r\n" % (number, line) for number, line in enumerate(IMAP_COMMANDS)),
            b"a IDLE\r\nDONE\r\nb LOGOUT\r\n",
            b"a APPEND INBOX (\\Seen) {6+}\r\nA: b\r\n\r\nb CLOSE\r\nc DELETE Sent\r\n",
        ),
    ),
    "imap-url": Target(
        run=_imap_url,
        allowed=(ValueError,),
        seeds=(
            b"imap://bob%40a.test@h:143/A%2FB;UIDVALIDITY=1/;UID=2/;SECTION=1.2.HEADER.FIELDS%20(To)/;PARTIAL=0.9",
            b"imap://h/x/;UID=2;EXPIRE=2030-01-01T00:00:00+01:00;URLAUTH=submit+bob:internal:" + b"0f" * 32,
        ),
    ),
    "deflate": Target(
        run=_deflate,
        allowed=(CorruptDeflate,),
        seeds=(Deflate().compress(b"a NOOP\r\n" * 20), Deflate().compress(b"\0" * 1_000_000), b"\x00\x01\x00\xfe\xffa"),
    ),
    "smtp-server": Target(run=smtp_server, seeds=SERVERS),
    "dns-answer": Target(run=read_as_every_type, allowed=(Malformed,), seeds=DNS_ANSWERS),
    "configuration": Target(
        run=_configuration,
        allowed=(ConfigurationError, UnicodeDecodeError),
        seeds=(b"[smtp]\nx = [1, 'a']\n[[smtp.listeners]]\n",),
    ),
}
