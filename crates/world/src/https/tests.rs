//! A server over simulated connections: what it says is given octet by octet.

use std::sync::Mutex;

use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::simulated::SimulatedWorld;

/// 2026-01-01.
const START: Timestamp = Timestamp(1_767_225_600_000);
const ADDRESS: &str = "198.51.100.1";

struct Stage {
    sim: SimulatedWorld,
    root: CertificateDer<'static>,
    heard: Arc<Mutex<Vec<String>>>,
}

/// A server for `good.example` that answers every request with `says`; with nothing to say it is silent for ever.
fn stage(says: Vec<u8>) -> Stage {
    let made = rcgen::generate_simple_self_signed(vec!["good.example".to_owned()]).unwrap();
    let root = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![root.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let sim = SimulatedWorld::new(START, 1);
    for host in ["good.example", "other.example"] {
        sim.resolver.set_addresses(Domain::parse(host).unwrap(), Ok(vec![ADDRESS.parse().unwrap()]));
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listen = |port: u16, tls: Option<TlsAcceptor>| {
        let (says, heard) = (says.clone(), Arc::clone(&heard));
        sim.connector.listen(SocketAddr::new(ADDRESS.parse().unwrap(), port), move |stream| {
            let (says, heard, tls) = (says.clone(), Arc::clone(&heard), tls.clone());
            tokio::spawn(async move {
                let mut stream: Box<dyn Stream> = match tls {
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => return,
                    },
                    None => stream,
                };
                let (mut request, mut octets) = (Vec::new(), [0; 1024]);
                while !is_whole(&request) {
                    let read = stream.read(&mut octets).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    request.extend_from_slice(&octets[..read]);
                }
                heard.lock().unwrap().push(String::from_utf8(request).unwrap());
                if says.is_empty() {
                    std::future::pending::<()>().await;
                }
                // A client that had enough closes: that is its right.
                stream.write_all(&says).await.ok();
                stream.shutdown().await.ok();
            });
        });
    };
    listen(443, Some(acceptor));
    listen(80, None);
    Stage { sim, root, heard }
}

/// Whether the head is there, and as much of a body as it says.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    request.len() >= end + 4 + length
}

impl Stage {
    fn client(&self) -> HttpsClient {
        HttpsClient::new(self.sim.world(), std::slice::from_ref(&self.root)).unwrap()
    }

