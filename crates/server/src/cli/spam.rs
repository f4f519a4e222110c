//! `relais spam`.

use std::path::{Path, PathBuf};

use admin::{Edit, ExplainedMessage, Request, SpamRequest};
use clap::Subcommand;
use mail::Address;
use spam::Points;
use spam::limits::SAMPLE_OCTETS_MAX;

use super::Failure;

/// What can be done with the content filter.
#[derive(Subcommand)]
pub(super) enum SpamCommand {
    /// Show what was learnt, and what is set
    #[command(after_help = "\
Examples:
  relais spam status                       what the whole site has learnt
  relais spam status alice@example.org")]
    Status {
        /// Of this account; without it, of the site
        account: Option<Address>,
    },
    /// Show what the filter says of a message, and why
    #[command(after_help = "\
Examples:
  relais spam explain message.eml --account alice@example.org
  relais spam explain '<1a2b@elsewhere.example>'      one that came, by its Message-ID")]
    Explain {
        /// A file with a message, or the Message-ID of one that came, in < >
        message: String,
        /// By what this account has learnt
        #[arg(long, value_name = "ADDRESS")]
        account: Option<Address>,
    },
    /// Learn messages from files
    #[command(after_help = "\
People teach the filter by moving messages into and out of their Junk folder. This is for collections that are at hand.
Each file is one message.

Examples:
  relais spam train --spam junk/*.eml
  relais spam train --ham --account alice@example.org letters/*.eml")]
    Train {
        /// They are spam
        #[arg(long, conflicts_with = "ham", required_unless_present = "ham")]
        spam: bool,
        /// They are not
        #[arg(long)]
        ham: bool,
        /// For this account and the site; without it, for the site alone
        #[arg(long, value_name = "ADDRESS")]
        account: Option<Address>,
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Set what an account wants of the filter
    #[command(after_help = "\
Examples:
  relais spam set alice@example.org --threshold 6.5
  relais spam set alice@example.org --off
  relais spam set alice@example.org --allow newsletter@shop.example --allow partner.example")]
    Set {
        /// Whose
        account: Address,
        /// Spam goes to Spam
        #[arg(long, conflicts_with = "off")]
        on: bool,
        /// Nothing goes to Spam by its content
        #[arg(long)]
        off: bool,
        /// From how many points on: 2 to 20
        #[arg(long, value_name = "POINTS", conflicts_with = "default_threshold")]
        threshold: Option<Points>,
        /// From as many points on as the site has set
        #[arg(long)]
        default_threshold: bool,
        /// A sender whose mail never goes to Spam by its content, when it is surely from there: an address or a domain; several times
        /// for several
        #[arg(long, value_name = "SENDER")]
        allow: Vec<String>,
        /// Not such a sender any more
        #[arg(long, value_name = "SENDER")]
        disallow: Vec<String>,
    },
    /// Forget what was learnt; settings stay
    #[command(after_help = "\
Examples:
  relais spam forget alice@example.org
  relais spam forget --site")]
    Forget {
        /// By this account
        #[arg(required_unless_present = "site", conflicts_with = "site")]
        account: Option<Address>,
        /// By the site
        #[arg(long)]
        site: bool,
    },
}

impl SpamCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        Ok(Request::Spam(match self {
            Self::Status { account } => SpamRequest::Status { account },
            Self::Explain { message, account } => {
                let message = if message.starts_with('<') {
                    ExplainedMessage::MessageId(message)
                } else {
                    ExplainedMessage::Content(beginning(Path::new(&message))?)
                };
                SpamRequest::Explain { account, message }
            }
            Self::Train { spam, ham: _, account, files } => {
                let messages = files.iter().map(|file| beginning(file)).collect::<Result<_, _>>()?;
                SpamRequest::Train { account, spam, messages }
            }
            Self::Set { account, on, off, threshold, default_threshold, allow, disallow } => SpamRequest::Set {
                account,
                enabled: (on || off).then_some(on),
                threshold: match threshold {
                    Some(points) => Edit::Set(points),
                    None if default_threshold => Edit::Clear,
                    None => Edit::Keep,
                },
                allow,
                disallow,
            },
            Self::Forget { account, site: _ } => SpamRequest::Forget { account },
        }))
    }
}

/// As much of a file as is looked at.
#[expect(clippy::disallowed_methods, reason = "the command line reads what it is told to, outside of any world")]
fn beginning(file: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut octets = Vec::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(SAMPLE_OCTETS_MAX as u64).read_to_end(&mut octets));
    read.map_err(|error| Failure::new(format!("{} can't be read: {error}", file.display())))?;
    // A file of this machine has its own line ends.
    if !octets.windows(2).any(|two| two == b"\r\n") {
        octets = octets.split(|octet| *octet == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
        octets.truncate(SAMPLE_OCTETS_MAX);
    }
    Ok(octets)
}
