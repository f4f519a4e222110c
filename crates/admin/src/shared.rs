//! Shared mailboxes, their members, and the access lists of single mailboxes (R7).

use mail::{AccountId, Address, Domain, Timestamp};
use routing::objects::{AccountKind, AccountObject, Member, Object, SeenState, SharedMailbox};
use routing::sharing::{AclLine, default_rights, effective_lines, identifier};
use routing::{Acl, Directory, Identifier, Rights, RightsChange};
use serde::{Deserialize, Serialize};
use storage::objects::PutMode;
use storage::rows::MailboxRow;
use storage::{StorageError, Store};

use crate::account;
use crate::asked::Asked;
use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{MEMBERS_MAX, NOTE_OCTETS_MAX};
use crate::request::{AccountRequest, Edit, keep};
use crate::response::Response;
use crate::settings::Settings;

/// A shared mailbox to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewShared {
    /// Its address.
    pub address: Address,
    /// The sender name.
    #[serde(default)]
    pub display_name: String,
    /// Octets of mail that fit; `None` for no limit.
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// Whose `\Seen` it is.
    #[serde(default)]
    pub seen: SeenState,
    /// Who shares it, with rights as letters or a role.
    #[serde(default)]
    pub members: Vec<Member>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
}

/// About shared mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedRequest {
    /// Make one.
    Add(NewShared),
    /// All, or those of one domain.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// One, with its members.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// The sender name.
        #[serde(default)]
        display_name: Option<String>,
        /// Octets of mail that fit.
        #[serde(default = "keep")]
        quota_octets: Edit<u64>,
        /// Whose `\Seen` it is.
        #[serde(default)]
        seen: Option<SeenState>,
        /// Whether what is sent under its address is filed in its Sent.
        #[serde(default)]
        file_sent: Option<bool>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// Delete one, with its mail.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it holds mail, or others lead to it.
        #[serde(default)]
        force: bool,
    },
    /// A person joins, or gets other rights.
    PutMember {
        /// The shared mailbox.
        address: Address,
        /// The person.
        person: Address,
        /// Letters, or a role.
        rights: String,
        /// They must (or must not) be a member already.
        already: bool,
    },
    /// A person leaves.
    RemoveMember {
        /// The shared mailbox.
        address: Address,
        /// The person.
        person: Address,
    },
}

/// About the access list of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AclRequest {
    /// Who may do what.
    Show {
        /// Whose.
        address: Address,
        /// Which.
        mailbox: String,
    },
    /// Give or take rights.
    Set {
        /// Whose.
        address: Address,
        /// Which.
        mailbox: String,
        /// An address or `anyone`; with `-` in front the rights are taken away.
        identifier: String,
        /// Letters or a role; with `+` or `-` in front more or fewer.
        rights: String,
    },
    /// A line goes; for a member of a shared mailbox, membership counts again.
    Remove {
        /// Whose.
        address: Address,
        /// Which.
        mailbox: String,
        /// As for `Set`.
        identifier: String,
    },
    /// Whose `\Seen` this one mailbox has.
    Seen {
        /// Whose.
        address: Address,
        /// Which.
        mailbox: String,
        /// `Clear`: as the account says.
        seen: Edit<SeenState>,
    },
}

impl AclRequest {
    /// Whose mailbox it is about.
    #[must_use]
    pub const fn address(&self) -> &Address {
        match self {
            Self::Show { address, .. }
            | Self::Set { address, .. }
            | Self::Remove { address, .. }
            | Self::Seen { address, .. } => address,
        }
    }
}

/// A shared mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedView {
    /// Its number.
    pub id: AccountId,
    /// Its address.
    pub address: Address,
    /// The sender name.
    pub display_name: String,
    /// Octets of mail that fit.
    pub quota_octets: Option<u64>,
    /// Who shares it, and how.
    #[serde(flatten)]
    pub shared: SharedMailbox,
    /// What it is for.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Messages in all its mailboxes, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Octets of those messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<u64>,
}

