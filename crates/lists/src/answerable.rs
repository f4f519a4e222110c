//! Whom a list may write to about a message that came. Anybody can write any From, and a letter to whoever is named there
//! would hit a stranger: so the envelope has to name the same address, and a person has to be behind it.

use mail::{AccountId, Address, ReversePath};
use storage::trace::Step;

use crate::Lists;
use crate::budget::LetterKind;

impl Lists {
    /// Who may be written to about a message: its author, when they have logged in here, or when the reverse-path is
    /// theirs.
    pub(crate) fn answerable(
        reverse_path: &ReversePath,
        account: Option<AccountId>,
        author: Option<&Address>,
    ) -> Option<Address> {
        let path = reverse_path.address()?;
        let author = author?;
        (!is_machine(author) && (account.is_some() || is_same(path, author))).then(|| author.clone())
    }
}

/// What the trace tells of a letter to somebody who is not written to.
pub(crate) fn unanswerable(kind: LetterKind) -> Step {
    let why = "the sender of the envelope is not the author, or nobody reads there";
    Step::Notice { kind: format!("{} kept back: {why}", kind.words()), to: None }
}

/// Whether a reverse-path is an author's address, which its server may have marked (BATV: `prvs=` and a tag in front, in either order
/// of the draft).
fn is_same(path: &Address, author: &Address) -> bool {
    if path.same_mailbox(author) {
        return true;
    }
    let marked = path.local().as_str().strip_prefix("prvs=").and_then(|rest| rest.split_once('='));
    let Some((first, second)) = marked else { return false };
    [first, second]
        .into_iter()
        .any(|local| Address::new(local, path.domain().clone()).is_ok_and(|unmarked| unmarked.same_mailbox(author)))
}

/// Addresses behind which no person reads (RFC 5230 §4.6 names the like).
pub(crate) fn is_machine(address: &Address) -> bool {
    let local = address.local().canonical();
    let local = local.as_str();
    ["mailer-daemon", "noreply", "no-reply", "donotreply", "do-not-reply", "bounces", "bounce"]
        .iter()
        .any(|name| local == *name || local.strip_prefix(name).is_some_and(|rest| rest.starts_with(['-', '+', '='])))
        || ["-request", "-owner", "-bounces", "-confirm", "-noreply", "-no-reply"]
            .iter()
            .any(|end| local.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_author_whom_the_envelope_names_is_written_to() {
        let to = |path: &str, account: Option<u64>, author: &str| {
            let author = Address::parse(author).unwrap();
            let path = ReversePath::parse(path).unwrap();
            Lists::answerable(&path, account.map(AccountId), Some(&author)).is_some()
        };
        for (path, account, author, wanted) in [
            ("<bob@b.example>", None, "Bob@B.example", true),
            ("<prvs=1234567890=bob@b.example>", None, "bob@b.example", true),
            ("<prvs=bob=1234567890@b.example>", None, "bob@b.example", true),
            ("<bounce+bob=b.example@news.example>", None, "bob@b.example", false),
            ("<carol@b.example>", None, "bob@b.example", false),
            ("<carol@b.example>", Some(7), "bob@b.example", true),
            ("<>", None, "bob@b.example", false),
            ("<noreply@b.example>", None, "noreply@b.example", false),
            ("<garden-request@b.example>", Some(7), "garden-request@b.example", false),
        ] {
            assert_eq!(to(path, account, author), wanted, "{path} {author}");
        }
    }
}
