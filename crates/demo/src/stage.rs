//! The stage: a fresh folder, a running server, its people and addresses, all made with the commands that anybody types.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;

use crate::Trouble;
use crate::imap::{Imap, Message};
use crate::report::Report;
use crate::sink::Sink;
use crate::smtp::Smtp;

/// The domain of the demonstration.
pub(crate) const DOMAIN: &str = "demo.example";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "three herons at the pond";
/// The accounts: login and name.
pub(crate) const PEOPLE: [(&str, &str); 4] =
    [("alice", "Alice Martin"), ("bob", "Bob Durand"), ("carol", "Carol Petit"), ("dora", "Dora Leroy")];

/// A server with people, and the world around it.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    relais: PathBuf,
    server: Child,
    /// What is added to the well-known port numbers.
    pub(crate) base: u16,
    pub(crate) tls: TlsConnector,
    pub(crate) sink: Sink,
}

impl Stage {
    /// Makes everything and starts the server.
    pub(crate) async fn build(report: &mut Report) -> Result<Self, Trouble> {
        report.step("A fresh server: configuration, domain, certificate");
        let relais = beside_this_program()?;
        let folder = tempfile::Builder::new().prefix("relais-demo-").tempdir()?;
        let sink = Sink::start().await?;
        let base = free_ports()?;
        let config = folder.path().join("relais.toml");
        let data = folder.path().join("data").to_string_lossy().into_owned();
        let init = [
            "init",
            "--domain",
            DOMAIN,
            "--hostname",
            "localhost",
            "--data-dir",
            &data,
            "--loopback-ports",
            &base.to_string(),
        ];
        run(&relais, &config, &init, None).await?;
        report.does(&format!("relais init --domain {DOMAIN}, in {}", folder.path().display()));
        adapt(&config, sink.port)?;
        let log = std::fs::File::create(folder.path().join("relais.log"))?;
        let server = Command::new(&relais)
            .args(["--config".as_ref(), config.as_os_str(), "serve".as_ref()])
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut stage = Self { tls: TlsConnector::from(Arc::new(no_tls_yet()?)), folder, relais, server, base, sink };
        stage.wait_until_ready().await?;
        stage.tls = trusting(&stage.folder.path().join("data/tls/localhost.cert.pem"))?;
        report.check(true, &format!("the server is ready: http://127.0.0.1:{}/health/ready says so", stage.port(8080)));
        stage.populate(report).await?;
        Ok(stage)
    }

    async fn populate(&self, report: &mut Report) -> Result<(), Trouble> {
        report.step("People and addresses, with the commands that anybody types");
        for (login, name) in PEOPLE {
            let zone_and_language = if login == "dora" { ["Europe/Paris", "fr"] } else { ["UTC", "en"] };
            let address = at(login);
            let [zone, language] = zone_and_language;
            let args = [
                "account",
                "add",
                &address,
                "--name",
                name,
                "--time-zone",
                zone,
                "--language",
                language,
                "--password-file",
                "-",
                // The letters of this show are those that it writes itself.
                "--no-welcome",
            ];
            self.relais(&args, Some(PASSWORD)).await?;
        }
        report.does("accounts: alice, bob, carol, dora");
        let commands: [&[&str]; 8] = [
            &[
                "alias",
                "add",
                "info@demo.example",
                "--to",
                "alice@demo.example",
                "--to",
                "bob@demo.example",
                "--to",
                "friend@elsewhere.example",
            ],
            &[
                "alias",
                "add",
                "team@demo.example",
                "--to",
                "info@demo.example",
                "--to",
                "carol@demo.example",
                "--to",
                "alice@demo.example",
            ],
            &["alias", "add", "all@demo.example", "--to", ""],
            &["alias", "add", "old@demo.example", "--to", ":blackhole:"],
            &["alias", "add", "prices@demo.example", "--to", ":blackhole:"],
            &[
                "responder",
                "add",
                "prices@demo.example",
                "--subject",
                "Our price list",
                "--html",
                "<h1>Prices</h1><p>One loaf of <b>bread</b>: 3 EUR</p>",
                "--frequency",
                "24h",
            ],
            &[
                "responder",
                "add",
                "dora@demo.example",
                "--kind",
                "out-of-office",
                "--subject-prefix",
                "Absente :",
                "--text",
                "Bonjour, je suis absente cette semaine. Dora",
                "--frequency",
                "24h",
            ],
            &["domain", "set", DOMAIN, "--postmaster", "alice@demo.example"],
        ];
        for command in commands {
            self.relais(command, None).await?;
            let typed: Vec<String> = command.iter().map(|word| quoted(word)).collect();
            report.does(&format!("relais {}", typed.join(" ")));
        }
        let circle = self.relais(&["alias", "add", "info@demo.example", "--to", "team@demo.example"], None).await;
        let said = circle.err().map(|trouble| trouble.to_string()).unwrap_or_default();
        report.check(said.contains("circle"), "an alias that would lead to itself is refused, with the circle shown:");
        report.sees(&said);
        Ok(())
    }

    /// Types a command, and returns what it prints.
    pub(crate) async fn relais(&self, args: &[&str], input: Option<&str>) -> Result<String, Trouble> {
        run(&self.relais, &self.folder.path().join("relais.toml"), args, input).await
    }

    /// The port of a service, by its well-known number.
    pub(crate) fn port(&self, well_known: u16) -> u16 {
        self.base.saturating_add(well_known)
    }

    /// Where everything is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A session as another server has it.
    pub(crate) async fn another_server(&self) -> Result<Smtp, Trouble> {
        Smtp::from_outside(self.port(25)).await
    }

