//! Outside filters in words.

use admin::{OutsideFilterView, OutsideWord};

use crate::check::counted;

use super::{field, line, moment};

pub(super) fn filters(all: &[OutsideFilterView]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        line(&mut out, format_args!("no outside filters; [outside] in the configuration file names them"));
    }
    for (n, one) in all.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        field(&mut out, "filter", &one.name);
        field(&mut out, "kind", &one.kind);
        field(&mut out, "where", &one.place);
        field(&mut out, "looks at", looks_at(one));
        field(
            &mut out,
            "when it fails",
            if one.fail_closed { "messages are refused for now" } else { "messages go on" },
        );
        field(
            &mut out,
            "asked",
            format_args!("{} since the start, {} without an answer", counted(one.asked, "times"), one.failed),
        );
        field(&mut out, "last answer", said(one.answer.as_ref()));
        field(&mut out, "last failure", said(one.failure.as_ref()));
    }
    out
}

fn looks_at(one: &OutsideFilterView) -> &'static str {
    match (one.incoming, one.submitted) {
        (true, true) => "mail of other servers, and what people here submit",
        (true, false) => "mail of other servers",
        (false, true) => "what people here submit",
        (false, false) => "nothing",
    }
}

fn said(word: Option<&OutsideWord>) -> String {
    word.map_or_else(|| "-".to_owned(), |word| format!("{}: {}", moment(word.at), word.text))
}
