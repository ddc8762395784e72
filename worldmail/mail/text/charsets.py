"""Octets in a charset become text (RFC 2045 §5.1, RFC 2046 §4.1.2), whatever their label is worth.

A label is a claim. It is believed if the octets can be read so; else they are UTF-8 if they can be read as that; else
the label again, if only the end lacks or a little is damaged; else what a detector makes of a sample; else Latin-1, as
which anything can be read. Only codecs between text and octets are ever used, from a table that mail cannot make grow.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from worldmail.mail.labels import UNKNOWN, guess

SAMPLE = 1 << 16
"""How many octets of a long text its charset is chosen by."""

_GUESS_SAMPLE = 4096  # octets that the detector is shown; it takes some 100 us a KiB

_NAMES_OF_CODECS = (
    "ascii utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le latin_1 koi8_r koi8_u koi8_t kz1048 "
    "iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 "
    "iso8859_14 iso8859_15 iso8859_16 cp037 cp424 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858 "
    "cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp875 cp932 cp949 cp950 cp1006 cp1026 cp1125 cp1140 cp1250 "
    "cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 big5 big5hkscs gb2312 gbk gb18030 hz euc_jp euc_jis_2004 "
    "euc_jisx0213 euc_kr iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr "
    "johab shift_jis shift_jis_2004 shift_jisx0213 hp_roman8 mac_cyrillic mac_greek mac_iceland mac_latin2 mac_roman "
    "mac_turkish mac_croatian mac_romanian mac_farsi mac_arabic palmos ptcp154 tis_620"
)
# Codecs in which octets below 128 are not always ASCII: escapes, shifts, EBCDIC, wider units.
_NAMES_OF_OTHERS = (
    "cp037 cp1026 cp1140 cp424 cp500 cp864 cp875 hz shift_jis_2004 shift_jisx0213 utf_7 utf_16 utf_16_be utf_16_le "
    "utf_32 utf_32_be utf_32_le iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext "
    "iso2022_kr"
)
_CODECS = frozenset(_NAMES_OF_CODECS.split())
_NOT_ASCII_BASED = frozenset(_NAMES_OF_OTHERS.split())

# What senders mean by a label is often the larger set that their system has (as browsers read them).
_LARGER = {
    "ascii": "utf_8",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
}
_MORE = {
    "ansix341968": "ascii",
    "cp1252": "cp1252",
    "cp932": "cp932",
    "ksc56011987": "cp949",
    "ksc5601": "cp949",
    "ks": "cp949",
    "windows949": "cp949",
    "windows874": "cp874",
    "windows31j": "cp932",
    "xsjis": "cp932",
    "xmssjis": "cp932",
    "xeucjp": "euc_jp",
    "xgbk": "gb18030",
    "gb23121980": "gb18030",
    "xbig5": "big5",
    "xmaccyrillic": "mac_cyrillic",
    "xmacroman": "mac_roman",
    "macintosh": "mac_roman",
    "unicode11utf7": "utf_7",
    "unicode11utf8": "utf_8",
    "iso88598i": "iso8859_8",
    "iso88598e": "iso8859_8",
    "iso88596i": "iso8859_6",
    "koi8": "koi8_r",
    "cspc8codepage437": "cp437",
}
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_MAY_GIVE_SURROGATES = frozenset(("utf_7",))
_NO_LETTER = re.compile(r"[^a-z0-9]")
_LONGEST_NAME = 40
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _short(name: str) -> str:
    """A name as names are compared: letters and digits alone."""
    return _NO_LETTER.sub("", name.lower())


def _table() -> dict[str, str]:
    """Each known name, and the codec that reads what bears it."""
    names = {_short(name): codec for name, codec in encodings.aliases.aliases.items() if codec in _CODECS}
    names.update((_short(codec), codec) for codec in _CODECS)
    names.update((_short("windows-" + codec[2:]), codec) for codec in _CODECS if codec.startswith("cp125"))
    names.update((_short("x-" + codec), codec) for codec in _CODECS if codec.startswith("cp"))
    names.update(_MORE)
    return {name: _LARGER.get(codec, codec) for name, codec in names.items()}


_NAMES = _table()


def codec_of(charset: str | None) -> str | None:
    """The codec for a charset's name in mail; None for an unknown one."""
    if not charset or len(charset) > _LONGEST_NAME:
        return None
    return _NAMES.get(_short(charset))


