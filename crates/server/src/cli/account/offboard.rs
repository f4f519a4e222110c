//! `relais account offboard`.

use std::path::PathBuf;

use admin::{AccountRequest, Leaving};
use clap::Args;
use mail::Address;

use crate::cli::Failure;
use crate::cli::values::read_text;

/// `relais account offboard`.
#[derive(Args)]
pub(in crate::cli) struct OffboardArgs {
    /// The account
    address: Address,
    /// Who takes over
    #[arg(long, value_name = "ADDRESS")]
    successor: Option<Address>,
    /// The successor also gets a copy of what comes in
    #[arg(long)]
    redirect: bool,
    /// The same until a date, inclusive
    #[arg(long, value_name = "DATE")]
    redirect_until: Option<String>,
    /// What senders are answered
    #[arg(long, value_name = "TEXT")]
    responder_text: Option<String>,
    /// Read what senders are answered from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "responder_text")]
    responder_text_file: Option<PathBuf>,
    /// Subject of that answer
    #[arg(long, value_name = "TEXT")]
    responder_subject: Option<String>,
    /// The last day of the mailbox: after it, it is deleted
    #[arg(long, value_name = "DATE")]
    delete_after: Option<String>,
    /// The person has not left: everything as before
    #[arg(long, conflicts_with_all = ["successor", "redirect", "redirect_until", "responder_text",
        "responder_text_file", "responder_subject", "delete_after"])]
    undo: bool,
}

impl OffboardArgs {
    pub(super) fn request(self) -> Result<AccountRequest, Failure> {
        if self.undo {
            return Ok(AccountRequest::OffBoardUndo { address: self.address });
        }
        let responder_text = match (self.responder_text, &self.responder_text_file) {
            (Some(text), _) => Some(text),
            (None, Some(file)) => Some(read_text(file)?),
            (None, None) => None,
        };
        Ok(AccountRequest::OffBoard(Leaving {
            successor: self.successor,
            redirect: self.redirect,
            redirect_until: self.redirect_until,
            responder_text,
            responder_subject: self.responder_subject,
            delete_after: self.delete_after,
            ..Leaving::new(self.address)
        }))
    }
}
