//! DMARC aggregate reports (RFC 9990): counted as messages come. They and TLS reports are sent once a day.

use mail::{Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use sender_auth::report::{Judged, PolicyPublished, Report, Row, file_name, gzip, judged};
use sender_auth::verify::Entitled;
use storage::dmarc_reports::{ReportKind, ReportOf};
use storage::{StorageError, Transaction};

use crate::checks::Verdict;
use crate::limits::{REPORT_DAYS_MAX, REPORT_READERS_MAX, REPORTS_AT_ONCE};
use crate::tls_reports::ReportTold;
use crate::{Delivery, Prepared, Refused};

/// A judgement as the store counts it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    of: ReportOf,
    published: Vec<u8>,
    row: Vec<u8>,
}

impl Counted {
    /// Counts it.
    pub(crate) fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), StorageError> {
        tx.count_for_report(&self.of, &self.published, &self.row)
    }
}

/// Days since 1970.
pub(crate) fn day_of(secs: i64) -> u32 {
    u32::try_from(secs.div_euclid(DAY)).unwrap_or(0)
}

pub(crate) const DAY: i64 = 86_400;

impl Delivery {
    /// The same delivery, which sends reports from this address.
    #[must_use]
    pub fn reporting_from(mut self, address: Address) -> Self {
        self.reports_from = Some(address);
        self
    }

    /// What is to be counted of a verdict; nothing when no reports are sent.
    pub(crate) fn counted(&self, verdict: &Verdict) -> Vec<Counted> {
        if self.reports_from.is_none() {
            return Vec::new();
        }
        let day = day_of(self.store().now().as_secs());
        let counted = judged(&verdict.found, &verdict.decision).into_iter().filter_map(|judged| {
            let Judged { domain, published, row } = judged;
            let domain = Domain::parse(&domain).ok()?;
            let (published, row) = (serde_json::to_vec(&published).ok()?, serde_json::to_vec(&row).ok()?);
            Some(Counted { of: ReportOf { kind: ReportKind::Dmarc, day, domain }, published, row })
        });
        counted.collect()
    }

    /// Counts a message that is not kept.
    pub(crate) async fn count_refused(&self, verdict: &Verdict) {
        for Counted { of, published, row } in self.counted(verdict) {
            if let Err(error) = self.store().count_for_report_lightly(of, published, row).await {
                tracing::debug!(%error, "a refused message is in no report");
            }
        }
    }

