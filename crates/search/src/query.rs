//! Which messages may hold the texts that a search is for: a superset, from the words that they must have.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Uid};
use storage::index::IndexPlace;
use storage::rows::IndexRow;
use storage::{StorageError, Store};

use crate::attachments::ATTACHMENT_READER;
use crate::bits::Bits;
use crate::block::PARTIAL;
use crate::limits::{BLOCKS_PER_READ, NEEDLE_WORDS_MAX, NEEDLES_MAX, TRIES_MAX};
use crate::postings::{each, is_exact};
use crate::segment::{Found, Segment};
use crate::texts::Zone;
use crate::words::{WordTest, is_part_of_a_word, tests};

/// Where a text is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the values of the header's fields of a name.
    Field(Vec<u8>),
    /// In the texts and in the headers of the parts.
    Body,
    /// In the header, names included, or in the body.
    Anywhere,
}

impl Place {
    /// Groups of zones: a text is found within one of them as a whole.
    pub(crate) fn zones(&self) -> Vec<&'static [Zone]> {
        match self {
            Self::Field(name) => match Zone::of_field(name) {
                Zone::Subject => vec![&[Zone::Subject]],
                Zone::From => vec![&[Zone::From]],
                Zone::Recipients => vec![&[Zone::Recipients]],
                Zone::Other | Zone::Body => vec![&[Zone::Other]],
            },
            Self::Body => vec![&[Zone::Body]],
            Self::Anywhere => vec![&Zone::HEADER, &[Zone::Body]],
        }
    }

    /// Whether a word of the zones is in this place for sure. The value of a field shares its zone with others, but for two.
    fn is_told_by_zones(&self) -> bool {
        match self {
            Self::Field(name) => match Zone::of_field(name) {
                Zone::Subject | Zone::From => true,
                Zone::Recipients | Zone::Other | Zone::Body => false,
            },
            Self::Body | Self::Anywhere => true,
        }
    }
}

/// What every message that is found has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This text there, compared without case: as it is, or folded. Only of a folded one there are proofs: one without small
    /// ASCII letters.
    Text(Place, String),
    /// All of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
}

/// What the index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// The last UID that the index knows of; those above may all be found.
    pub indexed_to: Uid,
    /// Of the others, those that may be found, in order. Expunged ones may be among them.
    pub uids: Vec<u32>,
    /// Which of them need not be looked at for one of the texts.
    pub proofs: Vec<Proof>,
}

/// Messages that have a text for sure, compared without case: it is a part of a word that stands in them as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where.
    pub place: Place,
    /// The text, as it was given: folded.
    pub text: String,
    /// Which, in order.
    pub uids: Vec<u32>,
}

