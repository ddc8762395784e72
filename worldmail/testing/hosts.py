"""Machines for a test: network namespaces of its own, on a wire of its own.

All that have a public address are on one wire, with a name server. One that stands behind a gateway reaches them under
the gateway's address, and is reached by nobody, as a house behind its provider's address translation is.

It takes root, iproute2, and nftables for gateways (`missing_hosts`). Nothing of it leaves the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, frozen

from worldmail.testing.process import environment_of_tests

NAMES = "192.0.2.53"
"""Where the name server answers."""

_GATEWAY = """
table ip house {
    chain out { type nat hook postrouting priority srcnat; oifname "outside" masquerade; }
    chain through { type filter hook forward priority filter; policy drop;
        iifname "inside" accept; ct state established,related accept; }
}
"""


def missing_hosts() -> str | None:
    """Why there can be none here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    lacking = [program for program in ("ip", "nft") if shutil.which(program, path=_path()) is None]
    if lacking:
        return f"no {' and no '.join(lacking)} on this machine"
    tried = subprocess.run((*_ip(), "netns", "add", f"wm-{os.getpid()}"), check=False, capture_output=True, text=True)
    if tried.returncode:
        return f"network namespaces cannot be made: {tried.stderr.strip()}"
    _run("netns", "del", f"wm-{os.getpid()}")
    return None


@frozen(kw_only=True)
class Host:
    """One machine.

    Args:
        space: the name of its namespace.
        address: its own; behind a gateway one that nobody else can reach.
        wire: the wire's end of its connection, or of its gateway's: its namespace and device.
    """

    space: str
    address: str
    wire: tuple[str, str]

    @property
    def there(self) -> tuple[str, ...]:
        """What goes before a command that is to run there."""
        return (*_ip(), "netns", "exec", self.space)

    def run(
        self, *command: str, stdin: str = "", within: float = 60.0, directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there; it may fail."""
        return subprocess.run(
            (*self.there, *command),
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within,
            env=environment_of_tests({}),
            cwd=directory,
        )

    def python(self, text: str, *arguments: str, within: float = 60.0) -> str:
        """What a Python program says that runs there. Raises AssertionError with its words if it fails."""
        done = self.run(sys.executable, "-c", text, *arguments, within=within)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def link(self, up: bool) -> None:
        """Plug its cable in, or pull it out."""
        space, device = self.wire
        _run("-n", space, "link", "set", device, "up" if up else "down")


@define
class Wire:
    """What all hosts are on; `hosts` makes it."""

    prefix: str
    _stack: ExitStack

    @property
    def space(self) -> str:
        """The namespace of the wire itself, and of the name server."""
        return f"{self.prefix}-wire"

    def host(self, name: str, number: int) -> Host:
        """A machine with the public address 192.0.2.NUMBER."""
        space = self._make(name)
        device = self._plug(space, "eth0", f"192.0.2.{number}/24", name)
        return Host(space=space, address=f"192.0.2.{number}", wire=(self.space, device))

    def host_behind(self, name: str, number: int) -> Host:
        """A machine that goes out under the address 192.0.2.NUMBER of its gateway, and that nobody reaches."""
        gateway, inside = self._make(f"{name}-gw"), self._make(name)
        device = self._plug(gateway, "outside", f"192.0.2.{number}/24", name)
        _run("-n", gateway, "link", "add", "inside", "type", "veth", "peer", "name", "eth0", "netns", inside)
        _bring_up(gateway, "inside", "10.20.30.1/24")
        _bring_up(inside, "eth0", "10.20.30.40/24")
        _run("-n", inside, "route", "add", "default", "via", "10.20.30.1")
        _exec(gateway, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        _exec(gateway, "nft", "-f", "-", stdin=_GATEWAY)
        return Host(space=inside, address="10.20.30.40", wire=(self.space, device))

    def serve_names(self, zone: Path) -> None:
        """A name server for this zone file (RFC 1035 §5) at `NAMES`."""
        command = (sys.executable, "-m", "worldmail.testing.names", str(zone), "--address", NAMES, "--port", "53")
        place = (*_ip(), "netns", "exec", self.space)
        server = subprocess.Popen((*place, *command), env=environment_of_tests({}), stdout=subprocess.PIPE)
        self._stack.callback(server.wait)
        self._stack.callback(server.terminate)
        assert server.stdout is not None
        with server.stdout:
            assert server.stdout.readline(), "the name server did not start"

    def _make(self, name: str) -> str:
        space = f"{self.prefix}-{name}"
        _run("netns", "add", space)
        self._stack.callback(_run, "netns", "del", space)
        _run("-n", space, "link", "set", "lo", "up")
        return space

    def _plug(self, space: str, device: str, address: str, name: str) -> str:
        end = f"to-{name}"[:15]
        _run("-n", self.space, "link", "add", end, "type", "veth", "peer", "name", device, "netns", space)
        _run("-n", self.space, "link", "set", end, "master", "wire", "up")
        _bring_up(space, device, address)
        return end


@contextmanager
def hosts() -> Iterator[Wire]:
    """A wire without any host yet; when it is left, all of them are gone."""
    with ExitStack() as stack:
        wire = Wire(f"wm{secrets.token_hex(3)}", stack)
        wire._make("wire")
        _run("-n", wire.space, "link", "add", "wire", "type", "bridge", "forward_delay", "0")
        _bring_up(wire.space, "wire", f"{NAMES}/24")
        yield wire


def _bring_up(space: str, device: str, address: str) -> None:
    _run("-n", space, "address", "add", address, "dev", device)
    _run("-n", space, "link", "set", device, "up")


def _exec(space: str, *command: str, stdin: str = "") -> None:
    place = (*_ip(), "netns", "exec", space)
    subprocess.run((*place, *command), check=True, input=stdin, text=True, capture_output=True, env=_with_path())


def _run(*arguments: str) -> None:
    subprocess.run((*_ip(), *arguments), check=True, capture_output=True)


def _ip() -> Sequence[str]:
    return (shutil.which("ip", path=_path()) or "ip",)


def _path() -> str:
    """Programs of administrators are not in everybody's path."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _with_path() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}
