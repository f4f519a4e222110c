//! What an address demands of senders: the same options for aliases, groups and accounts.

use admin::Terms;
use clap::Args;
use mail::Address;
use routing::objects::SenderPattern;

use super::values::{edit, octets, sender, switch};

/// Conditions of an address.
#[derive(Args)]
pub(super) struct TermsArgs {
    /// The last day or moment on which it takes mail, in the domain's time zone: 2026-12-31, 2026-12-31T18:00
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// It does not expire
    #[arg(long, conflicts_with = "expires")]
    no_expires: bool,
    /// Only senders of the organisation: logged in here, with an address in the same domain
    #[arg(long)]
    internal_only: bool,
    /// Senders from outside too
    #[arg(long, conflicts_with = "internal_only")]
    no_internal_only: bool,
    /// The largest message that it takes, as 500K or 10M
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    max_size: Option<u64>,
    /// The server's own limit
    #[arg(long, conflicts_with = "max_size")]
    no_max_size: bool,
    /// Who may write to it: bob@example.org, or @example.org for a domain; may be repeated, and takes the place of those
    /// named before
    #[arg(long = "sender", value_name = "SENDER", value_parser = sender)]
    senders: Option<Vec<SenderPattern>>,
    /// Everybody may write to it
    #[arg(long, conflicts_with = "senders")]
    no_sender: bool,
}

impl TermsArgs {
    /// Where there is no fall-back for absence.
    pub(super) fn alone(self) -> Terms {
        self.terms(WhenAwayArgs::default())
    }

    pub(super) fn terms(self, when_away: WhenAwayArgs) -> Terms {
        Terms {
            expires: edit(self.expires, self.no_expires),
            internal_only: switch(self.internal_only, self.no_internal_only),
            message_octets_max: edit(self.max_size, self.no_max_size),
            senders: self.senders.or_else(|| self.no_sender.then(Vec::new)),
            when_away: edit(when_away.when_away, when_away.no_when_away),
            deputies_when_away: switch(when_away.deputies_when_away, when_away.no_deputies_when_away),
        }
    }
}

/// Who gets it as well when everyone is away.
#[derive(Args, Default)]
pub(super) struct WhenAwayArgs {
    /// Who gets messages as well when every person that it leads to is away (out of office)
    #[arg(long, value_name = "ADDRESS")]
    when_away: Option<Address>,
    /// Nobody else when everyone is away
    #[arg(long, conflicts_with = "when_away")]
    no_when_away: bool,
    /// The deputies whom they name in their out-of-office messages get it as well when everyone is away
    #[arg(long)]
    deputies_when_away: bool,
    /// Deputies get nothing
    #[arg(long, conflicts_with = "deputies_when_away")]
    no_deputies_when_away: bool,
}
