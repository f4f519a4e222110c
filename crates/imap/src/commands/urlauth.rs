//! URLAUTH: URLs that let others have a part of a message (RFC 4467): GENURLAUTH, RESETKEY. Who may use one is decided by `urls`.

use imap_wire::MailboxName;
use imap_wire::response::{self, Code};
use imap_wire::url::ImapUrl;
use storage::StorageError;
use urls::{Asker, LastParts, UrlContent, UrlError, authorised, is_login_of, readable};

use crate::access::no_right;
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

    /// What an authorised URL gives to whoever is logged in; why it gives nothing is not told (RFC 4467 §7).
    pub(super) async fn authorised_content(
        &mut self,
        text: &[u8],
        last_parts: &mut LastParts,
    ) -> Result<Option<UrlContent>, Fault> {
        let Some(user) = &self.user else { return Ok(None) };
        let submits_for_others = self
            .settings
            .submission_servers
            .iter()
            .any(|server| user.account.addresses().any(|own| own.canonical() == server.canonical()));
        let asker = Asker::Imap { account: &user.account, submits_for_others };
        match authorised(&self.server.store, &self.settings.hostname, text, asker, last_parts).await {
            Ok(found) => Ok(Some(found)),
            Err(UrlError::Store(error)) => Err(error.into()),
            Err(UrlError::Unreadable | UrlError::NoTrust | UrlError::NotAllowed | UrlError::Nothing) => Ok(None),
        }
    }
}

fn unknown_mechanism() -> Answer {
    Answer::no(Code::Cannot, "INTERNAL is the only mechanism")
}
