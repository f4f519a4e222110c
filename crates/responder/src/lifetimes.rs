//! Beginnings and ends of responders, driven by the clock: when an absence begins to act, and when a window has passed, the owner
//! gets one letter.
//!
//! The state row of a responder says that it has begun; the transaction that delivers a letter notes it there. So
//! there is one letter whatever crashes, and none for a window that was over before anything began in it.

use std::collections::HashMap;
use std::sync::Arc;

use delivery::{Delivery, Prepared};
use mail::{AccountId, Flags, Timestamp};
use routing::Directory;
use routing::objects::{ResponderKind, ResponderObject};
use routing::responders::{Phase, Window, owner, phase, zone_of};
use storage::responder_states::ResponderState;
use storage::{StorageError, Store, Transaction};

use crate::begun;
use crate::ended::letter;
use crate::limits::STATE_ROWS;
use crate::switch_off::SwitchOffLinks;

/// Brings every responder's state in step with the clock. Gives the next moment at which one changes by itself.
pub(crate) async fn look(
    delivery: &Delivery,
    links: Option<&SwitchOffLinks>,
) -> Result<Option<Timestamp>, StorageError> {
    let store = delivery.store();
    let mut states = states(store).await?;
    let mut next: Option<Timestamp> = None;
    let mut failed = None;
    let responders: Vec<Arc<ResponderObject>> = store.directory().responders().cloned().collect();
    for responder in responders {
        let state = states.remove(&responder.id);
        let (now, change) = next_change(&store.directory(), &responder, store.now());
        next = next.into_iter().chain(change).min();
        let done = match (now, state) {
            (Phase::Active, None) => begin(delivery, links, &responder, None).await,
            (Phase::Active, Some(state)) if state.ended || !state.announced => {
                begin(delivery, links, &responder, Some(state)).await
            }
            (Phase::Over, Some(state)) if !state.ended => end(delivery, &responder, state).await,
            (Phase::Off | Phase::Waiting, Some(state)) if !state.ended => stop(store, responder.id).await,
            (Phase::Off | Phase::Waiting | Phase::Over, None) | (_, Some(_)) => Ok(()),
        };
        if let Err(error) = done {
            // One mailbox that takes no letter must not keep the others from theirs.
            tracing::warn!(responder = responder.id, %error, "the state of a responder could not be brought up to date");
            failed = failed.or(Some(error));
        }
    }
    for gone in states.into_keys() {
        forget(store, gone).await?;
    }
    failed.map_or(Ok(next), Err)
}

/// Notes an answer, in the transaction that gives it.
pub(crate) fn note_answered(tx: &mut Transaction<'_>, id: u64, now: Timestamp) -> Result<(), StorageError> {
    let mut state = tx.responder_state(id)?.unwrap_or_else(|| ResponderState::new(now));
    state.answered = state.answered.saturating_add(1);
    tx.put_responder_state(id, state);
    Ok(())
}

/// Where a responder is, and when that changes by itself.
fn next_change(directory: &Directory, responder: &ResponderObject, now: Timestamp) -> (Phase, Option<Timestamp>) {
    let zone = zone_of(directory, responder);
    let window = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()).unwrap_or_default();
    let phase = phase(responder, now, &zone);
    let change = match phase {
        Phase::Waiting => window.start_instant(&zone),
        Phase::Active => window.end_instant(&zone),
        Phase::Off | Phase::Over => None,
    };
    (phase, change)
}

fn phase_now(store: &Store, id: u64) -> Option<Phase> {
    let directory = store.directory();
    let responder = directory.responder(id)?;
    Some(phase(responder, store.now(), &zone_of(&directory, responder)))
}

async fn states(store: &Store) -> Result<HashMap<u64, ResponderState>, StorageError> {
    let (mut states, mut after) = (HashMap::new(), 0);
    loop {
        let page = store.transact(move |tx| tx.responder_states_after(after, STATE_ROWS)).await?.value;
        let Some((last, _)) = page.last() else { return Ok(states) };
        after = *last;
        states.extend(page);
    }
}

