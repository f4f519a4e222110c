//! What IMAP URLs name (RFC 5092) for whoever is logged in: CATENATE.

use imap_wire::url::{ImapUrl, UrlServer};
use routing::Rights;
use urls::{LastParts, UrlContent, content_in};

use crate::access::access;
use crate::fault::Fault;
use crate::session::Session;

impl Session {
    /// Whether a URL leads to this server, and to whoever is logged in when it names a user.
    pub(super) fn is_own(&self, server: &UrlServer) -> bool {
        let Some(user) = &self.user else { return false };
        let address = &user.account.address;
        let me = |name: &str| {
            let full = address.to_string();
            let local = full.rsplit_once('@').map_or(full.as_str(), |(local, _)| local);
            name.eq_ignore_ascii_case(&full) || name.eq_ignore_ascii_case(local)
        };
        self.is_this_server(server) && server.user.as_deref().is_none_or(me)
    }

    /// Whether a URL leads to this server, by the name that the greeting shows.
    pub(super) fn is_this_server(&self, server: &UrlServer) -> bool {
        server.host.eq_ignore_ascii_case(&self.settings.hostname)
    }

    /// What a URL names in mailboxes that whoever is logged in may read; `None` when there is nothing.
    pub(super) async fn url_content(
        &mut self,
        url: &ImapUrl,
        last_parts: &mut LastParts,
    ) -> Result<Option<UrlContent>, Fault> {
        let (owner, row) = match &url.mailbox {
            Some(name) => match self.find_with(name.as_str(), Rights::READ).await? {
                Ok(target) => (target.owner, target.row),
                Err(_) => return Ok(None),
            },
            // RFC 4469 §3: the selected mailbox is the base.
            None => {
                let who = self.account()?;
                let Some(selected) = self.selected.as_deref() else { return Ok(None) };
                let (owner, row) = (selected.owner, selected.row.clone());
                // One command can copy for long: the right may have gone since it began.
                if !access(&self.server.store, owner, row.id, who).await?.rights.has(Rights::READ) {
                    return Ok(None);
                }
                (owner, row)
            }
        };
        if url.uid_validity.is_some_and(|validity| validity != row.uid_validity.0) {
            return Ok(None);
        }
        Ok(content_in(&self.server.store, (owner, row.id), url, last_parts).await?)
    }
}
