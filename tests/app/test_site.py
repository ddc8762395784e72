"""A new site, and what `check` finds wrong with one."""

from __future__ import annotations

import datetime as dt
import os
import stat
from pathlib import Path

import pytest
from attrs import evolve
from cryptography import x509

from tests.app.conftest import needs_root
from worldmail.app import checks, privileges, site
from worldmail.app.ground import protocol_classes, read_configuration, server_key, store_classes
from worldmail.config.fields import Listen
from worldmail.config.listeners import listeners
from worldmail.config.settings import Settings
from worldmail.errors import ConfigurationError

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def plan(tmp_path: Path) -> site.Plan:
    return site.Plan(
        directory=tmp_path / "data",
        domain="example.test",
        hostname="mail.example.test",
        listen="127.0.0.1",
        port_base=20_000,
    )


@pytest.fixture
def made(plan: site.Plan) -> Settings:
    """The settings of a site whose files were written."""
    site.make_directory(plan)
    site.write_certificate(plan)
    site.write_configuration(plan, site.settings_of(plan, protocol_classes(), store_classes()))
    return read_configuration(plan.file)


def texts(settings: Settings, now: dt.datetime = NOW) -> list[str]:
    """What `check` says, without what depends on who runs the tests."""
    return [one.text for one in checks.check_settings(settings, now) if one.text != privileges.ROOT_WARNING]


def test_a_new_site_has_nothing_wrong(made: Settings) -> None:
    assert texts(made) == []


def test_every_port_is_moved_and_at_one_address(made: Settings) -> None:
    places = [place for section in made.protocols.values() for _, place in listeners(section)]
    assert {place.host for place in places} == {"127.0.0.1"}
    assert {place.port - 20_000 for place in places} >= {25, 110, 143, 465, 587, 993, 995}


def test_a_single_listener_moves_too() -> None:
    assert site.move_listeners(Listen("*", 17), lambda place: Listen("::1", place.port + 1)) == Listen("::1", 18)


def test_the_certificate_is_for_the_site_and_the_loopback(made: Settings) -> None:
    (pair,) = made.tls.certificates
    names = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert set(names.value.get_values_for_type(x509.DNSName)) == {"mail.example.test", "example.test", "localhost"}


def test_every_file_of_a_site_is_its_owners_alone(made: Settings, plan: site.Plan) -> None:
    server_key(made)
    site.keep_password(plan.directory, "postmaster@example.test", "x")
    for path in [plan.directory, *plan.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_site_is_not_made_twice(made: Settings, plan: site.Plan) -> None:
    with pytest.raises(ConfigurationError, match="is there already"):
        site.check_new(plan)


def test_a_lost_server_key_is_not_replaced(made: Settings) -> None:
    (made.data / made.database.file).touch()
    with pytest.raises(ConfigurationError, match="server key cannot be read"):
        server_key(made)


def test_an_expired_certificate_is_found_at_its_line(made: Settings, plan: site.Plan) -> None:
    found = [one for one in checks.check_settings(made, NOW + dt.timedelta(days=4000)) if "expired on" in one.text]
    (one,) = found
    lines = checks.Lines(plan.file.read_text())
    line = plan.file.read_text().splitlines().index('certificate = "tls/certificate.pem"') + 1
    assert one.serious and one.located(plan.file, lines).startswith(f"{plan.file}:{line}: ")


def test_a_certificate_that_expires_soon_is_a_warning(made: Settings) -> None:
    found = list(checks.check_settings(made, NOW + dt.timedelta(days=3645)))
    assert [one.serious for one in found if "expires on" in one.text] == [False]


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("tls/key.pem", 0o644, "others may read the private key (mode 0644"),
        (".", 0o755, "others may look into the data directory (mode 0755"),
    ],
)
def test_open_permissions_are_found(made: Settings, name: str, mode: int, said: str) -> None:
    (made.data / name).chmod(mode)
    assert any(said in text for text in texts(made))