def decode(octets: bytes, charset: str | None = None) -> str:
    """The text of octets that are said to be in this charset; never raises, and what it gives can be encoded again."""
    codec = _ordered(codec_of(charset), octets)
    if octets.isascii() and codec not in _NOT_ASCII_BASED:
        return octets.decode("ascii")
    chosen, errors = _choice(octets, codec)
    return _clean(octets.decode(chosen, errors), chosen)


def decode_word(octets: bytes, charset: str) -> str | None:
    """The text of an encoded word; None if the charset is unknown and it is not UTF-8.

    Words are too short and may be too many for a guess.
    """
    codec = _ordered(codec_of(charset), octets)
    for candidate in (codec, "utf_8"):
        if candidate is not None:
            text = _strictly(octets, candidate)
            if text is not None:
                return _clean(text, candidate)
    return None if codec is None else _clean(octets.decode(codec, "replace"), codec)


def decode_pieces(pieces: Iterable[bytes], charset: str | None = None) -> Iterator[str]:
    """The text of octets that come in pieces, in pieces: no more than a sample is held.

    What is shorter than the sample is read just as `decode` reads it.
    """
    source = iter(pieces)
    held = bytearray()
    for piece in source:
        held += piece
        if len(held) > SAMPLE:
            break
    else:
        yield decode(bytes(held), charset)
        return
    codec = _ordered(codec_of(charset), bytes(held[:4]))
    chosen, _ = _choice(bytes(held), codec, final=False)
    if chosen == "utf_7":
        yield from _utf7_lines(chain((bytes(held),), source))
        return
    decoder = codecs.getincrementaldecoder(chosen)("replace")
    yield _clean(decoder.decode(bytes(held)), chosen)
    held.clear()
    for piece in source:
        yield _clean(decoder.decode(piece), chosen, start=False)
    yield _clean(decoder.decode(b"", True), chosen, start=False)


def _utf7_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """UTF-7 by lines, which end each shift: an incremental decoder would read a long one from its start each time."""
    held = b""
    for piece in pieces:
        octets = held + piece
        cut = octets.rfind(b"\n") + 1 or len(octets)
        held = octets[cut:]
        yield _clean(octets[:cut].decode("utf_7", "replace"), "utf_7", start=False)
    yield _clean(held.decode("utf_7", "replace"), "utf_7", start=False)


def _ordered(codec: str | None, octets: bytes) -> str | None:
    """The codec, with its order of octets if that is for the text to say: by its mark, else by where zeros stand."""
    if codec not in ("utf_16", "utf_32"):
        return codec
    return codec + ("_be" if octets.startswith((b"\xfe\xff", b"\0")) else "_le")


def _choice(octets: bytes, codec: str | None, *, final: bool = True) -> tuple[str, str]:
    """The codec to read these octets with, and what to do about errors."""
    for candidate in (codec, "utf_8"):
        if candidate is not None and _strictly(octets, candidate, final=final) is not None:
            return candidate, "replace"
    if codec is not None and (_is_cut(octets, codec) or _is_little_damaged(octets.decode(codec, "replace"))):
        return codec, "replace"
    guessed = codec_of(_guess(octets))
    return (guessed, "replace") if guessed is not None else ("latin_1", "strict")


def _strictly(octets: bytes, codec: str, *, final: bool = True) -> str | None:
    """The text if all octets can be read so; with more to come, a character may be cut by the end."""
    try:
        if final:
            return octets.decode(codec)
        return codecs.getincrementaldecoder(codec)().decode(octets)
    except UnicodeDecodeError:
        return None


def _is_cut(octets: bytes, codec: str) -> bool:
    """True if all can be read but a last character that breaks off, and that proves something."""
    text = _strictly(octets, codec, final=False)
    return text is not None and (not text.isascii() or codec in _NOT_ASCII_BASED)


def _is_little_damaged(text: str) -> bool:
    """True if no more than a tenth of what is not ASCII could not be read."""
    lost = text.count(_REPLACEMENT)
    return lost * 10 <= len(text) - len(text.encode("ascii", "ignore"))


def _guess(octets: bytes) -> str | None:
    """The charset of octets without a word about it, by a sample around the first that are not ASCII."""
    found = _NOT_ASCII.search(octets)
    start = max(0, found.start() - _GUESS_SAMPLE // 4) if found else 0
    name = guess(octets[start : start + _GUESS_SAMPLE])
    return None if name == UNKNOWN else name


def _clean(text: str, codec: str, *, start: bool = True) -> str:
    """Without a byte order mark in front, and without halves of surrogate pairs, which nothing can encode."""
    if text.isascii():
        return text
    if codec in _MAY_GIVE_SURROGATES:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.removeprefix("\ufeff") if start else text
