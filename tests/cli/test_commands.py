"""Every noun, with the server stopped and running, for people and for machines."""

from __future__ import annotations

import json
import poplib
import smtplib
import ssl
from pathlib import Path

import pytest

from tests.app.conftest import until
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SECRET = "marker secret 1"


def login(site: ServerProcess, user: str, password: str) -> bool:
    """Can this account sign in by POP3?"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = poplib.POP3_SSL("127.0.0.1", site.port(995), timeout=30, context=context)
    try:
        client.user(user)
        client.pass_(password)
    except poplib.error_proto:
        return False
    finally:
        client.close()
    return True


def test_domains_come_and_go(worldmail: Commands) -> None:
    assert worldmail.ok("domain", "add", "Zwei.test").out == "added zwei.test\n"
    assert worldmail.ok("domain", "add", "drei.test", "--alias-of", "zwei.test", "--json").json == {
        "name": "drei.test",
        "kind": "local",
        "alias_of": "zwei.test",
    }
    assert [line.split() for line in worldmail.ok("domain", "list").out.splitlines()] == [
        ["NAME", "KIND", "ALIAS", "OF", "QUOTA"],
        ["drei.test", "local", "zwei.test", "-"],
        ["example.test", "local", "-", "-"],
        ["zwei.test", "local", "-", "-"],
    ]
    assert "zwei.test" in worldmail.refused("domain", "add", "zwei.test")
    worldmail.ok("domain", "remove", "drei.test")
    assert worldmail.refused("domain", "remove", "drei.test").startswith("worldmail: ")
    assert "example.test" in worldmail.refused("domain", "remove", "example.test")  # it holds an account


def test_a_domain_gets_a_quota(worldmail: Commands) -> None:
    assert [row["key"] for row in worldmail.ok("domain", "set", "--json").json] == ["quota"]
    shown = worldmail.ok("domain", "set", "example.test", "quota=5MiB", "--json").json
    assert shown == {"name": "example.test", "quota": 5 * 2**20}
    assert worldmail.ok("domain", "list", "--json").json[0]["quota"] == 5 * 2**20
    assert "quota takes" in worldmail.refused("domain", "set", "example.test", "quota=lots")
    assert "no-key" in worldmail.refused("domain", "set", "example.test", "no-key=1")
    assert "no.test" in worldmail.refused("domain", "set", "no.test", "quota=1")
    worldmail.ok("domain", "set", "example.test", "quota=none")
    assert worldmail.ok("domain", "list", "--json").json[0]["quota"] is None


def test_public_folders_come_and_go(worldmail: Commands) -> None:
    worldmail.ok("domain", "add", "zwei.test")
    assert worldmail.ok("folder", "list", "zwei.test", "--json").json == []
    assert worldmail.ok("folder", "add", "zwei.test", "News/2029").out == "added News/2029 of zwei.test\n"
    assert [row["name"] for row in worldmail.ok("folder", "list", "Zwei.test", "--json").json] == ["News", "News/2029"]
    assert worldmail.ok("folder", "rights", "zwei.test", "News/2029", "--json").json == [
        {"who": "anyone", "rights": "lrs"}
    ]
    words = ("anyone=", "postmaster@example.test=lrip")
    changed = worldmail.ok("folder", "rights", "zwei.test", "News/2029", *words, "--json").json
    assert changed == [{"who": "postmaster@example.test", "rights": "lrip"}]
    assert "INBOX" in worldmail.refused("folder", "add", "zwei.test", "inbox/x")
    assert "public folders" in worldmail.refused("domain", "remove", "zwei.test")
    assert [row["address"] for row in worldmail.ok("user", "list", "--json").json] == ["postmaster@example.test"]
    for name in ("News", "News/2029"):
        worldmail.ok("folder", "remove", "zwei.test", name)
    assert "no public folders" in worldmail.refused("folder", "remove", "zwei.test", "News")
    worldmail.ok("domain", "remove", "zwei.test")


def test_the_folders_of_an_account_are_looked_at_and_shared(worldmail: Commands) -> None:
    owner = "postmaster@example.test"
    worldmail.ok("folder", "add", owner, "Reports", "--rights", "p")
    rows = worldmail.ok("folder", "list", owner, "--json").json
    assert [(row["name"], row["shared"]) for row in rows][-3:] == [("Reports", True), ("Sent", False), ("Trash", False)]
    assert {row["who"] for row in worldmail.ok("folder", "rights", owner, "Reports", "--json").json} == {
        owner,
        "anyone",
    }
    assert "no@example.test" in worldmail.refused("folder", "list", "no@example.test")
    assert "no.test" in worldmail.refused("folder", "list", "no.test")
    assert "no such right" in worldmail.refused("folder", "rights", owner, "Reports", "anyone=y").lower()


def test_rights_are_given_to_who_is_there(worldmail: Commands) -> None:
    owner = "postmaster@example.test"
    before = worldmail.ok("folder", "rights", owner, "Sent", "--json").json
    for who in ("typo@example.test", "-typo@example.test", "typo", "postmaster+tag@example.test", "x@no.test"):
        name = who.removeprefix("-")
        refused = worldmail.refused("folder", "rights", owner, "Sent", "--", "anyone=l", f"{who}=l")
        assert refused == f"worldmail: there is no account {name}"
    assert worldmail.ok("folder", "rights", owner, "Sent", "--json").json == before
    worldmail.ok("folder", "rights", owner, "Sent", "gone@example.test=")


def test_a_tap_that_cannot_be_written_is_named(worldmail: Commands, tmp_path: Path) -> None:
    target = tmp_path / "none" / "it.tap"
    refused = worldmail.refused("tap", "-o", str(target))
    assert str(target) in refused and "No such file" in refused and "-2" not in refused


def test_accounts_come_and_go_while_the_server_runs(site: ServerProcess, worldmail: Commands) -> None:
    site.start()
    worldmail.ok("user", "add", "ann@example.test", "--password-stdin", "--name", "Ann", stdin=SECRET + "\n")
    assert login(site, "ann@example.test", SECRET)
    made = worldmail.ok("user", "passwd", "ann@example.test", "--generate", "--json").json
    assert login(site, "ann@example.test", made["password"])
    # What a command changes the server knows a moment later.
    until(lambda: not login(site, "ann@example.test", SECRET))
    worldmail.ok("user", "remove", "ann@example.test")
    until(lambda: not login(site, "ann@example.test", made["password"]))
    site.stop()
    assert SECRET not in site.log.read_text() and made["password"] not in site.log.read_text()


def test_accounts_are_listed_and_shown(worldmail: Commands) -> None:
    worldmail.ok("user", "add", "ann@example.test", "--password-stdin", "--name", "Ann Ü", stdin=SECRET)
    rows = worldmail.ok("user", "list", "--json").json
    assert [row["address"] for row in rows] == ["ann@example.test", "postmaster@example.test"]
    shown = worldmail.ok("user", "show", "ann@example.test", "--json").json
    assert shown["name"] == "Ann Ü" and set(shown["mailboxes"]) == {"INBOX", "Sent", "Drafts", "Trash", "Junk"}
    assert "0 messages, 0 octets" in worldmail.ok("user", "show", "ann@example.test").out
    assert worldmail.ok("user", "list", "example.test").out.count("\n") == 3
    assert "nobody@example.test" in worldmail.refused("user", "show", "nobody@example.test")


def test_keys_of_an_account_are_listed_set_and_checked(worldmail: Commands) -> None:
    keys = {row["key"] for row in worldmail.ok("user", "set", "--json").json}
    assert {"quota", "max-message", "legacy-auth", "imap-create"} <= keys
    shown = worldmail.ok("user", "set", "postmaster@example.test", "quota=10MiB", "imap-create=off", "--json").json
    assert shown["quota"] == 10 * 2**20 and shown["imap-create"] == "off"
    assert "quota takes" in worldmail.refused("user", "set", "postmaster@example.test", "quota=lots")
    assert "key=value" in worldmail.refused("user", "set", "postmaster@example.test", "quota")
    assert "legacy-auth" in worldmail.refused("user", "set", "postmaster@example.test", "no-such-key=1")


def test_a_legacy_secret_is_shown_once_or_taken_from_standard_input(worldmail: Commands) -> None:
    postmaster = "postmaster@example.test"
    shown = worldmail.ok("user", "set", postmaster, "legacy-auth=on", "--json").json
    assert shown["legacy_auth"] and len(shown["legacy_secret"]) >= 12
    assert shown["legacy_secret"] not in worldmail.ok("user", "show", postmaster).out
    given = worldmail.ok("user", "set", postmaster, "legacy-auth=on", "--secret-stdin", stdin="a-secret-of-mine\n")
    assert "a-secret-of-mine" not in given.out
    assert worldmail.ok("user", "set", postmaster, "legacy-auth=off", "--json").json["legacy_auth"] is False


def test_aliases_come_and_go(worldmail: Commands) -> None:
    worldmail.ok("alias", "add", "info@example.test", "postmaster@example.test", "away@elsewhere.test")
    worldmail.ok("alias", "add", "*@example.test", "postmaster@example.test")
    rows = worldmail.ok("alias", "list", "--json").json
    assert {row["address"]: row["targets"] for row in rows} == {
        "*@example.test": ["postmaster@example.test"],
        "info@example.test": ["away@elsewhere.test", "postmaster@example.test"],
    }
    worldmail.ok("alias", "remove", "info@example.test")
    assert worldmail.ok("alias", "list").out.count("\n") == 2
    worldmail.refused("alias", "remove", "info@example.test")


@pytest.mark.parametrize("name", ["info@example.test", "*@example.test"])
def test_an_alias_to_what_is_not_there_is_made_and_said(worldmail: Commands, name: str) -> None:
    worldmail.ok("domain", "add", "other.test")
    targets = ("postmaster+x@example.test", "new@example.test", "a@elsewhere.test", "New@other.test")
    said = worldmail.ok("alias", "add", name, *targets)
    assert said.out.count("\n") == said.err.count("\n") == 1
    assert said.err.endswith("not exist: new@example.test, New@other.test\n")
    assert worldmail.ok("alias", "add", name, *targets, "--json").json["missing"] == [
        "new@example.test",
        "New@other.test",
    ]
    worldmail.ok("alias", "add", "*@other.test", "postmaster@example.test")
    worldmail.ok("user", "add", "new@example.test", "--password-stdin", stdin="secret-of-new\n")
    assert worldmail.ok("alias", "add", name, *targets).err == ""
    assert worldmail.ok("alias", "add", name, *targets, "--json").json["missing"] == []


def test_a_message_is_traced_by_address_message_id_and_acceptance(site: ServerProcess, worldmail: Commands) -> None:
    site.start()
    with smtplib.SMTP("127.0.0.1", site.port(25), timeout=60) as client:
        text = "Message-ID: <one@two.test>\r\nSubject: x\r\n\r\ncontent that no trace may show\r\n"
        client.sendmail("from@elsewhere.test", ["postmaster@example.test"], text)
    rows = worldmail.ok("trace", "postmaster@example.test", "--json").json
    assert [row["event"] for row in rows] == ["accepted"]
    for key in ("<one@two.test>", rows[0]["acceptance"], "from@elsewhere.test"):
        assert worldmail.ok("trace", key, "--json").json == rows
    table = worldmail.ok("trace", "<one@two.test>").out
    assert rows[0]["acceptance"] in table and "content that" not in table
    assert worldmail.refused("trace", "nothing").endswith("nothing is known of nothing")


def test_the_configuration_may_come_from_the_environment(site: ServerProcess) -> None:
    answer = Commands(None)("domain", "list", WORLDMAIL_CONFIG=str(site.config))
    assert answer.status == 0 and "example.test" in answer.out


def test_without_a_configuration_it_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORLDMAIL_CONFIG", raising=False)
    answer = Commands(None)("domain", "list")
    assert answer.status == 2 and "name the configuration" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("usr", "list"), "No such command 'usr' (see worldmail --help)"),
        (("user", "add"), "Missing argument 'ADDRESS' (see worldmail user add --help)"),
        (("user", "list", "--nope"), "(see worldmail user list --help)"),
        (("user", "add", "ann@example.test"), "(see worldmail user add --help)"),
    ],
)
def test_a_wrong_command_line_is_one_line_too_with_where_to_read_on(
    worldmail: Commands, words: tuple[str, ...], said: str
) -> None:
    answer = worldmail(*words)
    (line,) = answer.err.splitlines()
    assert (answer.status, answer.out) == (2, "") and line.startswith("worldmail: ") and line.endswith(said)
    assert said in json.loads(worldmail(*words, "--json").err)["error"]


def test_a_noun_alone_is_answered_with_its_help(worldmail: Commands) -> None:
    answer = worldmail("user")
    assert "passwd" in answer.out + answer.err and "Traceback" not in answer.err


def test_a_failure_in_JSON_is_an_object(worldmail: Commands) -> None:
    answer = worldmail("domain", "remove", "no.test", "--json")
    assert answer.status == 1 and answer.err.startswith('{"error": ')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("user", "add", "no-domain", "--generate"), "has no domain"),
        (("user", "add", "a b@example.test", "--generate"), "is not an address"),
        (("user", "add", "ann@elsewhere.test", "--generate"), "elsewhere.test"),
        (("user", "add", "postmaster@example.test", "--generate"), "postmaster@example.test"),
        (("user", "add", "ann@example.test", "--password-stdin"), "no password on standard input"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(worldmail: Commands, words: tuple[str, ...], said: str) -> None:
    assert said in worldmail.refused(*words)


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(worldmail: Commands) -> None:
    shown = worldmail.at_terminal("user", "add", "ann@example.test", typed=(SECRET, SECRET))
    assert b"added ann@example.test" in shown and SECRET.encode() not in shown


def test_a_command_without_a_terminal_says_how_to_give_a_password(worldmail: Commands) -> None:
    answer = worldmail("user", "add", "ann@example.test")
    assert answer.status == 2 and "--password-stdin" in answer.err


def test_help_needs_no_configuration() -> None:
    answer = Commands(None)("--help")
    assert answer.status == 0
    for noun in ("alias", "check", "domain", "init", "tap", "trace", "user"):
        assert noun in answer.out
