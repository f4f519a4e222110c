//! DSNs about entries of the queue (RFC 3464), ready to be written by the transaction that ends them.

use mail::{Address, DsnReturn, ForwardPath, Reply, ReversePath, Timestamp};
use queue::dsn::{DsnFacts, Returned, build, header_of};
use queue::limits::{RETURNED_HEADER_OCTETS_MAX, RETURNED_MESSAGE_OCTETS_MAX};
use queue::{Report, ReportKind};
use storage::StorageError;
use storage::rows::QueueRow;

use crate::language::{dsn_language, dsn_zone};
use crate::{Asking, Delivery, Prepared};

/// Why DSNs can't be made now. Trying again is right for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The store's.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Where it goes says to try again.
    #[error("the DSN was not taken: {0}")]
    Dsn(Reply),
}

impl Delivery {
    /// Builds the DSNs about an entry and stages their bytes; none for a null reverse-path, and none for a sender whose address takes
    /// no mail (RFC 5321 §6.1). `retry_until` is told in notices of a delay.
    ///
    /// # Errors
    /// When the store can't be read or takes nothing.
    pub async fn reports(
        &self,
        row: &QueueRow,
        reports: &[Report],
        retry_until: Timestamp,
    ) -> Result<Vec<Prepared>, ReportError> {
        let ReversePath::Address(to) = &row.reverse_path else { return Ok(Vec::new()) };
        let mut prepared = Vec::with_capacity(reports.len());
        let Some(from) = self.postmaster().filter(|_| !reports.is_empty()) else { return Ok(prepared) };
        // A full mailbox takes its DSN all the same: it is small, and the news would be lost.
        let now = self.store().now();
        if let Err(turned) = self.decide(&Asking::server(now), &ForwardPath::Address(to.clone())).await
            && turned.reply.is_permanent()
        {
            told_nobody(row, to, &turned.reply);
            return Ok(prepared);
        }
        let reported_on = row.recipients.iter().map(|recipient| recipient.address.domain());
        let language = dsn_language(&self.store().directory(), to, reported_on);
        let zone = dsn_zone(&self.store().directory(), to);
        for report in reports {
            let returned = self.returned(row, report.kind).await?;
            let mut token = [0; 12];
            self.store().world().chance.fill(&mut token);
            let dsn = build(&DsnFacts {
                report,
                reporting_mta: &self.settings().hostname,
                from: &from,
                to,
                now,
                arrived_at: row.accepted_at,
                retry_until,
                zone: zone.clone(),
                deliver_by: row.deliver_by.map(|by| by.by),
                held_until: row.held_until,
                envelope_id: row.envelope_id.as_deref(),
                smtputf8: row.sender_smtputf8,
                require_tls: row.require_tls,
                language,
                returned: match &returned {
                    (bytes, true) => Returned::Message(bytes),
                    (bytes, false) => Returned::Header(header_of(bytes)),
                },
                token,
            });
            match self.prepare_report(dsn.envelope, &dsn.content).await {
                Ok(one) => prepared.push(one),
                Err(refused) if refused.0.is_permanent() => told_nobody(row, to, &refused.0),
                Err(refused) => return Err(ReportError::Dsn(refused.0)),
            }
        }
        Ok(prepared)
    }

    /// Who answers for this server; `None` when its name makes no address.
    #[must_use]
    pub fn postmaster(&self) -> Option<Address> {
        Address::new("postmaster", self.settings().hostname.clone()).ok()
    }

    /// What of the message goes back, and whether that is all of it (RFC 3461 §4.3).
    async fn returned(&self, row: &QueueRow, kind: ReportKind) -> Result<(Vec<u8>, bool), StorageError> {
        let start = u64::from(row.skip_octets);
        let whole = kind == ReportKind::Failed
            && row.dsn_return == Some(DsnReturn::Full)
            // RFC 8689 §5: RET=FULL MUST be disregarded then.
            && !row.require_tls
            && row.octets.saturating_sub(start) <= RETURNED_MESSAGE_OCTETS_MAX;
        let end = if whole { u64::MAX } else { start.saturating_add(RETURNED_HEADER_OCTETS_MAX) };
        match self.store().blob(&row.blob).await? {
            Some(mut blob) => Ok((blob.read(start, end).await?, whole)),
            // A lost message must not keep its sender from hearing that it failed.
            None => Ok((Vec::new(), false)),
        }
    }
}

/// The sender's address is none that takes mail: RFC 5321 §6.1 forbids to report that to anybody else.
fn told_nobody(row: &QueueRow, to: &Address, reply: &Reply) {
    tracing::warn!(queue_id = %row.id, %to, %reply, "a DSN has nowhere to go");
}
