//! Joining, leaving, moving to another address (R8): orders by mail, and what follows once they are confirmed.

use std::fmt;
use std::sync::Arc;

use bus::TakeError;
use delivery::Prepared;
use mail::{AccountId, Address, Timestamp};
use routing::objects::{Joining, ListObject};
use storage::StorageError;
use storage::rows::{BounceScore, ListRequest, MemberRow, MemberState, RequestKind};
use storage::trace::Step;

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::answerable::{is_machine, unanswerable};
use crate::budget::{Allowance, LetterKind};
use crate::consumer::{Case, Keep};
use crate::function::Function;
use crate::limits::{APPROVAL_KEEP, LINK_KEEP, REQUEST_KEEP};
use crate::place::Place;
use crate::text::Words;
use crate::token::Purpose;

/// What somebody wants of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Join,
    Leave,
    Move(Address),
    Help,
}

impl Order {
    /// Reads a subject, or the first line of a text; `None` when it is no order.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches(['"', '«', '»', '.', '!', ' ']).to_lowercase();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        match word {
            "subscribe" | "join" | "inscription" | "abonner" | "abonnement" => Some(Self::Join),
            "unsubscribe" | "leave" | "désinscription" | "desinscription" | "désabonner" | "désabonnement" => {
                Some(Self::Leave)
            }
            "move" | "address" | "adresse" => {
                let rest = rest.trim().trim_start_matches("mailto:").trim_matches(['<', '>']);
                Address::parse(rest).ok().map(Self::Move)
            }
            "help" | "aide" => Some(Self::Help),
            _ => None,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join => f.write_str("join"),
            Self::Leave => f.write_str("leave"),
            Self::Move(to) => write!(f, "move to {to}"),
            Self::Help => f.write_str("send help"),
        }
    }
}

/// Who orders something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub address: &'a Address,
    /// May be empty.
    pub name: &'a str,
    /// `fr` or `en`, when it is known.
    pub language: Option<&'a str>,
    /// It is surely they: they have logged in, or hold a link that was sent to the address.
    pub trusted: bool,
    /// It is surely from their domain: DMARC passed, or a DKIM signature of it is valid. Enough to leave, which they can undo.
    pub verified: bool,
    /// They may be told what did not change anything: the envelope names them too, or they asked on a page.
    pub answerable: bool,
}

/// What came of a confirmation, for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    Joined,
    WaitsForModerator,
    Left,
    /// A letter went to the new address.
    NewAddressAsked(Address),
    Moved(Address),
    /// Used already, or too late.
    Void,
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined => f.write_str("joined"),
            Self::WaitsForModerator => f.write_str("waits for a moderator"),
            Self::Left => f.write_str("left"),
            Self::NewAddressAsked(to) => write!(f, "the new address {to} is asked"),
            Self::Moved(to) => write!(f, "moved to {to}"),
            Self::Void => f.write_str("nothing"),
        }
    }
}

impl Lists {
    /// An order by mail.
    pub(crate) async fn ordered(
        &self,
        case: &Case,
        list: &Arc<ListObject>,
        function: &Function,
    ) -> Result<(), TakeError> {
        let Some(author) = case.incoming.author.clone() else {
            return self.drop_case(case, "an order without a sender").await;
        };
        if is_machine(&author) {
            return self.drop_case(case, "an order from an address behind which nobody reads").await;
        }
        let mut language = case.incoming.language;
        let order = match function {
            Function::Join => Order::Join,
            Function::Leave => Order::Leave,
            Function::Post | Function::Owner | Function::Request | Function::Confirm(_) | Function::Bounces(_) => {
                let subject = case.incoming.plain_subject();
                let words = std::iter::once(subject.as_str()).chain(case.incoming.lines().take(5));
                let found = words.filter_map(|text| Order::read(text).map(|order| (order, is_french(text)))).next();
                // Who orders in French reads French.
                language = language.or(found.as_ref().filter(|(_, french)| *french).map(|_| "fr"));
                found.map_or(Order::Help, |(order, _)| order)
            }
        };
        // Who has logged in as the author needs to confirm nothing.
        let trusted = {
            let directory = self.store.directory();
            let account = directory.account_at(&author);
            account.is_some_and(|account| Some(account.id) == case.event.account)
        };
        let answerable = Self::answerable(&case.event.reverse_path, case.event.account, Some(&author)).is_some();
        // People here log in; a domain elsewhere answers for its own.
        let elsewhere = self.store.directory().domain(author.domain()).is_none();
        let verified = elsewhere && case.event.verified.as_ref() == Some(author.domain());
        let name = &case.incoming.author_name;
        let asker = Asker { address: &author, name, language, trusted, verified, answerable };
        let sure = match (trusted, verified) {
            (true, _) => ", logged in".to_owned(),
            (false, true) => format!(", surely from {}", author.domain()),
            (false, false) => String::new(),
        };
        let told = format!("{}: an order to {order}{sure}", list.address);
        let mut acts = Box::pin(self.order(&case.place, list, asker, order)).await?;
        acts.tells(told);
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }

