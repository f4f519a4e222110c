//! What would happen to a message, without sending it: the decisions that delivery and the responder take, with their
//! reasons.

use std::sync::Arc;

use delivery::{OnList, storage_reply};
use filter::{MessageView, Place, decide as decide_filters};
use mail::{Address, EnhancedCode, ForwardPath, Reply, ReversePath};
use routing::objects::{
    AccountObject, Audience, ListObject, ListRole, NonMembers, Posting, ResponderKind, ResponderObject,
};
use routing::responders::{Decision, Facts, HeaderMarks, Memory, Received, decide, zone_of};
use routing::{Asking, Directory, Resolution, Verdict, may_send_as, resolve};
use storage::rows::MemberState;
use storage::{StorageError, Store};

use crate::account;
use crate::error::AdminError;
use crate::limits::{
    FILTERED_MAILBOXES_TOLD_MAX, FULL_MAILBOXES_TOLD_MAX, LISTED_TOLD_MAX, NOTE_OCTETS_MAX, SUPPOSED_FIELDS_MAX,
};
use crate::request::SupposedMessage;
use crate::response::{Explanation, FilterVerdicts};
use crate::settings::Settings;

/// What would happen now to a message of so many octets, from somebody who has logged in as an account or not at all.
pub(crate) async fn explain(
    store: &Store,
    settings: &Settings,
    from: &ReversePath,
    to: &Address,
    login: Option<&Address>,
    octets: Option<u64>,
    message: &SupposedMessage,
) -> Result<Explanation, AdminError> {
    let led = settings.letters(store).led_back(&ForwardPath::Address(to.clone()), from).await;
    let asked = to;
    let suppressed = match from.address() {
        Some(sender) => settings.letters(store).keeps_answers_from(sender).await?,
        None => false,
    };
    let to = led.as_ref().ok().and_then(Option::as_ref).unwrap_or(to);
    let asking = asking(store, from, login, octets)?;
    let (mut explanation, posts) = routed(store, settings, &asking, to, to != asked, suppressed);
    match &led {
        Ok(None) => {}
        Ok(Some(sender)) => {
            let how = format!(
                "{asked} was made here for a message that was forwarded: a report goes to its sender {sender}\n"
            );
            explanation.text.insert_str(0, &how);
        }
        Err(reply) => {
            explanation.text =
                format!("{asked} was made here for a message that was forwarded (SRS)\nrefused: {reply}\n");
            explanation.responders.clear();
            explanation.reply = Some(reply.clone());
            return Ok(explanation);
        }
    }
    if explanation.reply.is_none() {
        listed(store, settings, &asking, asked, &mut explanation).await?;
    }
    if explanation.reply.is_none() {
        room(store, settings, &asking, to, &mut explanation).await?;
    }
    if explanation.reply.is_none() {
        explanation.filters =
            filters(&store.directory(), &explanation.resolution, &supposed(from, to, octets, message)?);
    }
    for post in posts {
        let fate = fate_of(store, &post).await?;
        explanation.text.push_str(&format!("list {}: {fate}\n", post.list.address));
    }
    Ok(explanation)
}

/// Who asks, as RCPT would.
fn asking(
    store: &Store,
    from: &ReversePath,
    login: Option<&Address>,
    octets: Option<u64>,
) -> Result<Asking, AdminError> {
    let account = login.map(|login| account::find(&store.directory(), login)).transpose()?;
    Ok(Asking {
        reverse_path: from.clone(),
        account: account.map(|account| account.id),
        now: store.now(),
        octets,
        own: false,
    })
}

/// Who of the recipients elsewhere is on the suppression list: refused where it is so set for who submits, told otherwise.
async fn listed(
    store: &Store,
    settings: &Settings,
    asking: &Asking,
    asked: &Address,
    explanation: &mut Explanation,
) -> Result<(), AdminError> {
    let path = ForwardPath::Address(asked.clone());
    if let Err(reply) = settings.letters(store).not_suppressed(asking, &path).await {
        refuse(explanation, reply);
        return Ok(());
    }
    for remote in explanation.resolution.remotes.iter().take(LISTED_TOLD_MAX) {
        if let Some(row) = store.suppressed(remote).await? {
            explanation.text.push_str(&format!("{}\n", OnList::of_personal(row).step()));
        }
    }
    Ok(())
}

/// RCPT would hear this after all.
fn refuse(explanation: &mut Explanation, reply: Reply) {
    explanation.text = format!("{}refused: {reply}\n", explanation.resolution.tree);
    explanation.responders.clear();
    explanation.reply = Some(reply);
}

