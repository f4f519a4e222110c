//! What an account may submit in a day, and who is told when it has.
//!
//! A stolen password sends until somebody notices. The counters stop it: messages, recipients, and recipients that the account has
//! never written to, which a person has few of and spam has nothing else. They are looked at before a message comes, and counted in the
//! transaction that keeps it, so that many sessions at once can't send more than one.

use mail::{AccountId, Address, EnhancedCode, Envelope, ForwardPath, Reply};
use routing::Directory;
use routing::objects::{AccountObject, Role, SubmissionLimits};
use storage::submitted::{LimitReached, Submission};
use storage::{StorageError, Transaction};

use crate::decide::storage_reply;
use crate::limits::LIMIT_TOLD_MAX;
use crate::{Delivery, Letter, Prepared, Refused};

/// What one message takes of the allowance of who submits it.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    limits: SubmissionLimits,
    recipients: u32,
    /// Recipients in domains that are not ours, canonical, each once.
    outside: Vec<Address>,
}

impl Allowance {
    /// Of a message of an account.
    pub(crate) fn of(directory: &Directory, account: AccountId, envelope: &Envelope) -> Self {
        let limits = directory.account_by_id(account).map(|account| account.submission).unwrap_or_default();
        let addresses = envelope.recipients.iter().filter_map(|recipient| match &recipient.forward_path {
            ForwardPath::Address(address) => Some(address),
            ForwardPath::Postmaster => None,
        });
        let outside = addresses.filter(|address| directory.domain(address.domain()).is_none());
        let mut outside: Vec<Address> = outside.map(Address::canonical).collect();
        outside.sort_unstable();
        outside.dedup();
        Self { limits, recipients: recipients_of(envelope), outside }
    }

    /// Counts the message; before its recipients become contacts.
    pub(crate) fn count(
        &self,
        tx: &mut Transaction<'_>,
        account: AccountId,
        now: mail::Timestamp,
    ) -> Result<(), StorageError> {
        let first_time = tx.first_time_among(account, &self.outside)?;
        tx.count_submitted(account, now, Submission { recipients: self.recipients, first_time }, &self.limits)
    }
}

fn recipients_of(envelope: &Envelope) -> u32 {
    u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX)
}

impl Delivery {
    /// Whether an account may submit one more message today, with the recipients that the envelope has so far. Whether it has written to
    /// them before is seen when the message is kept.
    ///
    /// # Errors
    /// The refusal, as the client is to read it; people have been told.
    pub async fn may_submit(&self, account: AccountId, envelope: &Envelope) -> Result<(), Reply> {
        let limits = self.store().directory().account_by_id(account).map(|account| account.submission);
        let Some(limits) = limits else { return Ok(()) };
        let counted = self.store().submitted(account).await.map_err(|error| storage_reply(&error))?;
        match counted.with(Submission { recipients: recipients_of(envelope), first_time: 0 }, &limits) {
            Ok(_) => Ok(()),
            Err(limit) => Err(self.limit_reached(account, limit).await),
        }
    }

    /// An account has come to a limit: the account's owner and the administrators get a letter, once a day. The reply to the client;
    /// what can't be told is logged, and refused all the same.
    pub async fn limit_reached(&self, account: AccountId, limit: LimitReached) -> Reply {
        let Some(object) = self.store().directory().account_by_id(account).cloned() else {
            return reply(limit, &SubmissionLimits::default());
        };
        if let Err(error) = self.tell_limit(&object, limit).await {
            tracing::error!(account = %object.address, %error, "nobody could be told of a limit that was reached");
        }
        reply(limit, &object.submission)
    }

