//! `relais init`: from nothing to a configuration, a domain and an administrator.
#![expect(clippy::disallowed_methods, reason = "the first configuration is written before there is a world")]

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use admin::{AccountRequest, DomainRequest, NewAccount, Request, Response};
use auth::{PasswordRules, check_password};
use clap::Args;
use mail::{Address, Domain};
use routing::objects::Role;

use super::{Failure, connect, output};
use crate::config::{self, Endpoint, REFERENCE};
use crate::{privileges, store};

/// `relais init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  relais init --domain example.org
  relais init --domain example.org --hostname mail.example.org --user relais
  relais --config ./relais.toml init --domain example.org --data-dir ./data --loopback-ports 10000")]
pub(super) struct InitArgs {
    /// The first domain to receive mail for
    #[arg(long)]
    domain: Domain,
    /// This machine's name in the DNS [default: mail. before the domain]
    #[arg(long)]
    hostname: Option<Domain>,
    /// The administrator's address [default: postmaster at the domain]
    #[arg(long, value_name = "ADDRESS")]
    administrator: Option<Address>,
    /// Read the administrator's password from the first line of a file; without it, one is generated
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Where the store and what belongs to it go; a relative folder is below the current one, wherever the configuration is
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/relais")]
    data_dir: PathBuf,
    /// The user to run as after the ports are open
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// To try it out: listen on 127.0.0.1 only, on this number plus the usual port (+ 8080 for HTTP)
    #[arg(long, value_name = "BASE", value_parser = clap::value_parser!(u16).range(1024..=57_000))]
    loopback_ports: Option<u16>,
    /// Where health and metrics are served, unencrypted; in a container, 0.0.0.0:8080 [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = endpoint)]
    http: Option<Endpoint>,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::try_from(text.to_owned())
}

/// Does it.
pub(super) fn run(file: &Path, args: InitArgs, json: bool) -> Result<(), Failure> {
    if file.exists() {
        let failure = Failure::new(format!("{} is there already", file.display()));
        return Err(failure.hint("edit it, or remove it to begin anew; `relais domain add` adds a further domain"));
    }
    let administrator = match args.administrator.clone() {
        Some(address) => address,
        None => Address::new("postmaster", args.domain.clone()).map_err(|flaw| Failure::new(flaw.to_string()))?,
    };
    if administrator.domain() != &args.domain {
        let failure = Failure::new(format!("the administrator {administrator} is not in the domain {}", args.domain));
        return Err(failure
            .hint("this server has no other domain yet; `relais domain add` and `relais account add` come later"));
    }
    let hostname = match args.hostname.clone() {
        Some(name) => name,
        None => Domain::parse(&format!("mail.{}", args.domain)).map_err(|flaw| Failure::new(flaw.to_string()))?,
    };
    let password = args.password_file.as_deref().map(super::values::read_password).transpose()?;
    let called = [administrator.to_string(), hostname.to_string()];
    let checked =
        password.as_ref().map(|password| check_password(password.expose(), &called, PasswordRules::default()));
    if let Some(Err(flaw)) = checked {
        let failure = Failure::new(format!("the administrator's password: {}", flaw.reason("en")));
        let hint = "Without --password-file, Relais generates a good one and shows it.";
        return Err(failure.hint(format!("{} {hint}", flaw.advice("en"))));
    }
    // Before anything is made, so that nothing is left of a try that can't succeed.
    args.user.as_deref().map(privileges::find).transpose()?;
    let data_dir = from_configuration(file, &args.data_dir).map_err(|error| {
        let failure = Failure::new(format!("{} has no full name: {error}", args.data_dir.display()));
        failure.hint("name it with --data-dir from the root on")
    })?;
    let mut keys = vec![
        ("hostname", toml::Value::from(hostname.to_string())),
        ("data_dir", toml::Value::from(data_dir.to_string_lossy().into_owned())),
    ];
    keys.extend(args.user.clone().map(|user| ("run_as_user", toml::Value::from(user))));
    if let Some(endpoint) = args.http {
        keys.push(("http", toml::Value::from(vec![endpoint.to_string()])));
    }
    if let Some(base) = args.loopback_ports {
        let services =
            [("mx", 25), ("submission", 587), ("submissions", 465), ("imap", 143), ("imaps", 993), ("http", 8080)];
        for (service, port) in services {
            keys.push((service, toml::Value::from(vec![format!("127.0.0.1:{}", base + port)])));
        }
    }
    write_new(file, &with_keys(REFERENCE, &keys))?;
    make(file, &args, administrator, password, &hostname, json).inspect_err(|_| {
        // Half a beginning would stop the second try; what can't be removed is told by that one.
        drop(std::fs::remove_file(file));
    })
}

