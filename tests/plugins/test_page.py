"""The example of docs/plugins.md is a plugin as it stands there."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from worldmail.testing.process import ROOT, ServerProcess

QUOTE_PORT = 17


def test_the_example_of_the_page_is_served_with_its_section(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    for name in ("quoteday/__init__.py", "worldmail/plugins/quoteday_dropin.py"):
        (text,) = re.findall(rf"`{re.escape(name)}`[^\n]*:\n\n```python\n(.*?)```", page, re.DOTALL)
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    paths = os.pathsep.join([str(ROOT), str(tmp_path / "package"), os.environ.get("PYTHONPATH", "")])
    server = ServerProcess(directory=tmp_path / "data", environment={"PYTHONPATH": paths})
    server.initialise()
    server.configure({"quote": {"quote": "As on the page."}})
    server.start(port=QUOTE_PORT)
    try:
        with socket.create_connection(("127.0.0.1", server.port(QUOTE_PORT)), 10) as connection:
            assert connection.recv(1024) == b"As on the page.\r\n"
    finally:
        server.stop()
