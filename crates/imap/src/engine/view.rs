//! What one session has been told of its mailbox, and what it still has to be told.
//!
//! RFC 3501 §5.2, §5.5, §7.4.1; RFC 7162. State: the map that the client counts with, the MODSEQ up to which changes are
//! known, messages that are gone but not yet announced. Invariant: after every [`News`] has been sent, the client's count
//! and its UIDs are those of [`SessionView::map`]; a message leaves the map only with its EXPUNGE.

use std::collections::BTreeSet;
use std::sync::Arc;

use imap_wire::NumberSet;
use mail::{ModSeq, SequenceNumber, Uid};
use storage::changes::Change;

use super::uid_map::UidMap;

/// One session's view of its mailbox.
#[derive(Clone, Debug)]
pub(crate) struct SessionView {
    map: Arc<UidMap>,
    modseq: ModSeq,
    gone: NumberSet,
    /// The MODSEQ of the first of those that are gone and not announced.
    gone_since: Option<ModSeq>,
    /// MODSEQs of this session's own changes, which it has reported already.
    own: Vec<ModSeq>,
    arrived: BTreeSet<Uid>,
    changed: BTreeSet<Uid>,
}

/// What is to be told now, in the order in which it is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Sequence numbers that go, largest first, so that each is right when it is read.
    pub(crate) expunged: Vec<SequenceNumber>,
    /// Their UIDs.
    pub(crate) vanished: NumberSet,
    /// The new number of messages, when some came.
    pub(crate) exists: Option<u32>,
    /// Their UIDs.
    pub(crate) arrived: NumberSet,
    /// Messages whose flags others changed.
    pub(crate) changed: Vec<Uid>,
}

impl SessionView {
    /// A view that begins with a map as of a MODSEQ.
    pub(crate) fn new(map: Arc<UidMap>, modseq: ModSeq) -> Self {
        Self {
            map,
            modseq,
            gone: NumberSet::empty(),
            gone_since: None,
            own: Vec::new(),
            arrived: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    /// The messages as the client counts them.
    pub(crate) fn map(&self) -> &Arc<UidMap> {
        &self.map
    }

    /// Everything up to it is known here.
    pub(crate) fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// Everything up to it has been told: what the client may keep as the MODSEQ to come back with, also when expunges
    /// have to wait (RFC 7162 §3.2).
    pub(crate) fn told_modseq(&self) -> ModSeq {
        self.gone_since.map_or(self.modseq, |since| self.modseq.min(ModSeq(since.0.saturating_sub(1))))
    }

    /// Whether a change was read here, or made.
    pub(crate) fn knows(&self, modseq: ModSeq) -> bool {
        modseq <= self.modseq || self.own.contains(&modseq)
    }

    /// Puts back flags that could not be told.
    pub(crate) fn untold(&mut self, changed: impl IntoIterator<Item = Uid>) {
        let map = &self.map;
        self.changed.extend(changed.into_iter().filter(|uid| map.contains(*uid)));
    }

    /// Goes back to where reading the change index began: it broke off, perhaps between two messages of one MODSEQ. To learn
    /// twice is to learn once.
    pub(crate) fn unlearn(&mut self, since: ModSeq) {
        self.modseq = self.modseq.min(since);
    }

    /// Whether the message is gone although the client still counts it.
    pub(crate) fn is_gone(&self, uid: Uid) -> bool {
        self.gone.contains(uid.0)
    }

    /// Whether the client still counts messages that are gone.
    pub(crate) fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// The messages that are gone although the client still counts them.
    pub(crate) fn gone(&self) -> &NumberSet {
        &self.gone
    }

    /// A change that this session made and reports by itself.
    pub(crate) fn made(&mut self, modseq: ModSeq) {
        if modseq.0 == self.modseq.0.saturating_add(1) {
            self.modseq = modseq;
        } else if modseq > self.modseq && !self.own.contains(&modseq) {
            self.own.push(modseq);
        }
    }

    /// Takes a page of the change index, read from [`SessionView::modseq`] on.
    pub(crate) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            if change.expunged {
                self.arrived.remove(&change.uid);
                self.changed.remove(&change.uid);
                if self.map.contains(change.uid) {
                    self.gone.push(change.uid.0);
                    self.gone_since = Some(self.gone_since.map_or(change.modseq, |since| since.min(change.modseq)));
                }
            } else if change.uid.0 > self.map.max_uid() {
                self.arrived.insert(change.uid);
            } else if self.map.contains(change.uid) && !self.own.contains(&change.modseq) {
                self.changed.insert(change.uid);
            }
            self.modseq = self.modseq.max(change.modseq);
        }
    }

