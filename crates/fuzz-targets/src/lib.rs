//! What is fuzzed: for each parser of what the outside sends, a function that takes any octets and panics when a promise
//! does not hold. `fuzz/` gives them to libFuzzer (`make fuzz`), `tests/replay.rs` gives
//! them the seeds, the inputs that once failed and mutations of both, with every run of the tests.
//!
//! A promise is more than "no panic": the same result wherever the input was cut, offsets within what they point into, what
//! was written can be read back, no line end that another server would read otherwise.

mod authentication;
mod cuts;
mod fetched;
mod hosts;
mod imap_commands;
mod imap_engine;
mod logins;
mod messages;
mod outside;
mod reports;
mod smtp;
mod words;

/// Takes any octets; panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target with its name, which is the name of its file in `fuzz/fuzz_targets` and of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("auth_bearer", logins::bearer),
    ("auth_certificate", logins::certificate),
    ("auth_scram", logins::scram),
    ("auth_token", logins::token),
    ("fetch_imap", fetched::imap),
    ("fetch_pop3", fetched::pop3),
    ("imap_command", imap_commands::command),
    ("imap_framing", imap_commands::framing),
    ("imap_mailbox_name", imap_commands::mailbox_name),
    ("imap_url", imap_commands::url),
    ("imap_inflate", imap_engine::inflate),
    ("imap_list_pattern", imap_engine::list_pattern),
    ("imap_thread", imap_engine::thread),
    ("message_scan", messages::scan),
    ("message_header", messages::header),
    ("message_transfer", messages::transfer),
    ("message_record", messages::record),
    ("message_binary", messages::binary),
    ("base_subject", messages::base_subject),
    ("report_complaint", reports::complaint),
    ("milter_answers", outside::milter),
    ("rspamd_answer", outside::rspamd),
    ("report_dmarc", reports::dmarc),
    ("report_packed", reports::packed),
    ("report_tls", reports::tls),
    ("search_words", words::words),
    ("sender_claims", authentication::claims),
    ("sender_records", authentication::records),
    ("smtp_burl", smtp::burl),
    ("smtp_session", smtp::session),
    ("smtp_data", smtp::data),
    ("smtp_reply", smtp::reply),
    ("smtp_ehlo", hosts::ehlo),
    ("smtp_proxy", hosts::proxy),
    ("sts_policy", hosts::sts_policy_document),
    ("sts_record", hosts::sts_record),
];

/// Runs the target of that name.
///
/// # Panics
/// When a promise is broken, or there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| target);
    assert!(target.is_some(), "no target {name}");
    target.into_iter().for_each(|target| target(input));
}
