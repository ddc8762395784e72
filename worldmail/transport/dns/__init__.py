"""Names of the Domain Name System, looked up without ever holding up the reactor.

**What is asked.** A stub resolver's questions (RFC 1034 §5.3.1) to recursive servers that the administrator trusts:
those of a setting, or of /etc/resolv.conf as it is now. Names are absolute; there is no search list. Literals,
`localhost` and the names of /etc/hosts are known without asking.

**From a question to a finding.** `resolver` looks into its `cache`, joins whoever asks the same already, or has
`asking` ask: server after server and round after round, by `udp`, and by `tcp` if an answer was cut. `message` makes
the octets of a question and reads an answer's, `findings` follows the aliases in it and says what it means. A finding
is kept as long as its TTLs allow, those of names that are not there and of troubles too (RFC 2308, RFC 9520).

**Whom to believe.** Each question goes out from a socket of its own, connected (so the system drops what others send)
from a port that the system picks at random, with a random id; an answer repeats the question octet by octet
(RFC 5452 §9). Who is sent too many wrong answers goes over to TCP.

**What hostile octets may cost.** A datagram a turn of the reactor; of an answer at most `RECORDS` records and `LABELS`
labels are read, so that the worst 64 KiB take some milliseconds. What is beyond is an answer nobody can use.

**What is said when nothing is known.** Nothing final: only NXDOMAIN, and what no name can be, raise `NoSuchName`. What
is not an answer in earnest (SERVFAIL, REFUSED, a referral, silence, loops of aliases) raises `NameTrouble`, and mail
waits. Addresses that were known are used for a day more (RFC 8767), so that routes to a host hold when the name
servers are gone; other records are not, since mail that waits is better than mail that goes astray.
"""
