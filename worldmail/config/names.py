"""What a setting that is a name has to be."""

from __future__ import annotations

from worldmail.mail.domain import host_name


def check_host_name(value: str) -> None:
    """A name of our own for greetings, which are ASCII (RFC 5321 §2.4), or "" for none. Raises ValueError."""
    try:
        if value and host_name(value) != value.lower():
            raise ValueError
    except ValueError:
        raise ValueError('a host name in ASCII, such as "mail.example.test"') from None
