//! GETMETADATA and SETMETADATA (RFC 5464; RFC 6154 §4 for `/private/specialuse`).
//!
//! Any name is kept that the rules of RFC 5464 §3.2 allow. Some are not kept but told: `/shared/admin` of the server, and
//! `/private/specialuse` of a mailbox, which its owner sets this way.

use std::collections::BTreeMap;

use imap_wire::limits::ENTRY_VALUE_MAX;
use imap_wire::response::{self, Code};
use imap_wire::{Depth, EntryName, GetMetadata, MailboxName, MetadataQuery, NameEncoding, SetMetadata};
use mail::SpecialUse;
use routing::Rights;
use routing::objects::Role;
use storage::StorageError;
use storage::metadata::{Annotated, AnnotationChanges, AnnotationPlace};
use storage::rows::MailboxRow;

use crate::access::{Target, refusal};
use crate::commands::filter::filter_flaw;
use crate::fault::{Answer, Fault, capitalised};
use crate::session::Session;

/// RFC 5464 §3.2.1.1: how to reach the administrator.
const ADMIN: &str = "/shared/admin";

/// RFC 6154 §4: what a mailbox is for.
const SPECIAL_USE: &str = "/private/specialuse";

/// What a query found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Names and values; `None` for a name that was asked for and has none.
    pub(crate) entries: BTreeMap<String, Option<Vec<u8>>>,
    /// Octets of the longest value that was left out for its length.
    pub(crate) longest: Option<u64>,
}

impl Found {
    /// `* METADATA …`, when there is anything to tell.
    pub(crate) fn tell(&self, out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding) {
        if !self.entries.is_empty() {
            let entries = self.entries.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            response::metadata(out, mailbox, encoding, entries);
        }
    }

    /// Takes an entry, when it is asked for and not too long.
    fn add(&mut self, query: &MetadataQuery, name: &str, value: &[u8]) {
        if !query.asks_for(name) {
            return;
        }
        let octets = value.len() as u64;
        if query.size_max.is_some_and(|max| octets > max) {
            self.longest = self.longest.max(Some(octets));
            self.entries.remove(name);
        } else {
            self.entries.insert(name.to_owned(), Some(value.to_vec()));
        }
    }
}

/// RFC 5464 §3.3: annotations are for who has the right `l` and one of `r`, `s`, `w`, `i`, `p`.
pub(crate) fn may_annotate(rights: Rights) -> bool {
    let any = [Rights::SEEN, Rights::WRITE, Rights::INSERT, Rights::POST].into_iter().fold(Rights::READ, Rights::with);
    rights.has(Rights::LOOKUP) && rights.any_of(any)
}

