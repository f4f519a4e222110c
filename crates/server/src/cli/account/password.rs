//! `relais account password`.

use std::path::PathBuf;

use admin::AccountRequest;
use auth::Password;
use clap::Args;
use mail::Address;

use crate::cli::Failure;
use crate::cli::values::{ask_new_password, ask_password, read_password};

/// `relais account password`.
#[derive(Args)]
pub(in crate::cli) struct PasswordArgs {
    /// Whose
    address: Address,
    /// Read the new password from the first line of a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Generate a password and show it once
    #[arg(long, conflicts_with_all = ["password_file", "check"])]
    generate: bool,
    /// Change nothing: tell how strong the password is, and how to make it stronger
    #[arg(long)]
    check: bool,
    /// Read the old password from the first line of a file [default: the one of --as]
    #[arg(long, value_name = "FILE")]
    old_password_file: Option<PathBuf>,
    /// With --check: fr or en [default: en; the account's language for who asks about their own, with --as]
    #[arg(long, requires = "check")]
    language: Option<String>,
}

impl PasswordArgs {
    pub(super) fn request(self) -> Result<AccountRequest, Failure> {
        let given = self.password_file.as_deref().map(read_password).transpose()?;
        if self.check {
            let password = given.map_or_else(|| ask_password(&format!("Password of {}: ", self.address)), Ok)?;
            return Ok(AccountRequest::Strength { address: Some(self.address), password, language: self.language });
        }
        let old = self.old_password_file.as_deref().map(read_password).transpose()?;
        let new: Option<Password> = match given {
            Some(password) => Some(password),
            None if self.generate => None,
            None => Some(ask_new_password(&format!("New password of {}", self.address))?),
        };
        Ok(AccountRequest::Password { address: self.address, old, new })
    }
}
