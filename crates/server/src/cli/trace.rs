//! `relais trace`.

use admin::{Request, TraceRequest};
use clap::Args;
use mail::{Address, ReversePath, Timestamp, TraceId};

use super::values;

/// Which traces to show.
#[derive(Args)]
pub(super) struct TraceArgs {
    /// One, by its number
    id: Option<TraceId>,
    /// Of the message with this Message-ID
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    message_id: Option<String>,
    /// From this sender (of the envelope: where bounces go); '<>' for the null reverse-path, as bounces and answers have
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id", value_parser = values::reverse_path)]
    sender: Option<ReversePath>,
    /// To this recipient, as it was written to or where that led
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
    recipient: Option<Address>,
    /// Not before this moment, as 2026-07-01T08:00:00Z or as moments are printed
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
    // As moments are printed, too.
    let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |printed| format!("{printed}Z"));
    let at = text.parse::<jiff::Timestamp>();
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    at.or_else(|_| day().map(|day| day.timestamp()))
        .map(|at| Timestamp(at.as_millisecond()))
        .map_err(|_| "write it as 2026-07-01 or 2026-07-01T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_can_be_given_as_it_is_printed() {
        let at = Timestamp(1_790_000_000_000);
        for text in [at.for_people(), at.to_rfc3339(), "2026-09-21T16:13:20+02:00".to_owned()] {
            assert_eq!(moment(&text), Ok(at), "{text}");
        }
        assert_eq!(moment("2026-09-21"), Ok(Timestamp::parse_rfc3339("2026-09-21T00:00:00Z").unwrap()));
        assert!(moment("yesterday").is_err());
    }
}