    /// What follows from an order, which anybody may have written unless the asker is trusted.
    pub(crate) async fn order(
        &self,
        place: &Place,
        list: &Arc<ListObject>,
        asker: Asker<'_>,
        order: Order,
    ) -> Result<Acts, TakeError> {
        let Asker { address: who, name, language, trusted, verified, .. } = asker;
        let member = self.store.member(list.id, who).await?;
        let known = member.as_ref().and_then(|member| member.language.clone());
        let language = known.as_deref().or(language);
        let asker = Asker { language, ..asker };
        let is = |state| member.as_ref().is_some_and(|member| member.state == state);
        let (active, suspended, pending) =
            (is(MemberState::Active), is(MemberState::Suspended), is(MemberState::Pending));
        let manage = self.link(Purpose::Manage, place, 0, who, LINK_KEEP);
        let manage = manage.as_deref();
        match order {
            Order::Join if active => self.note(place, asker, Words::AlreadyMember { manage }).await,
            // A suspended member comes back whatever the list says to strangers.
            Order::Join if suspended && trusted => self.back(place, who, language).await,
            Order::Join if !suspended && list.settings.joining == Joining::Closed => {
                self.note(place, asker, Words::Closed).await
            }
            Order::Join if trusted && list.settings.joining == Joining::Open => {
                self.joined(place, list, who, name, language.map(str::to_owned)).await
            }
            Order::Join => self.ask(place, who, name, language, RequestKind::Join, who).await,
            Order::Leave | Order::Move(_) if member.is_none() => self.note(place, asker, Words::NotMember).await,
            // Only who was accepted has a membership to take elsewhere.
            Order::Move(_) if pending => self.note(place, asker, Words::NotMember).await,
            Order::Leave if trusted || verified => self.left(place, list.id, who).await,
            Order::Leave => self.ask(place, who, name, language, RequestKind::Leave, who).await,
            Order::Move(to) if trusted => {
                let kind = RequestKind::Move { to: to.clone() };
                self.ask(place, who, name, language, kind, &to).await
            }
            Order::Move(to) => self.ask(place, who, name, language, RequestKind::MoveAsked { to }, who).await,
            Order::Help => self.note(place, asker, Words::Help { member: member.is_some(), manage }).await,
        }
    }

