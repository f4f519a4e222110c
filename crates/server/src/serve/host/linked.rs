//! What URLs of this server's mailboxes give to who submits a message (BURL, RFC 4468).
//!
//! Who may have what is decided where IMAP's URLFETCH asks, too (`urls`). The enhanced codes are those of RFC 4468 §5 and §6, one of
//! which RFC 5248 §3 has given another number.

use mail::{EnhancedCode, Reply};
use routing::objects::AccountObject;
use smtp_in::LinkedContent;
use storage::{StorageError, Store};
use urls::{Asker, LastParts, UrlContent, UrlError, authorised};
use world::BoxFuture;

/// Looks for what a URL names, for an account that submits.
pub(super) async fn find(
    store: &Store,
    hostname: &str,
    account: &AccountObject,
    url: &[u8],
) -> Result<Box<dyn LinkedContent>, Reply> {
    let asker = Asker::Submission(account);
    match authorised(store, hostname, url, asker, &mut LastParts::default()).await {
        Ok(content) => Ok(Box::new(Linked { octets: content.octets.size(), content, read: 0 })),
        Err(error) => Err(refusal(&error)),
    }
}

fn refusal(error: &UrlError) -> Reply {
    match error {
        UrlError::Unreadable => UNREADABLE,
        UrlError::NoTrust => NO_TRUST,
        UrlError::NotAllowed => NOT_ALLOWED,
        UrlError::Nothing => NOTHING,
        UrlError::Store(error) => lost(error),
    }
}

/// The store gives no octets: the message is gone, or it can't be read now.
fn lost(error: &StorageError) -> Reply {
    if matches!(error, StorageError::Expunged) {
        return NOTHING;
    }
    tracing::error!(%error, "what a URL names could not be read");
    UNAVAILABLE
}

/// What a URL names, as far as it has been read.
struct Linked {
    content: UrlContent,
    octets: u64,
    read: u64,
}

impl LinkedContent for Linked {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn piece<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<u8>, Reply>> {
        Box::pin(async move {
            let piece = self.content.piece(self.read).await.map_err(|error| lost(&error))?;
            self.read = self.read.saturating_add(piece.len() as u64);
            Ok(piece.to_vec())
        })
    }
}

const UNREADABLE: Reply = Reply::fixed(554, EnhancedCode(5, 6, 6), "That is no URL of a message");
const NO_TRUST: Reply =
    Reply::fixed(554, EnhancedCode(5, 7, 14), "Only URLs of this server that somebody has authorised are taken");
const NOT_ALLOWED: Reply = Reply::fixed(554, EnhancedCode(5, 7, 0), "The URL is not authorised for you");
const NOTHING: Reply = Reply::fixed(554, EnhancedCode(5, 6, 6), "The URL names nothing that is there");
const UNAVAILABLE: Reply = Reply::fixed(451, EnhancedCode(4, 3, 0), "The message can't be read now, try again later");
