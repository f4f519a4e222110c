//! A small name server on UDP.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;

/// What it knows. Names that it does not have at all do not exist.
#[derive(Clone, Default)]
pub(super) struct Zone {
    records: HashMap<String, Vec<(u16, Vec<u8>)>>,
    failing: HashSet<String>,
    silent: HashSet<String>,
    /// Names of which only the types that are there are answered.
    partly: HashSet<String>,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

impl Zone {
    fn with(mut self, name: &str, kind: u16, data: Vec<u8>) -> Self {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.records.entry(name).or_default().push((kind, data));
        self
    }

    pub(super) fn a(self, name: &str, ip: &str) -> Self {
        self.with(name, A, ip.parse::<Ipv4Addr>().unwrap().octets().to_vec())
    }

    pub(super) fn aaaa(self, name: &str, ip: &str) -> Self {
        self.with(name, AAAA, ip.parse::<Ipv6Addr>().unwrap().octets().to_vec())
    }

    pub(super) fn mx(self, name: &str, preference: u16, host: &str) -> Self {
        self.with(name, MX, [&preference.to_be_bytes()[..], &labels(host)].concat())
    }

    pub(super) fn ptr(self, name: &str, host: &str) -> Self {
        self.with(name, PTR, labels(host))
    }

    pub(super) fn cname(self, name: &str, to: &str) -> Self {
        self.with(name, CNAME, labels(to))
    }

    pub(super) fn txt(self, name: &str, text: &str) -> Self {
        let strings: Vec<Vec<u8>> = text.as_bytes().chunks(255).map(<[u8]>::to_vec).collect();
        self.strings(name, &strings)
    }

    pub(super) fn strings(self, name: &str, strings: &[Vec<u8>]) -> Self {
        let mut data: Vec<u8> = Vec::new();
        for string in strings {
            data.push(u8::try_from(string.len()).unwrap());
            data.extend_from_slice(string);
        }
        self.with(name, TXT, data)
    }

    /// SERVFAIL.
    pub(super) fn fails(mut self, name: &str) -> Self {
        self.failing.insert(name.to_owned());
        self
    }

    /// No answer at all.
    pub(super) fn silences(mut self, name: &str) -> Self {
        self.silent.insert(name.to_owned());
        self
    }

    /// SERVFAIL for what is not there.
    pub(super) fn fails_otherwise(mut self, name: &str) -> Self {
        self.partly.insert(name.to_owned());
        self
    }

    pub(super) async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(self);
        tokio::spawn(async move {
            let mut question = vec![0; 4096];
            while let Ok((octets, client)) = socket.recv_from(&mut question).await {
                if let Some(answer) = zone.answer(&question[..octets]) {
                    socket.send_to(&answer, client).await.ok();
                }
            }
        });
        address
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (mut at, mut name) = (12, String::new());
        while question[at] != 0 {
            let label = &question[at + 1..=at + usize::from(question[at])];
            name.push_str(&String::from_utf8_lossy(label));
            name.push('.');
            at += 1 + label.len();
        }
        let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
        let asked = &question[12..at + 5];
        let mut wanted = name.trim_end_matches('.').to_ascii_lowercase();
        if self.silent.contains(&wanted) {
            return None;
        }
        let mut body = Vec::new();
        let mut count: u16 = 0;
        let mut found = self.failing.contains(&wanted);
        let mut code: u8 = if found { 2 } else { 0 };
        // Aliases are followed, as a resolver that asks for others does.
        for _ in 0..10 {
            let records = self.records.get(&wanted).map(Vec::as_slice).unwrap_or_default();
            let alias = records.iter().find(|(known, _)| *known == CNAME && kind != CNAME);
            let chosen: Vec<&(u16, Vec<u8>)> = match alias {
                Some(alias) => vec![alias],
                None => records.iter().filter(|(known, _)| *known == kind).collect(),
            };
            for (known, data) in &chosen {
                body.extend(labels(&wanted));
                body.extend(known.to_be_bytes());
                body.extend([0, 1, 0, 0, 0, 60]);
                body.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                body.extend_from_slice(data);
                count += 1;
                found = true;
            }
            if chosen.is_empty() && self.partly.contains(&wanted) {
                code = 2;
            }
            let Some((_, to)) = alias else { break };
            let (mut place, mut next) = (0, Vec::new());
            while to[place] != 0 {
                next.push(String::from_utf8_lossy(&to[place + 1..=place + usize::from(to[place])]).into_owned());
                place += 1 + usize::from(to[place]);
            }
            wanted = next.join(".").to_ascii_lowercase();
        }
        let below = |known: &String| *known == wanted || known.ends_with(&format!(".{wanted}"));
        if !found && code == 0 && !self.records.keys().any(below) {
            code = 3;
        }
        let mut authority = Vec::new();
        if count == 0 && code != 2 {
            let mut soa = [labels("ns.test"), labels("hostmaster.test")].concat();
            soa.extend([1_u32, 60, 60, 60, 60].iter().flat_map(|number| number.to_be_bytes()));
            authority.extend(labels(""));
            authority.extend(SOA.to_be_bytes());
            authority.extend([0, 1, 0, 0, 0, 60]);
            authority.extend(u16::try_from(soa.len()).unwrap().to_be_bytes());
            authority.extend(soa);
        }
        let mut out = question[..2].to_vec();
        out.extend([0x85, 0x80 | code, 0, 1]);
        out.extend(count.to_be_bytes());
        out.extend([0, u8::from(!authority.is_empty()), 0, 0]);
        out.extend_from_slice(asked);
        out.extend(body);
        out.extend(authority);
        Some(out)
    }
}