    /// Carries out a confirmed request, however it was confirmed.
    pub(crate) async fn confirm(&self, place: &Place, number: u32) -> Result<(Confirmed, Acts), TakeError> {
        let part = place.part();
        let Place::List(list) = place else { return Ok((Confirmed::Void, Acts::default())) };
        let now = self.store.now();
        let request = self.store.list_request(part, number).await?.filter(|request| request.expires >= now);
        let Some(request) = request else { return Ok((Confirmed::Void, Acts::default())) };
        let who = &request.address;
        let suspended = self.store.member(part, who).await?.is_some_and(|row| row.state == MemberState::Suspended);
        // A list may have been closed since.
        let closed = list.settings.joining == Joining::Closed;
        let (confirmed, mut acts) = match &request.kind {
            RequestKind::Join if suspended => {
                (Confirmed::Joined, self.back(place, who, request.language.as_deref()).await?)
            }
            RequestKind::Join if closed => return Ok((Confirmed::Void, Acts::default())),
            RequestKind::Join if list.settings.joining == Joining::Approval => {
                (Confirmed::WaitsForModerator, self.pending(place, list, &request).await?)
            }
            RequestKind::Join => {
                let acts = self.joined(place, list, who, &request.name, request.language.clone()).await?;
                (Confirmed::Joined, acts)
            }
            RequestKind::Leave => (Confirmed::Left, self.left(place, part, who).await?),
            RequestKind::MoveAsked { to } => {
                let kind = RequestKind::Move { to: to.clone() };
                let acts = self.ask(place, who, &request.name, request.language.as_deref(), kind, to).await?;
                (Confirmed::NewAddressAsked(to.clone()), acts)
            }
            RequestKind::Move { to } => (Confirmed::Moved(to.clone()), self.moved(place, part, who, to).await?),
            RequestKind::Approval => return Ok((Confirmed::Void, Acts::default())),
        };
        acts.guard(move |tx| Ok(tx.take_list_request(part, number)?.is_some()));
        Ok((confirmed, acts))
    }

    /// Stores a request and asks `reader` to confirm it.
    async fn ask(
        &self,
        place: &Place,
        who: &Address,
        name: &str,
        language: Option<&str>,
        kind: RequestKind,
        reader: &Address,
    ) -> Result<Acts, TakeError> {
        let part = place.part();
        let number = self.store.free_request_number(part).await?;
        let link = self.link(Purpose::Confirm, place, number, reader, REQUEST_KEEP);
        let link = link.as_deref();
        let words = match &kind {
            RequestKind::Join | RequestKind::Approval => Words::ConfirmJoin { link },
            RequestKind::Leave => Words::ConfirmLeave { link },
            RequestKind::MoveAsked { to } => Words::ConfirmMoveAsked { to, link },
            RequestKind::Move { .. } => Words::ConfirmMove { from: who, link },
        };
        let reply_to = self.confirm_address(place, number);
        let draft = Draft { reply_to, language, ..Draft::new(reader, words) };
        let letter = self.draft(place, draft).await?;
        let now = self.store.now();
        let request = ListRequest {
            kind,
            address: who.clone(),
            name: name.to_owned(),
            language: language.map(str::to_owned),
            expires: now.plus(REQUEST_KEEP),
        };
        let mut acts = Acts::default();
        // No letter, no request: both are bounded by the same counts.
        match &request.kind {
            RequestKind::Leave => acts.needs(Allowance::leaving(reader)),
            RequestKind::Join | RequestKind::Approval | RequestKind::MoveAsked { .. } | RequestKind::Move { .. } => {
                Allowance::confirmation(reader).into_iter().for_each(|allowance| acts.needs(allowance));
            }
        }
        acts.change(move |tx| tx.put_list_request(part, number, &request).map(|()| true));
        acts.step(Step::Notice { kind: "request to confirm".to_owned(), to: Some(reader.clone()) });
        acts.letter(letter);
        Ok(acts)
    }

    /// Tells somebody what became of an order that changes nothing, when that can't hit a stranger.
    async fn note(&self, place: &Place, asker: Asker<'_>, words: Words<'_>) -> Result<Acts, TakeError> {
        let Asker { address: who, language, trusted, answerable, .. } = asker;
        let mut acts = Acts::default();
        if answerable {
            let letter = self.draft(place, Draft { language, ..Draft::new(who, words) }).await?;
            acts.counted(Allowance::to_writer(LetterKind::Note, who, trusted), letter);
        } else {
            tracing::info!(list = %place.address(), author = %who, "no answer to an order: the envelope names somebody else");
            acts.step(unanswerable(LetterKind::Note));
        }
        Ok(acts)
    }

