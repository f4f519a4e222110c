//! `relais account set`.

use std::path::PathBuf;

use admin::{AccountRequest, SubmissionEdit};
use clap::Args;
use mail::{Address, Domain};
use routing::objects::{Role, Service};

use super::{RoleArg, ServiceArg};
use crate::cli::Failure;
use crate::cli::values::{edit, octets, read_password, seconds, switch};

/// `relais account set`.
#[derive(Args)]
pub(in crate::cli) struct SetArgs {
    /// Its address
    address: Address,
    /// The sender name
    #[arg(long)]
    name: Option<String>,
    /// The person whom the mailbox belongs to; '' for the one whom its address names
    #[arg(long, value_name = "PERSON")]
    owner: Option<String>,
    /// What the person may do
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
    /// A domain that a domain administrator edits, instead of their own; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    administers: Vec<Domain>,
    /// A domain administrator edits the domain of their own address
    #[arg(long, conflicts_with = "administers")]
    administers_own: bool,
    /// How much mail fits, as 500M or 2G; 0: nothing
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// No limit on how much mail fits
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
    /// How many messages it may send in a day
    #[arg(long, value_name = "N")]
    messages_per_day: Option<u32>,
    /// How many recipients they may have
    #[arg(long, value_name = "N")]
    recipients_per_day: Option<u32>,
    /// How many of them outside may be people whom it never wrote to
    #[arg(long, value_name = "N")]
    first_time_per_day: Option<u32>,
    /// It may send as much as others in a day
    #[arg(long, conflicts_with_all = ["messages_per_day", "recipients_per_day", "first_time_per_day"])]
    default_per_day: bool,
    /// What it has sent today does not count
    #[arg(long)]
    forget_today: bool,
    /// How long what is sent waits, so that it can be taken back, as 30s; 0s for not at all
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    undo_send: Option<u64>,
    /// How many messages fit
    #[arg(long, value_name = "MESSAGES")]
    quota_messages: Option<u64>,
    /// No limit on how many messages fit
    #[arg(long, conflicts_with = "quota_messages")]
    no_quota_messages: bool,
    /// How many mailboxes there may be, INBOX included
    #[arg(long, value_name = "MAILBOXES", value_parser = clap::value_parser!(u64).range(1..))]
    quota_mailboxes: Option<u64>,
    /// No limit on how many mailboxes there may be
    #[arg(long, conflicts_with = "quota_mailboxes")]
    no_quota_mailboxes: bool,
    /// Time zone, as Europe/Paris
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// fr or en
    #[arg(long)]
    language: Option<String>,
    /// A further domain in which the same name is this mailbox and login; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    also_in: Vec<Domain>,
    /// A further domain in which it is not any more; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    not_in: Vec<Domain>,
    /// A way in to take away: open sessions end, and logins look as with a wrong password; may be repeated
    #[arg(long, value_enum, value_name = "SERVICE")]
    withdraw: Vec<ServiceArg>,
    /// A way in to give back; may be repeated
    #[arg(long, value_enum, value_name = "SERVICE")]
    restore: Vec<ServiceArg>,
    /// An address elsewhere that hears of changes of the password
    #[arg(long, value_name = "ADDRESS")]
    recovery: Option<Address>,
    /// Nobody elsewhere hears of changes of the password
    #[arg(long, conflicts_with = "recovery")]
    no_recovery: bool,
    /// What it is for
    #[arg(long)]
    note: Option<String>,
    /// Read a new password from the first line of a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Generate a new password and show it once
    #[arg(long, conflicts_with = "password_file")]
    generate_password: bool,
    /// Let the person log in
    #[arg(long)]
    enable: bool,
    /// Do not let the person log in; mail is still received
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
}

impl SetArgs {
    pub(super) fn request(self) -> Result<AccountRequest, Failure> {
        let services = |services: Vec<ServiceArg>| services.into_iter().map(Service::from).collect();
        let administers = !self.administers.is_empty() || self.administers_own;
        Ok(AccountRequest::Set {
            address: self.address,
            display_name: self.name,
            password: self.password_file.as_deref().map(read_password).transpose()?,
            generate_password: self.generate_password,
            role: self.role.map(Role::from),
            quota_octets: edit(self.quota, self.no_quota),
            submission: SubmissionEdit {
                messages: edit(self.messages_per_day, self.default_per_day),
                recipients: edit(self.recipients_per_day, self.default_per_day),
                first_time: edit(self.first_time_per_day, self.default_per_day),
                forget_today: self.forget_today,
            },
            undo_send_secs: self.undo_send.map(|secs| u32::try_from(secs).unwrap_or(u32::MAX)),
            quota_messages: edit(self.quota_messages, self.no_quota_messages),
            quota_mailboxes: edit(self.quota_mailboxes, self.no_quota_mailboxes),
            time_zone: self.time_zone,
            language: self.language,
            enabled: switch(self.enable, self.disable),
            owner: self.owner,
            recovery: edit(self.recovery, self.no_recovery),
            note: self.note,
            administers: administers.then_some(self.administers),
            withdraw: services(self.withdraw),
            restore: services(self.restore),
            add_domains: self.also_in,
            remove_domains: self.not_in,
        })
    }
}