    /// A session as a mail program has it.
    pub(crate) async fn read_as(&self, login: &str) -> Result<Imap, Trouble> {
        Imap::log_in(self.port(993), &self.tls, &at(login), PASSWORD).await
    }

    /// The messages of a person's mailbox with a subject, once there are at least so many; fewer when they do not come.
    pub(crate) async fn find(
        &self,
        login: &str,
        mailbox: &str,
        subject: &str,
        at_least: usize,
    ) -> Result<Vec<Message>, Trouble> {
        let mut imap = self.read_as(login).await?;
        for _ in 0..LOOKS {
            let mut found = imap.messages(mailbox).await?;
            found.retain(|message| message.header("Subject").contains(subject));
            if found.len() >= at_least {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(Vec::new())
    }

    /// Waits until something holds, and tells whether it does in the end.
    pub(crate) async fn wait_for(&self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        for _ in 0..LOOKS {
            if holds(self) {
                return true;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        false
    }

    /// Waits until no message waits for an answer and none to be delivered, and tells whether that came.
    pub(crate) async fn is_quiet(&self) -> Result<bool, Trouble> {
        for _ in 0..LOOKS {
            let metrics = get(self.port(8080), "/metrics").await?;
            let answered = metrics.lines().any(|line| line == "relais_responder_backlog 0");
            if answered && self.relais(&["queue", "list"], None).await?.contains("the queue is empty") {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(false)
    }

    /// Memory of the server, in MiB.
    pub(crate) fn memory_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
    }

    /// Ends when the server does.
    pub(crate) async fn server_ended(&mut self) -> String {
        match self.server.wait().await {
            Ok(status) => format!("{status}; its log is {}", self.folder.path().join("relais.log").display()),
            Err(error) => error.to_string(),
        }
    }

    /// Stops the server and verifies its store.
    pub(crate) async fn close(mut self, report: &mut Report) -> Result<(), Trouble> {
        report.step("The end: the server stops and its store is verified");
        if let Some(id) = self.server.id() {
            kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        }
        let status = tokio::time::timeout(Duration::from_secs(60), self.server.wait()).await;
        let status = status.map_err(|_| "the server does not stop")??;
        report.check(status.success(), &format!("SIGTERM: the server ended by itself ({status})"));
        let checked = self.relais(&["check", "--deep"], None).await;
        let sound = checked.as_ref().is_ok_and(|told| told.starts_with("sound"));
        report.check(sound, "relais check --deep finds every invariant kept:");
        report.sees(&checked.unwrap_or_else(|trouble| trouble.to_string()));
        if !report.is_good() {
            let log = std::fs::read_to_string(self.folder.path().join("relais.log")).unwrap_or_default();
            println!("\nThe server's log:\n{log}");
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<(), Trouble> {
        for _ in 0..LOOKS {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("relais.log"))?;
                return Err(format!("the server ended at once ({status}):\n{log}").into());
            }
            if ready(self.port(8080)).await.unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err("the server does not get ready".into())
    }
}

/// An address of the demonstration's domain.
pub(crate) fn at(login: &str) -> String {
    format!("{login}@{DOMAIN}")
}

async fn ready(port: u16) -> Result<bool, Trouble> {
    Ok(get(port, "/health/ready").await?.starts_with("HTTP/1.1 200"))
}

async fn get(port: u16, path: &str) -> Result<String, Trouble> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn beside_this_program() -> Result<PathBuf, Trouble> {
    let path = std::env::current_exe()?.with_file_name("relais");
    if path.exists() { Ok(path) } else { Err(format!("{} is not there; `make build` makes it", path.display()).into()) }
}

async fn run(relais: &Path, config: &Path, args: &[&str], input: Option<&str>) -> Result<String, Trouble> {
    let mut child = Command::new(relais)
        .arg("--config")
        .arg(config)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.unwrap_or_default().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).into())
}

/// The configuration of the demonstration: `elsewhere.example` is the sink, and retries do not keep people waiting.
fn adapt(config: &Path, sink: u16) -> Result<(), Trouble> {
    let text = std::fs::read_to_string(config)?;
    let mut text = text
        .lines()
        .map(|line| match line {
            line if line.starts_with("#retry_delays_secs") => "retry_delays_secs = [2]\n".to_owned(),
            line if line.starts_with("#free_space_reserve_mib") => "free_space_reserve_mib = 16\n".to_owned(),
            line => format!("{line}\n"),
        })
        .collect::<String>();
    text.push_str(&format!(
        "\n[[queue.destination]]\ndomain = \"elsewhere.example\"\nhost = \"127.0.0.1\"\nport = {sink}\n"
    ));
    Ok(std::fs::write(config, text)?)
}

/// A number to add to the well-known ports so that all of them are free.
fn free_ports() -> Result<u16, Trouble> {
    let free = |base: u16| {
        [25, 143, 465, 587, 993, 8080]
            .iter()
            .all(|port| std::net::TcpListener::bind(("127.0.0.1", base + port)).is_ok())
    };
    // Not everybody begins at the same place: two demonstrations at a time should not choose the same ports.
    let first = u16::try_from(std::process::id() % BASES).unwrap_or(0);
    let bases = (0..40).map(|n| 10_000 + (first + n) % 40 * 1_000);
    bases.into_iter().find(|base| free(*base)).ok_or_else(|| "no free ports were found".into())
}

/// Trusts the server's own certificate, and nothing else.
fn trusting(certificate: &Path) -> Result<TlsConnector, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn no_tls_yet() -> Result<ClientConfig, Trouble> {
    Ok(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:/".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

const BASES: u32 = 40;
const LOOKS: u32 = 400;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
