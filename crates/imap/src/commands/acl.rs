//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3).
//!
//! Identifiers are the addresses of accounts of the owner's organisation, and `anyone`: all of these; with `-` in front they
//! take rights away. Somebody of another organisation on this server is not told from nobody, unless the list names them
//! already (the server's administrator did that): their line may be deleted. The owner of a mailbox has all rights and can't lose them; members of a shared account have what
//! their membership gives until a line names them.

use imap_wire::response::{self, Code};
use imap_wire::{MailboxName, SetAcl};
use routing::sharing::{default_rights, effective_lines, identifier as parse_identifier, may_be_named};
use routing::{Acl, Identifier, Rights, RightsChange};
use storage::StorageError;

use crate::access::Target;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    pub(crate) async fn set_acl(&mut self, command: &SetAcl) -> Result<Answer, Fault> {
        let change = match RightsChange::parse(&command.rights) {
            Ok(change) => change,
            // RFC 4314 §3.1: an unrecognized right MUST be answered with BAD.
            Err(flaw) => return Ok(Answer::bad(format!("SETACL: {flaw}"))),
        };
        self.edit_acl(&command.mailbox, &command.identifier, change, "The rights are set").await
    }

    pub(crate) async fn delete_acl(&mut self, mailbox: &MailboxName, identifier: &str) -> Result<Answer, Fault> {
        self.edit_acl(mailbox, identifier, RightsChange::Set(Rights::NONE), "The identifier is gone").await
    }

    async fn edit_acl(
        &mut self,
        mailbox: &MailboxName,
        identifier: &str,
        change: RightsChange,
        done: &'static str,
    ) -> Result<Answer, Fault> {
        let target = match self.find_with(mailbox.as_str(), Rights::ADMINISTER).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let (who, negative, default) = {
            let directory = self.server.store.directory();
            let Some((who, negative)) = parse_identifier(&directory, identifier) else { return Ok(unknown()) };
            (who, negative, default_rights(&directory, target.owner, who))
        };
        if !self.may_name(&target, who, negative, change).await? {
            return Ok(unknown());
        }
        if who == Identifier::Account(target.owner) {
            return Ok(Answer::no(Code::Cannot, "The owner has all rights, and keeps them"));
        }
        let edit = move |acl: &mut Acl| acl.change(who, negative, change, default);
        match self.server.store.edit_acl(target.owner, target.row.id, edit).await {
            // The account went while it was named.
            Err(StorageError::NoSuchAccount) => Ok(unknown()),
            Err(StorageError::LimitReached(what)) => Ok(Answer::no(Code::Limit, format!("Too many {what}"))),
            edited => edited.map(|_| Answer::ok(done)).map_err(Fault::from),
        }
    }

    async fn may_name(
        &mut self,
        target: &Target,
        who: Identifier,
        negative: bool,
        change: RightsChange,
    ) -> Result<bool, Fault> {
        if may_be_named(&self.server.store.directory(), target.owner, who) {
            return Ok(true);
        }
        let deletes = change == RightsChange::Set(Rights::NONE);
        Ok(deletes && self.server.store.acl(target.owner, target.row.id).await?.entry(who, negative).is_some())
    }

    pub(crate) async fn get_acl(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        let target = match self.find_with(mailbox.as_str(), Rights::ADMINISTER).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let acl = self.server.store.acl(target.owner, target.row.id).await?;
        let lines = effective_lines(&self.server.store.directory(), target.owner, &acl);
        let lines: Vec<(String, String)> =
            lines.into_iter().map(|line| (line.identifier, line.rights.with_obsolete())).collect();
        let encoding = self.encoding();
        response::acl(self.connection.out(), mailbox, encoding, &lines);
        Ok(Answer::ok("That is the list"))
    }

    /// RFC 4314 §3.4: nothing is tied here, except that an owner's rights are all required.
    pub(crate) async fn list_rights(&mut self, mailbox: &MailboxName, identifier: &str) -> Result<Answer, Fault> {
        let target = match self.find_with(mailbox.as_str(), Rights::ADMINISTER).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let named = parse_identifier(&self.server.store.directory(), identifier);
        let Some((who, negative)) = named else { return Ok(unknown()) };
        if !may_be_named(&self.server.store.directory(), target.owner, who) {
            return Ok(unknown());
        }
        let (required, optional) = if who == Identifier::Account(target.owner) {
            (if negative { String::new() } else { Rights::ALL.with_obsolete() }, Vec::new())
        } else {
            (String::new(), Rights::ALL.with_obsolete().chars().map(String::from).collect())
        };
        let encoding = self.encoding();
        response::list_rights(self.connection.out(), mailbox, encoding, identifier, &required, &optional);
        Ok(Answer::ok("Those can be given"))
    }

    pub(crate) async fn my_rights(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        // RFC 4314 §4: any of these is enough; with none of them the mailbox is not to be seen.
        let any = [Rights::LOOKUP, Rights::READ, Rights::INSERT, Rights::CREATE, Rights::DELETE_MAILBOX]
            .into_iter()
            .fold(Rights::ADMINISTER, Rights::with);
        let target = self.find(mailbox.as_str()).await?.filter(|target| target.access.rights.any_of(any));
        let target = target.ok_or(StorageError::NoSuchMailbox)?;
        let encoding = self.encoding();
        response::my_rights(self.connection.out(), mailbox, encoding, &target.access.rights.with_obsolete());
        Ok(Answer::ok("Those are your rights"))
    }
}

fn unknown() -> Answer {
    Answer::no(Code::Cannot, "There is no such account in this organisation; write its whole address, or anyone")
}
