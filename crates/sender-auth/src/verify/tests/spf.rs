//! The suite of openspf.org for RFC 7208, see `testdata/spf`.

use serde_json::Value;

use super::server::Zone;
use super::*;

const SUITE: &str = include_str!("../../../testdata/spf/rfc7208-tests.json");

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The octets of a string: the suite has some that are no UTF-8, which the file keeps as Latin-1.
fn octets(value: &Value) -> Vec<u8> {
    text(value).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn zone(data: &Value) -> Zone {
    let mut zone = Zone::default();
    for (name, records) in data.as_object().unwrap() {
        let records = records.as_array().unwrap();
        // `SPF` stands for TXT where the name has no TXT of its own.
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            let Some(record) = record.as_object() else {
                assert_eq!(record, "TIMEOUT");
                zone = zone.fails_otherwise(&name.to_ascii_lowercase());
                continue;
            };
            for (kind, value) in record {
                zone = match kind.as_str() {
                    "A" => zone.a(name, text(value)),
                    "AAAA" => zone.aaaa(name, text(value)),
                    "PTR" => zone.ptr(name, text(value)),
                    "CNAME" => zone.cname(name, text(value)),
                    "MX" => zone.mx(name, u16::try_from(value[0].as_u64().unwrap()).unwrap(), text(&value[1])),
                    "TXT" if value == "NONE" => zone,
                    "SPF" if has_txt => zone,
                    "TXT" | "SPF" => {
                        let mut parts: Vec<Vec<u8>> = match value.as_array() {
                            Some(parts) => parts.iter().map(octets).collect(),
                            None => octets(value).chunks(255).map(<[u8]>::to_vec).collect(),
                        };
                        // A record has one string at least (RFC 1035 §3.3.14).
                        if parts.is_empty() {
                            parts.push(Vec::new());
                        }
                        zone.strings(name, &parts)
                    }
                    other => panic!("{other}"),
                };
            }
        }
    }
    zone
}

#[tokio::test]
async fn rfc7208_suite() {
    let suite: Vec<Value> = serde_json::from_str(SUITE).unwrap();
    let (mut wrong, mut tests) = (Vec::new(), 0);
    for part in &suite {
        let checker = checker(zone(&part["zonedata"])).await;
        for (name, test) in part["tests"].as_object().unwrap() {
            tests += 1;
            let (ip, helo, path) = (text(&test["host"]), text(&test["helo"]), text(&test["mailfrom"]));
            let path = Some(path).filter(|path| !path.is_empty());
            let (_, found) = checker.spf_of(ip.parse().unwrap(), helo, path).await;
            let outcome = found.outcome;
            let expected = &test["result"];
            let right = match expected.as_array() {
                Some(several) => several.iter().any(|one| one == outcome.name()),
                None => expected == outcome.name(),
            };
            let wanted = test["explanation"].as_str().filter(|text| *text != "DEFAULT");
            let explained = wanted.is_none_or(|wanted| found.explanation.as_deref() == Some(wanted));
            if !right || !explained {
                let said = &found.explanation;
                wrong.push(format!("{name}: {outcome}, not {}; {said:?}, not {wanted:?}", test["result"]));
            }
        }
    }
    assert!(tests > 200, "{tests}");
    assert!(wrong.is_empty(), "{} of {tests}:\n{}", wrong.len(), wrong.join("\n"));
}
