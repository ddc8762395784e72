"""Who the server runs as: dropping root, and what else a process gives up.

twistd's `--uid` drops root by itself, between binding and starting; its `--gid` alone
changes the group and stays root without a word, and `-n` leaves the umask at 022.
`run_as` in the configuration does the whole of it here, after every port is bound and
before anything in the data directory is opened.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from worldmail.errors import ConfigurationError

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38

ROOT_WARNING = (
    "RUNNING AS ROOT: nothing limits what a fault in this server could do to this machine;"
    " set run_as in [server], or start it with twistd --uid"
)


@frozen(kw_only=True)
class Identity:
    """A user to become. `name` is None for a number that has no entry in the user database."""

    uid: int
    gid: int
    name: str | None


def identity(run_as: str) -> Identity:
    """Read "user", "user:group", or numbers in their place. Raises `ConfigurationError`."""
    user, _, group = run_as.partition(":")
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if not (user.isdecimal() and group):
            raise ConfigurationError(f"[server] run_as: there is no user {user!r}") from None
        return Identity(uid=int(user), gid=_group(group), name=None)
    return Identity(uid=entry.pw_uid, gid=_group(group) if group else entry.pw_gid, name=entry.pw_name)


def _group(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigurationError(f"[server] run_as: there is no group {group!r}") from None


def become(who: Identity) -> None:
    """Give up root for good: groups, gid, uid, each in its real, effective and saved form."""
    if who.name is None:
        os.setgroups([who.gid])
    else:
        os.initgroups(who.name, who.gid)
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    if who.uid and 0 in os.getresuid():
        raise ConfigurationError("the kernel did not let go of root")


@contextmanager
def acting_as(who: Identity | None) -> Iterator[None]:
    """As root, make and read files for a while as this user would; otherwise nothing."""
    if who is None or os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    os.setegid(who.gid)
    os.seteuid(who.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def is_root() -> bool:
    """True if any of the three user ids is root's: twistd's --euid keeps the saved one."""
    return 0 in os.getresuid()


def set_private_umask() -> None:
    """What we make is for our user alone."""
    os.umask(0o077)


def harden() -> None:
    """No new privileges by exec, no core dump or debugger of the same user (memory holds passwords)."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return  # not Linux
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def allow_many_connections() -> int:
    """Raise the soft limit of open files to the hard one; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard


def hand_over(directory: Path, who: Identity) -> bool:
    """Give a data directory that root made to the user who will serve it; True if it was done.

    Only a directory that is still root's, and closed to all others, is touched: in any other,
    somebody could have placed a link to a file that is not theirs.
    """
    about = directory.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != 0 or about.st_mode & 0o022:
        return False
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), who.uid, who.gid, follow_symlinks=False)
    os.chown(directory, who.uid, who.gid, follow_symlinks=False)
    return True