    async fn joined(
        &self,
        place: &Place,
        list: &ListObject,
        who: &Address,
        name: &str,
        language: Option<String>,
    ) -> Result<Acts, TakeError> {
        let mut acts = Acts::default();
        let mut fresh = MemberRow::new(who.clone(), self.store.now());
        (fresh.name, fresh.language) = (name.to_owned(), language.clone());
        let part = list.id;
        acts.change(move |tx| {
            let member = match tx.member(part, &fresh.address)? {
                Some(there) => MemberRow { state: MemberState::Active, bounces: BounceScore::default(), ..there },
                None => fresh.clone(),
            };
            tx.put_member(part, &member).map(|()| true)
        });
        acts.letter(self.welcome(place, who, language.as_deref()).await?);
        Ok(acts)
    }

    async fn welcome(
        &self,
        place: &Place,
        who: &Address,
        language: Option<&str>,
    ) -> Result<Option<Prepared>, TakeError> {
        let manage = self.link(Purpose::Manage, place, 0, who, LINK_KEEP);
        let words = Words::Welcome { manage: manage.as_deref(), added: false };
        self.draft(place, Draft { language, ..Draft::new(who, words) }).await
    }

    async fn pending(&self, place: &Place, list: &ListObject, request: &ListRequest) -> Result<Acts, TakeError> {
        let (part, now) = (list.id, self.store.now());
        let number = self.store.free_request_number(part).await?;
        let mut member = MemberRow::new(request.address.clone(), now);
        (member.name, member.state) = (request.name.clone(), MemberState::Pending);
        member.language.clone_from(&request.language);
        let approval = ListRequest { kind: RequestKind::Approval, expires: now.plus(APPROVAL_KEEP), ..request.clone() };
        let mut acts = Acts::default();
        acts.change(move |tx| {
            // One who is a member already needs no approval.
            if tx.member(part, &member.address)?.is_some_and(|there| there.state != MemberState::Pending) {
                return Ok(false);
            }
            tx.put_member(part, &member)?;
            tx.put_list_request(part, number, &approval).map(|()| true)
        });
        for decider in place.deciders() {
            let link = self.link(Purpose::Approve, place, number, decider, APPROVAL_KEEP);
            let draft = Draft {
                reply_to: self.decision_address(Purpose::Approve, place, number, decider),
                ..Draft::new(decider, Words::Approve { who: &request.address, link: link.as_deref() })
            };
            acts.letter(self.draft(place, draft).await?);
        }
        acts.letter(self.draft(place, Draft::new(&request.address, Words::WaitsForApproval)).await?);
        Ok(acts)
    }

    /// A moderator has decided on a pending member. `None`: nobody waits (any more).
    pub(crate) async fn approve(
        &self,
        place: &Place,
        number: u32,
        approved: bool,
        reason: &str,
    ) -> Result<Option<Acts>, TakeError> {
        let (part, now) = (place.part(), self.store.now());
        let request = self.store.list_request(part, number).await?;
        let waits = |request: &ListRequest| request.expires >= now && request.kind == RequestKind::Approval;
        let Some(request) = request.filter(waits) else { return Ok(None) };
        let who = request.address.clone();
        let letter = match approved {
            true => self.welcome(place, &who, request.language.as_deref()).await?,
            false => self.draft(place, Draft::new(&who, Words::JoinRejected { reason })).await?,
        };
        let mut acts = Acts::default();
        acts.guard(move |tx| Ok(tx.take_list_request(part, number)?.is_some()));
        acts.change(move |tx| match tx.member(part, &who)? {
            Some(member) if member.state == MemberState::Pending && approved => {
                tx.put_member(part, &MemberRow { state: MemberState::Active, ..member }).map(|()| true)
            }
            Some(member) if member.state == MemberState::Pending => tx.remove_member(part, &who),
            _ => Ok(false),
        });
        acts.letter(letter);
        Ok(Some(acts))
    }