/// Who may do what in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclView {
    /// Whose.
    pub address: Address,
    /// Which.
    pub mailbox: String,
    /// Whose `\Seen` it is, when this mailbox says so itself.
    pub seen: Option<SeenState>,
    /// The list as it works.
    pub lines: Vec<AclLine>,
}

impl From<&AccountObject> for SharedView {
    fn from(account: &AccountObject) -> Self {
        Self {
            id: account.id,
            address: account.address.clone(),
            display_name: account.display_name.clone(),
            quota_octets: account.quota_octets,
            shared: account.shared.clone().unwrap_or_default(),
            note: account.note.clone(),
            created_at: account.created_at,
            messages: None,
            octets: None,
        }
    }
}

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    request: SharedRequest,
) -> Result<Response, AdminError> {
    match request {
        SharedRequest::Add(new) => {
            let _edit = asked.hold().await?;
            add(store, settings, new).await
        }
        SharedRequest::List { domain } => {
            let directory = store.directory();
            let wanted = |account: &&std::sync::Arc<AccountObject>| {
                account.kind == AccountKind::Shared
                    && domain.as_ref().is_none_or(|domain| account.address.domain() == domain)
            };
            let views = directory.accounts().filter(wanted).map(|account| SharedView::from(&**account));
            Ok(Response::SharedMailboxes(views.collect()))
        }
        SharedRequest::Show { address } => {
            let account = find(&store.directory(), &address)?;
            let usage = store.usage(account.id).await?;
            let view =
                SharedView { messages: Some(usage.messages), octets: Some(usage.octets), ..SharedView::from(&account) };
            Ok(Response::Shared(Box::new(view)))
        }
        SharedRequest::Set { address, display_name, quota_octets, seen, file_sent, note } => {
            let _edit = asked.hold().await?;
            let mut account = find(&store.directory(), &address)?;
            account.display_name = display_name.unwrap_or(account.display_name);
            account.note = note.unwrap_or(account.note);
            quota_octets.apply(&mut account.quota_octets);
            let shared = account.shared.get_or_insert_default();
            shared.seen = seen.unwrap_or(shared.seen);
            shared.file_sent = file_sent.unwrap_or(shared.file_sent);
            put(store, account).await
        }
        SharedRequest::Remove { address, force } => {
            let account = find(&store.directory(), &address)?;
            let request = AccountRequest::Remove { address: account.address, force };
            account::execute(store, settings, asked, request).await
        }
        SharedRequest::PutMember { address, person, rights, already } => {
            let _edit = asked.hold().await?;
            put_member(store, &address, &person, &rights, already).await
        }
        SharedRequest::RemoveMember { address, person } => {
            let _edit = asked.hold().await?;
            let mut account = find(&store.directory(), &address)?;
            let shared = account.shared.get_or_insert_default();
            let before = shared.members.len();
            shared.members.retain(|member| !member.account.same_mailbox(&person));
            if shared.members.len() == before {
                return Err(no_member(&account, &person));
            }
            put(store, account).await
        }
    }
}

async fn add(store: &Store, settings: &Settings, new: NewShared) -> Result<Response, AdminError> {
    must_be_local(&store.directory(), &new.address)?;
    if store.directory().account(&new.address).is_some() {
        return Err(exists(&new.address));
    }
    let mut members: Vec<Member> = Vec::new();
    for member in &new.members {
        let member = checked_member(&store.directory(), &member.account, &member.rights)?;
        if members.iter().any(|known| known.account.same_mailbox(&member.account)) {
            return Err(AdminError::invalid(format!("{} is named twice", member.account)));
        }
        members.push(member);
    }
    let account = AccountObject {
        display_name: new.display_name,
        quota_octets: new.quota_octets,
        kind: AccountKind::Shared,
        shared: Some(SharedMailbox { members, seen: new.seen, ..SharedMailbox::default() }),
        note: new.note,
        created_at: store.now(),
        ..AccountObject::new(new.address.clone())
    };
    check(&account)?;
    account::check_new(store, settings, &account, &[])?;
    match store.add_account_in_domain(account).await {
        Ok(done) => Ok(Response::Shared(Box::new(SharedView::from(&done.value)))),
        Err(StorageError::ObjectExists(_)) => Err(exists(&new.address)),
        Err(error) => Err(error.into()),
    }
}

