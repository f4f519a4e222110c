//! `relais account identity`.

use std::path::PathBuf;

use admin::IdentityRequest;
use clap::{Args, Subcommand};
use mail::Address;

use crate::cli::Failure;
use crate::cli::values::read_text;

/// What can be done with the names that an account writes under.
#[derive(Subcommand)]
pub(in crate::cli) enum IdentityCommand {
    /// Add a name to write under
    #[command(after_help = "\
Example:
  relais account identity add alice@example.org info@example.org --name 'Example, information' \\
      --signature 'Alice Martin, Example'

The address is one that the account may send as: its own, or an alias or group that it is a member of.")]
    Add(PutArgs),
    /// List them
    List {
        /// The account
        account: Address,
    },
    /// Change one
    Set(PutArgs),
    /// Delete one
    Remove {
        /// The account
        account: Address,
        /// The address that it writes as
        address: Address,
    },
}

/// A name and its signature.
#[derive(Args)]
pub(in crate::cli) struct PutArgs {
    /// The account
    account: Address,
    /// The address that it writes as
    address: Address,
    /// The sender name
    #[arg(long)]
    name: Option<String>,
    /// The signature as plain text; '' for none
    #[arg(long, value_name = "TEXT")]
    signature: Option<String>,
    /// Read the signature as plain text from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    signature_file: Option<PathBuf>,
    /// Read the signature as HTML from a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    signature_html_file: Option<PathBuf>,
}

impl IdentityCommand {
    pub(super) fn request(self) -> Result<IdentityRequest, Failure> {
        match self {
            Self::Add(args) => args.request(false),
            Self::Set(args) => args.request(true),
            Self::List { account } => Ok(IdentityRequest::List { account }),
            Self::Remove { account, address } => Ok(IdentityRequest::Remove { account, address }),
        }
    }
}

impl PutArgs {
    fn request(self, replace: bool) -> Result<IdentityRequest, Failure> {
        let text = match (self.signature, &self.signature_file) {
            (Some(text), _) => Some(text),
            (None, Some(file)) => Some(read_text(file)?),
            (None, None) => None,
        };
        Ok(IdentityRequest::Put {
            account: self.account,
            address: self.address,
            replace,
            display_name: self.name,
            signature_text: text,
            signature_html: self.signature_html_file.as_deref().map(read_text).transpose()?,
        })
    }
}