    /// Takes what is there now: where expunges since a MODSEQ are not remembered any more, those that are missing are gone.
    pub(crate) fn learn_what_is_there(&mut self, there: &UidMap, since: ModSeq) {
        let all = NumberSet::from_ranges([1..=self.map.max_uid()]);
        let gone: Vec<u32> = self.map.existing(&all).filter(|uid| !there.contains(*uid)).map(|uid| uid.0).collect();
        self.changed.retain(|uid| there.contains(*uid));
        self.arrived.retain(|uid| there.contains(*uid));
        if gone.is_empty() {
            return;
        }
        self.gone = self.gone.union(&NumberSet::from_numbers(gone));
        let first = ModSeq(since.0.saturating_add(1));
        self.gone_since = Some(self.gone_since.map_or(first, |since| since.min(first)));
    }

    /// Everything up to a MODSEQ has been learnt, whether or not it concerned this session.
    pub(crate) fn advance(&mut self, modseq: ModSeq) {
        self.modseq = self.modseq.max(modseq);
    }

    /// What to tell after everything has been learnt. Without `expunges` (RFC 3501 §7.4.1: not while FETCH, STORE or SEARCH
    /// by sequence number is answered) messages that are gone stay in the count.
    pub(crate) fn tell(&mut self, expunges: bool) -> News {
        self.own.retain(|modseq| *modseq > self.modseq);
        let mut news = News::default();
        if expunges && !self.gone.is_empty() {
            let gone = std::mem::take(&mut self.gone);
            self.gone_since = None;
            news.expunged = self.map.existing(&gone).filter_map(|uid| self.map.sequence_of(uid)).collect();
            news.expunged.reverse();
            self.map = Arc::new(self.map.without(&gone));
            news.vanished = gone;
        }
        if !self.arrived.is_empty() {
            let arrived = std::mem::take(&mut self.arrived);
            let map = Arc::make_mut(&mut self.map);
            news.arrived = arrived.iter().map(|uid| uid.0).collect();
            arrived.into_iter().for_each(|uid| map.push(uid));
            news.exists = Some(self.map.messages());
        }
        let changed = std::mem::take(&mut self.changed);
        news.changed = changed.into_iter().filter(|uid| !self.gone.contains(uid.0)).collect();
        news
    }

