//! THREAD (RFC 5256; REFS by draft-ietf-morg-inthread).

use std::sync::Arc;

use imap_wire::response;
use imap_wire::{NumberSet, Tag, Thread, ThreadAlgorithm};
use mail::{AccountId, MailboxId, Uid};
use storage::StorageError;

use crate::engine::comparator::Comparator;
use crate::engine::thread::Threads;
use crate::engine::uid_map::UidMap;
use crate::fault::{Answer, Fault};
use crate::finding::Found;
use crate::limits::{SORT_FEW_OF, THREADS_PER_FLUSH};
use crate::orders::{MailboxKeys, Source, needs_links, thread_keys};
use crate::progress::Progress;
use crate::server::Server;
use crate::session::Session;

impl Session {
    pub(crate) async fn thread(&mut self, tag: &Tag, mut thread: Thread) -> Result<Answer, Fault> {
        if let Some(refusal) = self.expand_filters(&mut thread.search).await? {
            return Ok(refusal);
        }
        let search = &thread.search;
        let made = match self.make_whole_search(tag, search, false).await? {
            Ok(made) => made,
            Err(answer) => return Ok(answer),
        };
        let (key, map) = (made.place.key, &made.place.map);
        let (server, comparator) = (Arc::clone(&self.server), self.comparator);
        let work = threaded(&server, key, map, &made.found, thread.algorithm, comparator);
        let (threads, uids) = self.amid(tag, &Progress::default(), work).await??;
        let number = |message: u32| {
            let uid = usize::try_from(message).ok().and_then(|at| uids.get(at)).copied().unwrap_or_default();
            let sequence = || map.sequence_of(Uid(uid)).map_or(uid, |number| number.0);
            if search.uid { uid } else { sequence() }
        };
        let out = self.connection.out();
        response::begin_thread(out, uids.is_empty());
        let mut first = 0;
        loop {
            let more = threads.write(first, THREADS_PER_FLUSH, &number, self.connection.out());
            if !more {
                break;
            }
            first += THREADS_PER_FLUSH;
            self.connection.flush_some().await?;
        }
        response::end_thread(self.connection.out());
        self.searched(None)
    }
}

/// What was found, in threads, and the UIDs that their nodes are.
async fn threaded(
    server: &Server,
    key: (AccountId, MailboxId),
    map: &UidMap,
    found: &Found,
    algorithm: ThreadAlgorithm,
    comparator: Comparator,
) -> Result<(Arc<Threads>, Vec<u32>), StorageError> {
    let source = Source { store: &server.store, key, octets_max: server.settings.read().sort_octets_max };
    let (keys, links) = (thread_keys(algorithm), needs_links(algorithm));
    let shared = server.orders.of(key, server.store.now());
    let mut held = shared.lock().await;
    let count = found.uids.count();
    let few = count.saturating_mul(SORT_FEW_OF) < u64::from(map.messages());
    if few && !held.has(keys, comparator, links) {
        drop(held);
        let mut own = MailboxKeys::default();
        let _turn = server.orders.turn(key.0, count).await;
        own.learn(source, &found.uids, keys, comparator, links).await?;
        return Ok(own.threaded(&found.uids, algorithm, comparator).await);
    }
    let all = NumberSet::from_ranges(map.uid_ranges());
    let unread = held.unread(&all, keys, comparator, links);
    let _turn = server.orders.turn(key.0, unread).await;
    held.learn(source, &all, keys, comparator, links).await?;
    let threads = held.threaded(&found.uids, algorithm, comparator).await;
    let octets = held.octets();
    drop(held);
    server.orders.settle(key, octets, server.store.now());
    Ok(threads)
}
