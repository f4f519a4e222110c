//! What would happen to a message, without sending it: the decisions that delivery and the responder take, with their
//! reasons.

use std::sync::Arc;

use mail::{Address, EnhancedCode, ForwardPath, Reply, ReversePath};
use routing::objects::{
    AccountObject, Audience, ListObject, ListRole, NonMembers, Posting, ResponderKind, ResponderObject,
};
use routing::responders::{Decision, Facts, HeaderMarks, Memory, Received, decide, zone_of};
use routing::{Asking, Directory, Verdict, may_send_as, resolve};
use storage::Store;
use storage::rows::MemberState;

use crate::account;
use crate::error::AdminError;
use crate::response::Explanation;
use crate::settings::Settings;

/// What would happen now to a message of so many octets, from somebody who has logged in as an account or not at all.
pub(crate) async fn explain(
    store: &Store,
    settings: &Settings,
    from: &ReversePath,
    to: &Address,
    login: Option<&Address>,
    octets: Option<u64>,
) -> Result<Explanation, AdminError> {
    let (mut explanation, posts) = routed(store, settings, from, to, login, octets)?;
    for post in posts {
        let fate = fate_of(store, &post).await?;
        explanation.text.push_str(&format!("list {}: {fate}\n", post.list.address));
    }
    Ok(explanation)
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
    from: &ReversePath,
    to: &Address,
    login: Option<&Address>,
    octets: Option<u64>,
) -> Result<(Explanation, Vec<Post>), AdminError> {
    let directory = store.directory();
    let account = login.map(|login| account::find(&directory, login)).transpose()?;
    let asking = Asking {
        reverse_path: from.clone(),
        account: account.as_ref().map(|account| account.id),
        now: store.now(),
        octets,
        own: false,
    };
    let resolution = resolve(&directory, &ForwardPath::Address(to.clone()), &asking);
    let reply = before_recipients(settings, &directory, &asking).or_else(|| match resolution.verdict {
        Verdict::NotLocal if asking.account.is_some() => None,
        Verdict::Accept | Verdict::Refuse(_) | Verdict::NotLocal => resolution.verdict.refusal(),
    });
    let text = match (&reply, &resolution.verdict) {
        // Its own words have the reason too.
        (Some(reply), Verdict::Refuse(reason)) if *reply == reason.reply() => resolution.to_string(),
        (Some(reply), _) => format!("{}refused: {reply}\n", resolution.tree),
        (None, Verdict::NotLocal) => format!("{}accepted: relayed to {to}\n", resolution.tree),
        (None, Verdict::Accept | Verdict::Refuse(_)) => resolution.to_string(),
    };
    let responders = resolution.responders.iter().filter(|_| reply.is_none());
    let responders = responders.filter_map(|(id, _)| Some(told(&directory, directory.responder(*id)?, &asking, to)));
    let responders = responders.collect();
    let held = resolution.held.iter().filter(|held| reply.is_none() && held.role == ListRole::Post);
    let lists = held.filter_map(|held| directory.list_by_id(held.part));
    let posts = lists.map(|list| post(&directory, list, account.as_ref(), from)).collect();
    Ok((Explanation { from: from.to_string(), text, resolution, responders, reply }, posts))
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
fn told(directory: &Directory, responder: &ResponderObject, asking: &Asking, to: &Address) -> String {
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
    let memory = Memory { contact: true, ..Memory::default() };
    let kind = match responder.kind {
        ResponderKind::Autoresponder => "autoresponder",
        ResponderKind::OutOfOffice => "out-of-office message",
    };
    let decision = match (decide(responder, &facts, now, &zone_of(directory, responder), &memory), from.address()) {
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
