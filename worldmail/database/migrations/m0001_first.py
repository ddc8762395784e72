"""Schema 1: domains, accounts, addresses, mailboxes, content, messages, trace, changes."""

STATEMENTS = (
    # One row a name: "instance" (random hex), "server-key-check", ...
    "CREATE TABLE fact (name {text} PRIMARY KEY, value {text} NOT NULL) {no_rowid}",
    # Committed changes, for other sessions and other processes; pruned from below, the newest always stays.
    "CREATE TABLE change (number {id}, topic {text} NOT NULL, key {int} NOT NULL)",
    # --- directory ---
    # Ids of domains, accounts and mailboxes are never given out again: sessions and caches of any process hold them,
    # and what was said of a removed account must not come to mean the next one.
    # quota: octets for all accounts together, NULL for no bound; octets: what they hold, kept only while there is one.
    "CREATE TABLE domain (id {lasting}, name {text} NOT NULL UNIQUE, kind {text} NOT NULL,"
    " alias_of {int} REFERENCES domain(id), quota {int}, octets {int} NOT NULL DEFAULT 0)",
    # address: local@domain, lower case, NFC, domain as A-labels. password: an argon2id hash.
    # kind: "person", or "public" for what owns the public mailboxes of a domain and is nobody.
    # legacy_secret: sealed under the server key, NULL where legacy logins are not allowed.
    # settings: a JSON object of the keys of `user set` that have no column.
    "CREATE TABLE account (id {lasting}, domain_id {int} NOT NULL REFERENCES domain(id),"
    " address {text} NOT NULL UNIQUE, kind {text} NOT NULL DEFAULT 'person', name {text} NOT NULL,"
    " enabled {int} NOT NULL, generation {int} NOT NULL,"
    " created {int} NOT NULL, password {text} NOT NULL, legacy_secret {blob}, quota {int}, max_message {int},"
    " settings {text} NOT NULL)",
    "CREATE INDEX account_domain ON account (domain_id)",
    "CREATE INDEX account_legacy ON account (id) WHERE legacy_secret IS NOT NULL",
    # RFC 5802 §2.2's StoredKey and ServerKey, one row a hash.
    "CREATE TABLE scram_key (account_id {int} NOT NULL REFERENCES account(id), hash {text} NOT NULL,"
    " salt {blob} NOT NULL, iterations {int} NOT NULL, stored_key {blob} NOT NULL, server_key {blob} NOT NULL,"
    " PRIMARY KEY (account_id, hash)) {no_rowid}",
    # local_part "*" is the domain's catch-all; one row a target.
    "CREATE TABLE address (domain_id {int} NOT NULL REFERENCES domain(id), local_part {text} NOT NULL,"
    " target {text} NOT NULL, PRIMARY KEY (domain_id, local_part, target)) {no_rowid}",
    # --- auth ---
    # scope: "client" (key: network) or "account" (key: address, known or not).
    "CREATE TABLE login_failure (scope {text} NOT NULL, key {text} NOT NULL, minute {int} NOT NULL,"
    " failures {int} NOT NULL, PRIMARY KEY (scope, key, minute)) {no_rowid}",
    "CREATE TABLE known_network (account_id {int} NOT NULL REFERENCES account(id), network {text} NOT NULL,"
    " last_login {int} NOT NULL, PRIMARY KEY (account_id, network)) {no_rowid}",
    # --- store ---
    # The row "uidvalidity" keeps the last value given out: never reused, also not after a removal (RFC 9051 §2.3.1.1).
    "CREATE TABLE counter (name {text} PRIMARY KEY, value {int} NOT NULL) {no_rowid}",
    # name: the path below its owner, levels separated by "/". seen, deleted, deleted_octets: of how many messages the
    # flags \\Seen and \\Deleted are set, and their size. recent: the first UID that no session was told of as \\Recent.
    # forgotten: rows of expunged up to this MODSEQ were removed.
    "CREATE TABLE mailbox (id {lasting}, account_id {int} NOT NULL REFERENCES account(id), name {text} NOT NULL,"
    " uidvalidity {int} NOT NULL, uidnext {int} NOT NULL, highestmodseq {int} NOT NULL, messages {int} NOT NULL,"
    " octets {int} NOT NULL, seen {int} NOT NULL DEFAULT 0, deleted {int} NOT NULL DEFAULT 0,"
    " deleted_octets {int} NOT NULL DEFAULT 0, recent {int} NOT NULL DEFAULT 1, forgotten {int} NOT NULL DEFAULT 0,"
    " special_use {text}, created {int} NOT NULL, UNIQUE (account_id, name))",
    # Mailboxes that are being removed have a name that begins with a control character.
    "CREATE INDEX mailbox_hidden ON mailbox (id) WHERE name < ' '",
    # Rows never change; what nothing refers to is found by way of orphan. The ids are told to clients as EMAILID.
    # flags: 1 binary; 2 unrepeatable: it holds what no other content can (our Received field with its id), so its
    # digest is not looked for among the others. An index of random values costs a page of its own for every message.
    "CREATE TABLE content (id {lasting}, digest {blob} NOT NULL, size {int} NOT NULL, flags {int} NOT NULL,"
    " place {text}, inline {blob})",
    "CREATE UNIQUE INDEX content_digest ON content (digest) WHERE flags < 2",
    "CREATE INDEX content_place ON content (place) WHERE place IS NOT NULL",
    # Rows never change. arrived: the MODSEQ that the message came with; it grows with the UID.
    "CREATE TABLE message (mailbox_id {int} NOT NULL REFERENCES mailbox(id), uid {int} NOT NULL,"
    " content_id {int} NOT NULL REFERENCES content(id), arrived {int} NOT NULL, size {int} NOT NULL,"
    " received {int} NOT NULL, saved {int} NOT NULL, acceptance {text}, prefix {blob} NOT NULL,"
    " PRIMARY KEY (mailbox_id, uid)) {no_rowid}",
    # Without it, removing content would look through every message for a reference.
    "CREATE INDEX message_content ON message (content_id)",
    # The flags of messages that ever had any: a row is about all messages with first <= uid <= last. Rows of a mailbox
    # do not overlap, and each is about one message at least, though not every UID in it need be there. modseq is that
    # of the last change; a message that no row is about has the one that it arrived with. flags: a bit set of system
    # flags; keywords: names separated by spaces, or NULL.
    "CREATE TABLE mark (mailbox_id {int} NOT NULL, first {int} NOT NULL, last {int} NOT NULL, flags {int} NOT NULL,"
    " modseq {int} NOT NULL, keywords {text}, PRIMARY KEY (mailbox_id, first)) {no_rowid}",
    "CREATE INDEX mark_modseq ON mark (mailbox_id, modseq)",
    # With last and flags it covers what it is for, else SQLite would take the primary key.
    "CREATE INDEX mark_deleted ON mark (mailbox_id, first, last, flags) WHERE (flags & 8) <> 0",
    # What others than the owner of a shared mailbox have read: \\Seen is each reader's own.
    "CREATE TABLE seen (account_id {int} NOT NULL, mailbox_id {int} NOT NULL, uid {int} NOT NULL,"
    " PRIMARY KEY (account_id, mailbox_id, uid)) {no_rowid}",
    "CREATE INDEX seen_message ON seen (mailbox_id, uid)",
    # Keywords in the spelling in which they came to a mailbox first; folded is the same in lower case.
    "CREATE TABLE keyword (mailbox_id {int} NOT NULL, folded {text} NOT NULL, name {text} NOT NULL,"
    " PRIMARY KEY (mailbox_id, folded)) {no_rowid}",
    "CREATE TABLE expunged (mailbox_id {int} NOT NULL REFERENCES mailbox(id), modseq {int} NOT NULL,"
    " uid {int} NOT NULL, PRIMARY KEY (mailbox_id, modseq, uid)) {no_rowid}",
    # Content that may have lost its last message; whether it has is looked up when it is collected.
    "CREATE TABLE orphan (content_id {int} PRIMARY KEY, since {int} NOT NULL) {no_rowid}",
    "CREATE INDEX orphan_since ON orphan (since)",
    # name: as the account sees it, other namespaces included; the mailbox need not exist.
    "CREATE TABLE subscription (account_id {int} NOT NULL REFERENCES account(id), name {text} NOT NULL,"
    " PRIMARY KEY (account_id, name)) {no_rowid}",
    # RFC 4314: identifier is an account's address or "anyone", with "-" in front for rights that are taken away.
    "CREATE TABLE acl (mailbox_id {int} NOT NULL REFERENCES mailbox(id), identifier {text} NOT NULL,"
    " rights {text} NOT NULL, PRIMARY KEY (mailbox_id, identifier)) {no_rowid}",
    "CREATE INDEX acl_identifier ON acl (identifier)",
    # RFC 5464: mailbox_id 0 is the server's; account_id 0 is shared, else that account's private one.
    "CREATE TABLE annotation (mailbox_id {int} NOT NULL, account_id {int} NOT NULL, entry {text} NOT NULL,"
    " value {blob} NOT NULL, PRIMARY KEY (mailbox_id, account_id, entry)) {no_rowid}",
    "CREATE INDEX annotation_account ON annotation (account_id)",
    # RFC 4467 §4: the mailbox access keys of each account.
    "CREATE TABLE url_key (account_id {int} NOT NULL REFERENCES account(id), mailbox_id {int} NOT NULL,"
    " key {blob} NOT NULL, PRIMARY KEY (account_id, mailbox_id)) {no_rowid}",
    "CREATE INDEX url_key_mailbox ON url_key (mailbox_id)",
    # --- trace ---
    # keys: what it can be found by, separated by line feeds. They are copied to trace_key behind acceptance; the
    # counter "trace-filed" is the id of the last row that was. Rows of trace_key are removed with their trace row.
    "CREATE TABLE trace (id {id}, acceptance {text} NOT NULL, at {int} NOT NULL, event {text} NOT NULL,"
    " detail {text} NOT NULL, keys {text} NOT NULL)",
    "CREATE TABLE trace_key (key {text} NOT NULL, trace_id {int} NOT NULL, PRIMARY KEY (key, trace_id)) {no_rowid}",
)
