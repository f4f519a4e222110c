//! Letters: what the server itself writes to people (a new mailbox, a changed password, a message to be moderated).
//!
//! A letter is plain text from an address of ours, marked as written by a machine (RFC 3834 §5) so that nothing answers
//! it, and sent from the null reverse-path (RFC 5321 §4.5.5), so that nothing comes back. It is one of several effects
//! of a transaction: [`Delivery::prepare_letter`] decides, the caller applies it where the cause is written.

use mail::{
    AccountId, Address, BodyType, Domain, DsnNotify, Envelope, EnvelopeRecipient, Flags, ForwardPath, ReversePath,
    Timestamp,
};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use routing::objects::AccountObject;
use storage::{StorageError, Transaction};

use crate::{Delivery, Prepared, Refused};

/// A letter to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// From: an address of this server, usually `postmaster@` the reader's domain.
    pub from: Address,
    /// The sender name.
    pub from_name: String,
    /// The reader.
    pub to: Address,
    /// Where an answer of the reader goes, when not to `from`.
    pub reply_to: Option<Address>,
    /// One line.
    pub subject: String,
    /// Plain text, lines parted by `\n`.
    pub text: String,
    /// The language of the text (RFC 3282), `fr` or `en`.
    pub language: &'static str,
    /// The message that it is about, without brackets: In-Reply-To and References.
    pub about: Option<String>,
}

impl Letter {
    /// A letter to somebody who has an account here, from the postmaster of their domain and in their language: that of the
    /// text has to be the same. `None` when that domain can have no postmaster.
    #[must_use]
    pub fn from_postmaster(to: &AccountObject, subject: String, text: String) -> Option<Self> {
        Some(Self {
            from: Address::new("postmaster", to.address.domain().clone()).ok()?,
            from_name: String::new(),
            to: to.address.clone(),
            reply_to: None,
            subject,
            text,
            language: if to.language == "fr" { "fr" } else { "en" },
            about: None,
        })
    }

    /// The bytes of the letter, CRLF at every line's end.
    #[must_use]
    pub fn build(&self, hostname: &Domain, now: Timestamp, token: [u8; 16]) -> Vec<u8> {
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = one_line(&self.from_name);
        let mut builder = MessageBuilder::new()
            .header("Date", Raw::new(now.to_rfc5322()))
            .from(Mailbox::new_address((!name.is_empty()).then_some(name), self.from.to_string()))
            .to(Mailbox::new_address(None::<String>, self.to.to_string()))
            .subject(one_line(&self.subject))
            .message_id(format!("{token}@{hostname}"));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(Mailbox::new_address(None::<String>, reply_to.to_string()));
        }
        if let Some(about) = self.about.as_deref().filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic())) {
            builder = builder.in_reply_to(about).references(about);
        }
        let unified = self.text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
        let mut text = unified.trim_end_matches('\n').replace('\n', "\r\n");
        text.push_str("\r\n");
        builder = builder
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("Content-Language", Raw::new(self.language))
            .body(MimePart::new("text/plain", text));
        let mut out = Vec::new();
        builder.serialize(&mut out);
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

impl Delivery {
    /// Decides where a letter goes. Nothing is written before the result is applied.
    ///
    /// # Errors
    /// When the store takes nothing, or the reader's address is one of ours that does not exist.
    pub async fn prepare_letter(&self, letter: &Letter) -> Result<Prepared, Refused> {
        let mut token = [0; 16];
        self.store().world().chance.fill(&mut token);
        let content = letter.build(&self.settings().hostname, self.store().now(), token);
        let mut envelope = Envelope::new(ReversePath::Null);
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(letter.to.clone()),
            notify: DsnNotify::NEVER,
            original: None,
        });
        envelope.smtputf8 = letter.to.needs_smtputf8() || letter.from.needs_smtputf8();
        envelope.body = if content.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
        self.prepare(envelope, &content).await
    }
}

impl Delivery {
    /// Makes a letter for one mailbox and no other place: it is not redirected, copied or answered, whatever is set up at
    /// the address. For what concerns the mailbox itself, which may be made by the very transaction that keeps the letter.
    ///
    /// # Errors
    /// When the store takes nothing.
    pub async fn letter_for_mailbox(&self, letter: &Letter) -> Result<MailboxLetter, Refused> {
        let mut token = [0; 16];
        self.store().world().chance.fill(&mut token);
        let content = letter.build(&self.settings().hostname, self.store().now(), token);
        // Without recipients nothing is decided: the caller deposits it.
        self.prepare(Envelope::new(ReversePath::Null), &content).await.map(MailboxLetter)
    }
}

/// A letter that waits to be put into a mailbox.
#[derive(Clone, Debug)]
pub struct MailboxLetter(Prepared);

impl MailboxLetter {
    /// Puts it into the INBOX of an account.
    ///
    /// # Errors
    /// When there is no such account, or the store's own.
    pub fn deposit(&self, tx: &mut Transaction<'_>, account: AccountId) -> Result<(), StorageError> {
        let inbox = tx.mailbox_named(account, "INBOX")?.ok_or(StorageError::NoSuchMailbox)?;
        self.0.store_blob(tx)?;
        tx.deposit(account, inbox, &self.0.as_message(Flags::default()))?;
        Ok(())
    }
}

/// No line break and no other control character: a subject or a name is one line.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_marked_and_nothing_in_it_becomes_a_header() {
        let letter = Letter {
            from: Address::parse("postmaster@a.example").unwrap(),
            from_name: "Courrier de\r\nBcc: x@y".to_owned(),
            to: Address::parse("alice@a.example").unwrap(),
            reply_to: Some(Address::parse("help@a.example").unwrap()),
            subject: "Votre boîte\r\nX-Evil: 1".to_owned(),
            text: "Bonjour\nÀ bientôt\n".to_owned(),
            language: "fr",
            about: Some("1@x".to_owned()),
        };
        let built = letter.build(&Domain::parse("mx.a.example").unwrap(), Timestamp(1_700_000_000_000), [7; 16]);
        let text = String::from_utf8(built).unwrap();
        let (header, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = header
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        for name in &names {
            assert!(!["Bcc", "X-Evil"].contains(name), "{header}");
        }
        for name in ["Date", "From", "To", "Reply-To", "Subject", "Message-ID", "In-Reply-To", "Auto-Submitted"] {
            assert!(names.contains(&name), "{name} in {header}");
        }
        assert!(header.contains("Auto-Submitted: auto-generated"));
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    }
}
