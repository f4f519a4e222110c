//! `relais dmarc` and `relais tls`.

use admin::ReportsOn;
use clap::Subcommand;
use mail::Domain;

/// What can be asked about the reports of others.
#[derive(Subcommand)]
pub(super) enum ReportsCommand {
    /// Show what others report: from where mail came or could not come, how much, and what fails
    Reports {
        /// On this domain; on each without it
        domain: Option<Domain>,
        /// On the last so many days
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
}

impl ReportsCommand {
    pub(super) fn on(self) -> ReportsOn {
        let Self::Reports { domain, days } = self;
        ReportsOn { domain, days: Some(days) }
    }
}
