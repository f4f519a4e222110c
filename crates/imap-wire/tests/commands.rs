//! What our grammar adds to imap-codec's: each command of the extensions, printed as a client would, is parsed as what it was.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::panic,
    reason = "tests may"
)]

use mail::{Keyword, SpecialUse};
use proptest::prelude::*;
use proptest::sample::select;
use relais_imap_wire::{
    Append, AppendContent, AppendMessage, CatenatePart, Command, CommandBody, CommandText, Create, Date, DateTest,
    Depth, EntryName, EnvelopeField, EventGroup, EventMailboxes, Events, Fetch, FetchItem, Flag, GetMetadata,
    HeaderName, List, ListReturn, ListSelection, MailboxFilter, MailboxName, MetadataQuery, Multisearch, NameEncoding,
    Notify, Partial, PartialRange, Qresync, QuotaResource, Replace, Search, SearchKey, SearchReturn, SearchText,
    Section, Select, SequenceBound, SequenceSet, SetAcl, SetMetadata, SetQuota, Sort, SortCriterion, SortKey,
    StatusItem, Store, StoreAction, Thread, ThreadAlgorithm, Ticket, Transfer, UrlAsked, UrlData, UrlFetch, decode,
};

const UTF7: NameEncoding = NameEncoding::ModifiedUtf7;

fn parse(text: &[u8]) -> Result<Command, String> {
    decode(&CommandText::from(text), UTF7).map_err(|refusal| refusal.text)
}

/// A string as a client writes it: quoted where that is possible, else a literal.
fn string(bytes: &[u8]) -> Vec<u8> {
    if bytes.iter().all(|b| matches!(b, b' '..=b'~')) {
        let escaped = bytes.iter().flat_map(|&b| if matches!(b, b'"' | b'\\') { vec![b'\\', b] } else { vec![b] });
        return std::iter::once(b'"').chain(escaped).chain([b'"']).collect();
    }
    [format!("{{{}+}}\r\n", bytes.len()).as_bytes(), bytes].concat()
}

