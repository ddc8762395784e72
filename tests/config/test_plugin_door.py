"""Plugins are found by interface, load late, and say clearly what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from twisted.plugin import IPlugin
from zope.interface import Interface
from zope.interface.verify import verifyObject

from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import IContentStorePlugin, IDirectorySourcePlugin, IPolicyCheckPlugin
from worldmail.interfaces.protocol import IProtocol
from worldmail.plugin import ContentStorePlugin, DirectorySourcePlugin, PolicyPlugin, ProtocolPlugin, find, load

EVERY = [
    (ProtocolPlugin(name="x", settings="a.b:C", service="a.b:d"), IProtocol),
    (PolicyPlugin(name="x", check="a:b"), IPolicyCheckPlugin),
    (ContentStorePlugin(name="x", store="a:b"), IContentStorePlugin),
    (DirectorySourcePlugin(name="x", source="a:b"), IDirectorySourcePlugin),
]


@pytest.mark.parametrize(("plugin", "interface"), EVERY)
def test_a_plugin_provides_its_interface(plugin: object, interface: type[Interface]) -> None:
    assert verifyObject(interface, plugin)
    assert verifyObject(IPlugin, plugin)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    plugin = ProtocolPlugin(name="x", settings="no.such.module:C", service="textwrap:nothing")
    with pytest.raises(ConfigurationError, match="no.such.module:C cannot be loaded"):
        plugin.settings()
    with pytest.raises(ConfigurationError, match="textwrap:nothing cannot be loaded"):
        plugin.service(None, None)


def test_a_part_is_called_with_what_it_is_built_from() -> None:
    plugin = ProtocolPlugin(name="x", settings="textwrap:TextWrapper", service="builtins:divmod")
    assert plugin.settings() is textwrap.TextWrapper
    assert plugin.service(7, 2) == (3, 1)


def test_a_content_store_may_have_settings_and_something_to_say_beforehand() -> None:
    plain = ContentStorePlugin(name="x", store="a:b")
    assert plain.settings() is None
    assert list(plain.check("whatever")) == []
    full = ContentStorePlugin(name="x", store="a:b", settings="textwrap:TextWrapper", check="builtins:sorted")
    assert full.settings() is textwrap.TextWrapper
    assert full.check(["wrong", "also wrong"]) == ["also wrong", "wrong"]


@pytest.mark.parametrize("name", ["", "X", "a b", "1a", "a" * 40])
def test_a_name_that_could_be_no_section_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        ProtocolPlugin(name=name, settings="a:b", service="a:b")


@pytest.mark.parametrize("path", ["a", "a:", ":b", "a.b", "a:b.c", "a b:c"])
def test_a_path_that_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        PolicyPlugin(name="x", check=path)


def test_what_a_path_names_is_loaded() -> None:
    assert load("textwrap:dedent") is textwrap.dedent


def test_the_built_in_parts_come_through_the_door_in_the_order_of_their_names() -> None:
    names = [plugin.name for plugin in find(IProtocol)]
    assert names == sorted(names)
    assert {"pop3", "smtp"} <= set(names)
    assert [plugin.name for plugin in find(IContentStorePlugin)] == ["files", "s3"]
    assert [plugin.name for plugin in find(IDirectorySourcePlugin)] == ["database"]


DROPIN = """
from worldmail.plugin import ProtocolPlugin
{variable} = ProtocolPlugin(name="{name}", settings="{name}:S", service="{name}:s")
"""
ASK = """
from worldmail.errors import ConfigurationError
from worldmail.interfaces.protocol import IProtocol
from worldmail.plugin import find
try:
    print(*(plugin.name for plugin in find(IProtocol)))
except ConfigurationError as error:
    print(error)
"""


def ask(directory: Path) -> str:
    """What another process finds with `directory` on its path."""
    paths = [str(directory), str(Path(__file__).resolve().parents[2])]
    code = f"import sys; sys.path[:0] = {paths!r}\n{ASK}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def drop(directory: Path, name: str, file: str = "dropin") -> Path:
    """A dropin of a protocol of this name, as another package would install it."""
    folder = directory / "worldmail" / "plugins"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{file}_{name}.py"
    path.write_text(DROPIN.format(variable=file, name=name))
    return path


def test_a_dropin_anywhere_on_the_path_is_found_and_gone_when_it_is_removed(tmp_path: Path) -> None:
    path = drop(tmp_path, "zzquote")
    assert "zzquote" in ask(tmp_path).split()
    path.unlink()
    assert "zzquote" not in ask(tmp_path).split()


def test_two_plugins_of_one_name_are_an_error_that_names_them(tmp_path: Path) -> None:
    drop(tmp_path, "pop3", "other")
    assert "both named 'pop3'" in ask(tmp_path)


SHELF = """
from attrs import frozen
from worldmail.config.fields import setting

@frozen(kw_only=True)
class ShelfSettings:
    '''Shelves.'''

    boards: int = setting(3, "How many.", minimum=1)

def shelf(foundations):
    return foundations.settings.content_stores["zzshelf"]
"""
SHELF_DROPIN = """
from worldmail.plugin import ContentStorePlugin
shelf = ContentStorePlugin(name="zzshelf", store="zzshelf:shelf", settings="zzshelf:ShelfSettings")
"""
ASK_SHELF = """
from pathlib import Path
from types import SimpleNamespace
from worldmail.app.ground import chosen, read_configuration
from worldmail.config.sample import render
from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import IContentStorePlugin
file = Path(sys.argv[1])
for text in ("[zzshelf]\\nboards = 4", "[zzshelf]\\nboards = 0", "[zzshelf]\\nplanks = 1", ""):
    file.write_text(text)
    try:
        settings = read_configuration(file)
        print(chosen(IContentStorePlugin, "zzshelf", "x").create(SimpleNamespace(settings=settings)))
    except ConfigurationError as error:
        print(error)
print(render(settings))
"""


def test_a_content_store_of_another_package_has_a_section_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "worldmail" / "plugins"
    folder.mkdir(parents=True)
    (folder / "zzshelf_dropin.py").write_text(SHELF_DROPIN)
    (tmp_path / "zzshelf.py").write_text(SHELF)
    paths = [str(tmp_path), str(Path(__file__).resolve().parents[2])]
    code = f"import sys; sys.path[:0] = {paths!r}\n{ASK_SHELF}"
    command = [sys.executable, "-c", code, str(tmp_path / "w.toml")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == "ShelfSettings(boards=4)"
    assert "w.toml:2: [zzshelf] boards: found 0, expected a value of at least 1" in lines[1]
    assert "w.toml:2: [zzshelf] planks: there is no such setting" in lines[2]
    assert lines[3] == "ShelfSettings(boards=3)"
    assert "[zzshelf]" in lines
    assert "#boards = 3" in lines


def test_a_broken_dropin_does_not_hide_the_others(tmp_path: Path) -> None:
    drop(tmp_path, "zzquote").write_text("import no.such.module\n")
    assert "pop3" in ask(tmp_path).split()


def test_finding_plugins_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from worldmail.plugin import find; from worldmail.interfaces.protocol import IProtocol\n"
        "find(IProtocol)\n"
        "heavy = {'apsw', 'argon2', 'OpenSSL', 'cattrs', 'cryptography', 'twisted.internet.reactor'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