def test_what_is_missing_is_found(made: Settings) -> None:
    (made.data / "tls" / "key.pem").unlink()
    assert any("key.pem: No such file" in text for text in texts(made))
    gone = evolve(made, server=evolve(made.server, data=made.data / "gone"))
    assert any("data directory: No such file" in text for text in texts(gone))


def test_parts_that_are_not_installed_are_found(made: Settings) -> None:
    other = evolve(
        made,
        store=evolve(made.store, content="s4"),
        directory=evolve(made.directory, sources=("database", "ldap")),
        policy=evolve(made.policy, order=("hops", "greylist"), disabled=("spam",)),
    )
    assert [text.partition(";")[0] for text in texts(other)] == [
        "no content store 's4' is installed",
        "no directory source 'ldap' is installed",
        "no policy check 'greylist' is installed",
        "no policy check 'spam' is installed",
    ]


def test_ciphers_that_nobody_knows_are_found_and_a_fault_of_a_certificate_is_told_once(made: Settings) -> None:
    other = evolve(made, tls=evolve(made.tls, ciphers="none-such"))
    assert texts(other) == ["[tls] ciphers: none of 'none-such' can be used"]
    (made.data / "tls" / "key.pem").write_text("no key")
    (one,) = texts(made)
    assert one.endswith("not a private key in PEM")


def test_a_log_in_a_directory_that_is_not_there_is_found(made: Settings) -> None:
    other = evolve(made, log=evolve(made.log, file=made.data / "gone" / "log"))
    assert texts(other) == [f"{made.data}/gone/log: the log cannot be written, its directory is not there"]


def test_a_user_who_does_not_exist_is_found(made: Settings) -> None:
    other = evolve(made, server=evolve(made.server, run_as="no-such-user"))
    assert any("there is no user 'no-such-user'" in text for text in texts(other))


def test_a_name_that_nobody_can_look_up_is_a_warning(made: Settings) -> None:
    other = evolve(made, server=evolve(made.server, hostname="mailbox"))
    (one,) = [one for one in checks.check_settings(other, NOW) if "mailbox" in one.text]
    assert not one.serious


@needs_root
def test_files_that_the_server_could_not_write_are_found(made: Settings) -> None:
    for path in [made.data, *made.data.rglob("*")]:
        os.chown(path, 65534, 65534)
    os.chown(made.data / "worldmail.toml", 0, 0)
    assert any("worldmail.toml: belongs to user 0, the server runs as 65534" in text for text in texts(made))


@needs_root
def test_only_a_closed_directory_of_roots_own_is_handed_over(tmp_path: Path) -> None:
    who = privileges.identity("65534:65534")
    mine, others, open_to_all = tmp_path / "mine", tmp_path / "others", tmp_path / "open"
    for directory in (mine, others, open_to_all):
        directory.mkdir(mode=0o700)
        (directory / "file").touch()
        (directory / "link").symlink_to("/etc/passwd")
    os.chown(others, 65533, 65533)
    open_to_all.chmod(0o777)
    assert [privileges.hand_over(each, who) for each in (mine, others, open_to_all)] == [True, False, False]
    assert (mine / "file").stat().st_uid == 65534
    assert (mine / "link").lstat().st_uid == 65534
    assert Path("/etc/passwd").stat().st_uid == 0
    assert (others / "file").stat().st_uid == 0


@pytest.mark.parametrize(
    ("text", "uid", "gid"), [("root", 0, 0), ("0:12", 0, 12), ("4000000:4000001", 4_000_000, 4_000_001)]
)
def test_a_user_to_become_is_read(text: str, uid: int, gid: int) -> None:
    who = privileges.identity(text)
    assert (who.uid, who.gid) == (uid, gid)


@pytest.mark.parametrize("text", ["no-such-user", "root:no-such-group", "4000000"])
def test_a_user_to_become_must_be_known_or_whole(text: str) -> None:
    with pytest.raises(ConfigurationError, match="run_as"):
        privileges.identity(text)
