//! What is read is what was written, and what is no report is told so.

use std::io::Write as _;

use super::*;
use crate::report::gzip;

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<!-- as a large provider writes it -->
<feedback>
  <report_metadata>
    <org_name>big.example</org_name><email>noreply-dmarc@big.example</email>
    <extra_contact_info>https://big.example/</extra_contact_info>
    <report_id>1234567890</report_id>
    <date_range><begin>1767225600</begin><end>1767311999</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>Shop.Example.</domain><adkim>r</adkim><aspf>s</aspf><p>quarantine</p><sp>reject</sp><pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip><count>2</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated>
    </row>
    <identifiers><header_from>shop.example</header_from></identifiers>
    <auth_results>
      <dkim><domain>shop.example</domain><result>pass</result><selector>a&amp;b</selector></dkim>
      <spf><domain>mail.big.example</domain><result>pass</result></spf>
    </auth_results>
  </record>
  <record>
    <row>
      <source_ip>2001:db8::7</source_ip><count>40</count>
      <policy_evaluated><disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>forwarded</type><comment/></reason></policy_evaluated>
    </row>
    <identifiers><envelope_from>Evil.Example</envelope_from><header_from>shop.example</header_from></identifiers>
    <auth_results><spf><domain>evil.example</domain><scope>mfrom</scope><result>softfail</result></spf></auth_results>
  </record>
  <record><row><source_ip>nowhere</source_ip><count>9</count></row></record>
</feedback>
"#;

const JSON: &str = r#"{
  "organization-name": "Big\u001bMail", "contact-info": null, "report-id": "2026-01-01@shop.example",
  "date-range": {"start-datetime": "2026-01-01T00:00:00Z", "end-datetime": "2026-01-01T23:59:59Z"},
  "policies": [{
    "policy": {"policy-type": "STS", "policy-string": ["version: STSv1"], "policy-domain": "shop.example", "mx-host": "*.shop.example"},
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [{
      "result-type": "certificate-expired", "sending-mta-ip": "2001:db8::1", "receiving-mx-hostname": "MX1.shop.example",
      "failed-session-count": 100, "failure-reason-code": null, "additional-information": "https://big.example/why"
    }]
  }]
}"#;

fn dmarc(file: &[u8]) -> DmarcReport {
    match read(file) {
        Ok(Report::Dmarc(report)) => *report,
        other => panic!("{other:?}"),
    }
}

/// An archive with one file, as `zip` makes it: the sizes in front are not there when it streams.
fn zip(content: &[u8], deflate: bool, streamed: bool) -> Vec<u8> {
    let data = if deflate {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    } else {
        content.to_vec()
    };
    let method: u16 = if deflate { 8 } else { 0 };
    let (flags, in_front): (u16, usize) = if streamed { (8, 0) } else { (0, data.len()) };
    let size = |octets: usize| u32::try_from(octets).unwrap().to_le_bytes();
    let name = b"report.xml";
    let sizes = |packed: usize| [[0; 4], size(packed), size(content.len())].concat();
    let common = |packed| {
        [&[20, 0][..], &flags.to_le_bytes(), &method.to_le_bytes(), &[0; 4], &sizes(packed), &[10, 0, 0, 0]].concat()
    };
    let local = [&b"PK\x03\x04"[..], &common(in_front), name, &data].concat();
    let central = [&b"PK\x01\x02\x14\x00"[..], &common(data.len()), &[0; 14], name].concat();
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &size(central.len()), &size(local.len()), &[3, 0], b"end"];
    [local, central, end.concat()].concat()
}

#[test]
fn a_report_is_read_however_it_is_packed() {
    let report = dmarc(XML.as_bytes());
    assert_eq!((report.organisation.as_str(), report.id.as_str()), ("big.example", "1234567890"));
    assert_eq!((report.begin_secs, report.end_secs), (1_767_225_600, 1_767_311_999));
    assert_eq!(report.domain, "shop.example");
    assert_eq!(
        (report.published.policy.as_str(), report.published.subdomain_policy.as_str()),
        ("quarantine", "reject")
    );
    assert!(report.published.strict_spf && !report.published.strict_dkim && !report.published.testing);
    assert_eq!((report.rows.len(), report.beyond), (2, 0), "a row without an address is none");
    let (count, row) = &report.rows[0];
    assert_eq!((*count, row.source_ip.to_string().as_str()), (40, "2001:db8::7"), "the most comes first");
    assert!(row.overridden && !row.dkim_aligned && !row.spf_aligned);
    assert_eq!((row.disposition.as_str(), row.envelope_from.as_str()), ("quarantine", "evil.example"));
    assert_eq!(row.spf, ("mfrom".to_owned(), "evil.example".to_owned(), "softfail".to_owned()));
    let (count, row) = &report.rows[1];
    assert!(*count == 2 && row.dkim_aligned && !row.spf_aligned && !row.overridden);
    assert_eq!(row.dkim, [("shop.example".to_owned(), "a&b".to_owned(), "pass".to_owned())]);
    let packed = [
        gzip(XML.as_bytes()).unwrap(),
        zip(XML.as_bytes(), true, false),
        zip(XML.as_bytes(), true, true),
        zip(XML.as_bytes(), false, false),
        [b"\xEF\xBB\xBF\r\n ", XML.replacen("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>", "", 1).as_bytes()].concat(),
    ];
    for file in packed {
        assert_eq!(dmarc(&file), report);
    }
}

