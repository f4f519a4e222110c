//! What would happen to a message, without sending it: the decisions that delivery and the responder take, with their
//! reasons.

use mail::{Address, ForwardPath, ReversePath};
use routing::objects::{Audience, ResponderKind, ResponderObject};
use routing::responders::{Decision, Facts, HeaderMarks, Memory, Received, decide, zone_of};
use routing::{Asking, Directory, may_send_as, resolve};
use storage::Store;

use crate::account;
use crate::error::AdminError;
use crate::response::Explanation;

/// What would happen now to a message of so many octets, from somebody who has logged in as an account or not at all.
pub(crate) fn explain(
    store: &Store,
    from: &ReversePath,
    to: &Address,
    login: Option<&Address>,
    octets: Option<u64>,
) -> Result<Explanation, AdminError> {
    let directory = store.directory();
    let account = login.map(|login| account::find(&directory, login)).transpose()?;
    let asking = Asking {
        reverse_path: from.clone(),
        account: account.map(|account| account.id),
        now: store.now(),
        octets,
        own: false,
    };
    let resolution = resolve(&directory, &ForwardPath::Address(to.clone()), &asking);
    let mut text = resolution.to_string();
    if let (Some(account), Some(sender)) = (asking.account, from.address()) {
        let decision = may_send_as(&directory, account, sender);
        if !decision.allowed {
            text.push_str(&format!("but the account may not send as {sender}: {}\n", decision.reason));
        }
    }
    let responders = resolution.responders.iter().filter(|_| resolution.verdict.is_accept());
    let responders = responders.filter_map(|(id, address)| {
        let responder = directory.responder(*id)?;
        Some(told(&directory, responder, address, &asking, to))
    });
    let responders = responders.collect();
    Ok(Explanation { from: from.to_string(), text, resolution, responders })
}

/// What a responder would do with a plain message that names its recipient and is its sender's first.
fn told(
    directory: &Directory,
    responder: &ResponderObject,
    address: &Address,
    asking: &Asking,
    to: &Address,
) -> String {
    let (from, now) = (&asking.reverse_path, asking.now);
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
