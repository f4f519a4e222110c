//! Answers to letters: confirmations, and the decisions of moderators.

use bus::TakeError;
use delivery::{Outcome, decide_waiting};
use mail::{Topic, Uid};
use storage::StorageError;

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::answerable::unanswerable;
use crate::budget::{Allowance, LetterKind};
use crate::consumer::{Case, Keep, decision, expunge};
use crate::limits::REASON_CHARS;
use crate::members::Confirmed;
use crate::place::Place;
use crate::text::Words;
use crate::token::Purpose;

/// What a moderator's answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub approved: bool,
    pub reason: String,
}

impl Decision {
    /// Reads the first lines of an answer, quoted ones left out.
    pub(crate) fn read<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let first = lines.next()?;
        let (word, rest) = first.split_once(|c: char| c.is_whitespace() || ",.:;!".contains(c)).unwrap_or((first, ""));
        let approved = match word.to_lowercase().as_str() {
            "approve" | "approved" | "accept" | "accepter" | "approuver" | "oui" | "ok" | "yes" => true,
            "reject" | "rejected" | "refuse" | "refuser" | "rejeter" | "non" | "no" => false,
            _ => return None,
        };
        let rest = rest.trim_start_matches([',', '.', ':', ';', '!', ' ', '\t', '-', '–', '—']).trim();
        let mut reason = rest.to_owned();
        if reason.is_empty() {
            // The lines below, up to a signature or to what introduces a quotation.
            let own = lines.take_while(|line| *line != "--" && !line.ends_with(':') && !line.starts_with("-----"));
            reason = own.collect::<Vec<_>>().join("\n");
        }
        Some(Self { approved, reason: reason.chars().take(REASON_CHARS).collect() })
    }
}

/// What a decision came to, for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moderated {
    Done { approved: bool },
    Already { by: String, approved: bool },
    Gone,
}

impl Lists {
    /// An answer to `-confirm+TOKEN`.
    pub(crate) async fn confirmed_by_mail(&self, case: &Case, token: &str) -> Result<(), TakeError> {
        // Who moderates no more decides no more, whatever letters they still have.
        match self.tokens.read_mail(case.event.part, token, case.place.deciders()) {
            Some((Purpose::Confirm, number, _)) => {
                let (confirmed, mut acts) = self.confirm(&case.place, number).await?;
                tracing::info!(list = %case.place.address(), sender = %case.event.reverse_path, ?confirmed, "confirmed");
                if confirmed == Confirmed::Void {
                    return self.answer(case, Words::Void).await;
                }
                acts.tells(format!("{}: confirmed: {confirmed}", case.place.address()));
                self.end(case.number, &case.event, acts, Keep::Nothing).await
            }
            Some((Purpose::Moderate, uid, by)) => {
                let by = by.map_or_else(|| "a moderator".to_owned(), ToString::to_string);
                self.moderated_by_mail(case, Uid(uid), by).await
            }
            Some((Purpose::Approve, number, _)) => {
                let Some(decided) = Decision::read(case.incoming.lines()) else {
                    return self.answer(case, Words::NotUnderstood).await;
                };
                match self.approve(&case.place, number, decided.approved, &decided.reason).await? {
                    Some(mut acts) => {
                        let what = if decided.approved { "accepted" } else { "not accepted" };
                        acts.tells(format!("{}: a new member was {what}", case.place.address()));
                        self.end(case.number, &case.event, acts, Keep::Nothing).await
                    }
                    None => self.answer(case, Words::Void).await,
                }
            }
            Some((Purpose::Leave | Purpose::Manage, ..)) | None => {
                self.drop_case(case, "a token that is none of ours, or of who decides no more").await
            }
        }
    }

    async fn moderated_by_mail(&self, case: &Case, uid: Uid, by: String) -> Result<(), TakeError> {
        let Some(decided) = Decision::read(case.incoming.lines()) else {
            return self.answer(case, Words::NotUnderstood).await;
        };
        let part = case.event.part;
        match self.store.waiting(part, uid).await? {
            None => return self.answer(case, Words::Void).await,
            Some(row) => {
                if let Some(made) = row.decision {
                    let words = Words::Decided { by: &made.by, approved: made.approved };
                    return self.answer(case, words).await;
                }
            }
        }
        let (event, number, now) = (case.event.clone(), case.number, self.store.now());
        tracing::info!(list = %case.place.address(), uid = uid.0, by, approved = decided.approved, "moderated");
        self.store
            .transact(move |tx| {
                if !tx.finish_event(Topic::HeldMessage, number)? {
                    return Ok(());
                }
                let made = decision(decided.approved, by.clone(), decided.reason.clone(), now);
                match decide_waiting(tx, part, uid, made)? {
                    Outcome::Decided => {
                        let mut acts = Acts::default();
                        acts.tells(format!("a moderator's decision on message {uid}", uid = uid.0));
                        acts.apply(tx, part, event.trace, now)?;
                        expunge(tx, &event, now)
                    }
                    // Somebody was faster since the row was read: the next attempt tells so.
                    Outcome::Already(_) | Outcome::Gone => Err(StorageError::NotAllowed("decided meanwhile")),
                }
            })
            .await?;
        Ok(())
    }

    /// A decision by a page.
    pub(crate) async fn moderate(
        &self,
        place: &Place,
        uid: Uid,
        by: String,
        decided: Decision,
    ) -> Result<Moderated, StorageError> {
        let (part, now) = (place.part(), self.store.now());
        tracing::info!(list = %place.address(), uid = uid.0, by, approved = decided.approved, "moderated");
        let approved = decided.approved;
        let done = self
            .store
            .transact(move |tx| {
                decide_waiting(tx, part, uid, decision(decided.approved, by.clone(), decided.reason.clone(), now))
            })
            .await?;
        Ok(match done.value {
            Outcome::Decided => Moderated::Done { approved },
            Outcome::Already(made) => Moderated::Already { by: made.by, approved: made.approved },
            Outcome::Gone => Moderated::Gone,
        })
    }

    /// Answers the sender of an order that changes nothing.
    async fn answer(&self, case: &Case, words: Words<'_>) -> Result<(), TakeError> {
        let mut acts = Acts::default();
        let author = case.incoming.author.as_ref();
        if let Some(to) = Self::answerable(&case.event.reverse_path, case.event.account, author) {
            let letter = Draft::about(case, &to, words);
            let allowances = Allowance::to_writer(LetterKind::Note, &to, case.event.account.is_some());
            acts.counted(allowances, self.draft(&case.place, letter).await?);
        } else {
            acts.step(unanswerable(LetterKind::Note));
        }
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides_and_the_rest_is_the_reason() {
        let read = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('>'));
            Decision::read(lines).map(|decision| (decision.approved, decision.reason))
        };
        let yes = |reason: &str| Some((true, reason.to_owned()));
        let no = |reason: &str| Some((false, reason.to_owned()));
        for (text, wanted) in [
            ("approve", yes("")),
            ("Oui\n\n-- \nPaul", yes("")),
            ("OK, thanks", yes("thanks")),
            ("accepter\nLe 3 mai, Liste a écrit :\n> x", yes("")),
            ("reject: off topic", no("off topic")),
            ("Refuser\nHors sujet ici.\nMerci\n--\nPaul", no("Hors sujet ici.\nMerci")),
            ("non", no("")),
            ("noted, will look", None),
            ("> approve", None),
            ("approvement", None),
            ("", None),
        ] {
            assert_eq!(read(text), wanted, "{text:?}");
        }
    }
}