#[test]
fn what_this_server_writes_it_reads() {
    let published = PolicyPublished {
        policy: "reject".to_owned(),
        subdomain_policy: "none".to_owned(),
        strict_dkim: true,
        strict_spf: false,
        testing: true,
        report_to: Vec::new(),
    };
    let row = |n: u8| Row {
        source_ip: [192, 0, 2, n].into(),
        disposition: "none".to_owned(),
        overridden: n == 1,
        dkim_aligned: n == 2,
        spf_aligned: true,
        header_from: "a.example".to_owned(),
        envelope_from: String::new(),
        dkim: vec![("<&\">'".to_owned(), "s".to_owned(), "fail".to_owned())],
        spf: ("helo".to_owned(), "mx.a.example".to_owned(), "pass".to_owned()),
    };
    let rows = [(3, row(1)), (2, row(2))];
    let written = crate::report::Report {
        organisation: "mx.here.example",
        contact: "reports@here.example",
        id: "1",
        begin_secs: 0,
        end_secs: 86_399,
        domain: "a.example",
        published: &published,
        rows: &rows,
    };
    let read = dmarc(&gzip(&written.to_xml().unwrap()).unwrap());
    assert_eq!((read.rows.as_slice(), &read.published), (&rows[..], &published));
    assert_eq!(
        (read.organisation, read.contact, read.id),
        ("mx.here.example".into(), "reports@here.example".into(), "1".into())
    );
}

#[test]
fn a_tls_report_is_read() {
    for file in [JSON.as_bytes().to_vec(), gzip(JSON.as_bytes()).unwrap()] {
        let Ok(Report::Tls(report)) = read(&file) else { panic!("{:?}", read(&file)) };
        assert_eq!((report.organisation.as_str(), report.contact.as_str()), ("Big Mail", ""), "in plain words");
        assert_eq!((report.begin_secs, report.end_secs), (1_767_225_600, 1_767_311_999));
        let policy = &report.policies[0];
        assert_eq!((policy.kind.as_str(), policy.domain.as_str()), ("sts", "shop.example"));
        assert_eq!((policy.succeeded, policy.failed), (5326, 303));
        let failure = &policy.failures[0];
        assert_eq!(
            (failure.result.as_str(), failure.receiving_mx.as_str()),
            ("certificate-expired", "mx1.shop.example")
        );
        assert_eq!((failure.sessions, failure.reason.as_str()), (100, "https://big.example/why"));
    }
}

#[test]
fn what_is_no_report_is_told_and_nothing_grows() {
    let form = |file: &[u8]| match read(file) {
        Err(Unread::Form(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(form(b""), "neither XML nor JSON");
    assert_eq!(form(b"Hello"), "neither XML nor JSON");
    assert_eq!(form(b"<html></html>"), "the outermost element is not <feedback>");
    assert_eq!(form(b"<feedback>"), "it ends in the middle");
    assert_eq!(form(b"<feedback></feedback>"), "it does not say of which time it tells");
    let laughs = "<!DOCTYPE a [<!ENTITY l \"ha\"><!ENTITY m \"&l;&l;\">]><feedback>&m;</feedback>";
    assert_eq!(form(laughs.as_bytes()), "it declares a document type");
    assert_eq!(form(b"<feedback>&m;</feedback>"), "it names an entity that is not declared");
    let deep = format!("<feedback>{}", "<a>".repeat(1_000_000));
    assert_eq!(form(deep.as_bytes()), "its elements stand in each other without end");
    for deep in ["{\"a\":", "{\"policies\":", "{\"policies\":[{\"policy\":"] {
        form(format!("{deep}{}", "[".repeat(1_000_000)).as_bytes());
    }
    assert!(matches!(read(b"\x1F\x8Bxx"), Err(Unread::Packed(_))));
    assert!(matches!(read(b"PK\x03\x04"), Err(Unread::Packed(_))));
    assert_eq!(read(&vec![b'<'; PACKED_OCTETS_MAX + 1]), Err(Unread::TooLarge));
    // A bomb: much out of little, in every place.
    let much = usize::try_from(XML_OCTETS_MAX).unwrap() + 1;
    let padded =
        |front: &str, fill: &[u8]| gzip(&[front.as_bytes(), &fill.repeat(much / fill.len() + 1)].concat()).unwrap();
    assert_eq!(read(&padded("<feedback>", b" ")), Err(Unread::TooLarge));
    assert_eq!(read(&padded("<feedback>", b"<a></a>")), Err(Unread::TooLarge));
    assert!(read(&padded("", b" ")).is_err());
    assert_eq!(read(&padded("{", b" ")), Err(Unread::TooLarge));
    assert_eq!(read(&zip(&[&b"<feedback>"[..], &vec![b'x'; much]].concat(), true, true)), Err(Unread::TooLarge));
}

#[test]
fn many_rows_are_cut_and_counted() {
    let record = |n: usize| {
        format!(
            "<record><row><source_ip>10.0.{}.{}</source_ip><count>{}</count></row></record>",
            n / 256,
            n % 256,
            if n == 1_999 { u64::MAX } else { 1 }
        )
    };
    let rows: String = (0..2_000).map(record).collect();
    let head = "<feedback><report_metadata><date_range><begin>1</begin><end>2.5</end></date_range></report_metadata>\
                <policy_published><domain>a.example</domain></policy_published>";
    let report = dmarc(format!("{head}{rows}</feedback>").as_bytes());
    assert_eq!((report.rows.len(), report.beyond), (limits::ROWS_MAX, 1_000));
    assert_eq!(report.rows[0].0, COUNT_MAX);
    assert_eq!(report.rows[0].1.header_from, "a.example");
    let text = format!(
        "{head}<report_metadata><org_name>{}\n\u{1b}</org_name></report_metadata></feedback>",
        "é".repeat(100_000)
    );
    assert_eq!(dmarc(text.as_bytes()).organisation.chars().count(), TEXT_CHARACTERS_MAX);
}
