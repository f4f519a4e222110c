//! `relais trace`.

use admin::{Request, TraceRequest};
use clap::Args;
use mail::{Address, Timestamp, TraceId};

/// Which traces to show.
#[derive(Args)]
pub(super) struct TraceArgs {
    /// One, by its number
    id: Option<TraceId>,
    /// Of the message with this Message-ID
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    message_id: Option<String>,
    /// From this sender (of the envelope: where bounces go)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
    sender: Option<Address>,
    /// To this recipient, as it was written to or where that led
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
    recipient: Option<Address>,
    /// Not before this moment, as 2026-07-01T08:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    since: Option<Timestamp>,
    /// Not after this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    until: Option<Timestamp>,
    /// At most so many, the latest first
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

impl TraceArgs {
    pub(super) fn request(self) -> Request {
        Request::Trace(Box::new(TraceRequest {
            id: self.id,
            message_id: self.message_id,
            sender: self.sender,
            recipient: self.recipient,
            since: self.since,
            until: self.until,
            limit: Some(self.limit),
        }))
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>();
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    at.or_else(|_| day().map(|day| day.timestamp()))
        .map(|at| Timestamp(at.as_millisecond()))
        .map_err(|_| "write it as 2026-07-01 or 2026-07-01T08:00:00Z".to_owned())
}
