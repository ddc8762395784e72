"""Servers that are gone, that fail, that know less than others, and what is done about it."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from twisted.internet.defer import Deferred

from worldmail.interfaces.resolver import NameTrouble, NoSuchName
from worldmail.testing.lookups import ZONE, LooksUp
from worldmail.testing.names import Mood, NameServer


def closed_port() -> str:
    """A place where nobody listens."""
    server = NameServer({})
    server.stop()
    return server.setting


class Failing(LooksUp):
    def test_SERVFAIL_and_REFUSED_are_trouble_that_names_the_server_and_asked_once(self) -> Deferred[None]:
        async def test() -> None:
            for mood in (Mood.SERVFAIL, Mood.REFUSED):
                server = self.serve()
                server.mood = mood
                resolver = self.resolver(server)
                fault = await self.fails(NameTrouble, resolver.exchangers("a.test"))
                self.assertEqual(fault, f"a.test MX: {server.setting}: {mood.name}")
                self.assertEqual(server.asked.total(), 1)

        return self.run_async(test())

    def test_the_next_server_is_asked_if_one_fails(self) -> Deferred[None]:
        async def test() -> None:
            for mood in (Mood.SERVFAIL, Mood.REFUSED, Mood.SILENT, Mood.NO_TCP):
                failing, honest = self.serve(), self.serve()
                failing.mood = mood
                resolver = self.resolver(failing, honest, limit=2)
                self.assertEqual(len(await resolver.exchangers("a.test")), 2)
                self.assertEqual(failing.asked["a.test", "MX"], 1 + failing.asked_by_tcp["a.test", "MX"])

        return self.run_async(test())

    def test_a_server_that_was_silent_comes_last_for_a_while(self) -> Deferred[None]:
        async def test() -> None:
            silent, honest = self.serve(), self.serve()
            silent.mood = Mood.SILENT
            resolver = self.resolver(silent, honest, limit=2)
            await resolver.exchangers("a.test")
            await resolver.texts("a.test")
            self.assertEqual((silent.asked.total(), honest.asked.total()), (1, 2))
            silent.mood, self.time.ahead = Mood.HONEST, 31
            await resolver.exchangers("null.test")
            self.assertEqual((silent.asked.total(), honest.asked.total()), (2, 2))

        return self.run_async(test())

    def test_silence_is_asked_again_and_then_trouble(self) -> Deferred[None]:
        async def test() -> None:
            silent = self.serve()
            silent.mood = Mood.SILENT
            resolver = self.resolver(silent, closed_port(), limit=2)
            fault = await self.fails(NameTrouble, resolver.addresses("mx1.a.test"))
            self.assertIn("no answer in time", fault)
            self.assertIn("connection refused", fault)
            self.assertEqual(silent.asked["mx1.a.test", "A"], 3)

        return self.run_async(test())

    def test_a_server_that_is_starting_is_asked_again(self) -> Deferred[None]:
        async def test() -> None:
            server = NameServer(ZONE)
            port = server.place[1]
            server.udp.server_close()
            asking = Deferred.fromCoroutine(self.resolver(server).exchangers("a.test"))
            await self.passing(0.1)
            server.stop()
            self.serve(port=port)
            self.assertEqual(len(await asking), 2)

        return self.run_async(test())

    def test_addresses_of_one_kind_are_enough(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve({**ZONE, "deny.test": {"A": ["192.0.2.7"]}})
            server.lie = lambda query, truth: [] if b"\0\x1c\0\x01" in query else [truth]  # no word on AAAA
            resolver = self.resolver(server, limit=0.5)
            self.assertEqual(await resolver.addresses("mx2.a.test"), ("192.0.2.3",))
            await self.fails(NameTrouble, resolver.addresses("null.test"))
            await self.fails(NameTrouble, resolver.addresses("nowhere.test"))
            server.lie = lambda query, truth: [denied(truth)] if b"\0\x1c\0\x01" in query else [truth]
            self.assertEqual(await resolver.addresses("deny.test"), ("192.0.2.7",))

        return self.run_async(test())


def denied(truth: bytes) -> bytes:
    """The same answer as NXDOMAIN."""
    return truth[:3] + bytes([truth[3] & 0xF0 | 3]) + truth[4:]


class Gone(LooksUp):
    def test_addresses_serve_for_a_day_more_when_the_servers_are_gone(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            resolver = self.resolver(server)
            await resolver.exchangers("a.test")
            await resolver.addresses("mx2.a.test")
            await resolver.addresses("host-alias.test")
            server.mood, self.time.ahead = Mood.SERVFAIL, 1000
            self.assertEqual(await resolver.addresses("mx2.a.test"), ("192.0.2.3",))
            self.assertEqual(len(await resolver.addresses("host-alias.test")), 3)
            await self.fails(NameTrouble, resolver.exchangers("a.test"))
            asked = server.asked.total()
            self.assertEqual(await resolver.addresses("mx2.a.test"), ("192.0.2.3",))
            self.assertEqual(server.asked.total(), asked)
            self.time.ahead = 90_000
            await self.fails(NameTrouble, resolver.addresses("mx2.a.test"))

        return self.run_async(test())

    def test_what_is_known_to_be_gone_does_not_serve(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            resolver = self.resolver(server)
            await resolver.addresses("mx2.a.test")
            del server.zone["mx2.a.test"]
            self.time.ahead = 1000
            await self.fails(NoSuchName, resolver.addresses("mx2.a.test"))
            server.mood, self.time.ahead = Mood.SERVFAIL, 2000
            await self.fails(NameTrouble, resolver.addresses("mx2.a.test"))

        return self.run_async(test())


class OlderServers(LooksUp):
    def test_a_server_without_EDNS_is_asked_without_and_remembered(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.mood = Mood.NO_EDNS
            resolver = self.resolver(server)
            self.assertEqual(len(await resolver.exchangers("a.test")), 2)
            self.assertEqual(server.asked["a.test", "MX"], 2)
            self.assertEqual(len(await resolver.texts("a.test")), 2)
            self.assertEqual(server.asked["a.test", "TXT"], 1)
            self.time.ahead = 4000
            await self.fails(NoSuchName, resolver.texts("nowhere.test"))
            self.assertEqual(server.asked["nowhere.test", "TXT"], 2)

        return self.run_async(test())

    def test_FORMERR_with_and_without_EDNS_is_trouble(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.lie = lambda query, truth: [query[:2] + b"\x80\x01" + b"\0" * 8]  # and without the question
            fault = await self.fails(NameTrouble, self.resolver(server).exchangers("a.test"))
            self.assertIn("FORMERR", fault)

        return self.run_async(test())


class ByTcp(LooksUp):
    def test_an_answer_too_long_for_a_datagram_is_asked_for_by_TCP(self) -> Deferred[None]:
        async def test() -> None:
            texts = [f'"{number:0250}"' for number in range(100)]
            server = self.serve({"long.test": {"TXT": texts}})
            self.assertEqual(len(await self.resolver(server).texts("long.test")), 100)
            self.assertEqual(server.asked_by_tcp["long.test", "TXT"], 1)

        return self.run_async(test())

    def test_a_server_that_asks_for_TCP_and_does_not_speak_it_is_trouble(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.mood = Mood.NO_TCP
            fault = await self.fails(NameTrouble, self.resolver(server, limit=4).exchangers("a.test"))
            self.assertIn("connection closed", fault)

        return self.run_async(test())

    def test_TCP_that_stalls_is_trouble_after_a_while(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.mood = Mood.TRUNCATED
            server.lie_by_tcp = lambda query, truth: []
            fault = await self.fails(NameTrouble, self.resolver(server, limit=0.5).exchangers("a.test"))
            self.assertIn("no answer in time", fault)

        return self.run_async(test())

    def test_an_answer_that_is_cut_by_TCP_too_or_is_to_another_question_is_trouble(self) -> Deferred[None]:
        async def test() -> None:
            for lie, words in (
                (lambda truth: truth[:2] + bytes([truth[2] | 2]) + truth[3:], "cut short by TCP"),
                (lambda truth: bytes([truth[0] ^ 1]) + truth[1:], "another question"),
                (lambda truth: b"", "another question"),
            ):
                server = self.serve()
                server.mood = Mood.TRUNCATED
                server.lie_by_tcp = lambda query, truth, lie=lie: [lie(truth)]
                fault = await self.fails(NameTrouble, self.resolver(server).exchangers("a.test"))
                self.assertIn(words, fault)

        return self.run_async(test())

    def test_connections_that_are_reset_or_dribble_are_trouble(self) -> Deferred[None]:
        async def test() -> None:
            for ending in (reset, dribble):
                server = self.serve()
                server.mood = Mood.TRUNCATED
                server.tcp.shutdown()
                threading.Thread(target=ending, args=(server,), daemon=True).start()
                await self.fails(NameTrouble, self.resolver(server, limit=0.5).exchangers("a.test"))

        return self.run_async(test())


def reset(server: NameServer) -> None:
    """Reset each connection."""
    while not server.stopped.is_set():
        connection, _ = server.tcp.socket.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()


def pass_on(asked: socket.socket, server: NameServer) -> None:
    """Answer one question with what another server says."""
    query, place = asked.recvfrom(4096)
    asked.sendto((server.reply(query, False) or [])[0], place)


def dribble(server: NameServer) -> None:
    """Promise 64 KiB, and send them octet by octet."""
    connection, _ = server.tcp.socket.accept()
    connection.sendall(b"\xff\xff")
    with contextlib.suppress(OSError):
        while not server.stopped.wait(0.01):
            connection.sendall(b"\0")


class Named(LooksUp):
    def test_servers_are_those_of_resolv_conf_as_it_is_now(self) -> Deferred[None]:
        async def test() -> None:
            conf = Path(self.mktemp())
            conf.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
            resolver = self.resolver(resolv_conf=conf)
            asked = resolver._asking.asked
            self.assertEqual([str(server) for server in asked().servers], ["127.0.0.1"])
            conf.write_text("# other\nnameserver 192.0.2.1\nnameserver ::1\n")
            self.time.ahead = 3
            self.assertEqual([str(server) for server in asked().servers], ["192.0.2.1", "::1"])
            conf.unlink()
            self.time.ahead = 6
            self.assertEqual([str(server) for server in asked().servers], ["127.0.0.1"])

        return self.run_async(test())

    def test_servers_are_asked_by_IPv6_too(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
                try:
                    asked.bind(("::1", 0))
                except OSError:
                    self.skipTest("no IPv6 here")
                asked.settimeout(10)
                thread = threading.Thread(target=pass_on, args=(asked, server))
                thread.start()
                found = await self.resolver(f"[::1]:{asked.getsockname()[1]}").exchangers("a.test")
                thread.join()
                self.assertEqual(len(found), 2)

        return self.run_async(test())

    def test_a_server_that_is_none_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            self.resolver("ns.test")

    def test_a_server_that_cannot_be_reached_is_trouble(self) -> Deferred[None]:
        async def test() -> None:
            await self.fails(NameTrouble, self.resolver("255.255.255.255:9", limit=0.5).exchangers("a.test"))

        return self.run_async(test())

    def test_more_questions_than_are_asked_at_once_wait_for_their_turn(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve({f"n{number}.test": {"TXT": ['"x"']} for number in range(300)})
            resolver = self.resolver(server)
            asking = [Deferred.fromCoroutine(resolver.texts(f"n{number}.test")) for number in range(300)]
            for one in asking:
                self.assertEqual(await one, ("x",))
            server.mood = Mood.SILENT
            resolver = self.resolver(server, limit=0.5)
            asking = [Deferred.fromCoroutine(resolver.texts(f"n{number}.test")) for number in range(210)]
            for one in asking:
                await self.fails(NameTrouble, one)

        return self.run_async(test())
