"""The reader says every fault by file, line, key, what was found and what was expected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import tomli_w
from attrs import NOTHING, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from worldmail.config.fields import Duration, Listen, Octets, Place, duration, fields_of, listen, octets, setting
from worldmail.config.reader import parse_settings, read_settings
from worldmail.config.sample import render
from worldmail.config.settings import CertificateSettings, Settings, TlsSettings, default_settings
from worldmail.errors import ConfigurationError


@frozen(kw_only=True)
class Nested:
    """A table within."""

    depth: int = setting(1, "How deep.", minimum=1, maximum=9)


@frozen(kw_only=True)
class Author:
    """A table of a list."""

    name: str = setting(NOTHING, "Who.")
    secret: str = setting("", "A secret.", secret=True, check=lambda text: _at_least_three(text))


def _at_least_three(text: str) -> None:
    if 0 < len(text) < 3:
        raise ValueError("three characters")


@frozen(kw_only=True)
class QuoteSettings:
    """The quote of the day (RFC 865)."""

    listen: tuple[Listen, ...] = setting((listen("127.0.0.1:17"),), "Where.")
    idle: Duration = setting(duration("30s"), "Silence.", minimum=1)
    size: Octets = setting(octets("512"), "The longest quote.")
    order: Literal["random", "daily"] = setting("daily", "Which quote.")
    book: Place | None = setting(None, "A file.")
    ratio: float = setting(0.5, "A number.")
    enabled: bool = setting(True, "On.")
    labels: Mapping[str, int] = setting({}, "Numbers by name.")
    words: frozenset[str] = setting(frozenset(), "Words.")
    nested: Nested = setting(Nested(), "More.")
    authors: tuple[Author, ...] = setting((), "Who wrote them.")
    readers: tuple[Author, ...] = setting((Author(name="you"),), "Who reads them.")


CLASSES: Mapping[str, type[Any]] = {"quote": QuoteSettings}
FILE = Path("/etc/wm/worldmail.toml")


def read(text: str) -> Settings:
    return parse_settings(text, CLASSES, FILE)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return [line.removeprefix(f"{FILE}:") for line in str(caught.value).splitlines()]


def quote(text: str) -> Any:
    return read("[quote]\n" + text).protocols["quote"]


def test_an_empty_file_gives_the_defaults_with_absolute_paths() -> None:
    found = read("")
    assert found.data == Path("/etc/wm")
    assert found.file == FILE
    assert found.protocols == {"quote": QuoteSettings()}
    assert found.limits == Settings().limits


def test_the_section_of_a_protocol_is_read_with_its_own_class() -> None:
    found = quote(
        'listen = ["[::1]:1717", "*:17"]\nidle = "5m"\nsize = "1KiB"\norder = "random"\nbook = "quotes/all"\n'
        'ratio = 2\nenabled = false\nlabels = { a = 1 }\nwords = ["x"]\n[quote.nested]\ndepth = 3\n'
        '[[quote.authors]]\nname = "A"\n[[quote.authors]]\nname = "B"\nsecret = "abc"\n'
    )
    assert found == QuoteSettings(
        listen=(Listen("::1", 1717), Listen("*", 17)),
        idle=300.0,
        size=1024,
        order="random",
        book=Path("/etc/wm/quotes/all"),
        ratio=2,
        enabled=False,
        labels={"a": 1},
        words=frozenset({"x"}),
        nested=Nested(depth=3),
        authors=(Author(name="A"), Author(name="B", secret="abc")),
    )


def test_an_absolute_path_stays_and_an_empty_optional_one_is_none() -> None:
    assert quote('book = "/srv/quotes"').book == Path("/srv/quotes")
    assert quote('book = ""').book is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("idle = 'soon'", '2: [quote] idle: found "soon", expected a time such as'),
        ("idle = 0", "2: [quote] idle: found 0, expected a value of at least 1"),
        ("order = 'weekly'", '2: [quote] order: found "weekly", expected one of "random", "daily"'),
        ("enabled = 'yes'", '2: [quote] enabled: found "yes", expected true or false'),
        ("enabled = 1", "2: [quote] enabled: found 1, expected true or false"),
        ("listen = '1.1.1.1:1'", '2: [quote] listen: found "1.1.1.1:1", expected a list'),
        ("listen = [\n'1.1.1.1:1',\n'x:1']", '4: [quote] listen, item 2: found "x:1", expected an address and port'),
        ("ratio = 'x'", '2: [quote] ratio: found "x", expected a number'),
        ("labels = { a = 'x' }", '2: [quote] labels, a: found "x", expected a whole number'),
        ("labels = 3", "2: [quote] labels: found 3, expected a table"),
        ("nested = 3", "2: [quote] nested: found 3, expected a table"),
        ("nested.depth = 10", "2: [quote] nested, depth: found 10, expected a value of at most 9"),
        ("authors = 3", "2: [quote] authors: found 3, expected a list"),
        ("book = 3", "2: [quote] book: found 3, expected a path"),
        ("words = ['x', 1]", "2: [quote] words, item 2: found 1, expected a text"),
        ("size = 1979-05-27", '2: [quote] size: found "1979-05-27", expected a size such as'),
        ("idel = 3", "2: [quote] idel: there is no such setting; did you mean idle?"),
        ("unheard = 3", "2: [quote] unheard: there is no such setting"),
        ("\n[quote.nested]\ndept = 1", "4: [quote] nested, dept: there is no such setting; did you mean depth?"),
        ("[[quote.authors]]\nname='A'\n[[quote.authors]]\n", "4: [quote] authors, item 2, name: is missing"),
    ],
)
def test_a_fault_is_said_by_line_key_found_and_expected(line: str, expected: str) -> None:
    (found,) = faults("[quote]\n" + line)
    assert found.startswith(expected)


@pytest.mark.parametrize("source", [(), ("192.0.2.25",), ("2001:db8::25",), ("192.0.2.25", "2001:db8::25")])
def test_one_address_of_each_kind_can_be_set_to_connect_from(source: tuple[str, ...]) -> None:
    assert read(f"[queue]\nsource = {list(source)}").queue.source == source


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("['192.0.2.25', '192.0.2.26']", 'found ["192.0.2.25", "192.0.2.26"], expected one IPv4 address and one'),
        ("['192.0.2.25', 'mx.test']", '"mx.test"], expected an IP address'),
    ],
)
def test_addresses_to_connect_from_that_cannot_be_are_said(line: str, expected: str) -> None:
    (found,) = faults(f"[queue]\nsource = {line}")
    assert expected in found


def test_every_fault_is_said_in_the_order_of_the_file() -> None:
    found = faults("[limits]\nconnections = 0\nexemt = []\n[quote]\nsize = '?'\n[imap]\n[server]\nhostname = 'a b'\n")
    assert [int(line.partition(":")[0]) for line in found] == [2, 3, 5, 6, 8]


@pytest.mark.parametrize("name", ["a b", "a_b.test", "bücher.test", "a\\r\\nb.test", "-.test"])
def test_a_host_name_is_one_that_a_greeting_can_carry(name: str) -> None:
    (found,) = faults(f'[server]\nhostname = "{name}"')
    assert found.endswith('expected a host name in ASCII, such as "mail.example.test"')
    assert read('[server]\nhostname = "Mail.xn--bcher-kva.test"').server.hostname == "Mail.xn--bcher-kva.test"


def test_a_section_of_a_protocol_that_is_not_installed_is_named() -> None:
    assert faults("[imap]\nx = 1") == [
        "1: [imap] is no section of the server's own, and nothing of that name is installed"
    ]
    assert faults("\n[quotes]")[0].endswith("installed; did you mean quote?")


def test_a_setting_outside_of_every_section_is_a_fault() -> None:
    assert faults("hostname = 'x'") == ["1: hostname: a setting stands in a section, such as [server]"]


def test_a_secret_is_never_repeated() -> None:
    (found,) = faults("[[quote.authors]]\nname = 'A'\nsecret = 'xy'")
    assert "xy" not in found
    assert found.endswith("secret: found a secret, expected three characters")
    assert "xyz" not in repr(Author(name="A", secret="xyz"))


def test_a_long_value_is_cut_in_the_message() -> None:
    (found,) = faults(f"[quote]\norder = '{'x' * 5000}'")
    assert len(found) < 200


def test_a_place_taken_twice_is_a_fault_and_port_0_is_not() -> None:
    (found,) = faults("[quote]\nlisten = ['127.0.0.1:17',\n '[::1]:17',\n '0.0.0.0:17']")
    assert found == "4: [quote] listen, item 3: 0.0.0.0:17 is taken already by [quote] listen, item 1"
    assert len(quote("listen = ['127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:1', '[::]:1']").listen) == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [("[quote\n", 1), ("[quote]\nx = \n", 2), ("a = 1\nb = 'x", 2), ("[quote]\nidle = 1\nidle = 2\n", 3)],
)
def test_what_is_not_toml_is_said_with_its_line(text: str, line: int) -> None:
    (found,) = faults(text)
    assert found.startswith(f"{line}: is not TOML: ")


def test_a_file_nested_too_deeply_is_one_clear_line() -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply") as caught:
        read("x = " + "[" * 20000 + "]" * 20000)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(tmp_path / "none.toml", CLASSES)
    assert str(caught.value) == f"{tmp_path}/none.toml: cannot be read: No such file or directory"


def test_a_directory_in_place_of_the_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_settings(tmp_path, CLASSES)


def test_a_file_that_is_not_UTF8_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_bytes(b"[server]\nhostname = '\xff'\n")
    with pytest.raises(ConfigurationError, match=r"w\.toml:2: is not UTF-8"):
        read_settings(tmp_path / "w.toml", CLASSES)


def test_a_byte_order_mark_and_CRLF_line_ends_are_taken(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_bytes(b'\xef\xbb\xbf[quote]\r\nidle = "5m"\r\nsize = "?"\r\n')
    with pytest.raises(ConfigurationError, match=r"w\.toml:3: \[quote\] size"):
        read_settings(tmp_path / "w.toml", CLASSES)


def test_relative_paths_count_from_the_file_and_not_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "w.toml").write_text("[server]\ndata = '../data'")
    before = Path.cwd()
    try:
        os.chdir(tmp_path)
        assert read_settings("conf/w.toml", CLASSES).data == tmp_path / "data"
    finally:
        os.chdir(before)


def test_a_protocol_named_like_a_section_of_the_servers_own_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'tls'"):
        parse_settings("", {"tls": QuoteSettings}, FILE)


def test_a_fault_that_only_the_class_can_see_is_said_for_its_section() -> None:
    @frozen(kw_only=True)
    class Pair:
        """Two."""

        low: int = setting(1, "Low.")
        high: int = setting(2, "High.")

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    with pytest.raises(ConfigurationError, match=r":2: \[pair\]: low is above high"):
        parse_settings("\n[pair]\nlow = 3", {"pair": Pair}, FILE)


def test_the_defaults_need_no_file() -> None:
    found = default_settings(CLASSES, "/srv/mail")
    assert found.data == Path("/srv/mail")
    assert found.file is None
    assert found.protocols["quote"] == QuoteSettings()


def test_a_settings_class_with_an_undocumented_field_is_a_mistake() -> None:
    @frozen(kw_only=True)
    class Bare:
        """Bare."""

        x: int = 1

    with pytest.raises(TypeError, match="Bare.x was not made with setting"):
        list(fields_of(Bare))
    with pytest.raises(ValueError, match="documentation"):
        setting(1, "  ")


def test_bounds_hold_for_instances_made_in_code_too() -> None:
    with pytest.raises(ValueError, match="depth: expected a value of at most 9"):
        Nested(depth=10)


def test_what_was_changed_is_written_without_a_mark_and_read_back() -> None:
    changed = Settings(
        tls=TlsSettings(certificates=(CertificateSettings(certificate=Path("/c"), key=Path("/k"), names=("a", "b")),)),
        protocols={
            "quote": QuoteSettings(
                idle=90.0,
                listen=(),
                labels={'a"b': 2},
                words=frozenset({"y", "x"}),
                nested=Nested(depth=4),
                authors=(Author(name='quote " \\ \n \x7f é'),),
            )
        },
    )
    text = render(changed)
    assert '\nidle = "90s"\n' in text
    assert "\n#size = 512\n" in text
    found = read(text)
    assert found.tls == changed.tls
    assert found.protocols == changed.protocols


def test_tables_that_are_the_default_are_written_behind_a_mark_and_none_in_their_place_is_said() -> None:
    assert '\n#[[quote.readers]]\n#name = "you"\n' in render(Settings(protocols={"quote": QuoteSettings()}))
    none = Settings(protocols={"quote": QuoteSettings(readers=())})
    assert read(render(none)).protocols == none.protocols


@settings(max_examples=300)
@given(st.text())
def test_any_text_is_settings_or_a_configuration_error(text: str) -> None:
    try:
        assert isinstance(read(text), Settings)
    except ConfigurationError as error:
        assert str(error).startswith(str(FILE))


_VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["depth", "name", "x"]), inner)
    ),
    max_leaves=5,
)
_FIELDS = st.sampled_from([field.name for field in fields_of(QuoteSettings)] + ["other"])


@settings(max_examples=300)
@given(st.dictionaries(_FIELDS, _VALUES, max_size=4))
def test_any_value_of_any_setting_is_taken_or_said_with_a_line_of_the_file(section: dict[str, Any]) -> None:
    text = tomli_w.dumps({"quote": section})
    try:
        read(text)
    except ConfigurationError as error:
        for line in str(error).split(f"{FILE}:")[1:]:
            assert 1 <= int(line.partition(":")[0]) <= text.count("\n") + 1


def test_a_content_store_has_its_section_as_a_protocol_has() -> None:
    found = parse_settings("[shelf]\nidle = '7s'", {}, FILE, {"shelf": QuoteSettings})
    assert found.content_stores["shelf"].idle == 7
    assert found.sections()["shelf"] is found.content_stores["shelf"]
    assert found.protocols == {}


@pytest.mark.parametrize(
    ("protocols", "stores", "told"),
    [
        ({"log": QuoteSettings}, {}, "an installed protocol is named 'log'"),
        ({}, {"log": QuoteSettings}, "an installed content store is named 'log'"),
        ({"x": QuoteSettings}, {"x": QuoteSettings}, "an installed protocol and an installed content store are both"),
    ],
)
def test_one_section_cannot_be_that_of_two_parts(
    protocols: Mapping[str, type[Any]], stores: Mapping[str, type[Any]], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_settings("", protocols, FILE, stores)