impl Session {
    pub(crate) async fn get_metadata(&mut self, command: &GetMetadata) -> Result<Answer, Fault> {
        let target = match self.annotated(&command.mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let found = match &target {
            Some(target) => self.annotations_of(target.owner, &target.row, &command.query).await?,
            None => self.server_annotations(&command.query).await?,
        };
        let encoding = self.encoding();
        found.tell(self.connection.out(), &command.mailbox, encoding);
        let done = Answer::ok("Those are the annotations");
        Ok(match found.longest {
            Some(octets) => done.with(Code::MetadataLongEntries(octets)),
            None => done,
        })
    }

    /// All or none of the values are set (RFC 5464 §4.3).
    pub(crate) async fn set_metadata(&mut self, command: SetMetadata) -> Result<Answer, Fault> {
        let target = match self.annotated(&command.mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let values = command.entries.iter().filter_map(|(_, value)| value.as_deref());
        if values.map(|value| value.len() as u64).max().is_some_and(|longest| longest > ENTRY_VALUE_MAX) {
            return Ok(Answer::no(Code::MetadataMaxSize(ENTRY_VALUE_MAX), "A value is too long"));
        }
        let who = self.account()?;
        let (mut shared, mut private) = (AnnotationChanges::new(), AnnotationChanges::new());
        let mut special_use = None;
        for (name, value) in command.entries {
            if let (None, Some(refusal)) = (&target, filter_flaw(name.as_str(), value.as_deref())) {
                return Ok(refusal);
            }
            match (name.as_str(), &target) {
                (ADMIN, None) => return Ok(Answer::no(Code::Cannot, "That entry tells, and can't be set")),
                (SPECIAL_USE, Some(target)) if target.owner == who => match wanted_use(value.as_deref()) {
                    Ok(wanted) => special_use = Some((target.owner, target.row.id, wanted)),
                    Err(answer) => return Ok(answer),
                },
                (SPECIAL_USE, Some(_)) => {
                    return Ok(Answer::no(Code::UseAttr, "What a mailbox is for is its owner's to say"));
                }
                _ if name.is_private() => private.push((name.as_str().to_owned(), value)),
                _ => shared.push((name.as_str().to_owned(), value)),
            }
        }
        if target.is_none() && !shared.is_empty() && !self.is_administrator() {
            return Ok(Answer::no(Code::NoPerm, "Only administrators annotate the server for all"));
        }
        // Nobody changes anything in the archive of a mailing list, not even what is written beside it.
        let is_archive = |target: &Target| self.server.store.directory().list_by_id(target.owner).is_some();
        if !shared.is_empty() && target.as_ref().is_some_and(is_archive) {
            return Ok(Answer::no(
                Code::NoPerm,
                "The archive of a list is annotated by each for themselves: /private/",
            ));
        }
        let of = target.as_ref().map_or(Annotated::Server, |target| Annotated::Mailbox(target.owner, target.row.id));
        let changes = [(AnnotationPlace::shared(of), shared), (AnnotationPlace::private(of, who), private)];
        let changes: Vec<_> = changes.into_iter().filter(|(_, changes)| !changes.is_empty()).collect();
        match self.server.store.annotate(changes, special_use).await {
            Ok(done) => {
                self.remember_own_annotations(&done.value);
                Ok(Answer::ok("Set"))
            }
            Err(StorageError::LimitReached(what)) => Ok(Answer::no(Code::MetadataTooMany, format!("Too many {what}"))),
            Err(StorageError::NotAllowed(reason)) => Ok(Answer::no(Code::UseAttr, capitalised(reason))),
            Err(error) => Err(error.into()),
        }
    }

    /// What a name means for annotations: `None` for the server; the inner error is the answer when there are none.
    async fn annotated(&mut self, mailbox: &MailboxName) -> Result<Result<Option<Target>, Answer>, Fault> {
        if mailbox.as_str().is_empty() {
            return Ok(Ok(None));
        }
        Ok(match self.find(mailbox.as_str()).await? {
            None => Err(Answer::of(&StorageError::NoSuchMailbox)),
            Some(target) if may_annotate(target.access.rights) => Ok(Some(target)),
            Some(target) => Err(refusal(target.access.rights)),
        })
    }

    /// What a query finds on a mailbox that may be annotated; also for LIST (RFC 9590).
    pub(crate) async fn annotations_of(
        &mut self,
        owner: mail::AccountId,
        row: &MailboxRow,
        query: &MetadataQuery,
    ) -> Result<Found, Fault> {
        let mut found = self.kept_annotations(Annotated::Mailbox(owner, row.id), query).await?;
        if let Some(special_use) = row.special_use {
            found.add(query, SPECIAL_USE, special_use.attribute().as_bytes());
        }
        Ok(found)
    }

    async fn server_annotations(&mut self, query: &MetadataQuery) -> Result<Found, Fault> {
        let mut found = self.kept_annotations(Annotated::Server, query).await?;
        // Somebody reads what is sent to the postmaster of a domain (RFC 5321 §4.5.1).
        if let Some(domain) = self.user.as_ref().map(|user| user.account.address.domain().to_string()) {
            found.add(query, ADMIN, format!("mailto:postmaster@{domain}").as_bytes());
        }
        Ok(found)
    }

    async fn kept_annotations(&mut self, of: Annotated, query: &MetadataQuery) -> Result<Found, Fault> {
        let who = self.account()?;
        let mut found = Found::default();
        if query.depth == Depth::Entry {
            let named = query.entries.iter().map(|entry: &EntryName| (entry.as_str().to_owned(), None));
            found.entries.extend(named);
        }
        for private in [false, true] {
            // Without DEPTH only the entries that are named are looked for.
            if query.entries.iter().any(|entry| entry.is_private() == private) {
                let place = if private { AnnotationPlace::private(of, who) } else { AnnotationPlace::shared(of) };
                for entry in self.server.store.annotations(place).await?.iter() {
                    found.add(query, &entry.name, &entry.value);
                }
            }
        }
        Ok(found)
    }

    fn is_administrator(&self) -> bool {
        let directory = self.server.store.directory();
        let account = self.user.as_ref().and_then(|user| directory.account_by_id(user.account.id));
        account.is_some_and(|account| account.role == Role::Administrator)
    }
}

/// RFC 6154 §4: what is set is checked as CREATE checks it. A mailbox has one use here.
fn wanted_use(value: Option<&[u8]>) -> Result<Option<SpecialUse>, Answer> {
    let Some(value) = value else { return Ok(None) };
    let text = std::str::from_utf8(value).unwrap_or("?");
    let uses: Vec<Option<SpecialUse>> = text.split_ascii_whitespace().map(SpecialUse::from_attribute).collect();
    match uses.as_slice() {
        [] => Ok(None),
        [Some(wanted)] => Ok(Some(*wanted)),
        [None] => Err(Answer::no(Code::UseAttr, "There is no such special use")),
        _ => Err(Answer::no(Code::UseAttr, "A mailbox has one special use here")),
    }
}