async fn put_member(
    store: &Store,
    address: &Address,
    person: &Address,
    rights: &str,
    already: bool,
) -> Result<Response, AdminError> {
    let mut account = find(&store.directory(), address)?;
    let member = checked_member(&store.directory(), person, rights)?;
    let shared = account.shared.get_or_insert_default();
    match shared.members.iter_mut().find(|known| known.account.same_mailbox(&member.account)) {
        Some(known) if already => known.rights = member.rights,
        Some(_) => {
            let text = format!("{} is a member of {} already", member.account, account.address);
            let hint = format!("`relais shared member set {address} {person} --rights …` changes their rights");
            return Err(AdminError::new(ErrorKind::Exists, text).hint(hint));
        }
        None if already => return Err(no_member(&account, person)),
        None => shared.members.push(member),
    }
    put(store, account).await
}

async fn put(store: &Store, account: AccountObject) -> Result<Response, AdminError> {
    check(&account)?;
    let view = SharedView::from(&account);
    store.put_object(Object::Account(account), PutMode::Replace).await?;
    Ok(Response::Shared(Box::new(view)))
}

pub(crate) async fn acl(store: &Store, request: AclRequest) -> Result<Response, AdminError> {
    match request {
        AclRequest::Show { address, mailbox } => {
            let (account, row) = mailbox_of(store, &address, &mailbox).await?;
            let acl = store.acl(account.id, row.id).await?;
            Ok(view(store, &account, &row, &acl))
        }
        AclRequest::Set { address, mailbox, identifier, rights } => {
            let (account, row) = mailbox_of(store, &address, &mailbox).await?;
            let (who, negative) = named(&store.directory(), &account, &identifier)?;
            let change = match Rights::ROLES.iter().find(|(role, _)| *role == rights) {
                Some((_, letters)) => RightsChange::parse(letters),
                None => RightsChange::parse(&rights),
            };
            let change = change.map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
            let default = default_rights(&store.directory(), account.id, who);
            let edit = move |acl: &mut Acl| acl.change(who, negative, change, default);
            let acl = store.edit_acl(account.id, row.id, edit).await?.value;
            Ok(view(store, &account, &row, &acl))
        }
        AclRequest::Remove { address, mailbox, identifier } => {
            let (account, row) = mailbox_of(store, &address, &mailbox).await?;
            let (who, negative) = named(&store.directory(), &account, &identifier)?;
            let acl = store.edit_acl(account.id, row.id, move |acl| acl.remove(who, negative)).await?.value;
            Ok(view(store, &account, &row, &acl))
        }
        AclRequest::Seen { address, mailbox, seen } => {
            let (account, row) = mailbox_of(store, &address, &mailbox).await?;
            let edit = move |acl: &mut Acl| seen.clone().apply(&mut acl.seen);
            let acl = store.edit_acl(account.id, row.id, edit).await?.value;
            Ok(view(store, &account, &row, &acl))
        }
    }
}

fn view(store: &Store, account: &AccountObject, row: &MailboxRow, acl: &Acl) -> Response {
    Response::Acl(AclView {
        address: account.address.clone(),
        mailbox: row.name.clone(),
        seen: acl.seen,
        lines: effective_lines(&store.directory(), account.id, acl),
    })
}

