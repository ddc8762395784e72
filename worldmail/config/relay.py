"""The section about domains whose mail is handed on to other servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import Factory, frozen

from worldmail.config.fields import Duration, Place, duration, setting
from worldmail.mail.domain import host_name


def _domains(value: Mapping[str, Path]) -> None:
    names = set()
    for name in value:
        try:
            normal = host_name(name)
        except ValueError:
            normal = "["
        if normal.startswith("[") or normal in names:
            raise ValueError("the name of a relay domain for each file, once")
        names.add(normal)


@frozen(kw_only=True)
class RelaySettings:
    """Relay domains: those whose mail is taken and handed on (docs/relay.md). Their lists of recipients beside the one
    that `worldmail recipient` keeps."""

    sources: tuple[str, ...] = setting(
        ("files",), "Who else is asked for recipients, in this order: names of installed sources."
    )
    recipient_files: Mapping[str, Place] = setting(
        Factory(dict),
        """Files with the recipients of a relay domain, an address or a local part a line, by the domain's name; for
        one that the domain's own server writes now and then. A changed file is taken up by itself.""",
        check=_domains,
        example={"branch.example.test": Path("branch-recipients")},
    )
    recheck: Duration = setting(
        duration("5s"),
        "A recipient file is looked at again when mail comes and the last look is longer ago.",
        minimum=0,
        maximum=86400,
    )