    /// Lets `shared` take the place of the own map, when both must be equal: nothing is pending.
    pub(crate) fn share(&mut self, shared: impl FnOnce(ModSeq, &Arc<UidMap>) -> Arc<UidMap>) {
        if self.gone.is_empty() && self.arrived.is_empty() {
            self.map = shared(self.modseq, &self.map);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a client keeps: it adds blanks on EXISTS and removes lines on EXPUNGE, as RFC 3501 §7.3.1 and §7.4.1 say.
    #[derive(Default)]
    struct Client(Vec<Option<u32>>);

    impl Client {
        fn hear(&mut self, news: &News) {
            for number in &news.expunged {
                self.0.remove(number.0 as usize - 1);
            }
            if let Some(exists) = news.exists {
                assert!(exists as usize >= self.0.len(), "EXISTS never shrinks a mailbox");
                self.0.resize(exists as usize, None);
            }
        }
    }

    /// The change index of one mailbox, as the store keeps it.
    #[derive(Default)]
    struct Model {
        messages: BTreeSet<u32>,
        changes: Vec<Change>,
        modseq: u64,
        next: u32,
    }

    impl Model {
        fn change(&mut self, uid: u32, expunged: bool) {
            self.modseq += 1;
            self.changes.retain(|change| change.uid.0 != uid);
            self.changes.push(Change { modseq: ModSeq(self.modseq), uid: Uid(uid), expunged });
        }

        fn step(&mut self, what: u8) {
            let pick = self.messages.iter().nth(what as usize % self.messages.len().max(1)).copied();
            match (what % 3, pick) {
                (0, _) | (_, None) => {
                    self.next += 1;
                    self.messages.insert(self.next);
                    self.change(self.next, false);
                }
                (1, Some(uid)) => self.change(uid, false),
                (_, Some(uid)) => {
                    self.messages.remove(&uid);
                    self.change(uid, true);
                }
            }
        }
    }

    proptest! {
        /// Whatever others do in between and whenever expunges may be told: once they have been, the client counts right.
        #[test]
        fn a_client_that_listens_ends_with_the_servers_state(
            steps in prop::collection::vec((any::<u8>(), 0u8..4), 1..120),
        ) {
            let mut model = Model { modseq: 1, ..Model::default() };
            let mut view = SessionView::new(Arc::default(), ModSeq(1));
            let mut client = Client::default();
            for (what, sync) in steps.into_iter().chain([(0, 1)]) {
                model.step(what);
                if sync > 1 {
                    continue;
                }
                let since: Vec<Change> =
                    model.changes.iter().copied().filter(|change| change.modseq > view.modseq()).collect();
                for page in since.chunks(3) {
                    view.learn(page);
                }
                let news = view.tell(sync == 1);
                client.hear(&news);
                prop_assert_eq!(client.0.len(), view.map().messages() as usize);
                for (slot, n) in client.0.iter_mut().zip(1..) {
                    // The client asks for the UIDs of what it does not know yet; what it knows must not have moved.
                    let uid = view.map().uid_of(SequenceNumber(n)).unwrap().0;
                    prop_assert_eq!(*slot.get_or_insert(uid), uid);
                }
                if sync == 1 {
                    let uids: BTreeSet<u32> = client.0.iter().map(|uid| uid.unwrap()).collect();
                    prop_assert_eq!(&uids, &model.messages);
                    prop_assert_eq!(view.modseq().0, model.modseq);
                }
            }
        }
    }

    fn change(modseq: u64, uid: u32, expunged: bool) -> Change {
        Change { modseq: ModSeq(modseq), uid: Uid(uid), expunged }
    }

    #[test]
    fn own_changes_are_not_told_again() {
        let map: UidMap = [1, 2, 3].map(Uid).into_iter().collect();
        let mut view = SessionView::new(Arc::new(map), ModSeq(3));
        view.made(ModSeq(4));
        assert_eq!(view.modseq(), ModSeq(4), "the next one in line is known at once");
        view.made(ModSeq(6));
        view.learn(&[change(5, 1, false), change(6, 2, false)]);
        assert_eq!(view.tell(true).changed, [Uid(1)]);
    }

    #[test]
    fn expunges_wait_until_they_may_be_told_and_come_largest_first() {
        let map: UidMap = [1, 2, 3, 4].map(Uid).into_iter().collect();
        let mut view = SessionView::new(Arc::new(map), ModSeq(4));
        view.learn(&[change(5, 2, true), change(6, 3, true), change(7, 5, false)]);
        let news = view.tell(false);
        assert_eq!((news.expunged.len(), news.exists), (0, Some(5)));
        assert_eq!((view.modseq(), view.told_modseq()), (ModSeq(7), ModSeq(4)));
        assert!(view.is_gone(Uid(2)));
        let news = view.tell(true);
        assert_eq!(news.expunged, [SequenceNumber(3), SequenceNumber(2)]);
        assert_eq!((news.vanished.to_string().as_str(), view.told_modseq()), ("2:3", ModSeq(7)));
        assert_eq!(news.exists, None);
        assert_eq!(view.map().messages(), 3);
    }

    #[test]
    fn sessions_with_the_same_state_share_one_map() {
        let shared: Arc<UidMap> = Arc::new([1, 2].map(Uid).into_iter().collect());
        let mut view = SessionView::new(Arc::new((*shared).clone()), ModSeq(2));
        view.share(|_, _| shared.clone());
        assert!(Arc::ptr_eq(view.map(), &shared));
    }
}
