"""Five clients and deliveries at random on one INBOX, over TLS: each is told the truth, and all end with the same."""

from __future__ import annotations

import os
import random
import smtplib
import threading
import time

from tests.real.conftest import ANN, BOB, PASSWORDS, Site
from tests.real.imap_believer import Believer

SECONDS = 60 if os.environ.get("WORLDMAIL_LONG") else 4
ENABLES = ("", "IMAP4rev2", "CONDSTORE", "QRESYNC", "IMAP4rev2 QRESYNC")


def deliver_until(site: Site, until: float, numbers: random.Random) -> None:
    """Mail that comes by SMTP."""
    with smtplib.SMTP("localhost", site.server.port(25), timeout=20) as smtp:
        while time.monotonic() < until:
            smtp.sendmail(BOB, [ANN], f"Subject: x\r\n\r\n{numbers.getrandbits(60)}\r\n")
            time.sleep(0.05)


def act_until(client: Believer, until: float, faults: list[BaseException]) -> None:
    """Commands one after another, until one of the clients complains."""
    try:
        client.open()
        while time.monotonic() < until and not faults:
            client.act()
    except BaseException as fault:  # the test raises it
        faults.append(fault)


def test_five_clients_at_random_are_told_the_truth_and_end_with_the_same(mail: Site) -> None:
    seed = int(os.environ.get("CLIENTS_SEED", random.randrange(1 << 32)))
    print(f"CLIENTS_SEED={seed}")
    texts: dict[int, bytes] = {}
    place = {"port": mail.server.port(993), "tls": mail.tls, "login": (ANN, PASSWORDS[ANN]), "texts": texts}
    clients = [
        Believer(**place, enables=enables, random=random.Random(f"{seed} {number}"))
        for number, enables in enumerate(ENABLES)
    ]
    faults: list[BaseException] = []
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=act_until, args=(client, until, faults)) for client in clients]
    threads.append(threading.Thread(target=deliver_until, args=(mail, until, random.Random(seed))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    views = [client.look(quiet=True) for client in clients]
    print(f"{sum(client.commands for client in clients)} commands, {len(views[0])} messages, {len(texts)} texts read")
    assert all(view == views[0] for view in views)
    late = Believer(**place, enables="", random=random.Random(seed))
    late.open()
    assert late.look(quiet=True) == views[0]
    assert len(set(texts.values())) > 10
