"""The arguments of the commands, read into values.

Each function takes what follows the command word and one space, as octets, and
raises a `Refusal` that is the reply: 501 5.5.4 for an argument, 555 5.5.4 for a
parameter we do not know, 501 5.1.x for an address, 550 (MAIL) or 553 5.6.7 for one that needs SMTPUTF8.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from worldmail.errors import Refusal
from worldmail.interfaces.releases import Wanted
from worldmail.mail.address import Address
from worldmail.mail.domain import host_name
from worldmail.mail.envelope import Body, Notify, OriginalRecipient, Return
from worldmail.protocols.smtp.asked import FIELDS, Asked
from worldmail.protocols.smtp.parameters import MAIL_PARAMETERS, RCPT_PARAMETERS, parse_parameters

# Reverse-path = Path / "<>"                                                 RFC 5321 §4.1.2
# Forward-path = Path
# Path         = "<" [ A-d-l ":" ] Mailbox ">"
# A-d-l        = At-domain *( "," At-domain )
# At-domain    = "@" Domain
# The source route is taken off and forgotten (Appendix C); `Address.parse` decides what a Mailbox is. Many clients send
# a space behind the colon.
_PATH = r'<(?:@[^\s<>"@:,]+(?:,@[^\s<>"@:,]+)*:)?((?:"(?:[^"\\]|\\.)*+"|[^\s<>"@\\])*+(?:@[^\s<>"@]*+)?)>'
_MAIL = re.compile(r"[Ff][Rr][Oo][Mm]: ?" + _PATH + "(?: (.*))?")
_RCPT = re.compile(r"[Tt][Oo]: ?" + _PATH + "(?: (.*))?")

# ehlo = "EHLO" SP ( Domain / address-literal ) CRLF                         RFC 5321 §4.1.1.1
# Bare host names and underscores are what real clients send; nothing here can end a line, a comment or a field.
_CLIENT_NAME = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?|\[[0-9A-Za-z:.]{1,64}\]")

# bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF                    RFC 3030 §2
_CHUNK = re.compile(rb"([0-9]{1,18})( +[Ll][Aa][Ss][Tt])? *")

# auth-command = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response]     RFC 4954 §8
# sasl-mech    = 1*20mech-char                                               RFC 4422 §3.1
# Whether the response is base64 is for the exchange to say: its 501 is another one.
_AUTH = re.compile(rb"([A-Za-z0-9_-]{1,20})(?: +([!-~]+))? *")

# etrn-command = "ETRN" SP [ "@" / "#" ] node-name                            RFC 1985 §5
_NODE = re.compile(r"([@#]?)([^\s,@#]{1,255})")
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_MOST_DOMAINS = 100

_STAY = re.compile(r"[Ss][Tt][Aa][Yy]=([0-9]{1,6})")
LEAST_STAY, MOST_STAY = 10, 3600
"""Seconds of silence that may be agreed on for a turn that stays."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@frozen(kw_only=True)
class MailArguments:
    """MAIL FROM. `sender` None is the null reverse-path; `submitter` is AUTH= ("" for <>), None if not given.

    `asked` is what else is wished for, None for nothing.
    """

    sender: Address | None
    size: int | None = None
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    returns: Return | None = None
    envelope_id: str | None = None
    submitter: str | None = None
    asked: Asked | None = None


@frozen(kw_only=True)
class RcptArguments:
    """RCPT TO. `needs_utf8` tells that the command holds more than ASCII, legal only in a transaction with SMTPUTF8."""

    address: Address
    notify: frozenset[Notify] | None = None
    original: OriginalRecipient | None = None
    needs_utf8: bool = False


@frozen
class Chunk:
    """BDAT: so many octets follow the command; `last` if they are the message's last."""

    size: int
    last: bool


@frozen
class AuthArguments:
    """AUTH: the mechanism in upper case and the initial response, still in base64, None if there is none."""

    mechanism: str
    initial: bytes | None


@frozen(kw_only=True)
class TurnArguments:
    """ATRN: the domains in A-labels, None for all; the seconds of STAY, 0 if it was not given."""

    domains: tuple[str, ...] | None
    stay: int = 0


@frozen
class Lookup:
    """VRFY and EXPN: what to look for, and whether the answer may be in UTF-8 (RFC 6531 §3.7.4.2)."""

    text: str
    smtputf8: bool


def parse_nothing(argument: bytes) -> None:
    """For commands without an argument; trailing spaces are let pass (RFC 5321 §4.1.1)."""
    if argument.strip(b" "):
        raise Refusal("No argument is allowed here", code=501, enhanced="5.5.4")


def parse_client_name(argument: bytes) -> str:
    """The name in EHLO or HELO: a domain, an address literal, any host name."""
    name = argument.strip(b" ")
    if _CLIENT_NAME.fullmatch(name) is None:
        raise Refusal("A host name or address literal is required", code=501, enhanced="5.5.4")
    return name.decode("ascii")


def parse_mail(argument: bytes) -> MailArguments:
    """FROM:<reverse-path> and its parameters (RFC 5321 §4.1.1.2)."""
    text = decoded(argument)
    match = _MAIL.fullmatch(text)
    if match is None:
        raise Refusal("Syntax: MAIL FROM:<address> [parameters]", code=501, enhanced="5.5.4")
    sender = _mailbox(match[1], "5.1.7") if match[1] else None
    if not match[2]:
        arguments = MailArguments(sender=sender)
    else:
        values = parse_parameters(match[2], MAIL_PARAMETERS)
        if not FIELDS.isdisjoint(values):
            values["asked"] = Asked(**{field: values.pop(field) for field in FIELDS & values.keys()})
        arguments = MailArguments(sender=sender, **values)
    if not arguments.smtputf8 and not text.isascii():
        raise needs_smtputf8(550)
    return arguments


