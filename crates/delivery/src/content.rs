//! What a message's content says about it, for each account that gets it: looked at when all of it has come, after it was checked where
//! it is from. What follows: it goes to Spam of those accounts for which it is spam, and to INBOX of the others; what is spam beyond
//! doubt for everybody may be refused.
//!
//! What people here submit is not looked at, nor what `trusted_networks` hand over. Mail that only leads elsewhere is passed
//! on as it is: there is no Spam of ours to put it into.

use std::collections::BTreeMap;

use mail::{AccountId, Address, Domain, EnhancedCode, Reply};
use message::{parse_addresses, raw_fields};
use spam::limits::SAMPLE_OCTETS_MAX;
use spam::{Added, Content, Known, Points, Score};
use storage::blobs::StagedBlob;
use storage::spam::{SITE, SpamSettings};
use storage::{StorageError, Store};

use crate::Delivery;
use crate::intake::Refused;
use crate::plan::Plan;

/// How the content of messages from other servers is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentFilter {
    /// From how many points on a message goes to Spam, of accounts that say nothing else.
    pub threshold: Points,
    /// From how many points on it is refused, when it has as many for each of its recipients; `None`: never.
    pub refuse: Option<Points>,
}

impl Delivery {
    /// The same delivery, which looks at the content of what other servers hand over.
    #[must_use]
    pub fn judging_content(mut self, filter: ContentFilter) -> Self {
        self.content_filter = Some(filter);
        self
    }

    /// How the content of messages is judged; `None`: it is not looked at.
    #[must_use]
    pub const fn content_filter(&self) -> Option<&ContentFilter> {
        self.content_filter.as_ref()
    }
}

/// The beginning of a message, kept as it passes.
pub(crate) struct Sample {
    /// `None`: outside filters alone judge it.
    filter: Option<ContentFilter>,
    octets: Vec<u8>,
}

impl Sample {
    pub(crate) const fn new(filter: Option<ContentFilter>) -> Self {
        Self { filter, octets: Vec::new() }
    }

    /// Of the same message, which is taken anew.
    pub(crate) fn begun_again(self) -> Self {
        Self::new(self.filter)
    }

    pub(crate) fn feed(&mut self, octets: &[u8]) {
        let room = SAMPLE_OCTETS_MAX.saturating_sub(self.octets.len());
        self.octets.extend_from_slice(octets.get(..room.min(octets.len())).unwrap_or_default());
    }
}

/// For whom a message is spam by its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Why, by account.
    pub(crate) spam: BTreeMap<AccountId, Junk>,
    /// For the site: what lists and moderators are told.
    pub(crate) suspicious: bool,
}

/// Why it is spam for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junk {
    /// In words, with some of the message's own.
    pub reason: String,
    /// Without them, for a field that others see as well.
    pub plain: String,
    /// It would be none of a sender of whom nothing is known.
    pub by_standing: bool,
}

impl Judgement {
    /// The fields that tell of it.
    pub(crate) fn fields(&self) -> String {
        let mut all = self.spam.values();
        let reason = match (all.next(), all.next()) {
            (None, _) => return String::new(),
            (Some(only), None) => &only.reason,
            // What one account has learnt is not told to another.
            (Some(first), Some(_)) => &first.plain,
        };
        spam_fields(reason)
    }
}

/// The fields that say that a message is spam, and why.
pub(crate) fn spam_fields(reason: &str) -> String {
    format!("X-Spam-Flag: YES\r\nX-Spam-Reason: {}\r\n", folded(reason))
}

/// Folded before 78 characters, where it can be (RFC 5322 §2.1.1).
fn folded(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len().saturating_add(16));
    let mut column = "X-Spam-Reason:".len();
    for word in reason.split(' ') {
        let width = word.len().saturating_add(1);
        if !out.is_empty() {
            let fold = column.saturating_add(width) > 77;
            out.push_str(if fold { "\r\n\t" } else { " " });
            column = if fold { 8 } else { column };
        }
        column = column.saturating_add(width);
        out.push_str(word);
    }
    out
}