/// Makes what the configuration describes: the store, the domain, the administrator.
fn make(
    file: &Path,
    args: &InitArgs,
    administrator: Address,
    password: Option<auth::Password>,
    hostname: &Domain,
    json: bool,
) -> Result<(), Failure> {
    let config = config::load(file)?;
    store::make_data_dir(&config.data_dir)?;
    if let Some(user) = &args.user {
        let user = privileges::find(user)?;
        chown(&config.data_dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(|error| {
            let failure = Failure::new(format!("{} can't be given to that user: {error}", config.data_dir.display()));
            failure.hint("run this as root, or without --user")
        })?;
    }
    connect::make_store(&config)?;
    let (name, none) = (args.domain.clone(), None);
    let add = DomainRequest::Add {
        name,
        catch_all: none,
        postmaster: None,
        subaddress_separators: None,
        content: Box::default(),
    };
    // A first try that went wrong half-way has left what it had made: the second one goes on from there.
    unless_there(connect::ask(&config, Request::Domain(add), None))?;
    let find = AccountRequest::Show { address: administrator.clone() };
    let account = NewAccount { role: Role::Administrator, password, ..NewAccount::new(administrator) };
    let made = unless_there(connect::ask(&config, Request::Account(AccountRequest::Add(account)), None))?;
    let new = made.is_some();
    let made = match made {
        Some(made) => made,
        None => connect::ask(&config, Request::Account(find), None)?,
    };
    if json {
        output::response(&made, true);
    } else {
        let records = Request::Domain(DomainRequest::Records { name: args.domain.clone() });
        let records = connect::ask(&config, records, None)?;
        output::text(&next_steps(file, &args.domain, hostname, &made, new, &records));
    }
    if args.user.is_none() && privileges::owner_of(&config.data_dir).as_deref() == Some("root") {
        output::warning(
            "the server will run as root: to avoid that, make a user for it (`useradd --system --no-create-home relais`), set \
             `run_as_user`, and `chown -R` the data folder to that user",
        );
    }
    Ok(())
}

/// What was made; nothing when it was there already.
fn unless_there(answer: Result<Response, Failure>) -> Result<Option<Response>, Failure> {
    match answer {
        Ok(made) => Ok(Some(made)),
        Err(failure) if failure.is_exists() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn next_steps(
    file: &Path,
    domain: &Domain,
    hostname: &Domain,
    made: &Response,
    new: bool,
    records: &Response,
) -> String {
    let (mut login, mut password) = (String::new(), "the one that you gave".to_owned());
    if let Response::Account(account) = made {
        login = account.address.to_string();
        if let Some(generated) = &account.generated_password {
            password = generated.expose().to_owned();
        }
    }
    if !new {
        password = format!(
            "as it was; `relais --config {} account set {login} --generate-password` makes a new one",
            file.display()
        );
    }
    let file = file.display();
    let records = mail_records(records);
    format!(
        "\
Relais is ready for {domain}.

  configuration   {file}
  administrator   {login}
  password        {password}

What to do next:
  1. relais --config {file} serve
  2. In the DNS an A or AAAA record for {hostname}, and for {domain}, so that mail comes and others can check that yours is yours:
{records}     The two long ones of DKIM, and those by which mail programs find the server: relais --config {file} domain records {domain}
  3. A certificate for {hostname}: set certificate_file and key_file under [tls]. Until then Relais uses one of its own.
  4. relais --config {file} account add alice@{domain} --name 'Alice Martin'
"
    )
}

/// The records for mail that fit into a line, as `relais domain records` has them.
fn mail_records(records: &Response) -> String {
    let Response::Records(view) = records else { return String::new() };
    let lines = view.records.iter().filter(|one| match one.kind.as_str() {
        "MX" => true,
        "TXT" => !one.name.contains("._domainkey."),
        _ => false,
    });
    lines.map(|one| format!("       {}.  {}  {}\n", one.name, one.kind, one.value)).collect()
}

/// A folder given on the command line, as the configuration file has to name it: paths in it are taken from its own folder. What is
/// below that stays relative, so that both can be moved together.
fn from_configuration(file: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    if folder.is_absolute() {
        return Ok(folder.to_owned());
    }
    let (file, folder) = (std::path::absolute(file)?, std::path::absolute(folder)?);
    let below = file.parent().and_then(|home| folder.strip_prefix(home).ok()).filter(|below| *below != Path::new(""));
    Ok(below.map_or_else(|| folder.clone(), Path::to_owned))
}

/// The reference with some keys put into force.
fn with_keys(reference: &str, keys: &[(&str, toml::Value)]) -> String {
    let line = |line: &str| {
        let key = keys.iter().find(|(key, _)| line.starts_with(&format!("#{key} = ")));
        key.map_or_else(|| format!("{line}\n"), |(key, value)| format!("{key} = {value}\n"))
    };
    reference.lines().map(line).collect()
}

fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let failure = Failure::new(format!("{} can't be written: {error}", file.display()));
        failure.hint("run this as root, or name another place with --config FILE and --data-dir FOLDER")
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn a_data_folder_is_named_from_the_folder_of_the_configuration() {
        let here = std::env::current_dir().unwrap();
        for (file, folder, expected) in [
            ("relais.toml", "data", PathBuf::from("data")),
            ("./relais.toml", "./data", PathBuf::from("data")),
            ("try/relais.toml", "try/data", PathBuf::from("data")),
            ("try/relais.toml", "data", here.join("data")),
            ("try/relais.toml", "try", here.join("try")),
            ("/etc/relais/relais.toml", "data", here.join("data")),
            ("/etc/relais/relais.toml", "/etc/relais/data", PathBuf::from("/etc/relais/data")),
        ] {
            assert_eq!(from_configuration(Path::new(file), Path::new(folder)).unwrap(), expected, "{file} {folder}");
        }
    }

    #[test]
    fn the_first_configuration_is_the_reference_with_a_few_keys() {
        let keys =
            [("hostname", toml::Value::from("mail.example.org")), ("mx", toml::Value::from(vec!["127.0.0.1:25"]))];
        let text = with_keys(REFERENCE, &keys);
        let config = parse(&text, Path::new("relais.toml")).unwrap();
        assert_eq!(config.hostname.as_str(), "mail.example.org");
        assert_eq!(config.listeners.mx.len(), 1);
        assert_eq!(text.lines().count(), REFERENCE.lines().count());
    }
}