def parse_rcpt(argument: bytes) -> RcptArguments:
    """TO:<forward-path> and its parameters (RFC 5321 §4.1.1.3)."""
    text = decoded(argument)
    match = _RCPT.fullmatch(text)
    if match is None or not match[1]:
        raise Refusal("Syntax: RCPT TO:<address> [parameters]", code=501, enhanced="5.5.4")
    address = _mailbox(match[1], "5.1.3")
    if not match[2] and text.isascii():
        return RcptArguments(address=address)
    values = parse_parameters(match[2] or "", RCPT_PARAMETERS)
    return RcptArguments(address=address, needs_utf8=not text.isascii(), **values)


def parse_chunk(argument: bytes) -> Chunk:
    """The size of the chunk, and LAST (RFC 3030 §2)."""
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise Refusal("Syntax: BDAT size [LAST]", code=501, enhanced="5.5.4")
    return Chunk(int(match[1]), match[2] is not None)


def parse_auth(argument: bytes) -> AuthArguments:
    """The mechanism, and an initial response if there is one (RFC 4954 §4)."""
    match = _AUTH.fullmatch(argument)
    if match is None:
        raise Refusal("Syntax: AUTH mechanism [initial-response]", code=501, enhanced="5.5.4")
    return AuthArguments(match[1].decode("ascii").upper(), match[2])


def parse_anything(argument: bytes) -> str:
    """NOOP's and HELP's optional string, which decides nothing (RFC 5321 §4.1.1.8, §4.1.1.9)."""
    return argument.decode("utf-8", "replace")


def parse_lookup(argument: bytes) -> Lookup:
    """VRFY's and EXPN's string, angle brackets taken off (RFC 5321 §3.5.1)."""
    text = decoded(argument).strip(" ")
    smtputf8 = text.upper().endswith(" SMTPUTF8")
    if smtputf8:
        text = text[: -len(" SMTPUTF8")].rstrip(" ")
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if not text or _CONTROLS.search(text):
        raise Refusal("A user name or address is required", code=501, enhanced="5.5.4")
    return Lookup(text, smtputf8)


def decoded(argument: bytes) -> str:
    """As text. Raises Refusal 501 5.5.2 if it is not UTF-8."""
    try:
        return argument.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("The command is not in ASCII or UTF-8", code=501, enhanced="5.5.2") from None


def needs_smtputf8(code: int) -> Refusal:
    """What is said about an address beyond ASCII without SMTPUTF8: 550 to MAIL, 553 to RCPT (RFC 6531 §3.5)."""
    return Refusal("Non-ASCII addresses are not permitted without SMTPUTF8", code=code, enhanced="5.6.7")


@lru_cache(maxsize=1024)
def _address(text: str) -> Address:
    return Address.parse(text)


def _mailbox(text: str, enhanced: str) -> Address:
    try:
        return _address(text)
    except ValueError:
        raise Refusal("Malformed address", code=501, enhanced=enhanced) from None


def parse_release(argument: bytes) -> tuple[Wanted, str]:
    """ETRN: a domain, "@" and a domain with all below it, or "#" and the name of a queue. Raises Refusal 501."""
    syntax = "Syntax: ETRN domain, ETRN @domain or ETRN #queue"
    match = _NODE.fullmatch(decoded(argument).strip(" \t"))
    wanted, name = (Wanted.QUEUE, "") if match is None else (Wanted(match[1]), match[2])
    if wanted is not Wanted.QUEUE:
        return wanted, _domain(name, syntax)
    if _QUEUE.fullmatch(name) is None:
        raise Refusal(syntax, code=501, enhanced="5.5.4")
    return wanted, name.lower()


def parse_turn(argument: bytes) -> TurnArguments:
    """ATRN: atrn-command = "ATRN" [SP domain *("," domain)] (RFC 2645 §6), and of ours [SP "STAY=" seconds] behind it.

    Raises Refusal 501.
    """
    syntax = "Syntax: ATRN [domain[,domain...]]"
    words = decoded(argument).split()
    stay = 0
    if words and "=" in words[-1]:
        match = _STAY.fullmatch(words.pop())
        stay = 0 if match is None else int(match[1])
        if not LEAST_STAY <= stay <= MOST_STAY:
            text = f"STAY takes {LEAST_STAY} to {MOST_STAY} seconds"
            raise Refusal(text, code=501, enhanced="5.5.4")
    if len(words) > 1:
        raise Refusal(syntax, code=501, enhanced="5.5.4")
    names = words[0].split(",") if words else []
    if len(names) > _MOST_DOMAINS:
        raise Refusal("Too many domains", code=501, enhanced="5.5.4")
    domains = tuple(dict.fromkeys([_domain(name, syntax) for name in names]))
    return TurnArguments(domains=domains or None, stay=stay)


def _domain(name: str, syntax: str) -> str:
    """In A-labels. It has two labels at least, and no literal is one (RFC 2645 §6)."""
    try:
        domain = host_name(name.removesuffix("."))
    except ValueError:
        domain = ""
    if domain.startswith("[") or "." not in domain:
        raise Refusal(syntax, code=501, enhanced="5.5.4")
    return domain
