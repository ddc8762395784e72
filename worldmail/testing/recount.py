"""Everything in a store that is counted or kept twice, counted anew.

assert settle(database.read(faults)) == []
"""

from __future__ import annotations

from worldmail.interfaces.database import Cursor

_QUESTIONS = {
    "a mailbox counts other messages than it has": (
        "SELECT m.id, m.name, m.messages, m.octets, m.uidnext FROM mailbox m LEFT JOIN message x ON x.mailbox_id = m.id"
        " GROUP BY m.id, m.name, m.messages, m.octets, m.uidnext HAVING m.messages <> count(x.uid)"
        " OR m.octets <> coalesce(sum(x.size), 0) OR m.uidnext <= coalesce(max(x.uid), 0)"
    ),
    "a mailbox counts other flags than its messages have": (
        "SELECT m.id, m.name, m.seen, m.deleted, m.deleted_octets FROM mailbox m"
        " LEFT JOIN message x ON x.mailbox_id = m.id LEFT JOIN mark k"
        " ON k.mailbox_id = x.mailbox_id AND x.uid BETWEEN k.first AND k.last"
        " GROUP BY m.id, m.name, m.seen, m.deleted, m.deleted_octets HAVING m.seen <> coalesce(sum(k.flags & 1), 0)"
        " OR m.deleted <> coalesce(sum((k.flags & 8) / 8), 0)"
        " OR m.deleted_octets <> coalesce(sum((k.flags & 8) / 8 * x.size), 0)"
    ),
    "a MODSEQ is higher than the mailbox's": (
        "SELECT m.id, m.name FROM mailbox m WHERE m.forgotten > m.highestmodseq OR m.recent > m.uidnext"
        " OR m.highestmodseq < coalesce((SELECT max(arrived) FROM message x WHERE x.mailbox_id = m.id), 0)"
        " OR m.highestmodseq < coalesce((SELECT max(modseq) FROM mark k WHERE k.mailbox_id = m.id), 0)"
        " OR m.highestmodseq < coalesce((SELECT max(modseq) FROM expunged e WHERE e.mailbox_id = m.id), 0)"
    ),
    "UIDs and the MODSEQs of arrivals do not grow together": (
        "SELECT mailbox_id, uid FROM (SELECT mailbox_id, uid, arrived,"
        " lag(arrived) OVER (PARTITION BY mailbox_id ORDER BY uid) AS before FROM message) x WHERE arrived < before"
    ),
    "a message was expunged and is there, or was expunged twice": (
        "SELECT m.mailbox_id, m.uid FROM message m JOIN expunged e ON e.mailbox_id = m.mailbox_id AND e.uid = m.uid"
        " UNION ALL SELECT mailbox_id, uid FROM expunged GROUP BY mailbox_id, uid HAVING count(*) > 1"
    ),
    "flags are of no message, or of one twice": (
        "SELECT k.mailbox_id, k.first FROM mark k WHERE k.first > k.last OR NOT EXISTS (SELECT 1 FROM message m"
        " WHERE m.mailbox_id = k.mailbox_id AND m.uid BETWEEN k.first AND k.last)"
        " UNION ALL SELECT k.mailbox_id, k.first FROM mark k JOIN mark o ON o.mailbox_id = k.mailbox_id"
        " AND o.first > k.first AND o.first <= k.last"
        " UNION ALL SELECT s.mailbox_id, s.uid FROM seen s LEFT JOIN message m"
        " ON m.mailbox_id = s.mailbox_id AND m.uid = s.uid WHERE m.uid IS NULL"
    ),
    "a message has another size than its prefix and content": (
        "SELECT m.mailbox_id, m.uid FROM message m LEFT JOIN content c ON c.id = m.content_id"
        " WHERE c.id IS NULL OR m.size <> c.size + length(m.prefix)"
    ),
    "content that nothing refers to is not noted": (
        "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message x WHERE x.content_id = c.id)"
        " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
    ),
    "two contents are at one place": (
        "SELECT place FROM content WHERE place IS NOT NULL GROUP BY place HAVING count(*) > 1"
    ),
    "a domain counts other octets than its accounts have": (
        "SELECT d.name, d.octets FROM domain d WHERE d.quota IS NOT NULL AND d.octets <> (SELECT"
        " coalesce(sum(m.octets), 0) FROM account a JOIN mailbox m ON m.account_id = a.id WHERE a.domain_id = d.id)"
    ),
    "something is said of a mailbox or an account that is not there": (
        "SELECT 'acl', mailbox_id FROM acl WHERE mailbox_id NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'url_key', mailbox_id FROM url_key WHERE mailbox_id NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'keyword', mailbox_id FROM keyword WHERE mailbox_id NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'annotation', mailbox_id FROM annotation"
        " WHERE mailbox_id <> 0 AND mailbox_id NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'annotation of', account_id FROM annotation"
        " WHERE account_id <> 0 AND account_id NOT IN (SELECT id FROM account)"
        " UNION ALL SELECT 'seen by', account_id FROM seen WHERE account_id NOT IN (SELECT id FROM account)"
    ),
}


def faults(cursor: Cursor) -> list[str]:
    """What is wrong, each with the rows that show it; nothing if all is right."""
    found = ((what, cursor.all(question)) for what, question in _QUESTIONS.items())
    return [f"{what}: {rows}" for what, rows in found if rows]
