"""The section [qotd]."""

from __future__ import annotations

from attrs import frozen

from worldmail.config.fields import Listen, listen, setting


@frozen(kw_only=True)
class QotdSettings:
    """The quote of the day (RFC 865): one short text to everybody who connects."""

    listen: tuple[Listen, ...] = setting((listen("*:17"),), "Where to listen. An empty list: nowhere.")
    quote: str = setting(
        "The mail must get through.",
        "The text that is sent. RFC 865 asks for less than 512 characters.",
    )
