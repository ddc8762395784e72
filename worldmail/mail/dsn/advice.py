"""What a status code means to people, and what they can do about it (RFC 3463 §3).

The second and third number say it: the class only says whether it is final.
"""

from __future__ import annotations

from attrs import evolve, frozen


@frozen
class Advice:
    """Sentences for people.

    Attributes:
        meaning: what is the matter.
        help: what the sender can do when it is final.
    """

    meaning: str
    help: str


_CHECK = "Check the address for typing errors. If it is right, ask the person in another way for an address that works."
_LATER = "Send the message again later. If it is urgent, reach the person in another way."
_SMALLER = "Send it smaller: leave attachments out, or make several messages of it."
_ASK = "The answer of the other server may say why. If it does not, ask the people who look after it."
_OURS = "Forward this report to the postmaster named below."

_KNOWN = {
    "1.1": Advice("There is no mailbox with this address.", _CHECK),
    "1.2": Advice("The part of the address behind the @ does not exist, or takes no mail.", _CHECK),
    "1.3": Advice("This is not a mail address.", _CHECK),
    "1.4": Advice("The address could mean more than one mailbox.", _CHECK),
    "1.6": Advice("The person has moved, and left no new address.", _CHECK),
    "1.8": Advice("The other server does not accept your own address as a sender.", _ASK),
    "1.10": Advice("The part of the address behind the @ takes no mail at all.", _CHECK),
    "2.1": Advice("The mailbox is switched off.", _CHECK),
    "2.2": Advice("The mailbox is full.", _LATER),
    "2.3": Advice("The message is larger than this mailbox allows.", _SMALLER),
    "3.1": Advice("The other server has no room left.", _LATER),
    "3.2": Advice("The other server takes no mail at this time.", _LATER),
    "3.4": Advice("The message is larger than the other server allows.", _SMALLER),
    "4.1": Advice("The other server did not answer.", _LATER),
    "4.2": Advice("The connection to the other server broke.", _LATER),
    "4.3": Advice("The name of the other server could not be looked up.", _LATER),
    "4.4": Advice("No way was found to the server of this address.", _CHECK),
    "4.6": Advice("The message went round in circles between servers.", _ASK),
    "4.7": Advice("It could not be delivered in all the time that we tried.", _LATER),
    "5.3": Advice("The message has too many recipients.", "Send it to fewer people at a time."),
    "6.1": Advice("The other server does not take this kind of content.", _ASK),
    "6.3": Advice(
        "The message holds content that the other server cannot take, and that may not be changed on the way.",
        "Send it with plain letters only, or as an attachment.",
    ),
    "6.7": Advice(
        "The other server does not know addresses with letters beyond a to z.",
        "Use addresses that have plain letters only, your own and that of the person.",
    ),
    "6.9": Advice(
        "The other server does not know subjects and names with letters beyond a to z as they are in this message.",
        "Send it with plain letters only in subject and names.",
    ),
    "7.1": Advice("The other server does not take this message from you.", _ASK),
    "7.10": Advice("The other server could not be reached by an encrypted connection, which is required.", _OURS),
    "7.30": Advice(
        "You asked that the message travels by encrypted connections only, and the other server has none.",
        "Send it without that wish, if it may be read on the way.",
    ),
}
_FAMILIES = {
    "1": Advice("The other server does not accept the address.", _CHECK),
    "2": Advice("The mailbox does not take the message.", _LATER),
    "3": Advice("The other server cannot take the message.", _LATER),
    "4": Advice("The other server could not be reached.", _LATER),
    "5": Advice("The two servers did not understand each other.", _ASK),
    "6": Advice("The other server does not take the content of the message.", _ASK),
    "7": Advice("The other server refused the message because of its rules.", _ASK),
}
_UNKNOWN = Advice("The other server did not take the message.", _ASK)


def advice(status: str, *, answered: bool = True) -> Advice:
    """For a code such as "5.1.1".

    Args:
        answered: another server said it, so that its words can be looked at.
    """
    _, _, detail = status.partition(".")
    found = _KNOWN.get(detail) or _FAMILIES.get(detail.partition(".")[0]) or _UNKNOWN
    return found if answered or found.help is not _ASK else evolve(found, help=_OURS)