/// Which of the mailboxes that the message reaches are full: refused when all are and nobody else gets it, told otherwise.
async fn room(
    store: &Store,
    settings: &Settings,
    asking: &Asking,
    to: &Address,
    explanation: &mut Explanation,
) -> Result<(), AdminError> {
    if settings.letters(store).is_full(asking, &ForwardPath::Address(to.clone())).await? {
        refuse(explanation, storage_reply(&StorageError::OverQuota));
        return Ok(());
    }
    let limited: Vec<_> = {
        let directory = store.directory();
        let reached = explanation.resolution.mailboxes.iter().filter_map(|(id, _)| directory.account_by_id(*id));
        let with_limits = reached.map(|account| (account.id, account.address.clone(), account.quota()));
        with_limits
            .filter(|(.., quota)| quota.octets.or(quota.messages).is_some())
            .take(FULL_MAILBOXES_TOLD_MAX)
            .collect()
    };
    for (id, address, quota) in limited {
        let usage = store.usage(id).await?;
        if !quota.hold(usage.octets.saturating_add(1), usage.messages.saturating_add(1)) {
            let told =
                format!("mailbox {address} is full: it gets the message beyond its quota, since others get it too\n");
            explanation.text.push_str(&told);
        }
    }
    Ok(())
}

/// A message to a list, of which members alone are to be looked up.
struct Post {
    list: Arc<ListObject>,
    /// Its sender's addresses; none: the null reverse-path.
    authors: Vec<Address>,
    /// An owner or a moderator has logged in.
    decides: bool,
}

/// What is decided without the store, and the lists that the message reaches.
fn routed(
    store: &Store,
    settings: &Settings,
    asking: &Asking,
    to: &Address,
    led_back: bool,
    suppressed: bool,
) -> (Explanation, Vec<Post>) {
    let from = &asking.reverse_path;
    let directory = store.directory();
    let account = asking.account.and_then(|id| directory.account_by_id(id)).cloned();
    let resolution = resolve(&directory, &ForwardPath::Address(to.clone()), asking);
    let reply = before_recipients(settings, &directory, asking).or_else(|| match resolution.verdict {
        Verdict::NotLocal if asking.account.is_some() || led_back => None,
        Verdict::Accept | Verdict::Refuse(_) | Verdict::NotLocal => resolution.verdict.refusal(),
    });
    let text = match (&reply, &resolution.verdict) {
        // Its own words have the reason too.
        (Some(reply), Verdict::Refuse(reason)) if *reply == reason.reply() => resolution.to_string(),
        (Some(reply), _) => format!("{}refused: {reply}\n", resolution.tree),
        (None, Verdict::NotLocal) => {
            let way = settings.routes.choose(Some(from), to.domain(), 0).why;
            // The verdict is the last line of every explanation.
            format!("{}leaves {way}\naccepted: relayed to {to}\n", resolution.tree)
        }
        (None, Verdict::Accept | Verdict::Refuse(_)) => resolution.to_string(),
    };
    let responders = resolution.responders.iter().filter(|_| reply.is_none());
    let memory = Memory { contact: true, suppressed, ..Memory::default() };
    let responders =
        responders.filter_map(|(id, _)| Some(told(&directory, directory.responder(*id)?, asking, to, &memory)));
    let responders = responders.collect();
    let held = resolution.held.iter().filter(|held| reply.is_none() && held.role == ListRole::Post);
    let lists = held.filter_map(|held| directory.list_by_id(held.part));
    let posts = lists.map(|list| post(&directory, list, account.as_deref(), from)).collect();
    let filters = Vec::new();
    (Explanation { from: from.to_string(), text, resolution, responders, filters, reply }, posts)
}

