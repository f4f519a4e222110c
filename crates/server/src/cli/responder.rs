//! `relais responder`.

use std::path::PathBuf;

use admin::{Edit, Request, ResponderContent, ResponderRequest};
use clap::{Args, Subcommand, ValueEnum};
use mail::Address;
use routing::objects::ResponderKind;

use super::Failure;
use super::values::{edit, read_text, seconds, switch};

/// What can be done with responders.
#[derive(Subcommand)]
pub(super) enum ResponderCommand {
    /// Make a responder at an address
    #[command(after_help = "\
Examples:
  relais responder add pricelist@example.org --subject 'Our prices' --text-file prices.txt
  relais responder add alice@example.org --kind out-of-office --subject-prefix 'Away:' \\
      --text 'I am back on Monday.' --starts 2026-07-01 --ends 2026-07-14 --frequency 24h")]
    Add {
        /// The address that answers: a mailbox, an alias, or neither
        address: Address,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// List all responders, or those at one address
    List {
        /// Only those at this address
        #[arg(long)]
        address: Option<Address>,
    },
    /// Show one responder
    Show {
        /// Its number
        id: u64,
    },
    /// Change a responder
    #[command(after_help = "\
Examples:
  relais responder set 3 --disable
  relais responder set 3 --ends 2026-07-21 --text-file away.txt")]
    Set {
        /// Its number
        id: u64,
        /// Another address that answers
        #[arg(long)]
        address: Option<Address>,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// Delete a responder
    Remove {
        /// Its number
        id: u64,
    },
}

/// What a responder says and when.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// autoresponder answers whatever comes; out-of-office only who writes to the person by name [default: autoresponder]
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Switch it on (a new one is on)
    #[arg(long)]
    enable: bool,
    /// Switch it off
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Subject of the answer; without one, the original subject behind the prefix
    #[arg(long)]
    subject: Option<String>,
    /// Put before the original subject
    #[arg(long, value_name = "PREFIX")]
    subject_prefix: Option<String>,
    /// The answer as plain text
    #[arg(long)]
    text: Option<String>,
    /// The answer as plain text, from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    text_file: Option<PathBuf>,
    /// No plain text: one is made from the HTML
    #[arg(long, conflicts_with_all = ["text", "text_file"])]
    no_text: bool,
    /// The answer as HTML
    #[arg(long)]
    html: Option<String>,
    /// The answer as HTML, from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "html")]
    html_file: Option<PathBuf>,
    /// No HTML
    #[arg(long, conflicts_with_all = ["html", "html_file"])]
    no_html: bool,
    /// First day or moment, as 2026-07-01 or 2026-07-01T08:00, in the owner's time zone
    #[arg(long, value_name = "DATE")]
    starts: Option<String>,
    /// From always
    #[arg(long, conflicts_with = "starts")]
    no_starts: bool,
    /// Last day or moment, inclusive
    #[arg(long, value_name = "DATE")]
    ends: Option<String>,
    /// Until switched off
    #[arg(long, conflicts_with = "ends")]
    no_ends: bool,
    /// The least time between two answers to one sender, as 24h or 7d [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    frequency: Option<u64>,
    /// Keep received messages (so does a new one)
    #[arg(long)]
    keep: bool,
    /// Delete received messages while the responder is active
    #[arg(long, conflicts_with = "keep")]
    drop: bool,
    /// Copy every answer that leaves to this address
    #[arg(long, value_name = "ADDRESS")]
    copy_answers_to: Option<Address>,
    /// Copy no answers
    #[arg(long, conflicts_with = "copy_answers_to")]
    no_copy_answers: bool,
    /// Copy received messages to this address
    #[arg(long, value_name = "ADDRESS")]
    copy_received_to: Option<Address>,
    /// Copy no received messages
    #[arg(long, conflicts_with = "copy_received_to")]
    no_copy_received: bool,
    /// File answers in the owner's Sent mailbox (so does a new one)
    #[arg(long)]
    file_in_sent: bool,
    /// Do not file answers
    #[arg(long, conflicts_with = "file_in_sent")]
    no_file_in_sent: bool,
}

/// Which rules a responder follows.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum KindArg {
    /// A robot at an address
    Autoresponder,
    /// A person is away
    OutOfOffice,
}

impl ResponderCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        Ok(Request::Responder(match self {
            Self::Add { address, content } => ResponderRequest::Add { address, content: Box::new(content.content()?) },
            Self::List { address } => ResponderRequest::List { address },
            Self::Show { id } => ResponderRequest::Show { id },
            Self::Set { id, address, content } => {
                ResponderRequest::Set { id, address, content: Box::new(content.content()?) }
            }
            Self::Remove { id } => ResponderRequest::Remove { id },
        }))
    }
}

impl ContentArgs {
    fn content(self) -> Result<ResponderContent, Failure> {
        Ok(ResponderContent {
            kind: self.kind.map(|kind| match kind {
                KindArg::Autoresponder => ResponderKind::Autoresponder,
                KindArg::OutOfOffice => ResponderKind::OutOfOffice,
            }),
            enabled: switch(self.enable, self.disable),
            subject: self.subject,
            subject_prefix: self.subject_prefix,
            text: body(self.text, self.text_file, self.no_text)?,
            html: body(self.html, self.html_file, self.no_html)?,
            starts: edit(self.starts, self.no_starts),
            ends: edit(self.ends, self.no_ends),
            frequency_secs: self.frequency,
            keep: switch(self.keep, self.drop),
            copy_answers_to: edit(self.copy_answers_to, self.no_copy_answers),
            copy_received_to: edit(self.copy_received_to, self.no_copy_received),
            file_in_sent: switch(self.file_in_sent, self.no_file_in_sent),
        })
    }
}

fn body(text: Option<String>, file: Option<PathBuf>, clear: bool) -> Result<Edit<String>, Failure> {
    let text = match (text, file) {
        (None, Some(file)) => Some(read_text(&file)?),
        (text, _) => text,
    };
    Ok(edit(text, clear))
}
