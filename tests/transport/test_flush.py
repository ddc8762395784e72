"""What a dialogue wants in a write of its own."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from worldmail.testing.fakes import make_tls
from worldmail.testing.meeting import Meets


class FlushTests(Meets):
    """The effect `Flush`, seen through TLS: a read there never gives more than one record."""

    def test_what_stands_behind_Flush_is_in_a_write_of_its_own(self) -> Any:
        async def test() -> None:
            directory = Path(self.mktemp())
            directory.mkdir(parents=True)
            self.meet(tls=make_tls(directory, "mail.example.test"), implicit_tls=True)

            def talk() -> list[bytes]:
                connection = ssl._create_unverified_context().wrap_socket(self.connect())
                connection.sendall(b"one\r\nAPART\r\ntwo\r\n")
                said = [connection.recv(1000)]
                while not said[-1].endswith(b"ok two\r\n"):
                    said.append(connection.recv(1000))
                return said

            said = await self.client(talk)
            assert said[-2:] == [b"ok one\r\nfirst\r\n", b"second\r\nok two\r\n"]

        return self.run_async(test())
