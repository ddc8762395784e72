"""Servers that lie, and others that answer in their place."""

from __future__ import annotations

import socket
import struct
import threading

from twisted.internet.defer import Deferred

from worldmail.interfaces.resolver import NameTrouble
from worldmail.testing.lookups import LooksUp
from worldmail.testing.names import Lie, Mood

RECORD = struct.Struct("!HHIH")


def other_id(truth: bytes) -> bytes:
    return bytes([truth[0] ^ 0x55]) + truth[1:]


def other_question(truth: bytes) -> bytes:
    return truth.replace(b"\1a\4test", b"\1b\4test", 1)


def other_case(truth: bytes) -> bytes:
    end = truth.index(b"\0", 12)
    return truth[:12] + truth[12:end].swapcase() + truth[end:]


def answer(query: bytes, *records: bytes, count: int | None = None) -> bytes:
    """An answer to a query, with these records."""
    end = query.index(b"\0", 12) + 5
    return (
        query[:2]
        + struct.pack("!HHHHH", 0x8180, 1, len(records) if count is None else count, 0, 0)
        + query[12:end]
        + b"".join(records)
    )


def mx(owner: bytes, data: bytes) -> bytes:
    return owner + RECORD.pack(15, 1, 300, len(data)) + data


class Ignored(LooksUp):
    def test_answers_to_other_queries_are_not_taken(self) -> Deferred[None]:
        async def test() -> None:
            lies: list[Lie] = [
                lambda query, truth: [other_id(truth), truth],
                lambda query, truth: [other_question(truth), truth],
                lambda query, truth: [other_case(truth), truth],
                lambda query, truth: [query, truth],  # not even an answer
                lambda query, truth: [b"", truth[:11], b"\0" * 12, truth],
                lambda query, truth: [truth[:2] + b"\x90" + truth[3:], truth],  # another opcode
                lambda query, truth: [truth[:2] + b"\x81\x83" + b"\0" * 8, truth],  # NXDOMAIN of nothing
                lambda query, truth: [truth[:4] + b"\0\2" + truth[6:], truth],  # two questions
            ]
            for lie in lies:
                server = self.serve()
                server.lie = lie
                self.assertEqual(len(await self.resolver(server).exchangers("a.test")), 2)
                self.assertEqual(server.asked.total(), 1)

        return self.run_async(test())

    def test_a_right_answer_from_another_place_is_not_taken(self) -> Deferred[None]:
        async def test() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
                asked.bind(("127.0.0.1", 0))
                asked.settimeout(10)
                thread = threading.Thread(target=answer_from_elsewhere, args=(asked,))
                thread.start()
                resolver = self.resolver(f"127.0.0.1:{asked.getsockname()[1]}", limit=0.5)
                await self.fails(NameTrouble, resolver.exchangers("a.test"))
                thread.join()

        return self.run_async(test())

    def test_after_many_wrong_answers_TCP_is_asked(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.lie = lambda query, truth: [other_id(truth)] * 60 + [truth]
            self.assertEqual(len(await self.resolver(server).exchangers("a.test")), 2)
            self.assertEqual(server.asked_by_tcp["a.test", "MX"], 1)

        return self.run_async(test())


def answer_from_elsewhere(asked: socket.socket) -> None:
    query, place = asked.recvfrom(4096)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.sendto(answer(query, mx(b"\xc0\x0c", b"\0\x0a\1x\0")), place)


class Useless(LooksUp):
    def useless(self, *lies: Lie, by_tcp: bool = False) -> Deferred[None]:
        async def test() -> None:
            for lie in lies:
                liar, honest = self.serve(), self.serve()
                if by_tcp:
                    liar.mood, liar.lie_by_tcp = Mood.TRUNCATED, lie
                else:
                    liar.lie = lie
                self.assertEqual(len(await self.resolver(liar, honest).exchangers("a.test")), 2)
                self.assertEqual(honest.asked.total(), 1)
                fault = await self.fails(NameTrouble, self.resolver(liar).exchangers("a.test"))
                self.assertIn(liar.setting, fault)

        return self.run_async(test())

    def test_octets_that_cannot_be_read(self) -> Deferred[None]:
        end = b"\xc0\x0c"
        return self.useless(
            lambda query, truth: [truth[:40]],
            lambda query, truth: [answer(query, mx(b"\xc0\x18", b"\0\x0a\1x\0"))],  # points at itself
            lambda query, truth: [answer(query, mx(end, b"\0\x0a\1x\xc0\xff"))],  # and ahead
            lambda query, truth: [answer(query, mx(b"\x80a\0", b"\0\x0a\1x\0"))],  # no kind of label
            lambda query, truth: [answer(query, mx(b"\1a" * 200 + b"\0", b"\0\x0a\1x\0"))],  # too long
            lambda query, truth: [answer(query, mx(end, b"\0\x0a\1x\0 and more"))],
            lambda query, truth: [answer(query, mx(end, b"\0"))],
            lambda query, truth: [answer(query, mx(end, b"\0\x0a\1x\0"), count=3)],
            lambda query, truth: [answer(query, end + RECORD.pack(15, 1, 300, 60000) + b"\0")],
        )

    def test_answers_that_say_nothing(self) -> Deferred[None]:
        ns = b"\0" + RECORD.pack(2, 1, 300, 3) + b"\1x\0"
        return self.useless(
            lambda query, truth: [answer(query)[:3] + b"\0" + answer(query)[4:]],  # neither recursive nor its own
            lambda query, truth: [answer(query)[:9] + b"\1" + answer(query)[10:] + ns],  # a referral
            lambda query, truth: [answer(query)[:3] + b"\x8b" + answer(query)[4:]],  # an unknown response code
            lambda query, truth: [  # BADVERS, whose lower bits say NOERROR (RFC 6891 §9)
                answer(query)[:11] + b"\1" + answer(query)[12:] + b"\0" + RECORD.pack(41, 1232, 1 << 24, 0)
            ],
        )

    def test_records_of_other_names_alone(self) -> Deferred[None]:
        return self.useless(lambda query, truth: [answer(query, mx(b"\1y\0", b"\0\x0a\3bad\0"))])

    def test_thousands_of_records(self) -> Deferred[None]:
        return self.useless(
            lambda query, truth: [answer(query, *[mx(b"\1b\0", b"\0\x0a\1x\0")] * 3400)],  # of another name
            lambda query, truth: [answer(query, count=65535)],
            lambda query, truth: [answer(query, *[mx(b"\xc0\x0c", b"\0\x0a" + b"\1x" * 120 + b"\0")] * 200)],
            by_tcp=True,
        )

    def test_aliases_in_a_loop(self) -> Deferred[None]:
        def alias(owner: bytes, target: bytes) -> bytes:
            return owner + RECORD.pack(5, 1, 300, len(target)) + target

        return self.useless(
            lambda query, truth: [answer(query, alias(b"\xc0\x0c", b"\xc0\x0c"))],
            lambda query, truth: [answer(query, alias(b"\xc0\x0c", b"\1x\0"), alias(b"\1x\0", b"\xc0\x0c"))],
        )


class Unasked(LooksUp):
    def test_records_of_other_names_kinds_and_networks_are_passed_over(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.lie = lambda query, truth: [
                answer(
                    query,
                    mx(b"\1y\0", b"\0\x0a\3bad\0"),
                    b"\xc0\x0c" + RECORD.pack(15, 3, 300, 7) + b"\0\x0a\3bad\0",  # of class CH
                    b"\xc0\x0c" + RECORD.pack(1, 1, 300, 4) + b"\1\2\3\4",
                    b"\xc0\x0c" + RECORD.pack(46, 1, 300, 2) + b"\0\0",
                    mx(b"\xc0\x0c", b"\0\x0a\4GOOD\4tEst\0"),
                )
            ]
            (found,) = await self.resolver(server).exchangers("a.test")
            self.assertEqual(found.host, "good.test")

        return self.run_async(test())
