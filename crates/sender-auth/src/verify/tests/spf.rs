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
            assert!(!found.narrow || found.spf.outcome == Outcome::Pass, "{name}");
            let found = found.spf;
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

/// A pass says something when what is published names the addresses, and not too much of the world.
#[tokio::test]
async fn a_pass_by_what_lets_the_world_pass_is_not_narrow() {
    let many: String = (0..24).map(|n| format!(" ip4:10.{}.0.0/15", 2 * n)).collect();
    let long = format!("v=spf1 ip4:192.0.2.0/24{many} -all");
    let records = [
        ("own.example", "v=spf1 ip4:192.0.2.0/24 -all"),
        ("hosts.example", "v=spf1 a:mx.own.example/28 mx -all"),
        ("provider.example", "v=spf1 include:_spf.provider.example -all"),
        ("_spf.provider.example", "v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/36 -all"),
        ("redirected.example", "v=spf1 redirect=_spf.provider.example"),
        ("named.example", "v=spf1 include:_spf.%{d2} -all"),
        ("_spf.named.example", "v=spf1 ip4:192.0.2.0/24 -all"),
        // Who is named passes as one of the domain's, whatever becomes of others.
        ("behind.example", "v=spf1 ip4:192.0.2.0/24 +all"),
        ("all.example", "v=spf1 +all"),
        ("included.example", "v=spf1 include:all.example -all"),
        ("halves.example", "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"),
        ("long.example", long.as_str()),
        ("around.example", "v=spf1 a:mx.own.example/0 -all"),
        ("exists.example", "v=spf1 exists:mx.own.example -all"),
        ("each.example", "v=spf1 include:%{i}.each.example -all"),
        ("192.0.2.1.each.example", "v=spf1 ip4:192.0.2.1 -all"),
        ("led.example", "v=spf1 redirect=%{l}.led.example"),
        ("zoe.led.example", "v=spf1 ip4:192.0.2.1 -all"),
        ("six.example", "v=spf1 ip6:2001:db8::/32 ip4:0.0.0.0/0 -all"),
        ("sixes.example", "v=spf1 ip6:2000::/3 -all"),
        ("none.example", "v=spf1 ip4:198.51.100.0/24 -all"),
    ];
    let zone = records.into_iter().fold(Zone::default(), |zone, (name, text)| zone.txt(name, text));
    let zone = zone.a("mx.own.example", "192.0.2.9").mx("hosts.example", 1, "mx.own.example");
    let checker = checker(zone).await;
    for (domain, ip, passes, narrow) in [
        ("own.example", "192.0.2.1", true, true),
        ("own.example", "198.51.100.1", false, false),
        ("hosts.example", "192.0.2.1", true, true),
        ("provider.example", "192.0.2.1", true, true),
        ("provider.example", "2001:db8::1", true, true),
        ("redirected.example", "192.0.2.1", true, true),
        ("named.example", "192.0.2.1", true, true),
        ("behind.example", "192.0.2.1", true, true),
        ("behind.example", "198.51.100.1", true, false),
        ("all.example", "192.0.2.1", true, false),
        ("included.example", "192.0.2.1", true, false),
        ("halves.example", "192.0.2.1", true, false),
        ("long.example", "192.0.2.1", true, false),
        ("around.example", "192.0.2.1", true, false),
        ("exists.example", "192.0.2.1", true, false),
        ("each.example", "192.0.2.1", true, false),
        ("led.example", "192.0.2.1", true, false),
        ("six.example", "2001:db8::1", true, true),
        ("six.example", "192.0.2.1", true, false),
        ("sixes.example", "2001:db8::1", true, false),
        ("none.example", "192.0.2.1", false, false),
    ] {
        let client = from(ip, &format!("zoe@{domain}"));
        let found = SenderAuthentication::spf(&checker, &client).await;
        let outcome = found.spf.outcome;
        assert_eq!((outcome == Outcome::Pass, found.narrow), (passes, narrow), "{domain} {ip}: {outcome}");
    }
}