/// It acts: notes since when, and tells the owner of an absence. An answer may have begun it already.
async fn begin(
    delivery: &Delivery,
    links: Option<&SwitchOffLinks>,
    responder: &Arc<ResponderObject>,
    before: Option<ResponderState>,
) -> Result<(), StorageError> {
    let store = delivery.store();
    let state = before.filter(|state| !state.ended).unwrap_or_else(|| ResponderState::new(store.now()));
    let id = responder.id;
    let link = |reader| links?.link(id, state.since, reader);
    let owner = owner(&store.directory(), responder).cloned();
    let owner = owner.filter(|_| responder.kind == ResponderKind::OutOfOffice);
    let told = |owner| begun::letters(&store.directory(), responder, &owner, link, delivery.command());
    let letters = owner.map(told).unwrap_or_default();
    let mut announced = true;
    let mut prepared = Vec::with_capacity(letters.len());
    for (reader, letter) in letters {
        match delivery.prepare_letter(&letter).await {
            Ok(letter) => prepared.push((reader, letter)),
            Err(refused) => {
                tracing::warn!(responder = id, %refused, "the beginning of an absence can't be told now");
                announced = false;
            }
        }
    }
    if !announced {
        // All of them are told at the next look, each once.
        prepared.clear();
    }
    let write = |letters: Vec<(AccountId, Prepared)>, announced: bool| {
        let clock = store.clone();
        move |tx: &mut Transaction<'_>| {
            // Whatever happened meanwhile is seen at the next look.
            if tx.responder_state(id)?.map(|now| (now.since, now.ended, now.announced))
                != before.map(|before| (before.since, before.ended, before.announced))
                || phase_now(&clock, id) != Some(Phase::Active)
            {
                return Ok(());
            }
            for (account, letter) in &letters {
                deliver(tx, *account, letter)?;
            }
            let answered = tx.responder_state(id)?.filter(|now| !now.ended).map_or(0, |now| now.answered);
            tx.put_responder_state(id, ResponderState { announced, answered, ..state });
            Ok(())
        }
    };
    match store.transact(write(prepared, announced)).await {
        Ok(_) => Ok(()),
        // What keeps the letter away must not keep it from having begun: the letter comes with the next look.
        Err(error) => store.transact(write(Vec::new(), false)).await.and(Err(error)),
    }
}

/// It was switched off, or put off: it has ended without a letter, and how often it answered stays known until it begins again.
async fn stop(store: &Store, id: u64) -> Result<(), StorageError> {
    let clock = store.clone();
    let stop = move |tx: &mut Transaction<'_>| {
        if matches!(phase_now(&clock, id), Some(Phase::Off | Phase::Waiting))
            && let Some(state) = tx.responder_state(id)?
        {
            tx.put_responder_state(id, ResponderState { ended: true, ..state });
        }
        Ok(())
    };
    store.transact(stop).await.map(|_| ())
}

/// It was deleted.
async fn forget(store: &Store, id: u64) -> Result<(), StorageError> {
    let clock = store.clone();
    let forget = move |tx: &mut Transaction<'_>| {
        if phase_now(&clock, id).is_none() {
            tx.remove_responder_state(id);
        }
        Ok(())
    };
    store.transact(forget).await.map(|_| ())
}

/// The window has passed: tells the owner, in the INBOX of the account itself, so that neither a responder that keeps
/// nothing nor a redirect takes the letter away.
async fn end(
    delivery: &Delivery,
    responder: &Arc<ResponderObject>,
    mut state: ResponderState,
) -> Result<(), StorageError> {
    let store = delivery.store();
    let owner = owner(&store.directory(), responder).cloned();
    loop {
        let letter = owner.as_ref().and_then(|owner| letter(responder, owner, &state));
        let prepared = match (&owner, letter) {
            (Some(owner), Some(letter)) => match delivery.prepare_letter(&letter).await {
                Ok(prepared) => Some((owner.id, prepared)),
                Err(refused) => {
                    tracing::warn!(responder = responder.id, %refused, "the end of a responder can't be told now");
                    return Ok(());
                }
            },
            _ => None,
        };
        let (clock, id, told) = (store.clone(), responder.id, state);
        let written = store
            .transact(move |tx| {
                let Some(now) = tx.responder_state(id)?.filter(|state| !state.ended) else { return Ok(None) };
                if phase_now(&clock, id) != Some(Phase::Over) {
                    return Ok(None);
                }
                if now.answered != told.answered {
                    // One more message of the window was answered: the letter must not tell less.
                    return Ok(Some(now));
                }
                if let Some((account, letter)) = &prepared {
                    deliver(tx, *account, letter)?;
                }
                tx.put_responder_state(id, ResponderState { ended: true, ..now });
                Ok(None)
            })
            .await?;
        match written.value {
            None => {
                tracing::info!(responder = responder.id, address = %responder.address, "responder ended");
                return Ok(());
            }
            Some(now) => state = now,
        }
    }
}

fn deliver(tx: &mut Transaction<'_>, account: AccountId, letter: &Prepared) -> Result<(), StorageError> {
    let Some(inbox) = tx.mailbox_named(account, "INBOX")? else { return Ok(()) };
    letter.store_blob(tx)?;
    tx.deposit(account, inbox, &letter.as_message(Flags::default()))?;
    Ok(())
}
