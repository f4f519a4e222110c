// Drives imapflow through a mailbox; what it saw goes to the standard output as one JSON object.
// Arguments: port, CA file, user, password, folder with node_modules.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [port, ca, user, pass, libraries] = process.argv.slice(2);
const { ImapFlow } = createRequire(libraries + "/")("imapflow");
const seen = {};

function connect(options = {}) {
    return new ImapFlow({
        host: "localhost", port: Number(port), secure: true, auth: { user, pass }, logger: false,
        tls: { ca: readFileSync(ca) }, clientInfo: { name: "tests" }, ...options,
    });
}

function happens(client, event) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no " + event + " within 20 seconds")), 20000);
        client.once(event, (data) => { clearTimeout(timer); resolve(data); });
    });
}

const letter = (subject, body = "text\r\n") =>
    `From: writer@remote.test\r\nTo: ${user}\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replaceAll(" ", ".")}@client.test>\r\n\r\n${body}`;

const main = connect({ qresync: true });
await main.connect();
seen.capabilities = [...main.capabilities.keys()];
seen.enabled = [...main.enabled];
seen.compressed = Boolean(main._deflate ?? main._inflate);
seen.folders = (await main.list({ statusQuery: { messages: true, unseen: true } })).map((box) => [box.path, box.specialUse ?? "", box.status?.messages]);
seen.created = (await main.mailboxCreate(["Projets", "Été"])).path;
seen.appended = (await main.append("INBOX", letter("one"), ["\\Seen"])).uid;
await main.append("INBOX", letter("two", "x".repeat(100000) + "\r\n"));
await main.append("INBOX", letter("three"));

await main.mailboxOpen("INBOX");
const validity = main.mailbox.uidValidity;
seen.exists = main.mailbox.exists;
seen.modseq = typeof main.mailbox.highestModseq;
seen.fetched = [];
for await (const one of main.fetch("1:*", { uid: true, envelope: true, flags: true, size: true, bodyStructure: true })) {
    seen.fetched.push([one.uid, one.envelope.subject, [...one.flags].filter((flag) => flag !== "\\Recent"), one.bodyStructure.type]);
}
seen.large = (await main.fetchOne("2", { source: true })).source.length;
const { content } = await main.download("2", "1");
let octets = 0;
for await (const chunk of content) octets += chunk.length;
seen.downloaded = octets;
seen.search = await main.search({ subject: "two" }, { uid: true });
const before = main.mailbox.highestModseq;
await main.messageFlagsAdd("3", ["\\Flagged", "$Label"]);
seen.changed = [];
for await (const one of main.fetch("1:*", { uid: true, flags: true }, { changedSince: before })) seen.changed.push(one.uid);
seen.quota = (await main.getQuota("INBOX")).path;
const moved = await main.messageMove("2", "Archive");
seen.moved = [moved.destination, moved.uidMap?.size];

// IDLE: another client's doing is heard of, with QRESYNC.
const other = connect({ disableCompression: true });
await other.connect();
await other.mailboxOpen("INBOX");
const idling = main.idle();
let event = happens(main, "exists");
await other.append("INBOX", letter("four"));
seen.heard_exists = (await event).count;
event = happens(main, "flags");
await other.messageFlagsAdd("1", ["\\Answered"]);
seen.heard_flags = [...(await event).flags].filter((flag) => flag !== "\\Recent").sort();
event = happens(main, "expunge");
await other.messageDelete("1");
const gone = await event;
seen.heard_expunge = [gone.vanished, gone.uid ?? gone.seq];
await main.noop();
await idling;
// imapflow itself remembers the last MODSEQ of a FETCH; what vanished later it would be told once more.
const changedSince = (await main.status("INBOX", { highestModseq: true })).highestModseq;
await main.logout();
await other.messageFlagsAdd("3", ["\\Answered"], { uid: true });
await other.messageDelete("4", { uid: true });
await other.append("INBOX", letter("five"));
await other.logout();

// Coming back: SELECT itself tells what has changed since, and nothing else (RFC 7162 §3.2.5).
const again = connect({ qresync: true });
await again.connect();
const vanished = [], changed = [];
again.on("expunge", (one) => vanished.push([one.uid, one.vanished, one.earlier]));
again.on("flags", (one) => changed.push([one.uid, [...one.flags].filter((flag) => flag !== "\\Recent").sort(), one.modseq > changedSince]));
await again.mailboxOpen("INBOX", { uidValidity: validity, changedSince });
seen.resynchronised = [again.mailbox.qresync, again.mailbox.exists, again.mailbox.highestModseq > changedSince];
[seen.vanished, seen.changed_away] = [vanished, changed];
seen.same_validity = again.mailbox.uidValidity === validity;
seen.left = [];
for await (const one of again.fetch("1:*", { uid: true, envelope: true })) seen.left.push(one.envelope.subject);
seen.deleted = (await again.mailboxDelete(["Projets", "Été"])).path;
await again.logout();
console.log(JSON.stringify(seen, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
