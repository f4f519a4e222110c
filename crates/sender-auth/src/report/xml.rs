//! The report as XML (RFC 9990 appendix A).

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Report, Row};

type Result = std::io::Result<()>;

/// XML in the making.
struct Out(Writer<Vec<u8>>);

impl Out {
    fn inside(&mut self, name: &str, content: impl FnOnce(&mut Self) -> Result) -> Result {
        self.0.write_event(Event::Start(BytesStart::new(name)))?;
        content(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    fn text(&mut self, name: &str, text: &str) -> Result {
        // XML 1.0 §2.2 has no place for other control characters, whatever they are written as.
        let plain: String = text.chars().filter(|c| !c.is_control()).collect();
        self.inside(name, |out| out.0.write_event(Event::Text(BytesText::new(&plain))))
    }
}

impl Report<'_> {
    /// The report.
    ///
    /// # Errors
    /// None that memory could have.
    pub fn to_xml(&self) -> std::io::Result<Vec<u8>> {
        let mut out = Out(Writer::new_with_indent(Vec::new(), b' ', 2));
        out.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut feedback = BytesStart::new("feedback");
        feedback.push_attribute(("xmlns", "urn:ietf:params:xml:ns:dmarc-2.0"));
        out.0.write_event(Event::Start(feedback))?;
        out.text("version", "1.0")?;
        out.inside("report_metadata", |out| {
            out.text("org_name", self.organisation)?;
            out.text("email", self.contact)?;
            out.text("report_id", self.id)?;
            out.inside("date_range", |out| {
                out.text("begin", &self.begin_secs.to_string())?;
                out.text("end", &self.end_secs.to_string())
            })
        })?;
        let letter = |strict| if strict { "s" } else { "r" };
        out.inside("policy_published", |out| {
            out.text("domain", self.domain)?;
            out.text("p", &self.published.policy)?;
            out.text("sp", &self.published.subdomain_policy)?;
            out.text("adkim", letter(self.published.strict_dkim))?;
            out.text("aspf", letter(self.published.strict_spf))?;
            out.text("testing", if self.published.testing { "y" } else { "n" })?;
            out.text("discovery_method", "treewalk")
        })?;
        for (count, row) in self.rows {
            out.inside("record", |out| record(out, *count, row))?;
        }
        out.0.write_event(Event::End(BytesEnd::new("feedback")))?;
        Ok(out.0.into_inner())
    }
}

fn record(out: &mut Out, count: u64, row: &Row) -> Result {
    let passes = |aligned| if aligned { "pass" } else { "fail" };
    out.inside("row", |out| {
        out.text("source_ip", &row.source_ip.to_string())?;
        out.text("count", &count.to_string())?;
        out.inside("policy_evaluated", |out| {
            out.text("disposition", &row.disposition)?;
            out.text("dkim", passes(row.dkim_aligned))?;
            out.text("spf", passes(row.spf_aligned))?;
            if row.overridden {
                out.inside("reason", |out| out.text("type", "local_policy"))?;
            }
            Ok(())
        })
    })?;
    out.inside("identifiers", |out| {
        out.text("header_from", &row.header_from)?;
        if row.envelope_from.is_empty() { Ok(()) } else { out.text("envelope_from", &row.envelope_from) }
    })?;
    out.inside("auth_results", |out| {
        for (domain, selector, result) in &row.dkim {
            out.inside("dkim", |out| {
                out.text("domain", domain)?;
                out.text("selector", selector)?;
                out.text("result", result)
            })?;
        }
        let (scope, domain, result) = &row.spf;
        out.inside("spf", |out| {
            out.text("domain", domain)?;
            out.text("scope", scope)?;
            out.text("result", result)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::PolicyPublished;
    use super::*;

    #[test]
    fn a_report_has_everything_and_nothing_of_it_becomes_markup() {
        let published = PolicyPublished {
            policy: "reject".to_owned(),
            subdomain_policy: "none".to_owned(),
            strict_dkim: true,
            strict_spf: false,
            testing: false,
            report_to: Vec::new(),
        };
        let row = Row {
            source_ip: "192.0.2.1".parse().unwrap(),
            disposition: "none".to_owned(),
            overridden: true,
            dkim_aligned: false,
            spf_aligned: true,
            header_from: "a.example".to_owned(),
            envelope_from: String::new(),
            dkim: vec![("</domain>&\u{1}".to_owned(), "s".to_owned(), "fail".to_owned())],
            spf: ("helo".to_owned(), "mx.a.example".to_owned(), "pass".to_owned()),
        };
        let report = Report {
            organisation: "mx.here.example",
            contact: "reports@here.example",
            id: "1",
            begin_secs: 0,
            end_secs: 86_399,
            domain: "a.example",
            published: &published,
            rows: &[(3, row)],
        };
        let xml = String::from_utf8(report.to_xml().unwrap()).unwrap();
        for part in [
            "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">",
            "<org_name>mx.here.example</org_name>",
            "<begin>0</begin>",
            "<p>reject</p>",
            "<adkim>s</adkim>",
            "<source_ip>192.0.2.1</source_ip>",
            "<count>3</count>",
            "<type>local_policy</type>",
            "<domain>&lt;/domain&gt;&amp;</domain>",
            "<scope>helo</scope>",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
        assert!(!xml.contains("envelope_from"));
        let mut unpacked = String::new();
        let packed = super::super::gzip(xml.as_bytes()).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut unpacked).unwrap();
        assert_eq!(unpacked, xml);
        assert_eq!(super::super::file_name(&report), "mx.here.example!a.example!0!86399!1.xml.gz");
    }
}
