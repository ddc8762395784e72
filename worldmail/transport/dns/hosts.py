"""/etc/hosts: names that a site gives its machines without the DNS."""

from __future__ import annotations

import ipaddress

from attrs import frozen


@frozen
class Hosts:
    """What the file says: the first words of the lines that a name is on. They are looked at when it is asked for."""

    words: dict[str, list[str]]

    def addresses(self, name: str) -> tuple[str, ...]:
        """Of a name in lower case without final dot: IPv6 first, otherwise in the file's order; none if it has none."""
        words = self.words.get(name, []) + self.words.get(name + ".", [])
        found = dict.fromkeys(filter(None, map(_address, words)))
        return tuple(sorted(found, key=lambda address: ":" not in address))


def parse_hosts(text: str) -> Hosts:
    """What /etc/hosts says; lines that make no sense say nothing. Some milliseconds for the largest file."""
    found: dict[str, list[str]] = {}
    for line in text.lower().split("\n"):
        if "#" in line:
            line = line.partition("#")[0]
        words = line.split()
        for name in words[1:]:
            if name in found:
                found[name].append(words[0])
            else:
                found[name] = [words[0]]
    return Hosts(found)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