    pub(crate) async fn left(&self, place: &Place, part: AccountId, who: &Address) -> Result<Acts, TakeError> {
        let mut acts = Acts::default();
        let leaving = who.clone();
        acts.change(move |tx| tx.remove_member(part, &leaving));
        acts.letter(self.draft(place, Draft::new(who, Words::Goodbye)).await?);
        Ok(acts)
    }

    /// A suspended member comes back, as whoever they surely are; a moderator has accepted them before.
    async fn back(&self, place: &Place, who: &Address, language: Option<&str>) -> Result<Acts, TakeError> {
        let mut acts = Self::come_back(place.part(), who);
        acts.letter(self.welcome(place, who, language).await?);
        Ok(acts)
    }

    /// R8: the member is the same, at another address. Who is none yet has nothing to take there; a suspended one is back,
    /// since the new address has just answered.
    async fn moved(&self, place: &Place, part: AccountId, from: &Address, to: &Address) -> Result<Acts, TakeError> {
        let mut acts = Acts::default();
        let (old, new) = (from.clone(), to.clone());
        acts.change(move |tx| {
            let member = tx.member(part, &old)?.filter(|member| member.state != MemberState::Pending);
            let Some(member) = member else { return Ok(false) };
            tx.remove_member(part, &old)?;
            if tx.member(part, &new)?.is_none_or(|there| there.state != MemberState::Active) {
                let moved = MemberRow {
                    address: new.clone(),
                    state: MemberState::Active,
                    bounces: BounceScore::default(),
                    ..member
                };
                tx.put_member(part, &moved)?;
            }
            Ok(true)
        });
        acts.letter(self.draft(place, Draft::new(from, Words::Moved { to })).await?);
        let language = self.store.member(part, from).await?.and_then(|member| member.language);
        acts.letter(self.welcome(place, to, language.as_deref()).await?);
        Ok(acts)
    }

    /// A member comes back, by their own link.
    pub(crate) fn come_back(part: AccountId, who: &Address) -> Acts {
        let mut acts = Acts::default();
        let who = who.clone();
        acts.change(move |tx| match tx.member(part, &who)? {
            Some(member) if member.state == MemberState::Suspended => {
                let back = MemberRow { state: MemberState::Active, bounces: BounceScore::default(), ..member };
                tx.put_member(part, &back).map(|()| true)
            }
            _ => Ok(false),
        });
        acts
    }

    /// A member wants their own posts, or not.
    pub(crate) fn own_posts(part: AccountId, who: &Address, own_posts: bool) -> Acts {
        let mut acts = Acts::default();
        let who = who.clone();
        acts.change(move |tx| match tx.member(part, &who)? {
            Some(member) => tx.put_member(part, &MemberRow { own_posts, ..member }).map(|()| true),
            None => Ok(false),
        });
        acts
    }

    /// Applies what a page asked for; whether it was done.
    pub(crate) async fn apply(&self, part: AccountId, acts: Acts) -> Result<bool, StorageError> {
        let now: Timestamp = self.store.now();
        let applied = self.store.transact(move |tx| acts.apply(tx, part, None, now)).await?.value;
        self.tell_spent(part, &applied.spent).await;
        Ok(applied.done)
    }
}

/// Whether an order is in French.
fn is_french(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    ["inscription", "abonn", "désinscri", "desinscri", "désabonn", "adresse", "aide"]
        .iter()
        .any(|word| text.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_orders_are_read_in_both_languages() {
        let to = Address::parse("new@b.example").unwrap();
        for (text, wanted) in [
            ("subscribe", Some(Order::Join)),
            ("  Inscription ", Some(Order::Join)),
            ("UNSUBSCRIBE", Some(Order::Leave)),
            ("désinscription.", Some(Order::Leave)),
            ("move new@b.example", Some(Order::Move(to.clone()))),
            ("Adresse <new@b.example>", Some(Order::Move(to))),
            ("move nowhere", None),
            ("aide", Some(Order::Help)),
            ("subscribed to life", None),
            ("", None),
        ] {
            assert_eq!(Order::read(text), wanted, "{text}");
        }
    }
}
