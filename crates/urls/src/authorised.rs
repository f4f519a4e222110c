//! Who may use an authorised URL, and what it gives (RFC 4467).
//!
//! A URL is vouched for by a token, made with a key of its mailbox. It gives what it names and nothing else, to whom it says,
//! until it expires, the key is reset, the mailbox is deleted, or its maker may no longer read there or log in at all.

use imap_wire::url::{Access, ImapUrl};
use mail::{AccountId, Address};
use routing::namespace::{Place, locate};
use routing::objects::{AccountObject, Service};
use routing::{Rights, session_end};
use storage::rows::MailboxRow;
use storage::sharing::access::access;
use storage::{StorageError, Store};

use crate::content::{LastParts, UrlContent, content_in};

/// The one mechanism.
const INTERNAL: &str = "INTERNAL";

/// Who uses an authorised URL.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// A session of IMAP.
    Imap {
        /// As whom it has logged in.
        account: &'a AccountObject,
        /// Whether that is a server that submits for others.
        submits_for_others: bool,
    },
    /// This server, for an account that submits a message (RFC 4468 §3.3).
    Submission(&'a AccountObject),
}

impl Asker<'_> {
    /// Whether a URL is meant for them (RFC 4467 §3).
    fn is_meant(self, access: &Access) -> bool {
        match (access, self) {
            // The name is the submission server's business; to IMAP counts whether this is one.
            (Access::Submit(_), Self::Imap { submits_for_others, .. }) => submits_for_others,
            (Access::Submit(name), Self::Submission(account)) => is_login_of(name, account),
            (Access::User(name), Self::Imap { account, .. }) => is_login_of(name, account),
            // It is for sessions of IMAP of that user alone.
            (Access::User(_), Self::Submission(_)) => false,
            (Access::AuthUser | Access::Anonymous, Self::Imap { .. } | Self::Submission(_)) => true,
        }
    }
}

/// Why a URL gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is no URL of a message.
    #[error("it is no URL of a message")]
    Unreadable,
    /// It leads to another server, or nobody has authorised it.
    #[error("it leads elsewhere, or nobody has authorised it")]
    NoTrust,
    /// It is not for who asks, it is over, or nobody vouches for it.
    #[error("it is not for who asks, it is over, or nobody vouches for it")]
    NotAllowed,
    /// It is good, and there is nothing of its name.
    #[error("there is nothing of its name")]
    Nothing,
    /// The store can't tell.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// What an authorised URL gives. `host` is this server's name as the greeting of IMAP shows it.
///
/// # Errors
/// Why it gives nothing; what would tell a stranger of others' mailboxes is [`UrlError::NotAllowed`].
pub async fn authorised(
    store: &Store,
    host: &str,
    text: &[u8],
    asker: Asker<'_>,
    last_parts: &mut LastParts,
) -> Result<UrlContent, UrlError> {
    let url = ImapUrl::parse(text).ok_or(UrlError::Unreadable)?;
    let (Some(server), Some(auth), Some(name)) = (&url.server, &url.auth, &url.mailbox) else {
        return Err(UrlError::NoTrust);
    };
    let Some((mechanism, token)) = auth.token.as_ref().filter(|_| server.host.eq_ignore_ascii_case(host)) else {
        return Err(UrlError::NoTrust);
    };
    let over = auth.expires.is_some_and(|expires| expires < store.now());
    if mechanism != INTERNAL || over || !asker.is_meant(&auth.access) {
        return Err(UrlError::NotAllowed);
    }
    let maker = server.user.as_deref().and_then(|user| Address::parse(user).ok()).and_then(|address| {
        let directory = store.directory();
        let account = directory.account_at(&address.canonical())?;
        // Who gets in no more gives nobody else anything either.
        session_end(&directory, account, Service::Imap).is_none().then_some(account.id)
    });
    let maker = maker.ok_or(UrlError::NotAllowed)?;
    let (owner, row) = readable(store, maker, name.as_str()).await?.ok_or(UrlError::NotAllowed)?;
    let key = store.url_key(owner, row.id).await?.ok_or(UrlError::NotAllowed)?;
    let rump = text.get(..auth.rump_octets).unwrap_or_default();
    if !auth::is_url_token(&key.0, rump, token) {
        return Err(UrlError::NotAllowed);
    }
    if url.uid_validity.is_some_and(|validity| validity != row.uid_validity.0) {
        return Err(UrlError::Nothing);
    }
    content_in(store, (owner, row.id), &url, last_parts).await?.ok_or(UrlError::Nothing)
}

/// A mailbox that an account may read, by the name that the account knows it by.
///
/// # Errors
/// When reading fails.
pub async fn readable(
    store: &Store,
    account: AccountId,
    name: &str,
) -> Result<Option<(AccountId, MailboxRow)>, StorageError> {
    let place = locate(&store.directory(), account, name);
    let (owner, name) = match place {
        Place::Own => (account, name.to_owned()),
        Place::Foreign { owner, name } => (owner, name),
        Place::Nowhere => return Ok(None),
    };
    let Some(row) = store.mailbox_by_name(owner, &name).await? else { return Ok(None) };
    let rights = access(store, owner, row.id, account).await?.rights;
    Ok(rights.has(Rights::READ).then_some((owner, row)))
}

/// Whether a name is a login of an account.
#[must_use]
pub fn is_login_of(name: &str, account: &AccountObject) -> bool {
    Address::parse(name).is_ok_and(|address| account.addresses().any(|own| own.canonical() == address.canonical()))
}

#[cfg(test)]
mod tests;
