//! Message traces and signing keys in words.

use admin::SigningKeyView;
use storage::signing_keys::KeyState;
use storage::trace::Trace;

use super::{line, moment};

pub(super) fn traces(all: &[Trace]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        line(&mut out, format_args!("no trace fits; they are kept for `[trace] keep_days`"));
    }
    for trace in all {
        line(&mut out, format_args!("trace {}", trace.id));
        for taken in &trace.steps {
            let text = taken.step.to_string();
            let mut lines = text.trim_end().lines();
            line(&mut out, format_args!("  {}  {}", moment(taken.at), lines.next().unwrap_or_default()));
            lines.for_each(|more| line(&mut out, format_args!("      {more}")));
        }
    }
    out
}

pub(super) fn signing_keys(all: &[SigningKeyView]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        line(
            &mut out,
            format_args!("no keys: mail leaves unsigned; `relais domain dkim rotate DOMAIN --now` makes some"),
        );
    }
    for key in all {
        let state = match key.state {
            KeyState::Next => "to be published; signs nothing yet",
            KeyState::Active => "signs",
            KeyState::Retired => "signs no more; keep the record for a week",
        };
        line(&mut out, format_args!("{} ({}): {state}", key.selector, key.algorithm));
        line(&mut out, format_args!("  publish as TXT at {}:", key.record_name));
        line(&mut out, format_args!("  {}", key.record));
        if key.record.len() > STRING_MAX {
            // RFC 1035 §3.3.14: a TXT record is one or more strings of up to 255 octets.
            let strings: Vec<String> = key.record.as_bytes().chunks(STRING_MAX).map(quoted).collect();
            line(&mut out, format_args!("  in a zone file, where it is too long for one string:"));
            line(&mut out, format_args!("  {}.  TXT  {}", key.record_name, strings.join(" ")));
        }
    }
    out
}

const STRING_MAX: usize = 255;

fn quoted(octets: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(octets))
}
