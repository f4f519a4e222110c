//! What the metrics of IMAP mean, for whoever reads them.

/// Says it to the recorder.
pub(crate) fn describe() {
    metrics::describe_gauge!("relais_imap_connections", "IMAP connections at this moment.");
    for (name, text) in COUNTERS {
        metrics::describe_counter!(name, text);
    }
}

const COUNTERS: [(&str, &str); 8] = [
    ("relais_imap_connections_refused_total", "IMAP connections refused: there were too many."),
    (
        "relais_imap_turned_away_total",
        "IMAP connections of banned addresses, and of those that come too often, by reason.",
    ),
    ("relais_imap_sessions_ended_total", "IMAP sessions that ended without LOGOUT, by reason."),
    ("relais_imap_commands_total", "IMAP commands answered, by command and result (ok, no, bad)."),
    ("relais_imap_bad_commands_total", "IMAP commands that made no sense, or not at that moment."),
    ("relais_imap_logins_total", "IMAP logins, by result."),
    ("relais_imap_appended_octets_total", "Octets of messages taken by APPEND."),
    ("relais_imap_storage_errors_total", "IMAP commands that the store could not serve."),
];