    async fn tell_limit(&self, account: &AccountObject, limit: LimitReached) -> Result<(), Refused> {
        if self.store().submitted(account.id).await?.told {
            return Ok(());
        }
        tracing::warn!(account = %account.address, ?limit, "an account may submit no more today");
        let own = match Letter::from_postmaster(
            account,
            subject(account, account),
            text(account, account, limit, self.command()),
        ) {
            Some(letter) => Some((self.letter_for_mailbox(&letter).await?, letter)),
            None => None,
        };
        let mut letters: Vec<Prepared> = Vec::new();
        if let (Some(recovery), Some((_, letter))) = (&account.recovery, &own) {
            // Who has the password reads the mailbox, too.
            self.add_letter(&mut letters, &Letter { to: recovery.clone(), ..letter.clone() }).await;
        }
        let administrators = administrators(&self.store().directory(), account);
        for administrator in administrators {
            let (subject, text) =
                (subject(account, &administrator), text(account, &administrator, limit, self.command()));
            if let Some(letter) = Letter::from_postmaster(&administrator, subject, text) {
                self.add_letter(&mut letters, &letter).await;
            }
        }
        let (id, now) = (account.id, self.store().now());
        self.store()
            .transact(move |tx| {
                // Another session may have been faster.
                if tx.note_limit_told(id, now)? {
                    own.as_ref().map_or(Ok(()), |(letter, _)| letter.deposit(tx, id))?;
                    for letter in &letters {
                        letter.apply(tx)?;
                    }
                }
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// A letter that can't be sent must not keep the others from being sent.
    async fn add_letter(&self, letters: &mut Vec<Prepared>, letter: &Letter) {
        match self.prepare_letter(letter).await {
            Ok(prepared) => letters.push(prepared),
            Err(error) => tracing::warn!(to = %letter.to, %error, "somebody can't be told of a limit that was reached"),
        }
    }
}

/// Who administers an account, without the person: all administrators, and those of its domain.
fn administrators(directory: &Directory, account: &AccountObject) -> Vec<AccountObject> {
    let administers = |one: &AccountObject| {
        one.enabled
            && one.id != account.id
            && (one.role == Role::Administrator || one.administered().contains(account.address.domain()))
    };
    let found = directory.accounts().filter(|one| administers(one)).take(LIMIT_TOLD_MAX);
    found.map(|one| one.as_ref().clone()).collect()
}

fn reply(limit: LimitReached, limits: &SubmissionLimits) -> Reply {
    let (code, text) = match limit {
        LimitReached::Messages => (EnhancedCode(4, 7, 0), counted(limits.messages_max(), "message", "messages")),
        LimitReached::Recipients => {
            let recipients = counted(limits.recipients_max(), "recipient", "recipients");
            (EnhancedCode(4, 5, 3), format!("messages to {recipients}"))
        }
        LimitReached::FirstTime => {
            let people = counted(limits.first_time_max(), "person", "people");
            (EnhancedCode(4, 5, 3), format!("messages to {people} that it never wrote to before"))
        }
    };
    let text =
        format!("This account may send {text} in a day, and no more today; an administrator can raise the limit");
    Reply::new(452, Some(code), text)
}

/// A number with its noun.
fn counted(number: u32, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

fn subject(account: &AccountObject, reader: &AccountObject) -> String {
    let address = &account.address;
    if reader.language == "fr" {
        format!("{address} ne peut plus envoyer de messages aujourd'hui")
    } else {
        format!("{address} can send no more messages today")
    }
}

fn text(account: &AccountObject, reader: &AccountObject, limit: LimitReached, command: &str) -> String {
    let (address, limits) = (&account.address, &account.submission);
    let own = reader.id == account.id;
    if reader.language == "fr" {
        let what = match limit {
            LimitReached::Messages => counted(limits.messages_max(), "message", "messages"),
            LimitReached::Recipients => counted(limits.recipients_max(), "destinataire", "destinataires"),
            LimitReached::FirstTime => {
                counted(limits.first_time_max(), "nouveau destinataire", "nouveaux destinataires")
            }
        };
        let advice = if own {
            "Si ce n'est pas vous, quelqu'un d'autre connaît votre mot de passe : changez-le tout de suite, et prévenez votre \
             administrateur.\nSi c'est vous, vous pourrez continuer demain ; votre administrateur peut relever la limite."
                .to_owned()
        } else {
            format!(
                "Le mot de passe a peut-être été volé. `{command} trace --sender {address}` montre ce qui est parti,\n\
                 `{command} account set {address} --generate-password` change le mot de passe,\n\
                 `{command} account set {address} --messages-per-day N` (ou --recipients-per-day, --first-time-per-day) relève la limite."
            )
        };
        return format!(
            "Bonjour,\n\nle compte {address} a atteint la limite de {what} par jour (jour UTC). Relais refuse ses autres messages \
             jusqu'à demain ; le courrier est toujours reçu.\n\n{advice}\n"
        );
    }
    let what = match limit {
        LimitReached::Messages => counted(limits.messages_max(), "message", "messages"),
        LimitReached::Recipients => counted(limits.recipients_max(), "recipient", "recipients"),
        LimitReached::FirstTime => counted(limits.first_time_max(), "new recipient", "new recipients"),
    };
    let advice = if own {
        "If it is not you, somebody else knows your password: change it at once, and tell your administrator.\nIf it is you, you can go on \
         tomorrow; your administrator can raise the limit."
            .to_owned()
    } else {
        format!(
            "The password may be stolen. `{command} trace --sender {address}` shows what has left,\n\
             `{command} account set {address} --generate-password` changes the password,\n\
             `{command} account set {address} --messages-per-day N` (or --recipients-per-day, --first-time-per-day) raises the limit."
        )
    };
    format!(
        "Hello,\n\nthe account {address} has reached its limit of {what} in a day (a day of UTC). Relais refuses its other messages \
         until tomorrow; mail is still received.\n\n{advice}\n"
    )
}
