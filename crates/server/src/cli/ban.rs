//! `relais ban`.

use std::net::IpAddr;

use admin::{BanRequest, Request};
use clap::Subcommand;
use mail::Prefix;

/// What can be done with bans.
#[derive(Subcommand)]
pub(super) enum BanCommand {
    /// List who is kept out, until when and why
    List,
    /// Show what is counted of an address just now, and whether it is banned and why
    Show {
        /// Which
        address: IpAddr,
    },
    /// Keep an address or a network out
    #[command(after_help = "\
Clients from there are told why, until when, and to write to postmaster from elsewhere; so the reason is in words for them, in ASCII. Addresses that
guess passwords or addresses are banned by themselves ([abuse] in the configuration).

Examples:
  relais ban add 198.51.100.7 --for 2h --why 'probing for open relays'
  relais ban add 203.0.113.0/24 --why 'spam wave of 3 May'")]
    Add {
        /// Which; an IPv6 address stands for its /64
        #[arg(value_name = "ADDRESS|NETWORK")]
        prefix: Prefix,
        /// For how long: 90s, 30m, 2h, 7d; without it, until it is removed
        #[arg(long = "for", value_name = "SPAN", value_parser = secs)]
        span: Option<u64>,
        /// Why, as the client is told
        #[arg(long)]
        why: String,
        /// Even when it is wider than an IPv4 /8 or an IPv6 /16, this machine, or a private network
        #[arg(long)]
        force: bool,
    },
    /// Take a ban away, and forget earlier ones
    Remove {
        /// Of which address or network
        #[arg(value_name = "ADDRESS|NETWORK")]
        prefix: Prefix,
    },
}

impl BanCommand {
    pub(super) fn request(self) -> Request {
        Request::Ban(match self {
            Self::List => BanRequest::List,
            Self::Show { address } => BanRequest::Show { address },
            Self::Add { prefix, span, why, force } => BanRequest::Add { prefix, secs: span, why, force },
            Self::Remove { prefix } => BanRequest::Remove { prefix },
        })
    }
}

/// A span of time in seconds: a number with its unit.
fn secs(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no span of time; write it like 90s, 30m, 2h or 7d");
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let (number, unit) =
        units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(wrong)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|secs| *secs > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit() {
        let spans = ["90s", "30m", "2h", "7d"].map(secs);
        assert_eq!(spans, [Ok(90), Ok(1_800), Ok(7_200), Ok(604_800)]);
        for wrong in
            ["", "2", "h", "-2h", "+2h", "2 h", "0h", "2w", "99999999999999999999d", "9999999999999999999d", "\u{e9}"]
        {
            assert!(secs(wrong).is_err(), "{wrong}");
        }
    }
}
