//! SEARCH=FUZZY (RFC 6203): messages with these words, or with words like them, and how well they fit.
//!
//! A word fits that is the same without case and marks, has the same stem, or goes on where the one of the query ends. A
//! message is found that has something for each word. The score is that of BM25, by words: rare ones count more, long
//! messages less, and the subject more than the text.

use std::collections::HashMap;

use mail::{AccountId, MailboxId, Uid};
use storage::index::IndexPlace;
use storage::rows::IndexRow;
use storage::{StorageError, Store};
use tokio::sync::Semaphore;

use crate::block::step_words;
use crate::builder::Builder;
use crate::limits::{FUZZY_WORDS_MAX, MESSAGES_PER_TURN, TAILS_AT_A_TIME_MAX, TRIES_MAX};
use crate::postings::each;
use crate::query::{Place, readable};
use crate::segment::Segment;
use crate::stems::Query;
use crate::tail::{Mailbox, take_messages};
use crate::texts::Zone;
use crate::words::words;

/// A message that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relevant {
    /// Which. It may have been expunged.
    pub uid: Uid,
    /// RFC 6203 §4: 1 to 100, relative to the best one.
    pub relevancy: u8,
}

/// One question: words, all of which a message has at a place.
struct Asked {
    queries: Vec<Query>,
    zones: Vec<Zone>,
}

impl Asked {
    fn new(place: &Place, text: &str) -> Self {
        let mut queries: Vec<String> = Vec::new();
        words(text, |word, _| {
            if queries.len() < FUZZY_WORDS_MAX && !queries.iter().any(|known| known == word) {
                queries.push(word.to_owned());
            }
        });
        Self { queries: queries.iter().map(|word| Query::new(word)).collect(), zones: place.zones().concat() }
    }
}

/// The messages of a mailbox that fit each of several questions, in the order of their UIDs. A text without a word finds none.
///
/// What is not indexed yet is read once for all of them, and for no more than [`TAILS_AT_A_TIME_MAX`] sessions at a time.
///
/// # Errors
/// When reading fails.
pub async fn fuzzy(
    store: &Store,
    account: AccountId,
    mailbox: MailboxId,
    attachments: bool,
    asked: &[(&Place, &str)],
) -> Result<Vec<Vec<Relevant>>, StorageError> {
    let asked: Vec<Asked> = asked.iter().map(|(place, text)| Asked::new(place, text)).collect();
    if asked.iter().all(|one| one.queries.is_empty()) {
        return Ok(vec![Vec::new(); asked.len()]);
    }
    let nothing = || asked.iter().map(|one| Collected::new(one.queries.len())).collect();
    let mut tries = 0_usize;
    let (mut collected, indexed_to): (Vec<Collected>, u32) = loop {
        tries = tries.saturating_add(1);
        // A damaged index is none: every message is read.
        let row = readable(store.index_row(account, mailbox).await)?.unwrap_or_default();
        let collected = indexed(store, (account, mailbox), &row, &asked).await;
        let now = readable(store.index_row(account, mailbox).await)?.unwrap_or_default();
        // What was replaced meanwhile may have been read in part.
        let same = row.segments.iter().all(|segment| now.segment(segment.number) == Some(segment));
        if same || tries >= TRIES_MAX {
            match readable(collected)? {
                Some(collected) => break (collected, row.indexed_to),
                None => break (nothing(), 0),
            }
        }
    };
    let of = Mailbox { store, account, mailbox, attachments };
    let mut from = indexed_to.saturating_add(1);
    loop {
        // A few messages for each turn: who looks into a small mailbox does not wait for who looks into a large one. It is never closed.
        let _turn = TAILS.acquire().await;
        let mut builder = Builder::new(Uid(from));
        let taken = take_messages(of, &mut builder, Uid(from), MESSAGES_PER_TURN).await?;
        if let Some(built) = builder.finish() {
            let segment = Segment::built(built);
            for (collected, asked) in collected.iter_mut().zip(&asked) {
                collected.segment(&segment, asked).await?;
            }
        }
        let Some(next) = taken.next else { break };
        from = next.0;
    }
    Ok(collected.into_iter().map(Collected::scored).collect())
}

/// Who reads what is not indexed yet: some megabytes each.
static TAILS: Semaphore = Semaphore::const_new(TAILS_AT_A_TIME_MAX);

async fn indexed(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    row: &IndexRow,
    asked: &[Asked],
) -> Result<Vec<Collected>, StorageError> {
    let mut all = Vec::with_capacity(asked.len());
    for asked in asked {
        let mut collected = Collected::new(asked.queries.len());
        for of in &row.segments {
            let segment = Segment::stored(store, IndexPlace { account, mailbox, segment: of.number }, of);
            collected.segment(&segment, asked).await?;
            tokio::task::yield_now().await;
        }
        all.push(collected);
    }
    Ok(all)
}

/// What was found so far.
struct Collected {
    /// Of each word, how many messages have something for it.
    having: Vec<u32>,
    messages: u32,
    words: f64,
    /// Messages with something for each word.
    found: Vec<(Uid, f32)>,
    /// Of each of them, how much for each word.
    weights: Vec<f32>,
}