/// A search made ready.
#[derive(Debug, Default)]
struct Plan {
    /// Tests that have to be passed in one group of zones.
    groups: Vec<(&'static [Zone], Vec<WordTest>)>,
    /// Texts that the index can prove, with their groups.
    provable: Vec<(Place, String, std::ops::Range<usize>)>,
}

/// Messages of a segment.
#[derive(Clone, Debug)]
struct Having {
    /// Those that may have something.
    all: Bits,
    /// Those of them that have a word for it as it is.
    exact: Bits,
}

impl Having {
    fn none(span: u32) -> Self {
        Self { all: Bits::none(span), exact: Bits::none(span) }
    }
}

#[derive(Debug)]
enum Node {
    /// Passes one of these groups.
    Groups(std::ops::Range<usize>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Plan {
    /// `None`: the index does not help.
    fn node(&mut self, wanted: &Wanted) -> Option<Node> {
        match wanted {
            Wanted::Text(place, text) => {
                let mut tests = tests(text);
                tests.truncate(NEEDLE_WORDS_MAX);
                let start = self.groups.len();
                if tests.is_empty() || start >= NEEDLES_MAX {
                    return None;
                }
                let provable = is_part_of_a_word(text) && tests.len() == 1 && place.is_told_by_zones();
                self.groups.extend(place.zones().into_iter().map(|zones| (zones, tests.clone())));
                if provable {
                    self.provable.push((place.clone(), text.clone(), start..self.groups.len()));
                }
                Some(Node::Groups(start..self.groups.len()))
            }
            Wanted::All(all) => {
                let all: Vec<Node> = all.iter().filter_map(|one| self.node(one)).collect();
                (!all.is_empty()).then_some(Node::All(all))
            }
            Wanted::Any(any) => any.iter().map(|one| self.node(one)).collect::<Option<_>>().map(Node::Any),
        }
    }
}

/// The messages of a mailbox that may have what is wanted, in the texts of attachments too if that is asked for. `None`:
/// the index can't tell, and all may.
///
/// # Errors
/// When reading fails. A damaged index is no error: it can't tell.
pub async fn candidates(
    store: &Store,
    account: AccountId,
    mailbox: MailboxId,
    attachments: bool,
    wanted: &Wanted,
) -> Result<Option<Candidates>, StorageError> {
    let mut plan = Plan::default();
    let Some(node) = plan.node(wanted) else { return Ok(None) };
    for _ in 0..TRIES_MAX {
        let Some(row) = readable(store.index_row(account, mailbox).await)? else { return Ok(None) };
        // An index with them is good for who does not look into them, and not the other way round; one that reads fewer is not.
        if row.segments.is_empty() || (attachments && row.attachments != ATTACHMENT_READER) {
            return Ok(None);
        }
        let found = all_segments(store, (account, mailbox), &row, &plan, &node).await;
        // What was replaced meanwhile may have been read in part.
        let now = readable(store.index_row(account, mailbox).await)?.unwrap_or_default();
        if row.segments.iter().all(|segment| now.segment(segment.number) == Some(segment)) {
            let Some((uids, mut proofs)) = readable(found)? else { return Ok(None) };
            if (row.attachments != 0) != attachments {
                // What is in an attachment is no text of the message for who does not look into them.
                proofs.retain(|proof| !proof.place.zones().concat().contains(&Zone::Body));
            }
            return Ok(Some(Candidates { indexed_to: Uid(row.indexed_to), uids, proofs }));
        }
    }
    Ok(None)
}

/// What could be read; a damaged index is told of and left alone.
pub(crate) fn readable<T>(read: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StorageError::Corrupt(what)) => {
            tracing::error!(what, "a full-text index is damaged and not used; `relais reindex` builds it anew");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn all_segments(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    row: &IndexRow,
    plan: &Plan,
    node: &Node,
) -> Result<(Vec<u32>, Vec<Proof>), StorageError> {
    let mut uids = Vec::new();
    let proof =
        |(place, text, _): &(Place, String, _)| Proof { place: place.clone(), text: text.clone(), uids: Vec::new() };
    let mut proofs: Vec<Proof> = plan.provable.iter().map(proof).collect();
    for of in &row.segments {
        let segment = Segment::stored(store, IndexPlace { account, mailbox, segment: of.number }, of);
        let groups = passing(&segment, plan).await?;
        let mut found = node.evaluate(&groups, segment.span);
        if segment.partial {
            let lengths = (0_u32..).zip(segment.lengths().await?);
            lengths.filter(|(_, length)| *length == PARTIAL).for_each(|(offset, _)| found.insert(offset));
        }
        let uid = |offset: u32| segment.first.0.saturating_add(offset);
        uids.extend(found.iter().map(uid));
        for (proof, (.., range)) in proofs.iter_mut().zip(&plan.provable) {
            let mut proven = Bits::none(segment.span);
            groups.get(range.clone()).unwrap_or_default().iter().for_each(|group| proven.add(&group.exact));
            proof.uids.extend(proven.iter().map(uid));
        }
        tokio::task::yield_now().await;
    }
    Ok((uids, proofs))
}

impl Node {
    fn evaluate(&self, groups: &[Having], span: u32) -> Bits {
        let any = |sets: &mut dyn Iterator<Item = Bits>| {
            sets.fold(Bits::none(span), |mut any, set| {
                any.add(&set);
                any
            })
        };
        match self {
            Self::Groups(range) => {
                any(&mut groups.get(range.clone()).unwrap_or_default().iter().map(|group| group.all.clone()))
            }
            Self::Any(nodes) => any(&mut nodes.iter().map(|node| node.evaluate(groups, span))),
            Self::All(nodes) => {
                let mut sets = nodes.iter().map(|node| node.evaluate(groups, span));
                let first = sets.next().unwrap_or_else(|| Bits::none(span));
                sets.fold(first, |mut all, set| {
                    all.keep(&set);
                    all
                })
            }
        }
    }
}

/// Of each group, the messages of a segment that pass all its tests.
async fn passing(segment: &Segment<'_>, plan: &Plan) -> Result<Vec<Having>, StorageError> {
    let mut passed: Vec<Option<Having>> = Vec::with_capacity(plan.groups.len());
    // What can be looked up comes first: a group that has nobody left needs no reading through all words.
    for (zones, tests) in &plan.groups {
        let mut group: Option<Having> = None;
        for test in tests.iter().filter(|test| !test.reads_all()) {
            if group.as_ref().is_some_and(|group| group.all.is_empty()) {
                break;
            }
            let mut having = Having::none(segment.span);
            for zone in *zones {
                look_up(segment, *zone, test, &mut having).await?;
            }
            keep(&mut group, having);
        }
        passed.push(group);
    }
    let open = |group: &Option<Having>| group.as_ref().is_none_or(|group| !group.all.is_empty());
    let scans: Vec<(usize, &WordTest)> = plan
        .groups
        .iter()
        .zip(&passed)
        .enumerate()
        .filter(|(_, (_, group))| open(group))
        .flat_map(|(number, ((_, tests), _))| {
            tests.iter().filter(|test| test.reads_all()).map(move |test| (number, test))
        })
        .collect();
    let mut having = vec![Having::none(segment.span); scans.len()];
    for zone in Zone::ALL {
        let of_zone =
            |(number, _): &(usize, &WordTest)| plan.groups.get(*number).is_some_and(|(zones, _)| zones.contains(&zone));
        let (tests, sets): (Vec<&WordTest>, Vec<&mut Having>) = scans
            .iter()
            .zip(&mut having)
            .filter(|(scan, _)| of_zone(scan))
            .map(|((_, test), set)| (*test, set))
            .unzip();
        read_through(segment, zone, &tests, sets).await?;
    }
    for ((number, _), having) in scans.iter().zip(having) {
        if let Some(group) = passed.get_mut(*number) {
            keep(group, having);
        }
    }
    Ok(passed.into_iter().map(|group| group.unwrap_or_else(|| Having::none(segment.span))).collect())
}

fn keep(group: &mut Option<Having>, having: Having) {
    match group {
        Some(group) => {
            group.all.keep(&having.all);
            group.exact.keep(&having.exact);
        }
        None => *group = Some(having),
    }
}

/// Adds the messages with words that stand together in the order of words.
async fn look_up(segment: &Segment<'_>, zone: Zone, test: &WordTest, having: &mut Having) -> Result<(), StorageError> {
    let mut blocks = segment.blocks_from(zone, test.text().as_bytes()).await?;
    let mut after: Option<Bytes> = None;
    loop {
        read_blocks(segment, zone, &blocks, &[test], &mut [&mut *having]).await?;
        let goes_on = match (blocks.last(), test) {
            (Some(_), WordTest::Is(_)) => false,
            (Some(last), _) => last.may_go_on(test.text()),
            // The first block may begin with a word that only begins so.
            (None, _) => after.is_none() && !matches!(test, WordTest::Is(_)),
        };
        if !goes_on {
            return Ok(());
        }
        after = blocks.last().map(|block| block.first().clone()).or(after);
        blocks = segment.blocks_after(zone, after.as_ref(), 1).await?;
        if blocks.is_empty() {
            return Ok(());
        }
    }
}

/// Adds the messages with words anywhere in the order of words.
async fn read_through(
    segment: &Segment<'_>,
    zone: Zone,
    tests: &[&WordTest],
    mut having: Vec<&mut Having>,
) -> Result<(), StorageError> {
    let mut after = None;
    while !tests.is_empty() {
        let blocks = segment.blocks_after(zone, after.as_ref(), BLOCKS_PER_READ).await?;
        read_blocks(segment, zone, &blocks, tests, &mut having).await?;
        tokio::task::yield_now().await;
        after = blocks.last().map(|block| block.first().clone());
        if blocks.len() < BLOCKS_PER_READ {
            break;
        }
    }
    Ok(())
}

async fn read_blocks(
    segment: &Segment<'_>,
    zone: Zone,
    blocks: &[Found],
    tests: &[&WordTest],
    having: &mut [&mut Having],
) -> Result<(), StorageError> {
    let mut found: Vec<(&Found, Vec<usize>)> = Vec::new();
    let mut of_test = Vec::new();
    for block in blocks {
        for (number, test) in tests.iter().enumerate() {
            let places = block.find(test);
            if !places.is_empty() {
                found.push((block, places));
                of_test.push(number);
            }
        }
    }
    let span = segment.span;
    let mut take = |pair: usize, messages: u32, code: &[u8]| {
        let set = having.get_mut(*of_test.get(pair)?)?;
        let exact = is_exact(code);
        each(code, messages, span, |offset, _| {
            set.all.insert(offset);
            if exact {
                set.exact.insert(offset);
            }
        })
    };
    segment.postings(zone, &found, &mut take).await
}