/// An account, shared or a person's, and one of its mailboxes.
async fn mailbox_of(
    store: &Store,
    address: &Address,
    mailbox: &str,
) -> Result<(AccountObject, MailboxRow), AdminError> {
    if store.directory().list(address).is_some() {
        let text = format!("{address} is a mailing list: who reads its archive is one of its settings");
        let hint = format!(
            "`relais list set {address} --archive-readers owners`, `members` or `organisation`; nobody changes it"
        );
        return Err(AdminError::invalid(text).hint(hint));
    }
    let account = account::find(&store.directory(), address)?;
    match store.mailbox_by_name(account.id, mailbox).await? {
        Some(row) => Ok((account, row)),
        None => {
            let mut names: Vec<String> =
                store.mailboxes(account.id).await?.into_iter().map(|row| row.name).take(NAMES_TOLD_MAX).collect();
            names.sort();
            let text = format!("{} has no mailbox {mailbox}", account.address);
            Err(AdminError::new(ErrorKind::NotFound, text).hint(format!("it has {}", names.join(", "))))
        }
    }
}

fn named(directory: &Directory, account: &AccountObject, text: &str) -> Result<(Identifier, bool), AdminError> {
    let found = identifier(directory, text).ok_or_else(|| {
        let error = AdminError::new(ErrorKind::NotFound, format!("{text} is nobody's address here"));
        error.hint("name a person by the address of their account, or everyone by `anyone`")
    })?;
    if found.0 == Identifier::Account(account.id) {
        return Err(AdminError::invalid("the owner of a mailbox has all rights and keeps them"));
    }
    Ok(found)
}

fn checked_member(directory: &Directory, person: &Address, rights: &str) -> Result<Member, AdminError> {
    let account = account::find(directory, person)?;
    if account.kind != AccountKind::Person {
        let error = AdminError::invalid(format!("{person} is a shared mailbox, not a person"));
        return Err(error.hint("only people can be members: nobody logs in to a shared mailbox"));
    }
    let rights = Rights::parse_or_role(rights).map_err(|flaw| {
        let roles: Vec<String> = Rights::ROLES.iter().map(|(role, letters)| format!("{role} ({letters})")).collect();
        AdminError::invalid(flaw.to_string()).hint(format!("or use a role: {}", roles.join(", ")))
    })?;
    Ok(Member { account: account.address, rights: rights.to_string() })
}

fn check(account: &AccountObject) -> Result<(), AdminError> {
    let texts = [&account.display_name, &account.note];
    if texts.iter().any(|text| text.len() > NOTE_OCTETS_MAX || text.chars().any(char::is_control)) {
        return Err(AdminError::invalid("the name or the note is too long or has a control character"));
    }
    if account.shared.as_ref().is_some_and(|shared| shared.members.len() > MEMBERS_MAX) {
        let error = AdminError::invalid(format!("a shared mailbox has at most {MEMBERS_MAX} members"));
        return Err(error.hint("give rights to `anyone` with `relais shared acl set` instead"));
    }
    Ok(())
}

/// The shared mailbox of that address.
fn find(directory: &Directory, address: &Address) -> Result<AccountObject, AdminError> {
    match directory.account(address) {
        Some(account) if account.kind == AccountKind::Shared => Ok((**account).clone()),
        Some(_) => {
            let error = AdminError::invalid(format!("{address} is a person's account, not a shared mailbox"));
            Err(error.hint("`relais shared acl` shares single mailboxes of a person"))
        }
        None => {
            let shared = directory.accounts().filter(|account| account.kind == AccountKind::Shared);
            let known = shared.map(|account| account.address.canonical().to_string());
            let error = AdminError::not_found("shared mailbox", &address.canonical().to_string(), known);
            let near = error.hint.clone().filter(|hint| hint.starts_with("did you mean"));
            Err(error.hint(near.unwrap_or_else(|| "`relais shared list` shows those there are".to_owned())))
        }
    }
}

fn exists(address: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::Exists, format!("the account {address} is there already"));
    error.hint(format!("`relais shared set {address} …` changes it, if it is a shared mailbox"))
}

fn no_member(account: &AccountObject, person: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::NotFound, format!("{person} is no member of {}", account.address));
    error.hint(format!("`relais shared show {}` shows who is", account.address))
}

/// Names of mailboxes in an error's hint.
const NAMES_TOLD_MAX: usize = 30;