/// The message as filters would see it: from the sender, to the recipient, and what else is supposed of it.
fn supposed(
    from: &ReversePath,
    to: &Address,
    octets: Option<u64>,
    message: &SupposedMessage,
) -> Result<MessageView, AdminError> {
    let mut header = String::new();
    for (name, value) in [("From", from.address().map(ToString::to_string)), ("To", Some(to.to_string()))] {
        let said =
            |field: &String| field.split_once(':').is_some_and(|(said, _)| said.trim().eq_ignore_ascii_case(name));
        if let Some(value) = value.filter(|_| !message.fields.iter().any(said)) {
            header.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if message.fields.len() > SUPPOSED_FIELDS_MAX {
        return Err(AdminError::invalid(format!("a message is explained with at most {SUPPOSED_FIELDS_MAX} fields")));
    }
    for field in &message.fields {
        let plain = field.len() <= NOTE_OCTETS_MAX && !field.chars().any(char::is_control);
        match field.split_once(':') {
            Some((name, value)) if plain && !name.trim().is_empty() => {
                header.push_str(&format!("{}:{value}\r\n", name.trim()));
            }
            _ => {
                let error = AdminError::invalid(format!("{field:?} is no header field"));
                return Err(error.hint("write it as 'Subject: An invoice', in one line"));
            }
        }
    }
    header.push_str("\r\n");
    Ok(MessageView::new(header.as_bytes(), message.attachment, octets.unwrap_or(header.len() as u64)))
}

/// What the filters of the mailboxes that the message reaches would do with it.
fn filters(directory: &Directory, resolution: &Resolution, message: &MessageView) -> Vec<FilterVerdicts> {
    let reached = resolution.mailboxes.iter().filter_map(|(id, _)| directory.account_by_id(*id));
    let with_filters = reached.filter_map(|account| {
        let set = directory.acting_filters(account.id, Place::Inbox)?;
        // A subaddress has put it into a folder of its own.
        resolution.folder_of(account.id).is_none().then_some((account, set))
    });
    let verdicts = with_filters.map(|(account, set)| FilterVerdicts {
        account: account.address.clone(),
        verdicts: decide_filters(&set.filters, message, Place::Inbox).verdicts,
    });
    verdicts.take(FILTERED_MAILBOXES_TOLD_MAX).collect()
}

/// The refusal that a sender hears before any recipient is looked at.
fn before_recipients(settings: &Settings, directory: &Directory, asking: &Asking) -> Option<Reply> {
    if asking.octets.is_some_and(|octets| octets > settings.delivery.message_octets_max) {
        return Some(Reply::fixed(552, EnhancedCode(5, 3, 4), "The message is larger than this server takes"));
    }
    let (account, sender) = (asking.account?, asking.reverse_path.address()?);
    let decision = may_send_as(directory, account, sender);
    let text = || format!("You may not send as {sender}: {}", decision.reason);
    (!decision.allowed).then(|| Reply::new(550, Some(EnhancedCode(5, 7, 1)), text()))
}

fn post(directory: &Directory, list: &Arc<ListObject>, account: Option<&AccountObject>, from: &ReversePath) -> Post {
    let is = |decider: &Address, account: &AccountObject| {
        directory.account_at(decider).is_some_and(|found| found.id == account.id)
    };
    let mut deciders = list.deciders().iter().chain(&list.owners);
    let decides = account.is_some_and(|account| deciders.any(|decider| is(decider, account)));
    let mut authors: Vec<Address> = from.address().cloned().into_iter().collect();
    if !from.is_null() {
        authors.extend(account.into_iter().flat_map(AccountObject::addresses));
    }
    Post { list: Arc::clone(list), authors, decides }
}

/// What a list does with a message that people write, whose author is its sender.
async fn fate_of(store: &Store, post: &Post) -> Result<&'static str, AdminError> {
    let list = &post.list;
    if post.authors.is_empty() {
        return Ok("drops it: reports and answers of machines go to nobody");
    }
    if post.decides {
        return Ok("sends it to its members: an owner or a moderator writes");
    }
    let mut member = false;
    for author in &post.authors {
        member |= store.member(list.id, author).await?.is_some_and(|found| found.state != MemberState::Pending);
    }
    Ok(match (list.posting == Posting::Members && !member).then_some(list.settings.non_members) {
        Some(NonMembers::Hold) => "waits for a moderator: the sender is not a member",
        Some(NonMembers::Refuse) => "refused with a letter: the sender is not a member",
        Some(NonMembers::Accept) | None if list.moderated => "waits for a moderator: the list is moderated",
        Some(NonMembers::Accept) | None => "sent to the members",
    })
}

/// What a responder would do with a plain message that names its recipient and is its sender's first.
fn told(directory: &Directory, responder: &ResponderObject, asking: &Asking, to: &Address, memory: &Memory) -> String {
    let (from, now, address) = (&asking.reverse_path, asking.now, &responder.address);
    let marks = HeaderMarks { recipients: vec![to.clone()], ..HeaderMarks::default() };
    let received = Received {
        recipient: to,
        reverse_path: from.clone(),
        received_at: now,
        submitter: asking.account,
        junk: false,
        marks,
    };
    let facts = Facts::new(directory, responder, received);
    let kind = match responder.kind {
        ResponderKind::Autoresponder => "autoresponder",
        ResponderKind::OutOfOffice => "out-of-office message",
    };
    let decision = match (decide(responder, &facts, now, &zone_of(directory, responder), memory), from.address()) {
        (Decision::Answer, Some(sender)) => {
            let contacts = responder.audience == Audience::Contacts && !facts.inside;
            let whom =
                if contacts { format!("{sender} if that is a contact of its owner") } else { sender.to_string() };
            format!("answers {whom}, unless the message is automatic or bulk, {}", responder.often())
        }
        (decision, _) => decision.to_string(),
    };
    let kept = if responder.keep { "" } else { "; while it is active, what it receives is not kept" };
    format!("responder {} ({kind} at {address}) {decision}{kept}", responder.id)
}
