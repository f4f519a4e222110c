//! Reports of others in words.

use admin::{DmarcReportsView, TlsReportsView};

use crate::check::counted;

use super::{line, shown, table};

const NOTHING: &str = "no reports yet; `[sender_authentication] reports_to` says at which address they are read, and the records of \
                       `relais domain records DOMAIN` tell others to send them there";

pub(super) fn dmarc(all: &[DmarcReportsView]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        line(&mut out, format_args!("{NOTHING}"));
    }
    for view in all {
        head(&mut out, view.domain.as_str(), view.reports, view.unsure, &view.organisations);
        if view.reports > 0 {
            line(&mut out, format_args!("{}, {} of them passed", counted(view.messages, "messages"), view.passed));
            out.push_str(&table(
                ["SOURCE", "FROM", "MESSAGES", "SPF", "DKIM", "ALIGNED", "SPAM", "REFUSED"],
                "no messages",
                view.sources.iter().map(|one| {
                    let number = |number: u64| number.to_string();
                    [
                        one.source.to_string(),
                        one.header_from.clone(),
                        number(one.messages),
                        number(one.spf),
                        number(one.dkim),
                        number(one.passed),
                        number(one.quarantined),
                        number(one.rejected),
                    ]
                }),
            ));
        }
        if view.sources_beyond > 0 {
            line(&mut out, format_args!("and {} sources more", view.sources_beyond));
        }
        view.told.iter().for_each(|text| line(&mut out, format_args!("{}", shown(text))));
    }
    out
}

pub(super) fn tls(all: &[TlsReportsView]) -> String {
    let mut out = String::new();
    if all.is_empty() {
        line(&mut out, format_args!("{NOTHING}"));
    }
    for view in all {
        head(&mut out, view.domain.as_str(), view.reports, view.unsure, &view.organisations);
        if view.reports > 0 {
            line(&mut out, format_args!("{} sessions succeeded, {} failed", view.succeeded, view.failed));
        }
        if !view.failures.is_empty() {
            out.push_str(&table(
                ["FAILURE", "MX", "POLICY", "SESSIONS"],
                "",
                view.failures.iter().map(|one| {
                    let (mx, policy) = (one.receiving_mx.clone(), one.policy.clone());
                    [one.result.clone(), mx, policy, one.sessions.to_string()]
                }),
            ));
        }
        view.told.iter().for_each(|text| line(&mut out, format_args!("{}", shown(text))));
    }
    out
}

fn head(out: &mut String, domain: &str, reports: usize, unsure: usize, organisations: &[String]) {
    if reports == 0 {
        return;
    }
    let number = if reports == 1 { "1 report".to_owned() } else { format!("{reports} reports") };
    let from: Vec<&str> = organisations.iter().take(ORGANISATIONS_TOLD).map(String::as_str).collect();
    let more = organisations.len().saturating_sub(from.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    line(out, format_args!("{domain}: {number} of {}{more}", shown(&from.join(", "))));
    if unsure > 0 {
        line(out, format_args!("{unsure} of them may be forged: nothing proves who sent them"));
    }
}

const ORGANISATIONS_TOLD: usize = 10;

#[cfg(test)]
mod tests {
    use admin::{DmarcSourceView, TlsFailureView};

    use super::*;

    #[test]
    fn sources_are_a_table_and_failures_sentences() {
        let source = DmarcSourceView {
            source: "192.0.2.7".parse().unwrap(),
            header_from: "shop.example\u{1b}".to_owned(),
            messages: 12,
            spf: 0,
            dkim: 4,
            passed: 4,
            quarantined: 1,
            rejected: 2,
            spf_result: "fail for x.example".to_owned(),
            dkim_result: "not signed".to_owned(),
        };
        let view = DmarcReportsView {
            domain: "shop.example".parse().unwrap(),
            reports: 2,
            unsure: 1,
            organisations: vec!["big.example".to_owned()],
            messages: 12,
            passed: 4,
            sources: vec![source],
            sources_beyond: 0,
            told: vec!["192.0.2.7 fails".to_owned()],
        };
        assert_eq!(
            dmarc(&[view]),
            "shop.example: 2 reports of big.example\n1 of them may be forged: nothing proves who sent them\n\
             12 messages, 4 of them passed\n\
             SOURCE     FROM           MESSAGES  SPF  DKIM  ALIGNED  SPAM  REFUSED\n\
             192.0.2.7  shop.example\u{fffd}  12        0    4     4        1     2\n192.0.2.7 fails\n"
        );
        assert!(dmarc(&[]).contains("reports_to"));
        let failure = TlsFailureView {
            result: "certificate-expired".to_owned(),
            receiving_mx: "mx.shop.example".to_owned(),
            policy: "sts".to_owned(),
            sessions: 3,
        };
        let view = TlsReportsView {
            domain: "shop.example".parse().unwrap(),
            reports: 1,
            unsure: 0,
            organisations: vec!["Big".to_owned()],
            succeeded: 10,
            failed: 3,
            failures: vec![failure],
            told: vec!["it has expired".to_owned()],
        };
        assert_eq!(
            tls(&[view]),
            "shop.example: 1 report of Big\n10 sessions succeeded, 3 failed\n\
             FAILURE              MX               POLICY  SESSIONS\n\
             certificate-expired  mx.shop.example  sts     3\nit has expired\n"
        );
    }
}
