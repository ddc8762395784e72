"""Where credentials come from, and that nothing tells them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from objects import SECRET, credentials_file

from worldmail.errors import ConfigurationError
from worldmail.store.s3.credentials import Credentials, CredentialSource

VARIABLES = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": SECRET}


def fault(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        CredentialSource(file=file).get()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value).removeprefix(f"{file}: ")


def test_a_file_is_read_and_read_again_when_it_was_changed(tmp_path: Path) -> None:
    source = CredentialSource(file=credentials_file(tmp_path, "AKIDONE"))
    assert source.get() is source.get()
    assert source.get().key_id == "AKIDONE"
    credentials_file(tmp_path, "AKIDANOTHER")
    assert source.get() == Credentials(key_id="AKIDANOTHER", secret=SECRET)


def test_a_percent_sign_and_a_token_are_taken_as_they_are(tmp_path: Path) -> None:
    file = credentials_file(tmp_path, "AKID", "50%(x)s")
    file.write_text(file.read_text() + "aws_session_token = to/ken==\n[other]\naws_access_key_id = no\n")
    assert CredentialSource(file=file).get() == Credentials(key_id="AKID", secret="50%(x)s", token="to/ken==")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o601])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = credentials_file(tmp_path)
    file.chmod(mode)
    assert fault(file) == f"others may read the credentials (mode {mode:04o}, expected 0600)"


def test_a_mode_that_is_put_right_is_noticed(tmp_path: Path) -> None:
    source = CredentialSource(file=credentials_file(tmp_path))
    source.get()
    os.chmod(tmp_path / "s3-credentials", 0o644)
    with pytest.raises(ConfigurationError):
        source.get()
    os.chmod(tmp_path / "s3-credentials", 0o600)
    assert source.get().secret == SECRET


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "[default] aws_access_key_id is missing"),
        ("[default]\naws_access_key_id = A\n", "[default] aws_secret_access_key is missing"),
        (f"aws_secret_access_key = {SECRET}\n", "expected lines NAME = VALUE below [default]"),
        (f"[default]\n{SECRET}\n", "[default] aws_access_key_id is missing"),
        ("[default]\nnothing but words\n", "expected lines NAME = VALUE below [default]"),
        (f"[default]\naws_access_key_id = A\naws_secret_access_key = {SECRET} x\n", "printable ASCII"),
        (f"[default]\naws_access_key_id = A\naws_secret_access_key = {SECRET}\n  x\n", "printable ASCII"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_without_what_is_in_it(tmp_path: Path, text: str, told: str) -> None:
    file = credentials_file(tmp_path)
    file.write_text(text)
    assert told in fault(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert fault(tmp_path / "none") == "the credentials: No such file or directory"


def test_without_a_file_the_environment_is_asked() -> None:
    assert CredentialSource(file=None, environment=VARIABLES).get() == Credentials(key_id="AKID", secret=SECRET)
    token = {**VARIABLES, "AWS_SESSION_TOKEN": "t"}
    assert CredentialSource(file=None, environment=token).get().token == "t"


def test_with_neither_both_are_named() -> None:
    with pytest.raises(ConfigurationError, match="credentials is not set, .* variable AWS_ACCESS_KEY_ID$"):
        CredentialSource(file=None, environment={}).get()


def test_no_repr_tells_a_secret(tmp_path: Path) -> None:
    source = CredentialSource(file=credentials_file(tmp_path))
    told = repr(source.get()) + repr(source) + repr(CredentialSource(file=None, environment=VARIABLES))
    assert SECRET not in told
