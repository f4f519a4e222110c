//! The content filter, for people.

use admin::{SpamExplanation, SpamStatusView};

use crate::check::counted;

use super::{field, line, shown};

pub(super) fn status(one: &SpamStatusView) -> String {
    let mut out = String::new();
    match &one.account {
        Some(account) => field(&mut out, "account", account),
        None => field(&mut out, "site", "all accounts together"),
    }
    field(&mut out, "learnt as spam", counted(one.spam.into(), "messages"));
    field(&mut out, "learnt as ham", counted(one.ham.into(), "messages"));
    let enough = one.spam >= one.needed && one.ham >= one.needed;
    let enough = if enough { "enough".to_owned() } else { format!("too little: {} of each are needed", one.needed) };
    field(&mut out, "that is", enough);
    field(&mut out, "tokens", one.tokens);
    if one.account.is_some() {
        field(&mut out, "learnt by the site", counted(one.shared.into(), "messages"));
        let state = match (one.site_enabled, one.enabled) {
            (false, _) => "off for the whole site ([spam] enabled)",
            (true, false) => "off",
            (true, true) => "on",
        };
        field(&mut out, "filter", state);
        let whose = if one.own_threshold { "" } else { " (as the site has it)" };
        field(&mut out, "goes to Spam from", format_args!("{} points on{whose}", one.threshold));
        for sender in &one.senders {
            field(&mut out, "never goes there", format_args!("what is surely from {sender}"));
        }
    } else {
        field(&mut out, "filter", if one.site_enabled { "on" } else { "off ([spam] enabled)" });
        field(&mut out, "goes to Spam from", format_args!("{} points on", one.threshold));
    }
    out
}

pub(super) fn explanation(one: &SpamExplanation) -> String {
    let mut out = String::new();
    let verdict = match (one.refused_from, one.spam) {
        (Some(points), _) => {
            format!("it is refused, as all from {points} points on (where another recipient takes it, it goes to Spam)")
        }
        (None, true) => "it goes to Spam".to_owned(),
        (None, false) => "it does not go to Spam".to_owned(),
    };
    line(&mut out, format_args!("{verdict}: {}", one.reason));
    match one.likelihood {
        Some(likelihood) => line(
            &mut out,
            format_args!(
                "{:>6}  by what was learnt: spam with a likelihood of {likelihood:.3}",
                one.learnt_points.to_string()
            ),
        ),
        None => {
            line(&mut out, format_args!("        too little was learnt for a say; rules alone put nothing into Spam"))
        }
    }
    for (points, reason) in &one.rules {
        line(&mut out, format_args!("{:>6}  {reason}", points.to_string()));
    }
    if !one.telling.is_empty() {
        line(&mut out, format_args!("what says most, of {} words and other tokens:", one.tokens));
    }
    for (text, likelihood) in &one.telling {
        let text = shown(text);
        line(&mut out, format_args!("  {likelihood:.3}  {text}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use spam::Points;

    use super::*;

    #[test]
    fn what_would_be_refused_is_not_said_to_go_to_spam() {
        let one = SpamExplanation {
            points: Points(1030),
            threshold: Points::THRESHOLD,
            spam: true,
            refused_from: Some(Points(150)),
            learnt: false,
            likelihood: None,
            learnt_points: Points(0),
            telling: Vec::new(),
            rules: Vec::new(),
            tokens: 9,
            reason: "103.0 points of 15.0: it is the test text".to_owned(),
        };
        let told = explanation(&one);
        assert!(told.starts_with("it is refused, as all from 15.0 points on ("), "{told}");
        assert!(told.contains("): 103.0 points of 15.0: it is the test text"), "{told}");
        let told = explanation(&SpamExplanation { refused_from: None, ..one });
        assert!(told.starts_with("it goes to Spam: "), "{told}");
    }
}