/// What outside filters say of a message's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// It is spam, by points: for everybody who has not said otherwise.
    pub(crate) of_all: Option<String>,
    /// It goes to Spam of these accounts, whoever wrote it.
    pub(crate) unwanted: BTreeMap<AccountId, Junk>,
    /// There are posts among what it does not want.
    pub(crate) posts: bool,
}

impl Said {
    /// The same, and for everybody this.
    pub(crate) fn and_of_all(self, reason: Option<&String>) -> Self {
        Self { of_all: reason.cloned(), ..self }
    }
}

impl Junk {
    /// In the words of an outside filter, which tell nobody's secrets.
    pub(crate) fn told(reason: &str) -> Self {
        Self { reason: reason.to_owned(), plain: reason.to_owned(), by_standing: false }
    }

    /// And for another reason, too.
    fn and(self, other: &Self) -> Self {
        let both = |one: &str, other: &str| format!("{one}; {other}");
        Self {
            reason: both(&self.reason, &other.reason),
            plain: both(&self.plain, &other.plain),
            by_standing: self.by_standing && other.by_standing,
        }
    }
}

/// Judges a message for each account that gets it. `from`: the domain that it is surely from. `said`: what others say of it; `added`:
/// points for who hands it over.
pub(crate) async fn judge(
    store: &Store,
    sample: Sample,
    plan: &Plan,
    from: Option<&Domain>,
    said: Said,
    added: &[Added],
) -> Result<Judgement, Refused> {
    let mut judgement = Judgement::default();
    let author = author(&sample.octets).filter(|author| Some(author.domain()) == from);
    let own = match sample.filter {
        Some(filter) => {
            let content = Content::read(&sample.octets);
            let site = store.spam_known(SITE, &content.tokens).await?;
            Some(OwnFilter { filter, content, site })
        }
        None => None,
    };
    let mut certain = own.as_ref().and_then(|own| own.filter.refuse);
    let mut why = None;
    for account in &plan.mailboxes {
        if let Some(junk) = said.unwanted.get(account) {
            certain = None;
            judgement.spam.insert(*account, junk.clone());
            continue;
        }
        let Some(settings) = wanting(store, *account, author.as_ref()).await? else {
            certain = None;
            continue;
        };
        let mut junk = said.of_all.as_deref().map(Junk::told);
        if let Some(own) = &own {
            let score = own.score(store, *account).await?.with(added);
            certain = certain.filter(|points| score.is_certain(*points));
            if let (Some(points), None) = (certain, &why) {
                // Of the points from which on it is refused, whatever puts it into Spam.
                let own = score.reason_without_words(points);
                why = Some(junk.as_ref().map_or_else(|| own.clone(), |junk| format!("{}; {own}", junk.plain)));
            }
            let threshold = settings.threshold.unwrap_or(own.filter.threshold);
            if score.is_spam(threshold) {
                let found = Junk {
                    reason: score.reason(threshold),
                    plain: score.reason_without_words(threshold),
                    by_standing: !score.is_spam_of_anybody(threshold),
                };
                junk = Some(junk.map_or_else(|| found.clone(), |junk| junk.and(&found)));
            }
        }
        judgement.spam.extend(junk.map(|junk| (*account, junk)));
    }
    let alone = plan.relays.is_empty() && plan.held.is_empty();
    if certain.is_some() && alone && judgement.spam.len() == plan.mailboxes.len() && !judgement.spam.is_empty() {
        return Err(certainly_spam(&why.unwrap_or_default()));
    }
    if !plan.held.is_empty() {
        let of_site = |own: &OwnFilter| Score::of(&own.content, &own.site, &Known::default()).with(added);
        let found = own.as_ref().is_some_and(|own| of_site(own).is_spam(own.filter.threshold));
        judgement.suspicious = found || said.posts || said.of_all.is_some();
    }
    Ok(judgement)
}

/// This server's own filter, and a message that it has read.
struct OwnFilter {
    filter: ContentFilter,
    content: Content,
    site: Known,
}

impl OwnFilter {
    /// The score for an account.
    async fn score(&self, store: &Store, account: AccountId) -> Result<Score, StorageError> {
        let own = store.spam_known(account, &self.content.tokens).await?;
        Ok(Score::of(&self.content, &self.site, &own))
    }
}

