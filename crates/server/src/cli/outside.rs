//! `relais outside`.

use admin::Request;
use clap::Subcommand;

/// What can be asked about outside filters.
#[derive(Subcommand)]
pub(super) enum OutsideCommand {
    /// Show each outside filter: where it is, how often it was asked since the start, what it said last and how it failed last
    #[command(after_help = "\
They are configured in [outside] of the configuration file.

Examples:
  relais outside status
  relais outside status --json")]
    Status,
}

impl OutsideCommand {
    pub(super) const fn request(self) -> Request {
        let Self::Status = self;
        Request::Outside
    }
}
