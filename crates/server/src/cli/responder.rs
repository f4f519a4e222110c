//! `relais responder`.

use std::path::PathBuf;

use admin::{Edit, PreviewRequest, Request, ResponderContent, ResponderRequest};
use clap::{Args, Subcommand, ValueEnum};
use mail::Address;
use routing::objects::{Audience, Hours, HoursWhen, ResponderKind};

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
      --text 'I am back after {until}; meanwhile write to {deputy}.' --deputy bob@example.org \\
      --starts 2026-07-01 --ends 2026-07-14 --frequency 24h
  relais responder add office@example.org --subject 'We are closed' --text 'Our office is closed now.' \\
      --hours 'mon-fri 09:00-12:00,13:00-17:30' --when outside

Placeholders in subject, prefix, text and HTML: {subject} {sender} {sender_name} {recipient} {name} {from} {until} {date}
{deputy} {domain}; write {{ for a brace.")]
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
    /// Show what a responder would answer now, and why not
    #[command(
        after_help = "Example:\n  relais responder preview 3 --from customer@elsewhere.example --subject 'An order'"
    )]
    Preview {
        /// Its number
        id: u64,
        /// Who writes; an address of this server is taken for its person, logged in
        #[arg(long, value_name = "ADDRESS")]
        from: Address,
        /// To which address [default: the responder's]
        #[arg(long, value_name = "ADDRESS")]
        to: Option<Address>,
        /// The sender's name
        #[arg(long)]
        name: Option<String>,
        /// The subject [default: Hello]
        #[arg(long)]
        subject: Option<String>,
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
    /// First day or moment, as 2026-07-01 or 2026-07-01T08:00, in the owner's time zone [default for out-of-office: today]
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
    /// DELETE received messages for good while the responder is active
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
    /// Hours of each week, as 'mon-fri 09:00-17:30; sat 10:00-12:00'
    #[arg(long, value_name = "WEEK")]
    hours: Option<String>,
    /// Answer outside of these hours (the office is closed), or inside of them [default: outside]
    #[arg(long, value_enum, requires = "hours")]
    when: Option<WhenArg>,
    /// At all hours
    #[arg(long, conflicts_with = "hours")]
    no_hours: bool,
    /// Whom it answers: everyone; contacts (and the people of the organisation); inside: the people of the
    /// organisation alone, logged in here
    #[arg(long, value_enum)]
    audience: Option<AudienceArg>,
    /// Another subject for the people of the organisation
    #[arg(long, value_name = "SUBJECT")]
    inside_subject: Option<String>,
    /// Another prefix for them
    #[arg(long, value_name = "PREFIX")]
    inside_subject_prefix: Option<String>,
    /// Another plain text for them
    #[arg(long, value_name = "TEXT")]
    inside_text: Option<String>,
    /// Another plain text for them, from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "inside_text")]
    inside_text_file: Option<PathBuf>,
    /// Another HTML for them
    #[arg(long, value_name = "HTML")]
    inside_html: Option<String>,
    /// Another HTML for them, from a file; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "inside_html")]
    inside_html_file: Option<PathBuf>,
    /// The same words for everyone
    #[arg(long)]
    no_inside: bool,
    /// Who stands in meanwhile: {deputy} in the text
    #[arg(long, value_name = "ADDRESS")]
    deputy: Option<Address>,
    /// No deputy
    #[arg(long, conflicts_with = "deputy")]
    no_deputy: bool,
    /// Copy received messages to the deputy
    #[arg(long)]
    copy_to_deputy: bool,
    /// Copy nothing to the deputy
    #[arg(long, conflicts_with = "copy_to_deputy")]
    no_copy_to_deputy: bool,
    /// Put the signature of the address below (so does a new one)
    #[arg(long)]
    signature: bool,
    /// No signature
    #[arg(long, conflicts_with = "signature")]
    no_signature: bool,
    /// The time zone of window and hours, as Europe/Paris [default: the owner's, else UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The owner's time zone
    #[arg(long, conflicts_with = "time_zone")]
    no_time_zone: bool,
    /// The language of dates in the text, fr or en [default: the owner's, else en]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// The owner's language
    #[arg(long, conflicts_with = "language")]
    no_language: bool,
}

/// When in the week a responder acts.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum WhenArg {
    /// Outside of the hours
    Outside,
    /// Inside of the hours
    Inside,
}

/// Whom a responder answers.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum AudienceArg {
    /// Whoever writes
    Everyone,
    /// Contacts, and the people of the organisation
    Contacts,
    /// The people of the organisation
    Inside,
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
            Self::Preview { id, from, to, name, subject } => {
                ResponderRequest::Preview { id, of: PreviewRequest { from, to, name, subject } }
            }
            Self::Remove { id } => ResponderRequest::Remove { id },
        }))
    }
}

impl ContentArgs {
    fn content(self) -> Result<ResponderContent, Failure> {
        let when = match self.when {
            Some(WhenArg::Inside) => HoursWhen::Inside,
            Some(WhenArg::Outside) | None => HoursWhen::Outside,
        };
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
            hours: edit(self.hours.map(|week| Hours { week, when }), self.no_hours),
            audience: self.audience.map(|audience| match audience {
                AudienceArg::Everyone => Audience::Everyone,
                AudienceArg::Contacts => Audience::Contacts,
                AudienceArg::Inside => Audience::Inside,
            }),
            no_inside: self.no_inside,
            inside_subject: self.inside_subject,
            inside_subject_prefix: self.inside_subject_prefix,
            inside_text: body(self.inside_text, self.inside_text_file, false)?,
            inside_html: body(self.inside_html, self.inside_html_file, false)?,
            deputy: edit(self.deputy, self.no_deputy),
            copy_to_deputy: switch(self.copy_to_deputy, self.no_copy_to_deputy || self.no_deputy),
            signature: switch(self.signature, self.no_signature),
            time_zone: edit(self.time_zone, self.no_time_zone),
            language: edit(self.language, self.no_language),
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