    async fn get(&self, url: &str) -> Result<Response, HttpsError> {
        self.client().exchange(near(Request::get(Url::parse_even_plain(url).unwrap()))).await
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// The documentation's addresses are not public.
fn near(request: Request) -> Request {
    Request { reach: Reach::Anywhere, ..request }
}

fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test]
async fn a_document_comes_over_tls() {
    let stage = stage(ok("hello"));
    let response = stage.get("https://good.example/a/b?c=d").await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(response.media_type().as_deref(), Some("text/plain"));
    let heard = &stage.heard()[0];
    assert!(heard.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{heard}");
    assert!(heard.to_ascii_lowercase().contains("\r\nhost: good.example\r\n"), "{heard}");
}

#[tokio::test]
async fn what_is_posted_arrives_with_its_fields() {
    let stage = stage(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let mut request =
        near(Request::post(Url::parse("https://good.example").unwrap(), "application/json", b"{}".to_vec()));
    request.fields.push(("X-Signature".into(), "abc".into()));
    let response = stage.client().exchange(request.clone()).await.unwrap();
    assert!(response.is_success());
    let heard = stage.heard()[0].to_ascii_lowercase();
    assert!(heard.starts_with("post / http/1.1\r\n") && heard.ends_with("\r\n\r\n{}"), "{heard}");
    assert!(heard.contains("content-type: application/json\r\n") && heard.contains("x-signature: abc\r\n"), "{heard}");
    request.fields.push(("X-Evil".into(), "a\r\nb: c".into()));
    assert!(matches!(stage.client().exchange(request).await, Err(HttpsError::Field(_))));
}

/// A POST of pieces that together have so many octets, as is said.
async fn streamed(stage: &Stage, pieces: &[&'static [u8]], octets: u64) -> Result<Response, HttpsError> {
    let request = near(Request::post(Url::parse("https://good.example").unwrap(), "message/rfc822", Vec::new()));
    let (sender, pieces_come) = mpsc::channel(1);
    let client = stage.client();
    let exchanging = client.exchange_streamed(request, Streamed { octets, pieces: pieces_come });
    let sending = async move {
        for piece in pieces {
            if sender.send(Bytes::from_static(piece)).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(exchanging, sending).0
}

#[tokio::test]
async fn what_is_streamed_arrives_as_one_and_has_the_length_that_was_said() {
    let stage = stage(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    assert_eq!(streamed(&stage, &[b"one ", b"two ", b"three"], 13).await.unwrap().status, 204);
    assert_eq!(streamed(&stage, &[], 0).await.unwrap().status, 204);
    let heard = stage.heard();
    assert!(heard[0].to_ascii_lowercase().contains("content-length: 13\r\n"), "{}", heard[0]);
    assert!(heard[0].ends_with("\r\n\r\none two three") && heard[1].ends_with("\r\n\r\n"), "{heard:?}");
    for (pieces, octets) in [(&[&b"one"[..]][..], 4), (&[b"one", b"two"], 4)] {
        assert!(matches!(streamed(&stage, pieces, octets).await, Err(HttpsError::Http(_))));
    }
    assert_eq!(stage.heard().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let stage = stage(b"HTTP/1.1 301 Moved\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n".to_vec());
    let response = stage.get("https://good.example/").await.unwrap();
    assert_eq!((response.status, response.field("location")), (301, Some("https://other.example/")));
    assert_eq!(stage.heard().len(), 1);
}

#[tokio::test]
async fn a_certificate_that_is_not_the_hosts_ends_it() {
    let stage = stage(ok("hello"));
    assert!(matches!(stage.get("https://other.example/").await, Err(HttpsError::Tls(_))), "another name");
    let public = HttpsClient::new(stage.sim.world(), &[]).unwrap();
    let request = near(Request::get(Url::parse("https://good.example/").unwrap()));
    assert!(matches!(public.exchange(request.clone()).await, Err(HttpsError::Tls(_))), "an unknown authority");
    // By the world's clock, the certificate is no longer valid: rcgen's end with the year 4095.
    stage.sim.clock.advance(Duration::from_hours(24 * 366 * 2_100));
    assert!(matches!(stage.client().exchange(request).await, Err(HttpsError::Tls(_))), "expired");
    assert!(stage.heard().is_empty(), "nothing is said to a stranger");
}

#[tokio::test]
async fn too_much_is_an_error_however_it_is_said() {
    let long = "x".repeat(70_000);
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let unsaid = format!("HTTP/1.1 200 OK\r\n\r\n{long}");
    for says in [ok(&long), chunked.into_bytes(), unsaid.into_bytes()] {
        assert_eq!(stage(says).get("https://good.example/").await, Err(HttpsError::TooLong));
    }
    let head = format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n");
    assert!(matches!(stage(head.into_bytes()).get("https://good.example/").await, Err(HttpsError::Http(_))));
}

#[tokio::test]
async fn what_breaks_off_or_is_no_http_is_an_error() {
    for says in [&b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"[..], b"220 mx.example ESMTP\r\n", b"HTTP/1.1 20"]
    {
        assert!(matches!(stage(says.to_vec()).get("https://good.example/").await, Err(HttpsError::Http(_))));
    }
}

#[tokio::test]
async fn silence_ends_with_the_time() {
    let stage = stage(Vec::new());
    let advance = async {
        while stage.heard().is_empty() {
            tokio::task::yield_now().await;
        }
        stage.sim.clock.advance(Duration::from_secs(30));
    };
    let (response, ()) = tokio::join!(stage.get("https://good.example/"), advance);
    assert_eq!(response, Err(HttpsError::TimedOut));
}

#[tokio::test]
async fn only_the_public_internet_is_reached_unless_said_otherwise() {
    let stage = stage(ok("secret"));
    let request = Request::get(Url::parse("https://good.example/").unwrap());
    assert_eq!(stage.client().exchange(request.clone()).await, Err(HttpsError::NotPublic));
    let at = Some(SocketAddr::new(ADDRESS.parse().unwrap(), 443));
    let request = Request { at, url: Url::parse("https://good.example:9/").unwrap(), ..near(request) };
    assert!(stage.client().exchange(request).await.is_ok(), "a given place is used whatever the URL's port");
    let missing = stage.get("https://missing.example/").await;
    assert_eq!(missing, Err(HttpsError::Resolve(ResolveError::NoSuchName)));
    assert!(matches!(stage.get("https://good.example:1/").await, Err(HttpsError::Connect(_))));
}

#[tokio::test]
async fn plain_http_is_for_those_who_ask_for_it() {
    let stage = stage(ok("near"));
    assert_eq!(stage.get("http://good.example/").await.unwrap().body, b"near");
}

#[test]
fn urls_are_read_strictly() {
    for (text, host, port, path, shown) in [
        ("https://a.example", "a.example", 443, "/", "https://a.example/"),
        ("https://A.example:8443/x?y=1", "a.example", 8443, "/x?y=1", "https://a.example:8443/x?y=1"),
        ("https://[::1]:1/", "[IPv6:::1]", 1, "/", "https://[::1]:1/"),
        ("https://192.0.2.1?q", "[192.0.2.1]", 443, "/?q", "https://192.0.2.1/?q"),
    ] {
        let url = Url::parse(text).unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path));
        assert_eq!(url.to_string(), shown);
    }
    for (text, flaw) in [
        ("http://a.example/", UrlFlaw::Scheme),
        ("ftp://a.example/", UrlFlaw::Scheme),
        ("a.example", UrlFlaw::Scheme),
        ("/x", UrlFlaw::Scheme),
        ("", UrlFlaw::Malformed),
        ("https://", UrlFlaw::Malformed),
        ("https://u:p@a.example/", UrlFlaw::UserInfo),
        ("https://a.example:0/", UrlFlaw::Malformed),
        ("https://a.example:/", UrlFlaw::Malformed),
        ("https://a.example:70000/", UrlFlaw::Malformed),
        ("https://a b/", UrlFlaw::Malformed),
        ("https://a.example/\r\nx", UrlFlaw::Malformed),
    ] {
        assert_eq!(Url::parse(text), Err(flaw), "{text:?}");
    }
    assert_eq!(Url::parse(&format!("https://a.example/{}", "x".repeat(2_000))), Err(UrlFlaw::TooLong));
    assert!(!Url::parse_even_plain("http://[127.0.0.1]/").is_ok_and(|url| url.secure));
}

#[test]
fn what_is_public() {
    for public in
        ["1.1.1.1", "192.0.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
    {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for private in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "100::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
}