impl Collected {
    fn new(words: usize) -> Self {
        let having = vec![0; words];
        Self { having, messages: 0, words: 0.0, found: Vec::new(), weights: Vec::new() }
    }

    async fn segment(&mut self, segment: &Segment<'_>, Asked { queries, zones }: &Asked) -> Result<(), StorageError> {
        if queries.is_empty() {
            return Ok(());
        }
        let lengths = segment.lengths().await?;
        self.messages = self.messages.saturating_add(segment.messages);
        self.words += lengths.iter().filter(|step| **step > 0).map(|step| f64::from(step_words(*step))).sum::<f64>();
        let mut of_words: Vec<HashMap<u32, f32>> = Vec::with_capacity(queries.len());
        for query in queries {
            let mut weights = HashMap::new();
            for zone in zones {
                weigh(segment, *zone, query, &mut weights).await?;
            }
            of_words.push(weights);
        }
        for (having, weights) in self.having.iter_mut().zip(&of_words) {
            *having = having.saturating_add(u32::try_from(weights.len()).unwrap_or(u32::MAX));
        }
        let Some(fewest) = of_words.iter().min_by_key(|weights| weights.len()) else { return Ok(()) };
        let mut offsets: Vec<u32> = fewest.keys().copied().collect();
        offsets.sort_unstable();
        for offset in offsets {
            let weights: Option<Vec<f32>> = of_words.iter().map(|weights| weights.get(&offset).copied()).collect();
            let Some(weights) = weights else { continue };
            let length = usize::try_from(offset).ok().and_then(|at| lengths.get(at)).copied().unwrap_or(1);
            self.found.push((Uid(segment.first.0.saturating_add(offset)), step_words(length)));
            self.weights.extend(weights);
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "counts of messages as weights; nothing is counted by them")]
    fn scored(self) -> Vec<Relevant> {
        let messages = f64::from(self.messages).max(1.0);
        let usual = (self.words / messages).max(1.0) as f32;
        let rarity = |having: &u32| {
            let having = f64::from(*having);
            (1.0 + ((messages - having).max(0.0) + 0.5) / (having + 0.5)).ln() as f32
        };
        let rarities: Vec<f32> = self.having.iter().map(rarity).collect();
        let score = |weights: &[f32], length: f32| {
            let norm = SATURATION * (1.0 - LENGTH_COUNTS + LENGTH_COUNTS * length / usual);
            let of_words = weights.iter().zip(&rarities);
            of_words.map(|(weight, rarity)| rarity * weight * (SATURATION + 1.0) / (weight + norm)).sum::<f32>()
        };
        let chunks = self.weights.chunks(self.having.len().max(1));
        let scores: Vec<f32> =
            self.found.iter().zip(chunks).map(|((_, length), weights)| score(weights, *length)).collect();
        let best = scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let percent = |score: f32| (score / best * 100.0).clamp(1.0, 100.0);
        let relevant =
            |((uid, _), score): (&(Uid, f32), f32)| Relevant { uid: *uid, relevancy: rounded(percent(score)) };
        self.found.iter().zip(scores).map(relevant).collect()
    }
}

/// A number from 1 to 100 as one.
fn rounded(percent: f32) -> u8 {
    (1..=100).find(|whole| f32::from(*whole) + 0.5 > percent).unwrap_or(100)
}

/// Notes of each message how well the best of its words in a zone fits.
async fn weigh(
    segment: &Segment<'_>,
    zone: Zone,
    query: &Query,
    weights: &mut HashMap<u32, f32>,
) -> Result<(), StorageError> {
    let prefix = query.prefix();
    let mut blocks = segment.blocks_from(zone, prefix.as_bytes()).await?;
    if blocks.is_empty() {
        blocks = segment.blocks_after(zone, None, 1).await?;
    }
    while let Some(block) = blocks.first() {
        let (mut places, mut fits) = (Vec::new(), Vec::new());
        for (place, word) in block.words.iter().enumerate() {
            if word.starts_with(prefix)
                && let Some(fit) = query.fit(word)
            {
                places.push(place);
                fits.push(fit);
            }
        }
        let mut fits = fits.into_iter();
        let span = segment.span;
        let mut take = |_, messages: u32, code: &[u8]| {
            let fit = fits.next()?;
            each(code, messages, span, |offset, often| {
                let weight = fit * importance(zone) * if often { OFTEN } else { 1.0 };
                let best = weights.entry(offset).or_insert(weight);
                *best = best.max(weight);
            })
        };
        if !places.is_empty() {
            segment.postings(zone, &[(block, places)], &mut take).await?;
        }
        if !block.may_go_on(prefix) {
            return Ok(());
        }
        let after = block.first().clone();
        blocks = segment.blocks_after(zone, Some(&after), 1).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// How much a place counts.
fn importance(zone: Zone) -> f32 {
    match zone {
        Zone::Subject => 3.0,
        Zone::From => 2.0,
        Zone::Recipients => 1.5,
        Zone::Body => 1.0,
        Zone::Other => 0.5,
    }
}

/// How much more a word counts that stands in a message three times or more.
const OFTEN: f32 = 2.0;

/// BM25's k1: how soon more of a word adds nothing.
const SATURATION: f32 = 1.2;

/// BM25's b: how much the length of a message counts.
const LENGTH_COUNTS: f32 = 0.5;
