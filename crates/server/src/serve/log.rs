//! Structured logs to the standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Log, LogFormat};

/// Starts logging. A second call changes nothing.
pub(crate) fn start(log: &Log) {
    // The configuration has been checked; should a level still be wrong, the usual one is better than none.
    let filter: Targets = log.level.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let filter = without_strangers_texts(filter, &log.level);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Text => {
            layer.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().ok();
}

/// What the resolver logs of answers at the levels for developers are texts of strangers, with line ends and at any length: they are
/// shown to who names it alone.
fn without_strangers_texts(filter: Targets, level: &str) -> Targets {
    if level.contains(RESOLVER) || filter.default_level() <= Some(LevelFilter::INFO) {
        return filter;
    }
    RESOLVER_CRATES.into_iter().fold(filter, |filter, name| filter.with_target(name, LevelFilter::INFO))
}

/// What the targets of the resolver begin with.
const RESOLVER: &str = "hickory";
const RESOLVER_CRATES: [&str; 3] = ["hickory_resolver", "hickory_proto", "hickory_net"];

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_strangers_say_in_the_dns_is_shown_to_who_asks_for_it_alone() {
        for (level, shown) in [("debug", false), ("trace", false), ("info", false), ("debug,hickory_proto=debug", true)]
        {
            let filter = without_strangers_texts(level.parse().unwrap(), level);
            assert_eq!(filter.would_enable("hickory_proto::xfer", &Level::DEBUG), shown, "{level}");
            assert!(filter.would_enable("hickory_proto::xfer", &Level::INFO), "{level}");
            assert_eq!(filter.would_enable("relais_smtp_in", &Level::DEBUG), level != "info", "{level}");
        }
        let quiet = without_strangers_texts("warn".parse().unwrap(), "warn");
        assert!(!quiet.would_enable("hickory_resolver", &Level::INFO));
    }
}