    /// Sends the reports on the days that are over. Returns how many left. A domain whose entitled readers can't be found because
    /// the DNS does not answer is tried again with the next call, for some days.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn send_reports(&self) -> Result<usize, StorageError> {
        let Some(from) = self.reports_from.clone() else { return Ok(0) };
        let mut sent = 0_usize;
        for kind in [ReportKind::Dmarc, ReportKind::Tls] {
            sent = sent.saturating_add(self.send_reports_of(kind, &from).await?);
        }
        Ok(sent)
    }

    async fn send_reports_of(&self, kind: ReportKind, from: &Address) -> Result<usize, StorageError> {
        let today = day_of(self.store().now().as_secs());
        let (mut after, mut sent) = (None, 0_usize);
        while let Some(of) = self.store().next_report(kind, today, after.as_ref()).await? {
            let expired = today.saturating_sub(of.day) > REPORT_DAYS_MAX;
            let told = match kind {
                _ if expired => Some(ReportTold::default()),
                ReportKind::Dmarc => {
                    self.report(&of, from).await?.map(|letters| ReportTold { letters, ..ReportTold::default() })
                }
                ReportKind::Tls => Some(self.tls_report(&of, from).await?),
            };
            if let Some(ReportTold { letters, posted, untold }) = told {
                sent = sent.saturating_add(letters.len()).saturating_add(posted);
                let done = of.clone();
                let finish = move |tx: &mut Transaction<'_>| {
                    letters.iter().try_for_each(|report| report.apply(tx).map(drop))?;
                    let again = serde_json::to_vec(&untold).ok().filter(|_| !untold.is_empty());
                    match again {
                        Some(readers) => tx.republish_report(&done, &readers),
                        None => tx.remove_report(&done),
                    }
                };
                self.store().transact(finish).await?;
            }
            if sent >= REPORTS_AT_ONCE {
                break;
            }
            after = Some(of);
        }
        Ok(sent)
    }

    /// The report of a domain for each of its readers; `None`: again later.
    async fn report(&self, of: &ReportOf, from: &Address) -> Result<Option<Vec<Prepared>>, StorageError> {
        let (published, rows) = self.store().report(of).await?;
        let published: Option<PolicyPublished> = serde_json::from_slice(&published).ok();
        let Some(published) = published else { return Ok(Some(Vec::new())) };
        let rows = rows.into_iter().filter_map(|(count, row)| Some((count, serde_json::from_slice::<Row>(&row).ok()?)));
        let rows: Vec<(u64, Row)> = rows.collect();
        let Some(checks) = &self.checks else { return Ok(Some(Vec::new())) };
        let wanted: Vec<String> =
            published.report_to.iter().map(|(to, _)| to.clone()).take(REPORT_READERS_MAX).collect();
        let entitled = match checks.by.entitled(of.domain.as_str(), &wanted).await {
            Entitled::These(entitled) => entitled,
            Entitled::Unknown => return Ok(None),
        };
        let begin_secs = i64::from(of.day).saturating_mul(DAY);
        let id = format!("{:016x}", self.store().world().chance.number());
        let contact = from.to_string();
        let report = Report {
            organisation: self.settings().hostname.as_str(),
            contact: &contact,
            id: &id,
            begin_secs,
            end_secs: begin_secs.saturating_add(DAY).saturating_sub(1),
            domain: of.domain.as_str(),
            published: &published,
            rows: &rows,
        };
        let packed = match report.to_xml().and_then(|xml| gzip(&xml)) {
            Ok(packed) => packed,
            Err(error) => {
                tracing::error!(domain = %of.domain, %error, "a DMARC report could not be written");
                return Ok(Some(Vec::new()));
            }
        };
        let mut prepared = Vec::new();
        for to in entitled {
            let most = published.report_to.iter().find(|(known, _)| *known == to).map_or(0, |(_, most)| *most);
            let Ok(address) = Address::parse(&to) else { continue };
            if most > 0 && packed.len() as u64 > most {
                tracing::info!(domain = %of.domain, to, octets = packed.len(), "a DMARC report is larger than its reader takes");
                continue;
            }
            let content = self.report_letter(&report, from, &address, &packed);
            let mut envelope = Envelope::new(ReversePath::Null);
            envelope.recipients.push(EnvelopeRecipient {
                forward_path: ForwardPath::Address(address),
                notify: DsnNotify::NEVER,
                original: None,
            });
            match self.prepare(envelope, &content).await {
                Ok(report) => prepared.push(report),
                Err(Refused(reply)) => tracing::info!(domain = %of.domain, to, %reply, "a DMARC report is not sent"),
            }
        }
        Ok(Some(prepared))
    }

    /// RFC 9990 §3.5.2.
    fn report_letter(&self, report: &Report<'_>, from: &Address, to: &Address, packed: &[u8]) -> Vec<u8> {
        let hostname = &self.settings().hostname;
        let subject = format!("Report Domain: {} Submitter: {hostname} Report-ID: <{}>", report.domain, report.id);
        let text = format!(
            "This is a DMARC aggregate report of {hostname} on mail of {} that claimed to be from {}.\r\n",
            day_in_words(report.begin_secs),
            report.domain
        );
        let name = file_name(report);
        let attached = MimePart::new("application/gzip", packed.to_vec()).attachment(name);
        let builder = MessageBuilder::new()
            .header("Date", Raw::new(self.store().now().to_rfc5322()))
            .from(Mailbox::new_address(None::<String>, from.to_string()))
            .to(Mailbox::new_address(None::<String>, to.to_string()))
            .header("Subject", Raw::new(subject))
            .message_id(format!("{}.{}@{hostname}", report.id, report.begin_secs))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(MimePart::new("multipart/mixed", vec![MimePart::new("text/plain", text), attached]));
        let mut out = Vec::new();
        builder.serialize(&mut out);
        out
    }
}

/// `Thu, 01 Jan 2026`.
fn day_in_words(begin_secs: i64) -> String {
    mail::Timestamp::from_secs(begin_secs).to_rfc5322().chars().take(16).collect()
}
