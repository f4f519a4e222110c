//! `relais webhook`.

use admin::{Request, WebhookRequest};
use clap::{Subcommand, ValueEnum};
use storage::webhooks::HookEvent;

/// What can be done with webhooks.
#[derive(Subcommand)]
pub(super) enum WebhookCommand {
    /// Add one, and print the secret that signs its calls: it is shown once
    #[command(after_help = "\
Each call is a POST of JSON, with the header fields Relais-Event, Relais-Event-Id and Relais-Signature: t=SECONDS,v1=HEX, where HEX is the
HMAC-SHA256 of SECONDS.BODY with the secret. Any status of 2xx is success; anything else is tried again for a day.

Examples:
  relais webhook add https://hooks.example.org/relais
  relais webhook add https://hooks.example.org/relais --event failed --event deferred")]
    Add {
        /// Where calls go
        url: String,
        /// What it is told of; several times for several; without it, everything
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<EventArg>,
    },
    /// List them
    List,
    /// Show one, and how its calls go
    Show {
        /// Its number
        id: u64,
    },
    /// Call one again that was switched off
    Enable {
        /// Its number
        id: u64,
    },
    /// Remove one
    Remove {
        /// Its number
        id: u64,
    },
    /// Call one, to see whether it works
    Test {
        /// Its number
        id: u64,
    },
}

/// What a hook is told of.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum EventArg {
    /// A message was accepted from a client
    Accepted,
    /// A mailbox here keeps it, or another server has taken it
    Delivered,
    /// Another server does not take it now
    Deferred,
    /// It will not be delivered
    Failed,
}

impl From<EventArg> for HookEvent {
    fn from(arg: EventArg) -> Self {
        match arg {
            EventArg::Accepted => Self::Accepted,
            EventArg::Delivered => Self::Delivered,
            EventArg::Deferred => Self::Deferred,
            EventArg::Failed => Self::Failed,
        }
    }
}

impl WebhookCommand {
    pub(super) fn request(self) -> Request {
        Request::Webhook(match self {
            Self::Add { url, events } => {
                WebhookRequest::Add { url, events: events.into_iter().map(HookEvent::from).collect() }
            }
            Self::List => WebhookRequest::List,
            Self::Show { id } => WebhookRequest::Show { id },
            Self::Enable { id } => WebhookRequest::Enable { id },
            Self::Remove { id } => WebhookRequest::Remove { id },
            Self::Test { id } => WebhookRequest::Test { id },
        })
    }
}
