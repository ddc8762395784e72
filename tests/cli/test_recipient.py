"""`worldmail recipient`, and `worldmail domain` for relay domains."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Commands
from worldmail.app import privileges
from worldmail.testing.process import ServerProcess


@pytest.fixture
def relay(worldmail: Commands) -> Commands:
    """A site with the relay domain branch.test."""
    said = worldmail.ok("domain", "add", "Branch.test", "--kind", "relay").out
    assert said.startswith("added branch.test; ") and len(said.splitlines()) == 1
    assert "takes mail for everybody: worldmail recipient load branch.test" in said
    return worldmail


def listed(worldmail: Commands, domain: str = "branch.test") -> list[str]:
    return [row["address"] for row in worldmail.ok("recipient", "list", domain, "--json").json]


def said(worldmail: Commands) -> list[str]:
    """What `check` found, without what depends on who runs the tests."""
    found = worldmail("check", "--json").json
    return [f"{one['severity']}: {one['text']}" for one in found if privileges.ROOT_WARNING not in one["text"]]


def file_for(site: ServerProcess, domain: str, path: Path) -> None:
    text = site.config.read_text().replace("#recipient_files = {}", f'recipient_files = {{ "{domain}" = "{path}" }}')
    site.config.write_text(text)


def test_a_relay_domain_is_listed_named_again_and_removed(relay: Commands) -> None:
    made = relay.ok("domain", "add", "alias.test", "--alias-of", "branch.test", "--json").json
    assert made == {"name": "alias.test", "kind": "relay", "alias_of": "branch.test"}
    rows = [line.split() for line in relay.ok("domain", "list").out.splitlines()]
    assert ["branch.test", "relay", "-", "-"] in rows and ["alias.test", "relay", "branch.test", "-"] in rows
    assert relay.ok("domain", "add", "far.example", "--kind", "local").out == "added far.example\n"
    relay.ok("recipient", "add", "bob@branch.test")
    assert "alias.test is another name" in relay.refused("domain", "remove", "branch.test")
    relay.ok("domain", "remove", "alias.test")
    relay.ok("domain", "remove", "branch.test")
    assert relay.ok("recipient", "list", "--json").json == []


@pytest.mark.parametrize(
    "words",
    [
        ("user", "add", "bob@branch.test", "--generate"),
        ("alias", "add", "bob@branch.test", "postmaster@example.test"),
        ("domain", "set", "branch.test", "quota=1MB"),
    ],
)
def test_what_belongs_to_a_local_domain_is_refused_in_a_relay_domain(relay: Commands, words: tuple[str, ...]) -> None:
    assert "branch.test is a relay domain" in relay.refused(*words)


def test_wrong_words_are_told(relay: Commands) -> None:
    for words in (
        ("domain", "add", "x.test", "--kind", "hold"),
        ("domain", "add", "x.test", "--kind", "relay", "--alias-of", "branch.test"),
        ("recipient", "remove"),
        ("recipient", "remove", "bob@branch.test", "--all", "branch.test"),
    ):
        answer = relay(*words)
        assert answer.status == 2 and answer.err, words


def test_recipients_come_and_go(relay: Commands) -> None:
    answer = relay.ok("recipient", "list")
    assert [line.split() for line in answer.out.splitlines()] == [
        ["DOMAIN", "LISTED", "FILE"],
        ["branch.test", "no", "list", "-"],
    ]
    first = relay.ok("recipient", "add", "Bob@branch.test", "eve@branch.test").out
    assert first.startswith("added 2 recipients; branch.test had no list and took mail for everybody")
    assert relay.ok("recipient", "add", "carol@branch.test").out == "added carol@branch.test\n"
    assert listed(relay) == ["bob@branch.test", "carol@branch.test", "eve@branch.test"]
    assert relay.ok("recipient", "list", "--json").json == [{"domain": "branch.test", "listed": 3, "file": None}]
    assert relay.ok("recipient", "remove", "BOB@branch.test").out == "removed BOB@branch.test\n"
    assert "would have no recipient left" in relay.refused(
        "recipient", "remove", "carol@branch.test", "eve@branch.test"
    )
    assert "no recipient no@branch.test" in relay.refused("recipient", "remove", "no@branch.test")
    done = relay.ok("recipient", "remove", "--all", "branch.test").out
    assert done == "removed the list of branch.test (it had 2), which takes mail for everybody now\n"
    assert "no relay domain" in relay.refused("recipient", "add", "x@example.test")


def test_a_list_is_loaded_from_a_file_and_from_standard_input(relay: Commands, tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text('# ours\nbob\nBOB@branch.test\n"John Doe"@branch.test\n\nx@far.example\n')
    done = relay.ok("recipient", "load", "branch.test", str(file)).out
    assert done == ("branch.test has 2 recipients now: added 2, removed 0; passed over, since about other domains: 1\n")
    assert listed(relay) == ["bob@branch.test", '"john doe"@branch.test']
    done = relay.ok("recipient", "load", "branch.test", stdin="eve\n").out
    assert done == "branch.test has 3 recipients now: added 1, removed 0\n"
    fields = relay.ok("recipient", "load", "branch.test", "-", "--replace", "--json", stdin="eve\nbob\n").json
    assert fields == {"domain": "branch.test", "total": 2, "added": 0, "removed": 1, "elsewhere": 0}
    assert listed(relay) == ["bob@branch.test", "eve@branch.test"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no recipient in the list"),
        ("# nobody\n", "no recipient in the list"),
        ("x@far.example\n", "no recipient in the list"),
        ("a\nb c\n", "standard input: line 2: the local part is malformed; nothing was changed"),
        ("a\n@branch.test\n", "line 2: "),
    ],
)
def test_a_list_that_cannot_be_used_changes_nothing(relay: Commands, text: str, why: str) -> None:
    relay.ok("recipient", "add", "bob@branch.test")
    assert why in relay.refused("recipient", "load", "branch.test", "--replace", stdin=text)
    assert listed(relay) == ["bob@branch.test"]


def test_a_file_that_is_not_there_and_a_domain_that_takes_no_list_are_told(relay: Commands, tmp_path: Path) -> None:
    assert "No such file" in relay.refused("recipient", "load", "branch.test", str(tmp_path / "none"))
    assert "no relay domain" in relay.refused("recipient", "load", "example.test", stdin="bob\n")
    assert "no domain far.example" in relay.refused("recipient", "load", "far.example", stdin="bob\n")


def test_a_long_list_takes_seconds(relay: Commands) -> None:
    many = "".join(f"user.{number}@branch.test\n" for number in range(100_000))
    fields = relay.ok("recipient", "load", "branch.test", "--json", stdin=many).json
    assert (fields["total"], fields["added"]) == (100_000, 100_000)
    half = "".join(f"user.{number}\n" for number in range(0, 100_000, 2))
    fields = relay.ok("recipient", "load", "branch.test", "--replace", "--json", stdin=half).json
    assert (fields["total"], fields["added"], fields["removed"]) == (50_000, 0, 50_000)
    assert "it had 50000" in relay.ok("recipient", "remove", "--all", "branch.test").out


def test_check_tells_of_a_domain_that_takes_everybody_and_asks_for_no_postmaster(relay: Commands) -> None:
    (warning,) = said(relay)
    assert warning.startswith("warning: branch.test has no list of recipients, so mail for everybody there is taken")
    relay.ok("recipient", "add", "bob@branch.test")
    assert said(relay) == []


def test_check_tells_of_files_that_cannot_be_used(site: ServerProcess, relay: Commands, tmp_path: Path) -> None:
    file = tmp_path / "list"
    file_for(site, "Branch.test", file)
    line = next(
        n for n, text in enumerate(site.config.read_text().splitlines(), 1) if text.startswith("recipient_files")
    )
    (error,) = said(relay)
    assert error.startswith(f"error: {site.config}:{line}: {file}: the recipients of Branch.test: No such file")
    file.write_text("bob\nb c\n")
    os.utime(file, (0, 0))
    assert "line 2: the local part is malformed" in said(relay)[0]
    file.write_text("bob\n")
    assert said(relay) == []
    assert relay.ok("recipient", "list", "--json").json == [
        {"domain": "branch.test", "listed": None, "file": str(file)}
    ]


def test_check_tells_of_files_for_other_domains_and_of_sources_that_are_not_there(
    site: ServerProcess, relay: Commands, tmp_path: Path
) -> None:
    relay.ok("recipient", "add", "bob@branch.test")
    file = tmp_path / "list"
    file.write_text("bob\n")
    os.utime(file, (0, 0))
    file_for(site, "example.test", file)
    (warning,) = said(relay)
    assert warning.startswith("warning: ") and "example.test is no relay domain" in warning
    text = site.config.read_text()
    site.config.write_text(text.replace('#sources = ["files"]', 'sources = ["no-such"]'))
    errors = said(relay)
    assert any("no source of recipients 'no-such' is installed; there are: files" in each for each in errors)
    assert any('"files" is not among the sources' in each for each in errors)