/// What an account has set; `None`: for this account it is no spam, whatever its content is.
async fn wanting(
    store: &Store,
    account: AccountId,
    author: Option<&Address>,
) -> Result<Option<SpamSettings>, StorageError> {
    let settings = store.spam_settings(account).await?;
    if !settings.enabled {
        return Ok(None);
    }
    if let Some(author) = author
        && (settings.allows(author) || store.is_contact(account, author).await?)
    {
        return Ok(None);
    }
    Ok(Some(settings))
}

/// The one author of a message, by its only From field.
fn author(message: &[u8]) -> Option<Address> {
    let is_from = |field: &message::RawField<'_>| field.name.is_some_and(|name| name.eq_ignore_ascii_case(b"From"));
    let mut fields = raw_fields(message).filter(is_from);
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let [author] = &parse_addresses(field.value())[..] else { return None };
    let text = |part: &Option<Vec<u8>>| String::from_utf8(part.clone()?).ok();
    Address::new(&text(&author.mailbox)?, Domain::parse(&text(&author.host)?).ok()?).ok()
}

fn certainly_spam(why: &str) -> Refused {
    Refused(Reply::new(550, Some(EnhancedCode(5, 7, 1)), format!("Refused as spam: {why}")))
}

impl Delivery {
    /// A second copy of a message for those for whom it is spam, with the fields that say so at a place of its header.
    pub(crate) async fn marked(&self, blob: &StagedBlob, at: usize, fields: &str) -> Result<StagedBlob, StorageError> {
        let mut reader = self.store().staged_reader(blob);
        let mut writer = self.store().blob_writer();
        let front = reader.read(0, at as u64).await?;
        writer.write(&front).await?;
        writer.write(fields.as_bytes()).await?;
        let mut at = at as u64;
        loop {
            let piece = reader.piece(at, u64::MAX).await?;
            if piece.is_empty() {
                return Ok(writer.finish());
            }
            at = at.saturating_add(piece.len() as u64);
            writer.write(&piece).await?;
        }
    }
}

/// What a message's content says about it, for who asks.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The points and their reasons.
    pub score: Score,
    /// From how many on it goes to Spam.
    pub threshold: Points,
    /// The account has the filter switched on.
    pub enabled: bool,
    /// Tokens that were looked at.
    pub tokens: usize,
}

impl Delivery {
    /// Judges a message for an account, or with what the site knows alone. Senders are not looked at.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn explain_content(
        store: &Store,
        threshold: Points,
        account: Option<AccountId>,
        content: &Content,
    ) -> Result<Explained, StorageError> {
        let site = store.spam_known(SITE, &content.tokens).await?;
        let (own, settings) = match account {
            Some(account) => (store.spam_known(account, &content.tokens).await?, store.spam_settings(account).await?),
            None => Default::default(),
        };
        Ok(Explained {
            score: Score::of(content, &site, &own),
            threshold: settings.threshold.unwrap_or(threshold),
            enabled: settings.enabled,
            tokens: content.tokens.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_folded() {
        let reason = "7.5 points of 5.0: ".to_owned() + &"word ".repeat(40);
        let text = format!("X-Spam-Reason: {}", folded(reason.trim()));
        assert!(text.split("\r\n").all(|line| line.len() <= 78 && !line.trim().is_empty()), "{text}");
        assert_eq!(text.replace("\r\n\t", " "), format!("X-Spam-Reason: {}", reason.trim()));
    }

    #[test]
    fn the_author_is_one_address() {
        for (header, expected) in [
            ("From: Zoe <zoe@far.example>\r\n", Some("zoe@far.example")),
            ("From: zoe@far.example\r\nFROM: yan@far.example\r\n", None),
            ("From: zoe@far.example, yan@far.example\r\n", None),
            ("Subject: x\r\n\r\nFrom: zoe@far.example\r\n", None),
        ] {
            assert_eq!(author(header.as_bytes()).map(|address| address.to_string()).as_deref(), expected, "{header}");
        }
    }
}
