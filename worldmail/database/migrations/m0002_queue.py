"""Schema 2: the outbound queue, routes, and the recipients of relay domains."""

STATEMENTS = (
    # --- where mail goes ---
    # sender, domain: "*", an exact one, or one that begins with "." for all below it. via: see interfaces.queue.Via.
    # password: sealed under the server key. settings: a JSON object of the keys that have no column.
    "CREATE TABLE route (name {text} PRIMARY KEY, domain {text} NOT NULL, sender {text} NOT NULL, via {text} NOT NULL,"
    " host {text} NOT NULL, port {int} NOT NULL, username {text}, password {blob}, enabled {int} NOT NULL,"
    " settings {text} NOT NULL) {no_rowid}",
    # Whom a relay domain has: local_part as in address. A domain without any row takes everybody.
    "CREATE TABLE relay_recipient (domain_id {int} NOT NULL REFERENCES domain(id), local_part {text} NOT NULL,"
    " PRIMARY KEY (domain_id, local_part)) {no_rowid}",
    # --- the queue ---
    # A message with at least one recipient that waits or is tried. sender: "" for the null reverse-path. envelope: a
    # JSON object of what else MAIL said and where it came from. recipients: how many rows of recipient there are.
    # kind: 0 mail, 1 a report (it is never reported about). sole: nothing but the queue ever had the content.
    "CREATE TABLE queued (id {lasting}, acceptance {text} NOT NULL, content_id {int} NOT NULL REFERENCES content(id),"
    " sender {text} NOT NULL, envelope {text} NOT NULL, size {int} NOT NULL, accepted {int} NOT NULL,"
    " priority {int} NOT NULL, kind {int} NOT NULL, sole {int} NOT NULL, recipients {int} NOT NULL)",
    "CREATE INDEX queued_content ON queued (content_id)",
    "CREATE INDEX queued_acceptance ON queued (acceptance)",
    # What shares connections and fate: see interfaces.queue.Route.destination. due: no later than the first of its
    # waiting recipients, NULL if none waits. rest_until: nothing is tried before. down_since: its link is down since.
    "CREATE TABLE destination (id {lasting}, key {text} NOT NULL UNIQUE, domain {text} NOT NULL, route {text} NOT NULL,"
    " due {int}, rest_until {int} NOT NULL DEFAULT 0, failures {int} NOT NULL DEFAULT 0, down_since {int},"
    " reply {text} NOT NULL DEFAULT '')",
    "CREATE INDEX destination_due ON destination (due) WHERE due IS NOT NULL",
    # state: see interfaces.queue.Standing. due: not to be tried before. look: when it expires or its sender is to be
    # told of the delay, whichever comes first. wish: what an administrator wants of one that is being tried. wishes: a
    # JSON object of NOTIFY and ORCPT. runner_id: who has it, if it is leased.
    "CREATE TABLE recipient (id {lasting}, queued_id {int} NOT NULL REFERENCES queued(id),"
    " destination_id {int} NOT NULL REFERENCES destination(id), address {text} NOT NULL, wishes {text},"
    " state {int} NOT NULL, due {int} NOT NULL, attempts {int} NOT NULL, expires {int} NOT NULL, look {int} NOT NULL,"
    " warned {int} NOT NULL, runner_id {int}, wish {text}, reply {text})",
    "CREATE INDEX recipient_queued ON recipient (queued_id)",
    "CREATE INDEX recipient_due ON recipient (destination_id, due) WHERE state = 0",
    "CREATE INDEX recipient_held ON recipient (destination_id) WHERE state = 1",
    "CREATE INDEX recipient_look ON recipient (look) WHERE state = 0",
    "CREATE INDEX recipient_runner ON recipient (runner_id) WHERE runner_id IS NOT NULL",
    # Who works the queue: a runner is alive as long as it holds the lock of its id.
    "CREATE TABLE runner (id {lasting}, node {text} NOT NULL, started {int} NOT NULL)",
    # What the queue counted: replies by class and the like.
    "CREATE TABLE tally (name {text} PRIMARY KEY, value {int} NOT NULL) {no_rowid}",
)
