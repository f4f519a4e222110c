//! CREATE and RENAME (RFC 3501 §6.3.3, §6.3.5; RFC 6154 §3).

use imap_wire::response::Code;
use imap_wire::{Create, MailboxName};
use mail::AccountId;
use routing::Rights;
use routing::namespace::{OTHER_USERS, Place, SHARED, is_reserved};
use storage::StorageError;

use crate::access::{access, refusal};
use crate::engine::object_id::mailbox_id;
use crate::engine::pattern::{DELIMITER, ancestors};
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    pub(crate) async fn create(&mut self, create: Create) -> Result<Answer, Fault> {
        // RFC 3501 §6.3.3: a trailing delimiter only announces children.
        let name = create.mailbox.as_str().trim_end_matches(DELIMITER).to_owned();
        let (account, name, by_owner) = match self.place(&name)? {
            // RFC 2342 §3: what is below those prefixes is others'.
            Place::Own if is_reserved(&name) => return Ok(for_others()),
            Place::Own => (self.account()?, name, true),
            Place::Nowhere => return Ok(Answer::of(&StorageError::NoSuchMailbox)),
            Place::Foreign { owner, name } => match self.may_create(owner, &name).await? {
                Ok(()) => (owner, name, false),
                Err(answer) => return Ok(answer),
            },
        };
        let mut uses = create.special_uses;
        uses.dedup();
        let special_use = uses.pop();
        if !uses.is_empty() {
            return Ok(Answer::no(Code::UseAttr, "A mailbox has one special use here"));
        }
        if let Some(wanted) = special_use
            && self.server.store.special_mailbox(account, wanted).await?.is_some()
        {
            return Ok(Answer::no(Code::UseAttr, "Another mailbox has that special use"));
        }
        let created = self.server.store.create_mailbox_by(account, &name, special_use, by_owner).await?.value;
        self.own_name(create.mailbox.as_str());
        self.tell_spelling(&create.mailbox, &create.mailbox).await?;
        // RFC 8474 §4.1.
        Ok(Answer::ok("Created").with(Code::MailboxId(mailbox_id(account, created.id))))
    }

    /// INBOX keeps existing: its messages move (RFC 3501 §6.3.5). Who has the mailbox selected stays where they are.
    pub(crate) async fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<Answer, Fault> {
        let account = self.account()?;
        let spelling = to;
        let to = to.as_str().trim_end_matches(DELIMITER);
        match (self.place(from.as_str())?, self.place(to)?) {
            // `Shared` itself may be made, but nothing moved there: it could hide behind others' mailboxes.
            (Place::Own, Place::Own) if to == SHARED || to == OTHER_USERS || is_reserved(to) => return Ok(for_others()),
            (Place::Own, Place::Own) => self.server.store.rename_mailbox(account, from.as_str(), to).await?,
            (Place::Foreign { owner, name }, Place::Foreign { owner: other, name: new }) if owner == other => {
                let target = match self.find_with(from.as_str(), Rights::DELETE_MAILBOX).await? {
                    Ok(target) => target,
                    Err(answer) => return Ok(answer),
                };
                if target.row.name == "INBOX" {
                    return Ok(Answer::no(Code::Cannot, "The INBOX of an account can't be renamed by others"));
                }
                if let Err(answer) = self.may_create(owner, &new).await? {
                    return Ok(answer);
                }
                self.server.store.rename_mailbox(owner, &name, &new).await?
            }
            (Place::Nowhere, _) => return Ok(Answer::of(&StorageError::NoSuchMailbox)),
            (Place::Foreign { .. }, _) if self.find(from.as_str()).await?.is_none() => {
                return Ok(Answer::of(&StorageError::NoSuchMailbox));
            }
            _ => {
                let text = "A mailbox stays with its account: make one there and move the messages";
                return Ok(Answer::no(Code::Cannot, text));
            }
        };
        self.own_name(from.as_str());
        self.own_name(to);
        self.tell_spelling(spelling, from).await?;
        Ok(Answer::ok("Renamed"))
    }

    /// RFC 4314 §4: a new mailbox needs the right `k` to the nearest one above it that exists. At the first level of an
    /// account that is its INBOX, under whose name others see the account.
    async fn may_create(&mut self, owner: AccountId, name: &str) -> Result<Result<(), Answer>, Fault> {
        let account = self.account()?;
        let store = self.server.store.clone();
        let mut above: Vec<&str> = ancestors(name).collect();
        above.insert(0, "INBOX");
        for parent in above.into_iter().rev() {
            if let Some(row) = store.mailbox_by_name(owner, parent).await? {
                let access = access(&store, owner, row.id, account).await?;
                let may = access.rights.has(Rights::CREATE);
                return Ok(if may { Ok(()) } else { Err(refusal(access.rights)) });
            }
        }
        Ok(Err(Answer::of(&StorageError::NoSuchMailbox)))
    }
}

fn for_others() -> Answer {
    Answer::no(Code::Cannot, "That name is for others' mailboxes")
}
