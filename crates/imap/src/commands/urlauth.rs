//! URLAUTH: URLs that let others have a part of a message (RFC 4467): GENURLAUTH, RESETKEY, and who may use one.
//!
//! A URL is vouched for by a token, made with a key of its mailbox. It gives what it names and nothing else, to whom it says,
//! until it expires, the key is reset, the mailbox is deleted, or its maker may no longer read there or log in at all.

use imap_wire::response::{self, Code};
use imap_wire::url::{Access, ImapUrl};
use imap_wire::{MailboxName, Section};
use mail::{AccountId, Address};
use routing::namespace::{Place, locate};
use routing::objects::{AccountObject, Service};
use routing::{Rights, session_end};
use storage::rows::MailboxRow;
use storage::{StorageError, Store};

use super::url_content::{LastParts, UrlContent, content_in};
use crate::access::{access, no_right};
use crate::fault::{Answer, Fault};
use crate::session::Session;

/// The one mechanism.
const INTERNAL: &str = "INTERNAL";

impl Session {
    /// RFC 4467 §7: all URLs are authorised, or none.
    pub(crate) async fn gen_urlauth(&mut self, urls: &[(Vec<u8>, String)]) -> Result<Answer, Fault> {
        let mut authorised = Vec::with_capacity(urls.len());
        for (url, mechanism) in urls {
            if mechanism != INTERNAL {
                return Ok(unknown_mechanism());
            }
            let Some(made) = self.authorise(url).await? else {
                let code = Code::BadUrl(String::from_utf8_lossy(url).into_owned());
                return Ok(Answer::no(code, "That URL can't be authorised by you"));
            };
            authorised.push(made);
        }
        response::gen_urlauth(self.connection.out(), &authorised);
        Ok(Answer::ok("Authorised"))
    }

    /// The URL with its token: one of whoever is logged in, in a mailbox that they may read.
    async fn authorise(&mut self, text: &[u8]) -> Result<Option<String>, Fault> {
        let account = self.account()?;
        let Some(url) = ImapUrl::parse(text) else { return Ok(None) };
        let (Some(server), Some(auth), Some(name)) = (&url.server, &url.auth, &url.mailbox) else { return Ok(None) };
        // It would be void from the start.
        let over = auth.expires.is_some_and(|expires| expires < self.server.store.now());
        let mine = self.user.as_ref().zip(server.user.as_deref());
        if auth.token.is_some()
            || over
            || !self.is_this_server(server)
            || !mine.is_some_and(|(me, user)| is_login_of(user, &me.account))
        {
            return Ok(None);
        }
        let store = self.server.store.clone();
        let Some((owner, row)) = readable(&store, account, name.as_str()).await? else { return Ok(None) };
        if url.uid_validity.is_some_and(|validity| validity != row.uid_validity.0) {
            return Ok(None);
        }
        let key = store.url_key_or_new(owner, row.id).await?;
        let text = String::from_utf8_lossy(text).into_owned();
        let token = auth::url_token(&key.0, text.as_bytes());
        Ok(Some(format!("{text}:internal:{token}")))
    }

    /// RFC 4467 §7: every URL that was authorised before is void.
    pub(crate) async fn reset_key(
        &mut self,
        mailbox: Option<&MailboxName>,
        mechanisms: &[String],
    ) -> Result<Answer, Fault> {
        if mechanisms.iter().any(|mechanism| mechanism != INTERNAL) {
            return Ok(unknown_mechanism());
        }
        let account = self.account()?;
        let of = match mailbox {
            None => None,
            Some(name) => match self.find(name.as_str()).await? {
                Some(target) if target.owner == account => Some(target.row.id),
                Some(_) => return Ok(no_right()),
                None => return Ok(Answer::of(&StorageError::NoSuchMailbox)),
            },
        };
        self.server.store.reset_url_keys(account, of).await?;
        Ok(Answer::ok("Reset").with(Code::UrlMech))
    }

    /// What an authorised URL gives, and the section that it names.
    pub(super) async fn authorised_content(
        &mut self,
        text: &[u8],
        last_parts: &mut LastParts,
    ) -> Result<Option<(UrlContent, Section)>, Fault> {
        let Some(url) = ImapUrl::parse(text) else { return Ok(None) };
        let (Some(server), Some(auth), Some(name)) = (&url.server, &url.auth, &url.mailbox) else { return Ok(None) };
        let Some((_, token)) = auth.token.as_ref().filter(|(mechanism, _)| mechanism == INTERNAL) else {
            return Ok(None);
        };
        let store = self.server.store.clone();
        let now = store.now();
        if !self.is_this_server(server) || auth.expires.is_some_and(|expires| expires < now) {
            return Ok(None);
        }
        let allowed = match &auth.access {
            // RFC 4467 §3: the userid is the submission server's business; here counts whether this is one.
            Access::Submit(_) => self.user.as_ref().is_some_and(|user| {
                self.settings.submission_servers.iter().any(|server| has_address(&user.account, server))
            }),
            Access::User(name) => self.user.as_ref().is_some_and(|user| is_login_of(name, &user.account)),
            Access::AuthUser | Access::Anonymous => true,
        };
        let maker = server.user.as_deref().and_then(|user| Address::parse(user).ok()).and_then(|address| {
            let directory = store.directory();
            let account = directory.account_at(&address.canonical())?;
            // Who gets in no more gives nobody else anything either.
            session_end(&directory, account, Service::Imap).is_none().then_some(account.id)
        });
        let Some(maker) = maker.filter(|_| allowed) else { return Ok(None) };
        let Some((owner, row)) = readable(&store, maker, name.as_str()).await? else { return Ok(None) };
        if url.uid_validity.is_some_and(|validity| validity != row.uid_validity.0) {
            return Ok(None);
        }
        let Some(key) = store.url_key(owner, row.id).await? else { return Ok(None) };
        let rump = text.get(..auth.rump_octets).unwrap_or_default();
        if !auth::is_url_token(&key.0, rump, token) {
            return Ok(None);
        }
        let found = content_in(&store, (owner, row.id), &url, last_parts).await?;
        Ok(found.map(|found| (found, url.section)))
    }
}

/// A mailbox that an account may read, by the name that the account knows it by.
async fn readable(
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
fn is_login_of(name: &str, account: &AccountObject) -> bool {
    let Ok(address) = Address::parse(name) else { return false };
    has_address(account, &address)
}

fn has_address(account: &AccountObject, address: &Address) -> bool {
    account.addresses().any(|own| own.canonical() == address.canonical())
}

fn unknown_mechanism() -> Answer {
    Answer::no(Code::Cannot, "INTERNAL is the only mechanism")
}
