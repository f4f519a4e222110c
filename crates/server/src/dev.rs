//! `relais dev`: a throw-away server on loopback ports, with test users and addresses that fail on purpose.
#![expect(clippy::print_stdout, reason = "it talks to the one who plays")]

use std::net::{Ipv4Addr, SocketAddr};

use admin::{AccountRequest, Actor, AliasRequest, DomainRequest, NewAccount, Request};
use auth::{PasswordParams, PasswordRules};
use clap::Args;
use mail::{Address, Domain};
use routing::objects::{Role, Target};

use crate::cli::Failure;
use crate::config::{Config, Endpoint, Listeners};
use crate::{administration, serve, store};

/// `relais dev`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  relais dev
  relais dev --ports 20000

Accounts: alice@example.test, bob@example.test, carol@example.test, each with the password relais-dev.
Aliases: info@ leads to alice and bob, all@ to everybody, blackhole@ to nowhere, fails@ to a domain that can't exist.")]
pub(crate) struct DevArgs {
    /// Listen on 127.0.0.1, on this number plus the usual port
    #[arg(long, value_name = "BASE", default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1024..=57_000))]
    ports: u16,
}

const DOMAIN: &str = "example.test";
const PASSWORD: &str = "relais-dev";

/// Runs it until it is told to stop, then removes everything.
pub(crate) fn run(args: &DevArgs) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("relais-dev-{}", std::process::id()));
    let config = config(args.ports, folder.clone())?;
    // Before anything is made and said: taken ports are the usual reason why it can't be.
    serve::ports_are_free(&config)?;
    let ended = populate(&config).and_then(|()| {
        print!("{}", welcome(args.ports));
        serve::serve(config, None)
    });
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        println!("{} could not be removed: {error}", folder.display());
    }
    ended
}

fn config(base: u16, data_dir: std::path::PathBuf) -> Result<Config, Failure> {
    let at = |port: u16| vec![Endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, base.saturating_add(port))))];
    let mut config = Config {
        hostname: Domain::parse("localhost").map_err(|flaw| Failure::new(flaw.to_string()))?,
        data_dir,
        listeners: Listeners {
            mx: at(25),
            submission: at(587),
            submissions: at(465),
            lmtp: Vec::new(),
            lmtp_socket: std::path::PathBuf::new(),
            imap: at(143),
            imaps: at(993),
            http: at(8080),
            web: at(8081),
        },
        ..Config::default()
    };
    config.web.url = format!("http://127.0.0.1:{}", base.saturating_add(8081));
    config.security.imap_plaintext_login_on_loopback = true;
    config.storage.free_space_reserve_mib = 16;
    config.queue.retry_delays_secs = vec![10];
    config.queue.age_max_secs = 60;
    Ok(config)
}

fn populate(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| crate::cli::no_runtime(&error))?;
    runtime.block_on(async {
        let open = store::open_or_make(config).await?;
        // Everybody is told the password anyway.
        let settings = admin::Settings {
            password: PasswordParams::CHEAPEST,
            rules: PasswordRules { strength_min: 0, ..PasswordRules::default() },
            ..administration::settings(config, None)
        };
        for request in requests()? {
            admin::execute(&open.store, &settings, &Actor::System, request).await?;
        }
        open.close().await
    })
}

fn requests() -> Result<Vec<Request>, Failure> {
    let wrong = |flaw: &dyn std::fmt::Display| Failure::new(flaw.to_string());
    let domain = Domain::parse(DOMAIN).map_err(|flaw| wrong(&flaw))?;
    let at = |local: &str| Address::new(local, domain.clone()).map_err(|flaw| wrong(&flaw));
    let mut requests = vec![Request::Domain(DomainRequest::Add {
        name: domain.clone(),
        catch_all: None,
        postmaster: None,
        subaddress_separators: None,
        content: Box::default(),
    })];
    for (local, name) in [("alice", "Alice Martin"), ("bob", "Bob Durand"), ("carol", "Carol Petit")] {
        requests.push(Request::Account(AccountRequest::Add(NewAccount {
            display_name: name.to_owned(),
            password: Some(PASSWORD.into()),
            role: if local == "alice" { Role::Administrator } else { Role::User },
            ..NewAccount::new(at(local)?)
        })));
    }
    let aliases = [
        ("info", vec!["alice@example.test", "bob@example.test"]),
        ("all", vec![""]),
        ("blackhole", vec![":blackhole:"]),
        ("fails", vec!["nobody@nowhere.invalid"]),
    ];
    for (local, targets) in aliases {
        let targets = targets.into_iter().map(|target| Target::try_from(target.to_owned()));
        let targets = targets.collect::<Result<Vec<_>, _>>().map_err(|flaw| wrong(&flaw))?;
        requests.push(Request::Alias(AliasRequest::Add {
            address: at(local)?,
            targets,
            note: None,
            terms: Box::default(),
        }));
    }
    Ok(requests)
}

fn welcome(base: u16) -> String {
    let port = |port: u16| base.saturating_add(port);
    format!(
        "\
A throw-away Relais on 127.0.0.1. Ctrl-C ends it and removes everything.
  accounts     alice@{DOMAIN}, bob@{DOMAIN}, carol@{DOMAIN}; password {PASSWORD}
  aliases      info@ (alice, bob), all@ (everybody), blackhole@ (dropped), fails@ (returned after a minute)
  SMTP         {} (MX), {} (submission, STARTTLS), {} (submissions, TLS)
  IMAP         {} (STARTTLS, or plain), {} (TLS)
  health       http://127.0.0.1:{}/health/ready
",
        port(25),
        port(587),
        port(465),
        port(143),
        port(993),
        port(8080),
    )
}