/// Pieces of a command, which are octets.
fn line(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

fn joined<T>(items: &[T], print: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    items.iter().map(print).collect::<Vec<_>>().join(&b' ')
}

fn name(mailbox: &MailboxName) -> Vec<u8> {
    string(mailbox.encode(UTF7).as_bytes())
}

/// One name, or several in parentheses.
fn names(all: &[MailboxName]) -> Vec<u8> {
    if let [one] = all { name(one) } else { line(&[b"(", &joined(all, name), b")"]) }
}

fn set(set: &SequenceSet) -> String {
    let bound = |bound: SequenceBound| match bound {
        SequenceBound::Number(number) => number.to_string(),
        SequenceBound::Largest => "*".to_owned(),
    };
    let range = |&(a, b): &(SequenceBound, SequenceBound)| {
        if a == b { bound(a) } else { format!("{}:{}", bound(a), bound(b)) }
    };
    let saved = set.has_saved().then(|| "$".to_owned());
    set.ranges().iter().map(range).chain(saved).collect::<Vec<_>>().join(",")
}

fn metadata_entries(query: &MetadataQuery) -> Vec<u8> {
    line(&[b"(", &joined(&query.entries, |entry| string(entry.as_str().as_bytes())), b")"])
}

fn status_items(items: &[StatusItem]) -> String {
    format!("({})", items.iter().map(|item| item.as_str()).collect::<Vec<_>>().join(" "))
}

/// Words that stand where something holds.
fn chosen(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

fn returns(returns: &SearchReturn, update_fetch: &[FetchItem]) -> String {
    let items = update_fetch.iter().map(fetch_item).collect::<Vec<_>>().join(" ");
    let update = if items.is_empty() { "UPDATE".to_owned() } else { format!("UPDATE ({items})") };
    let partial = returns.partial.map(|range| format!("PARTIAL {range}"));
    let words = chosen(&[
        (returns.min, "MIN"),
        (returns.max, "MAX"),
        (returns.all, "ALL"),
        (returns.count, "COUNT"),
        (returns.save, "SAVE"),
        (returns.context, "CONTEXT"),
        (returns.update, &update),
        (returns.relevancy, "RELEVANCY"),
    ]);
    let words: Vec<String> = std::iter::once(words).filter(|words| !words.is_empty()).chain(partial).collect();
    format!("RETURN ({}) ", words.join(" "))
}

fn date(date: Date) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = (1..=12u8).find(|month| (1..=31).any(|day| Date::new(2024, *month, day) == Some(date))).unwrap();
    let day = (1..=31).find(|day| Date::new(2024, month, *day) == Some(date)).unwrap();
    format!("{day}-{}-2024", MONTHS[usize::from(month) - 1])
}

fn key(search: &SearchKey) -> Vec<u8> {
    let text = |word: &str, text: &SearchText| line(&[word.as_bytes(), b" ", &string(text.as_bytes())]);
    let dated = |prefix: &str, test: &DateTest, day: &Date| {
        let test = match test {
            DateTest::Before => "BEFORE",
            DateTest::On => "ON",
            DateTest::Since => "SINCE",
        };
        format!("{prefix}{test} {}", date(*day)).into_bytes()
    };
    let flag = |negated: &str, flag: &Flag| match flag {
        Flag::Keyword(keyword) => format!("{negated}KEYWORD {keyword}"),
        system => format!("{negated}{}", system.as_str().trim_start_matches('\\').to_uppercase()),
    };
    match search {
        SearchKey::All => b"ALL".to_vec(),
        SearchKey::And(keys) => line(&[b"(", &joined(keys, key), b")"]),
        SearchKey::Or(a, b) => line(&[b"OR ", &key(a), b" ", &key(b)]),
        SearchKey::Not(inner) => line(&[b"NOT ", &key(inner)]),
        SearchKey::Fuzzy(inner) => line(&[b"FUZZY ", &key(inner)]),
        SearchKey::Sequence(numbers) => set(numbers).into_bytes(),
        SearchKey::Uid(uids) => format!("UID {}", set(uids)).into_bytes(),
        SearchKey::UidAfter(uid) => format!("UIDAFTER {uid}").into_bytes(),
        SearchKey::UidBefore(uid) => format!("UIDBEFORE {uid}").into_bytes(),
        SearchKey::Has(has) => flag("", has).into_bytes(),
        SearchKey::Lacks(lacks) => flag("UN", lacks).into_bytes(),
        SearchKey::Recent => b"RECENT".to_vec(),
        SearchKey::Envelope(EnvelopeField::Bcc, wanted) => text("BCC", wanted),
        SearchKey::Envelope(EnvelopeField::Cc, wanted) => text("CC", wanted),
        SearchKey::Envelope(EnvelopeField::From, wanted) => text("FROM", wanted),
        SearchKey::Envelope(EnvelopeField::Subject, wanted) => text("SUBJECT", wanted),
        SearchKey::Envelope(EnvelopeField::To, wanted) => text("TO", wanted),
        SearchKey::Header(field, wanted) => {
            line(&[b"HEADER ", &string(field.as_bytes()), b" ", &string(wanted.as_bytes())])
        }
        SearchKey::Body(wanted) => text("BODY", wanted),
        SearchKey::Text(wanted) => text("TEXT", wanted),
        SearchKey::Internal(test, day) => dated("", test, day),
        SearchKey::Sent(test, day) => dated("SENT", test, day),
        SearchKey::Saved(test, day) => dated("SAVED", test, day),
        SearchKey::SaveDateSupported => b"SAVEDATESUPPORTED".to_vec(),
        SearchKey::Larger(octets) => format!("LARGER {octets}").into_bytes(),
        SearchKey::Smaller(octets) => format!("SMALLER {octets}").into_bytes(),
        SearchKey::Older(secs) => format!("OLDER {secs}").into_bytes(),
        SearchKey::Younger(secs) => format!("YOUNGER {secs}").into_bytes(),
        SearchKey::EmailId(id) => format!("EMAILID {id}").into_bytes(),
        SearchKey::ThreadId(id) => format!("THREADID {id}").into_bytes(),
        SearchKey::Filter(filter) => format!("FILTER {filter}").into_bytes(),
        SearchKey::ModSeq(modseq) => format!("MODSEQ {modseq}").into_bytes(),
    }
}

fn url_fetch(wanted: &UrlFetch) -> Vec<u8> {
    let Some(asked) = wanted.asked else { return string(&wanted.url) };
    let data = asked.data.map(|data| match data {
        UrlData::Body => " BODY",
        UrlData::Binary => " BINARY",
    });
    let structure = if asked.structure { " BODYPARTSTRUCTURE" } else { "" };
    line(&[b"(", &string(&wanted.url), data.unwrap_or_default().as_bytes(), structure.as_bytes(), b")"])
}

fn part(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

fn fetch_item(item: &FetchItem) -> String {
    let partial =
        |partial: &Option<Partial>| partial.map(|p| format!("<{}.{}>", p.start, p.length)).unwrap_or_default();
    let peek = |peek: bool| if peek { ".PEEK" } else { "" };
    match item {
        FetchItem::EmailId => "EMAILID".to_owned(),
        FetchItem::ThreadId => "THREADID".to_owned(),
        FetchItem::SaveDate => "SAVEDATE".to_owned(),
        FetchItem::Flags => "FLAGS".to_owned(),
        FetchItem::Uid => "UID".to_owned(),
        FetchItem::Preview { lazy: false } => "PREVIEW".to_owned(),
        FetchItem::Preview { lazy: true } => "PREVIEW (LAZY)".to_owned(),
        FetchItem::Binary { part: numbers, partial: some, peek: only } => {
            format!("BINARY{}[{}]{}", peek(*only), part(numbers), partial(some))
        }
        FetchItem::BinarySize { part: numbers } => format!("BINARY.SIZE[{}]", part(numbers)),
        FetchItem::BodySection { section, partial: some, peek: only } => {
            format!("BODY{}[{}]{}", peek(*only), part(&section.part), partial(some))
        }
        other => panic!("{other:?} is not generated"),
    }
}

fn flags(all: &[Flag]) -> String {
    format!("({})", all.iter().map(Flag::as_str).collect::<Vec<_>>().join(" "))
}

fn search(search: &Search) -> Vec<u8> {
    let charset = search.charset.as_ref().map(|charset| format!("CHARSET {charset} ")).unwrap_or_default();
    let asked = search.returns.as_ref().map(|asked| returns(asked, &search.update_fetch)).unwrap_or_default();
    line(&[asked.as_bytes(), charset.as_bytes(), &key(&search.key)])
}

fn uid(uid: bool) -> &'static [u8] {
    if uid { b"UID " } else { b"" }
}

/// Eight octets that name a message, as the framer puts them.
fn ticket(number: u8) -> Ticket {
    let text = [b"a APPEND x ~{8}\r\n1234567", &[number][..], b"\r\n"].concat();
    let Ok(Command { body: CommandBody::Append(append), .. }) = parse(&text) else { panic!("no APPEND") };
    match append.messages.first().map(|message| &message.content) {
        Some(AppendContent::Message(ticket)) => *ticket,
        other => panic!("{other:?}"),
    }
}

fn literal(wanted: Ticket) -> Vec<u8> {
    let number = TICKETS.into_iter().find(|number| ticket(*number) == wanted).unwrap();
    [b"~{8}\r\n1234567", &[number][..]].concat()
}

const TICKETS: [u8; 3] = [b'8', b'9', 0xff];

fn message(message: &AppendMessage) -> Vec<u8> {
    let content = match &message.content {
        AppendContent::Message(one) => literal(*one),
        AppendContent::Utf8(one) => line(&[b"UTF8 (", &literal(*one), b")"]),
        AppendContent::Catenate(parts) => {
            let parts = joined(parts, |part| match part {
                CatenatePart::Text(one) => line(&[b"TEXT ", &literal(*one)]),
                CatenatePart::Utf8(one) => line(&[b"UTF8 (", &literal(*one), b")"]),
                CatenatePart::Url(url) => line(&[b"URL ", &string(url)]),
            });
            line(&[b"CATENATE (", &parts, b")"])
        }
    };
    line(&[flags(&message.flags).as_bytes(), b" ", &content])
}

fn events(of: &Events) -> String {
    if *of == Events::default() {
        return "NONE".to_owned();
    }
    let items = of.fetch.iter().map(fetch_item).collect::<Vec<_>>().join(" ");
    let new = if items.is_empty() { "MessageNew".to_owned() } else { format!("MessageNew ({items})") };
    let words = chosen(&[
        (of.messages, &new),
        (of.messages, "MessageExpunge"),
        (of.flags, "FlagChange"),
        (of.names, "MailboxName"),
        (of.subscriptions, "SubscriptionChange"),
        (of.mailbox_metadata, "MailboxMetadataChange"),
        (of.server_metadata, "ServerMetadataChange"),
    ]);
    format!("({words})")
}

fn print(body: &CommandBody) -> Vec<u8> {
    match body {
        CommandBody::Create(Create { mailbox, special_uses }) => {
            let uses: Vec<&str> = special_uses.iter().map(|usage| usage.attribute()).collect();
            line(&[b"CREATE ", &name(mailbox), format!(" (USE ({}))", uses.join(" ")).as_bytes()])
        }
        CommandBody::Select(Select { mailbox, read_only, condstore, qresync }) => {
            let verb: &[u8] = if *read_only { b"EXAMINE " } else { b"SELECT " };
            let resync = qresync.as_ref().map(|q| {
                let known = q.known_uids.as_ref().map(|uids| format!(" {}", set(uids))).unwrap_or_default();
                let pairs = q.sequence_match.as_ref().map(|(a, b)| format!(" ({} {})", set(a), set(b)));
                format!("QRESYNC ({} {}{known}{})", q.uid_validity, q.modseq, pairs.unwrap_or_default())
            });
            let parameters: Vec<String> = condstore.then(|| "CONDSTORE".to_owned()).into_iter().chain(resync).collect();
            let parameters = if parameters.is_empty() { String::new() } else { format!(" ({})", parameters.join(" ")) };
            line(&[verb, &name(mailbox), parameters.as_bytes()])
        }
        CommandBody::List(List { reference, patterns, selection, returns, .. }) => {
            let selected = chosen(&[
                (selection.subscribed, "SUBSCRIBED"),
                (selection.remote, "REMOTE"),
                (selection.special_use, "SPECIAL-USE"),
                (selection.recursive_match, "RECURSIVEMATCH"),
            ]);
            let words = chosen(&[
                (returns.subscribed, "SUBSCRIBED"),
                (returns.children, "CHILDREN"),
                (returns.special_use, "SPECIAL-USE"),
                (returns.my_rights, "MYRIGHTS"),
            ]);
            let status = returns.status.as_ref().map(|items| format!("STATUS {}", status_items(items)).into_bytes());
            let metadata = returns.metadata.as_ref().map(|query| line(&[b"METADATA ", &metadata_entries(query)]));
            let words = Some(words.into_bytes()).filter(|words| !words.is_empty());
            let asked = words.into_iter().chain(status).chain(metadata).collect::<Vec<_>>().join(&b' ');
            let patterns = joined(patterns, |pattern| string(pattern.as_bytes()));
            line(&[
                format!("LIST ({selected}) ").as_bytes(),
                &string(reference.as_bytes()),
                b" (",
                &patterns,
                b") RETURN (",
                &asked,
                b")",
            ])
        }
        CommandBody::Append(Append { mailbox, messages }) => {
            line(&[b"APPEND ", &name(mailbox), b" ", &joined(messages, message)])
        }
        CommandBody::Replace(replace) => line(&[
            uid(replace.uid),
            format!("REPLACE {} ", set(&replace.set)).as_bytes(),
            &name(&replace.mailbox),
            b" ",
            &message(&replace.message),
        ]),
        CommandBody::GenUrlAuth(urls) => {
            let all = joined(urls, |(url, mechanism)| line(&[&string(url), b" ", mechanism.as_bytes()]));
            line(&[b"GENURLAUTH ", &all])
        }
        CommandBody::UrlFetch(urls) => line(&[b"URLFETCH ", &joined(urls, url_fetch)]),
        CommandBody::SetAcl(SetAcl { mailbox, identifier, rights }) => {
            line(&[b"SETACL ", &name(mailbox), b" ", &string(identifier.as_bytes()), b" ", &string(rights.as_bytes())])
        }
        CommandBody::DeleteAcl { mailbox, identifier } => {
            line(&[b"DELETEACL ", &name(mailbox), b" ", &string(identifier.as_bytes())])
        }
        CommandBody::ListRights { mailbox, identifier } => {
            line(&[b"LISTRIGHTS ", &name(mailbox), b" ", &string(identifier.as_bytes())])
        }
        CommandBody::SetQuota(SetQuota { root, limits }) => {
            let limits = joined(limits, |(resource, limit)| format!("{} {limit}", resource.as_str()).into_bytes());
            line(&[b"SETQUOTA ", &string(root.as_bytes()), b" (", &limits, b")"])
        }
        CommandBody::GetMetadata(GetMetadata { mailbox, query }) => {
            let depth = match query.depth {
                Depth::Entry => None,
                Depth::Children => Some("DEPTH 1".to_owned()),
                Depth::All => Some("DEPTH infinity".to_owned()),
            };
            let options: Vec<String> =
                query.size_max.map(|size| format!("MAXSIZE {size}")).into_iter().chain(depth).collect();
            let options = if options.is_empty() { String::new() } else { format!("({}) ", options.join(" ")) };
            line(&[b"GETMETADATA ", options.as_bytes(), &name(mailbox), b" ", &metadata_entries(query)])
        }
        CommandBody::SetMetadata(SetMetadata { mailbox, entries }) => {
            let entries = joined(entries, |(entry, value)| {
                let value = value.as_ref().map_or(b"NIL".to_vec(), |value| string(value));
                line(&[&string(entry.as_str().as_bytes()), b" ", &value])
            });
            line(&[b"SETMETADATA ", &name(mailbox), b" (", &entries, b")"])
        }
        CommandBody::Notify(Notify::Set { status, groups }) => {
            let groups = joined(groups, |group| {
                let which = match &group.mailboxes {
                    EventMailboxes::Selected => b"selected".to_vec(),
                    EventMailboxes::SelectedDelayed => b"selected-delayed".to_vec(),
                    EventMailboxes::Inboxes => b"inboxes".to_vec(),
                    EventMailboxes::Personal => b"personal".to_vec(),
                    EventMailboxes::Subscribed => b"subscribed".to_vec(),
                    EventMailboxes::Subtree(all) => line(&[b"subtree ", &names(all)]),
                    EventMailboxes::Mailboxes(all) => line(&[b"mailboxes ", &names(all)]),
                };
                line(&[b"(", &which, b" ", events(&group.events).as_bytes(), b")"])
            });
            line(&[b"NOTIFY SET ", if *status { b"STATUS " } else { b"" }, &groups])
        }
        CommandBody::Search(asked) => line(&[uid(asked.uid), b"SEARCH ", &search(asked)]),
        CommandBody::Sort(Sort { criteria, search: asked }) => {
            let word = |key: SortKey| match key {
                SortKey::Arrival => "ARRIVAL",
                SortKey::Cc => "CC",
                SortKey::Date => "DATE",
                SortKey::DisplayFrom => "DISPLAYFROM",
                SortKey::DisplayTo => "DISPLAYTO",
                SortKey::From => "FROM",
                SortKey::Relevancy => "RELEVANCY",
                SortKey::Size => "SIZE",
                SortKey::Subject => "SUBJECT",
                SortKey::To => "TO",
            };
            let criteria = joined(criteria, |criterion| {
                format!("{}{}", if criterion.reverse { "REVERSE " } else { "" }, word(criterion.key)).into_bytes()
            });
            let asks = asked.returns.as_ref().map(|wanted| returns(wanted, &asked.update_fetch)).unwrap_or_default();
            line(&[uid(asked.uid), b"SORT ", asks.as_bytes(), b"(", &criteria, b") UTF-8 ", &key(&asked.key)])
        }
        CommandBody::Thread(Thread { algorithm, search: asked }) => {
            let algorithm = match algorithm {
                ThreadAlgorithm::OrderedSubject => "ORDEREDSUBJECT",
                ThreadAlgorithm::References => "REFERENCES",
                ThreadAlgorithm::Refs => "REFS",
            };
            line(&[uid(asked.uid), format!("THREAD {algorithm} UTF-8 ").as_bytes(), &key(&asked.key)])
        }
        CommandBody::Esearch(Multisearch { sources, search: asked }) => {
            let sources = joined(sources, |source| match source {
                MailboxFilter::Selected => b"selected".to_vec(),
                MailboxFilter::Inboxes => b"inboxes".to_vec(),
                MailboxFilter::Personal => b"personal".to_vec(),
                MailboxFilter::Subscribed => b"subscribed".to_vec(),
                MailboxFilter::Subtree(all) => line(&[b"subtree ", &names(all)]),
                MailboxFilter::SubtreeOne(all) => line(&[b"subtree-one ", &names(all)]),
                MailboxFilter::Mailboxes(all) => line(&[b"mailboxes ", &names(all)]),
            });
            line(&[b"ESEARCH IN (", &sources, b") ", &search(asked)])
        }
        CommandBody::CancelUpdate(tags) => line(&[b"CANCELUPDATE ", &joined(tags, |tag| string(tag))]),
        CommandBody::Fetch(fetch) => {
            let items = fetch.items.iter().map(fetch_item).collect::<Vec<_>>().join(" ");
            let since = fetch.changed_since.map(|modseq| format!("CHANGEDSINCE {modseq}"));
            let vanished = fetch.vanished.then(|| "VANISHED".to_owned());
            let partial = fetch.partial.map(|range| format!("PARTIAL {range}"));
            let modifiers: Vec<String> = since.into_iter().chain(vanished).chain(partial).collect();
            let modifiers = if modifiers.is_empty() { String::new() } else { format!(" ({})", modifiers.join(" ")) };
            line(&[uid(fetch.uid), format!("FETCH {} ({items}){modifiers}", set(&fetch.set)).as_bytes()])
        }
        CommandBody::Store(store) => {
            let since = store.unchanged_since.map(|modseq| format!(" (UNCHANGEDSINCE {modseq})")).unwrap_or_default();
            let sign = match store.action {
                StoreAction::Replace => "",
                StoreAction::Add => "+",
                StoreAction::Remove => "-",
            };
            let silent = if store.silent { ".SILENT" } else { "" };
            let flags = flags(&store.flags);
            line(&[uid(store.uid), format!("STORE {}{since} {sign}FLAGS{silent} {flags}", set(&store.set)).as_bytes()])
        }
        CommandBody::Copy(transfer) => {
            line(&[uid(transfer.uid), format!("COPY {} ", set(&transfer.set)).as_bytes(), &name(&transfer.mailbox)])
        }
        CommandBody::Move(transfer) => {
            line(&[uid(transfer.uid), format!("MOVE {} ", set(&transfer.set)).as_bytes(), &name(&transfer.mailbox)])
        }
        CommandBody::Expunge { uids: Some(uids) } => format!("UID EXPUNGE {}", set(uids)).into_bytes(),
        CommandBody::UidBatches { size, batches } => {
            let range = batches.map(|(a, b)| format!(" {a}:{b}")).unwrap_or_default();
            format!("UIDBATCHES {size}{range}").into_bytes()
        }
        other => panic!("{other:?} is not generated"),
    }
}

fn mailbox() -> BoxedStrategy<MailboxName> {
    let text = prop_oneof![
        select(vec!["INBOX", "a \"b\" \\c", "Entwürfe", "台北/日本語", "a&b", "NIL", "(x)", "50", "*", "e{3}"])
            .prop_map(str::to_owned),
        "[a-zA-Z0-9 é&~-]{1,10}",
    ];
    text.prop_filter_map("a name", |text| MailboxName::new(&text).ok()).boxed()
}

fn mailboxes() -> BoxedStrategy<Vec<MailboxName>> {
    prop::collection::vec(mailbox(), 1..4).boxed()
}

fn sequence() -> BoxedStrategy<SequenceSet> {
    let bound = || {
        prop_oneof![
            4 => (1u32..2_000).prop_map(SequenceBound::Number),
            1 => Just(SequenceBound::Number(u32::MAX)),
            1 => Just(SequenceBound::Largest),
        ]
    };
    let ranges = prop::collection::vec(prop_oneof![(bound(), bound()), bound().prop_map(|b| (b, b))], 1..4);
    (ranges, prop::bool::weighted(0.2))
        .prop_map(|(ranges, saved)| {
            if saved { SequenceSet::with_saved(ranges) } else { SequenceSet::new(ranges) }.unwrap()
        })
        .boxed()
}

fn one(number: u32) -> SequenceSet {
    SequenceSet::new(vec![(SequenceBound::Number(number), SequenceBound::Number(number))]).unwrap()
}

/// Numbers and ranges that ascend, without `*`.
fn ascending(first: u32) -> SequenceSet {
    let number = SequenceBound::Number;
    SequenceSet::new(vec![(number(first), number(first)), (number(first + 2), number(first + 5))]).unwrap()
}

fn flag() -> BoxedStrategy<Flag> {
    prop_oneof![
        select(Flag::SYSTEM.to_vec()),
        "[$a-z0-9]{1,8}".prop_map(|word| Flag::Keyword(Keyword::parse(&word).unwrap())),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<SearchText> {
    let text = prop_oneof!["[ -~]{0,10}", select(vec!["é\r\n", "\"\\", "", "NIL", "{3}"]).prop_map(str::to_owned),];
    text.prop_map(|text| SearchText::new(text.into_bytes())).boxed()
}

fn search_key() -> BoxedStrategy<SearchKey> {
    let day = (1u8..=12, 1u8..=28).prop_map(|(month, day)| Date::new(2024, month, day).unwrap());
    let test = select(vec![DateTest::Before, DateTest::On, DateTest::Since]);
    let field = select(vec![
        EnvelopeField::Bcc,
        EnvelopeField::Cc,
        EnvelopeField::From,
        EnvelopeField::Subject,
        EnvelopeField::To,
    ]);
    let textual = prop_oneof![
        (field, text()).prop_map(|(field, text)| SearchKey::Envelope(field, text)),
        ("[A-Za-z-]{1,8}", text()).prop_map(|(name, text)| SearchKey::Header(HeaderName::new(name), text)),
        text().prop_map(SearchKey::Body),
        text().prop_map(SearchKey::Text),
    ]
    .boxed();
    let leaf = prop_oneof![
        4 => textual.clone(),
        1 => textual.prop_map(|key| SearchKey::Fuzzy(Box::new(key))),
        1 => Just(SearchKey::All),
        1 => Just(SearchKey::Recent),
        1 => Just(SearchKey::SaveDateSupported),
        1 => sequence().prop_map(SearchKey::Sequence),
        1 => sequence().prop_map(SearchKey::Uid),
        1 => (1u32..).prop_map(SearchKey::UidAfter),
        1 => (1u32..).prop_map(SearchKey::UidBefore),
        1 => flag().prop_map(SearchKey::Has),
        1 => flag().prop_map(SearchKey::Lacks),
        3 => (test, day, 0..3).prop_map(|(test, day, of)| match of {
            0 => SearchKey::Internal(test, day),
            1 => SearchKey::Sent(test, day),
            _ => SearchKey::Saved(test, day),
        }),
        1 => (0..=i64::MAX as u64).prop_map(SearchKey::Larger),
        1 => (0..=i64::MAX as u64).prop_map(SearchKey::Smaller),
        1 => (1u32..).prop_map(SearchKey::Older),
        1 => (1u32..).prop_map(SearchKey::Younger),
        1 => (0..=i64::MAX as u64).prop_map(SearchKey::ModSeq),
        1 => "[A-Za-z0-9_-]{1,20}".prop_map(SearchKey::EmailId),
        1 => "[A-Za-z0-9_-]{1,20}".prop_map(SearchKey::ThreadId),
        1 => "[a-z][a-z0-9-]{0,10}".prop_map(SearchKey::Filter),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(SearchKey::And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
    .boxed()
}

fn partial_range() -> BoxedStrategy<PartialRange> {
    (1u32.., 1u32.., any::<bool>()).prop_map(|(a, b, from_end)| PartialRange::new(a, b, from_end).unwrap()).boxed()
}

/// RETURN options; none at all stands for ALL (RFC 4731 §3.1), and PARTIAL and ALL exclude each other.
fn search_return() -> BoxedStrategy<SearchReturn> {
    (any::<[bool; 4]>(), prop::option::of(partial_range()))
        .prop_map(|([min, max, all, count], partial)| {
            let asked =
                SearchReturn { min, max, all: all && partial.is_none(), count, partial, ..SearchReturn::default() };
            if asked == SearchReturn::default() { SearchReturn::ALL } else { asked }
        })
        .boxed()
}

fn metadata_query() -> BoxedStrategy<MetadataQuery> {
    let size_max = prop::option::of(any::<u32>().prop_map(u64::from));
    let depth = select(vec![Depth::Entry, Depth::Children, Depth::All]);
    (prop::collection::btree_set(entry(), 1..3), size_max, depth)
        .prop_map(|(entries, size_max, depth)| MetadataQuery {
            entries: entries.into_iter().collect(),
            size_max,
            depth,
        })
        .boxed()
}

fn entry() -> BoxedStrategy<EntryName> {
    "/(shared|private)/(comment|[a-z]{1,5}/[a-z\"\\\\ ]{1,5}/x|x)"
        .prop_map(|text| EntryName::parse(text.as_bytes()))
        .prop_filter_map("a name", Result::ok)
        .boxed()
}

fn events_of(selected: bool) -> BoxedStrategy<Events> {
    let item = select(vec![FetchItem::Uid, FetchItem::Flags, FetchItem::EmailId, FetchItem::Preview { lazy: true }]);
    let fetch = prop::collection::vec(item, 0..3);
    (any::<[bool; 5]>(), fetch)
        .prop_map(move |([messages, flags, names, subscriptions, metadata], fetch)| Events {
            messages,
            // RFC 5465 §5: flags go with messages, and items with a selected mailbox.
            flags: flags && messages,
            fetch: if messages && selected { fetch } else { Vec::new() },
            names: names && !selected,
            subscriptions: subscriptions && !selected,
            mailbox_metadata: metadata && !selected,
            server_metadata: false,
            unsupported: false,
        })
        .boxed()
}

fn notify() -> BoxedStrategy<CommandBody> {
    let which = prop_oneof![
        Just(EventMailboxes::Inboxes),
        Just(EventMailboxes::Personal),
        Just(EventMailboxes::Subscribed),
        mailboxes().prop_map(EventMailboxes::Subtree),
        mailboxes().prop_map(EventMailboxes::Mailboxes),
    ];
    let others = prop::collection::vec(
        (which, events_of(false)).prop_map(|(mailboxes, events)| EventGroup { mailboxes, events }),
        1..4,
    );
    let selected = (select(vec![EventMailboxes::Selected, EventMailboxes::SelectedDelayed]), events_of(true))
        .prop_map(|(mailboxes, events)| EventGroup { mailboxes, events });
    (any::<bool>(), prop::option::of(selected), others)
        .prop_map(|(status, selected, others)| {
            CommandBody::Notify(Notify::Set { status, groups: selected.into_iter().chain(others).collect() })
        })
        .boxed()
}

fn append_message() -> BoxedStrategy<AppendMessage> {
    let one = || select(TICKETS.to_vec()).prop_map(ticket);
    let part = prop_oneof![
        one().prop_map(CatenatePart::Text),
        one().prop_map(CatenatePart::Utf8),
        "[ -~]{1,20}".prop_map(|url| CatenatePart::Url(url.into_bytes())),
    ];
    let content = prop_oneof![
        one().prop_map(AppendContent::Message),
        one().prop_map(AppendContent::Utf8),
        prop::collection::vec(part, 1..4).prop_map(AppendContent::Catenate),
    ];
    (prop::collection::vec(flag(), 0..3), content)
        .prop_map(|(flags, content)| AppendMessage { flags, date: None, content })
        .boxed()
}

fn url_asked() -> BoxedStrategy<Option<UrlAsked>> {
    let data = select(vec![None, Some(UrlData::Body), Some(UrlData::Binary)]);
    (any::<bool>(), data)
        .prop_map(|(structure, data)| UrlAsked { structure, data })
        .prop_map(|asked| Some(asked).filter(|asked| *asked != UrlAsked::default()))
        .boxed()
}

fn fetch_items() -> BoxedStrategy<Vec<FetchItem>> {
    let part = || prop::collection::vec(1u32.., 1..4);
    let partial = || {
        prop::option::of(
            (any::<u32>(), 1u32..).prop_map(|(start, length)| Partial { start: start.into(), length: length.into() }),
        )
    };
    let item = prop_oneof![
        select(vec![FetchItem::EmailId, FetchItem::ThreadId, FetchItem::SaveDate, FetchItem::Flags, FetchItem::Uid]),
        any::<bool>().prop_map(|lazy| FetchItem::Preview { lazy }),
        (part(), partial(), any::<bool>()).prop_map(|(part, partial, peek)| FetchItem::Binary { part, partial, peek }),
        part().prop_map(|part| FetchItem::BinarySize { part }),
        (part(), partial(), any::<bool>()).prop_map(|(part, partial, peek)| FetchItem::BodySection {
            section: Section { part, text: None },
            partial,
            peek
        }),
    ];
    prop::collection::vec(item, 1..5).boxed()
}

fn searches() -> BoxedStrategy<CommandBody> {
    let charset = prop::option::of(Just("UTF-8".to_owned()));
    let plain = (any::<bool>(), charset, prop::option::of(search_return()), search_key())
        .prop_map(|(uid, charset, returns, key)| Search { uid, charset, returns, update_fetch: Vec::new(), key })
        .boxed();
    // RFC 5465 §7: what UPDATE gives with what comes.
    let asked = (plain, prop::option::of(fetch_items()))
        .prop_map(|(plain, items)| match (plain.returns, items) {
            (Some(returns), Some(update_fetch)) => {
                Search { returns: Some(SearchReturn { update: true, ..returns }), update_fetch, ..plain }
            }
            _ => plain,
        })
        .boxed();
    let in_utf8 = asked.clone().prop_map(|asked| Search { charset: Some("UTF-8".to_owned()), ..asked }).boxed();
    let sort_key = select(vec![
        SortKey::Arrival,
        SortKey::Cc,
        SortKey::Date,
        SortKey::DisplayFrom,
        SortKey::DisplayTo,
        SortKey::From,
        SortKey::Size,
        SortKey::Subject,
        SortKey::To,
    ]);
    let criterion = (sort_key, any::<bool>()).prop_map(|(key, reverse)| SortCriterion { key, reverse });
    let source = prop_oneof![
        Just(MailboxFilter::Selected),
        Just(MailboxFilter::Inboxes),
        Just(MailboxFilter::Personal),
        Just(MailboxFilter::Subscribed),
        mailboxes().prop_map(MailboxFilter::Subtree),
        mailboxes().prop_map(MailboxFilter::SubtreeOne),
        mailboxes().prop_map(MailboxFilter::Mailboxes),
    ];
    let algorithm = select(vec![ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References, ThreadAlgorithm::Refs]);
    prop_oneof![
        asked.clone().prop_map(CommandBody::Search),
        (prop::collection::vec(criterion, 1..4), in_utf8.clone())
            .prop_map(|(criteria, search)| CommandBody::Sort(Sort { criteria, search })),
        (algorithm, in_utf8).prop_map(|(algorithm, asked)| {
            CommandBody::Thread(Thread {
                algorithm,
                search: Search { returns: None, update_fetch: Vec::new(), ..asked },
            })
        }),
        // RFC 7377 §2.1: its numbers are UIDs, and without RETURN it returns all.
        (prop::collection::vec(source, 1..3), search_return(), asked).prop_map(|(sources, returns, asked)| {
            let search = Search { uid: true, returns: Some(returns), update_fetch: Vec::new(), ..asked };
            CommandBody::Esearch(Multisearch { sources, search })
        }),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<CommandBody> {
    let identifier = || "[a-z@.é][a-z@.é-]{0,7}";
    let status = prop::sample::subsequence(StatusItem::ALL.to_vec(), 1..4);
    let listed = metadata_query().prop_map(|query| MetadataQuery { size_max: None, depth: Depth::Entry, ..query });
    let list = (
        any::<[bool; 8]>(),
        prop::option::of(status),
        prop::option::of(listed),
        prop::collection::vec("[a-z%*/ \"]{1,6}", 1..3),
    )
        .prop_map(|([subscribed, remote, special, recursive, a, b, c, d], status, metadata, patterns)| {
            CommandBody::List(List {
                reference: String::new(),
                patterns,
                selection: ListSelection {
                    subscribed,
                    remote,
                    special_use: special,
                    recursive_match: recursive && (subscribed || special),
                },
                returns: ListReturn { subscribed: a, children: b, special_use: c, status, my_rights: d, metadata },
                extended: true,
            })
        });
    let resync = (1u32.., 1u64..=i64::MAX as u64, prop::option::of(1u32..900), any::<bool>()).prop_map(
        |(uid_validity, modseq, known, pairs)| {
            Box::new(Qresync {
                uid_validity,
                modseq,
                known_uids: known.map(ascending),
                sequence_match: (known.is_some() && pairs).then(|| (ascending(1), ascending(4))),
            })
        },
    );
    let uses = vec![SpecialUse::Sent, SpecialUse::Drafts, SpecialUse::Trash, SpecialUse::Archive];
    let limits = prop::collection::btree_map(
        select(vec![QuotaResource::Storage, QuotaResource::Message, QuotaResource::Mailbox]),
        0..=i64::MAX as u64,
        0..3,
    );
    // Each entry once.
    let values = prop::collection::btree_map(entry(), prop::option::of(prop::collection::vec(1u8.., 0..10)), 1..4);
    let transfer =
        || (sequence(), any::<bool>(), mailbox()).prop_map(|(set, uid, mailbox)| Transfer { set, uid, mailbox });
    let url = || "[!#-~]{1,20}".prop_map(String::into_bytes);
    prop_oneof![
        3 => list,
        4 => searches(),
        2 => notify(),
        1 => (mailbox(), prop::sample::subsequence(uses, 0..3))
            .prop_map(|(mailbox, special_uses)| CommandBody::Create(Create { mailbox, special_uses })),
        1 => (mailbox(), any::<[bool; 2]>(), prop::option::of(resync)).prop_map(|(mailbox, [read_only, condstore], qresync)| {
            CommandBody::Select(Select { mailbox, read_only, condstore, qresync })
        }),
        2 => (mailbox(), prop::collection::vec(append_message(), 1..4))
            .prop_map(|(mailbox, messages)| CommandBody::Append(Append { mailbox, messages })),
        // RFC 8508 §4: one message.
        1 => ((1u32..).prop_map(one), any::<bool>(), mailbox(), append_message())
            .prop_map(|(set, uid, mailbox, message)| CommandBody::Replace(Replace { set, uid, mailbox, message })),
        1 => prop::collection::vec((url(), Just("INTERNAL".to_owned())), 1..3).prop_map(CommandBody::GenUrlAuth),
        1 => prop::collection::vec((url(), url_asked()), 1..3).prop_map(|urls| {
            CommandBody::UrlFetch(urls.into_iter().map(|(url, asked)| UrlFetch { url, asked }).collect())
        }),
        1 => (mailbox(), identifier(), "[+-]?[lrswipkxtea]{0,5}")
            .prop_map(|(mailbox, identifier, rights)| CommandBody::SetAcl(SetAcl { mailbox, identifier, rights })),
        1 => (mailbox(), identifier()).prop_map(|(mailbox, identifier)| CommandBody::DeleteAcl { mailbox, identifier }),
        1 => (mailbox(), identifier()).prop_map(|(mailbox, identifier)| CommandBody::ListRights { mailbox, identifier }),
        1 => ("[a-z ]{0,6}", limits)
            .prop_map(|(root, limits)| CommandBody::SetQuota(SetQuota { root, limits: limits.into_iter().collect() })),
        1 => (mailbox(), metadata_query()).prop_map(|(mailbox, query)| CommandBody::GetMetadata(GetMetadata { mailbox, query })),
        1 => (mailbox(), values).prop_map(|(mailbox, entries)| CommandBody::SetMetadata(SetMetadata { mailbox, entries: entries.into_iter().collect() })),
        1 => prop::collection::vec("[A-Za-z0-9]{1,6}".prop_map(String::into_bytes), 1..3).prop_map(CommandBody::CancelUpdate),
        2 => (sequence(), fetch_items(), prop::option::of(1u64..=i64::MAX as u64), any::<[bool; 2]>(), prop::option::of(partial_range()))
            .prop_map(|(set, items, changed_since, [uid, vanished], partial)| CommandBody::Fetch(Fetch {
                set,
                items,
                changed_since,
                vanished: uid && vanished && changed_since.is_some(),
                partial: partial.filter(|_| uid),
                uid,
            })),
        1 => (sequence(), any::<[bool; 2]>(), select(vec![StoreAction::Replace, StoreAction::Add, StoreAction::Remove]), prop::collection::vec(flag(), 0..3), prop::option::of(0..=i64::MAX as u64))
            .prop_map(|(set, [uid, silent], action, flags, unchanged_since)| CommandBody::Store(Store { set, uid, action, silent, flags, unchanged_since })),
        1 => transfer().prop_map(CommandBody::Copy),
        1 => transfer().prop_map(CommandBody::Move),
        1 => sequence().prop_map(|uids| CommandBody::Expunge { uids: Some(uids) }),
        1 => (500u32.., prop::option::of((1u32..100, 1u32..100)))
            .prop_map(|(size, batches)| CommandBody::UidBatches { size, batches: batches.map(|(a, b)| (a.min(b), a.max(b))) }),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn print_then_parse_is_identity(body in command()) {
        let text = line(&[b"a ", &print(&body), b"\r\n"]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        let parsed = parse(&text);
        prop_assert!(parsed.is_ok(), "{:?}: {}", shown, parsed.unwrap_err());
        prop_assert_eq!(parsed.unwrap().body, body, "{:?}", shown);
    }
}
