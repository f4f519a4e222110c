//! Mail to `-owner`.

use bus::TakeError;
use delivery::Prepared;
use mail::{Address, Envelope, ReversePath};
use routing::objects::ListObject;
use storage::trace::Step;

use crate::Lists;
use crate::acts::Acts;
use crate::consumer::{Case, Keep, recipient};
use crate::distribute::refused;

impl Lists {
    /// Mail to `-owner` goes to the owners with nothing but a mark in front, by which it is known when it comes back: an owner
    /// may be an address that leads to another list's owners. Its reverse-path is the list's bounces address, to which nothing
    /// answers.
    pub(crate) async fn to_owners(&self, case: &Case, list: &ListObject) -> Result<(), TakeError> {
        let (Some(own), Some(bounces)) = (case.place.address_with("-owner"), case.place.address_with("-bounces"))
        else {
            return self.drop_case(case, "the list's address is too long").await;
        };
        let here = [list.address.canonical().to_string(), own.canonical().to_string()];
        let been_here = case.incoming.been_there.iter().any(|place| here.contains(place));
        if been_here || case.event.reverse_path.is_null() {
            return self.drop_case(case, "a report, or here before").await;
        }
        let reverse_path = ReversePath::Address(bounces);
        let mut envelope = Envelope::new(reverse_path.clone());
        (envelope.body, envelope.smtputf8) = self.nature(&case.stored).await?;
        envelope.require_tls = case.event.require_tls;
        // An owner that is an address of this list would be a circle.
        let outside =
            |owner: &&Address| !owner.same_mailbox(&list.address) && !owner.same_mailbox(&case.event.recipient);
        envelope.recipients = list.owners.iter().filter(outside).map(recipient).collect();
        let mut acts = Acts::default();
        if envelope.recipients.is_empty() {
            acts.step(Step::Dropped { reason: format!("{}: it has no owner to send it on to", list.address) });
            return self.end(case.number, &case.event, acts, Keep::Nothing).await;
        }
        let owners = envelope.recipients.len();
        let mark = format!("X-BeenThere: {}\r\n", own.canonical());
        let marked = self.marked(case, &reverse_path, &mark).await?;
        let came = usize::try_from(case.event.skip_octets).ok().and_then(|own| case.incoming.header.get(own..));
        let header = [mark.as_bytes(), came.unwrap_or_default()].concat();
        let prepared = self.delivery.prepare_again(&marked, &header, envelope).await.map_err(refused)?;
        if prepared.plan().lost.len() >= owners {
            return self.set_aside(case, "none of the owners can be reached").await;
        }
        acts.letter(Some(prepared));
        acts.tells(format!("{}: sent on to the owners", list.address));
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }

    /// The primary address of somebody who has an account here, under which they decide on the command line.
    pub(crate) fn account_of(&self, who: &Address) -> Option<Address> {
        self.store.directory().account_at(who).map(|account| account.address.clone())
    }

    /// The message with a field in front of it; it streams from the stored one, a piece in memory.
    async fn marked(&self, case: &Case, reverse_path: &ReversePath, field: &str) -> Result<Prepared, TakeError> {
        let mut intake = self.delivery.intake(reverse_path, field.as_bytes()).await.map_err(refused)?;
        self.copy_into(case, u64::from(case.event.skip_octets), &mut intake).await?;
        Box::pin(intake.finish(Envelope::new(reverse_path.clone()))).await.map_err(refused)
    }
}
