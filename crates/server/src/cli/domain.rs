//! `relais domain`.

use admin::{AccountRequest, DomainContent, DomainRequest, Request};
use clap::{Args, Subcommand, ValueEnum};
use mail::{Address, Domain};
use routing::objects::{AliasForm, AliasMakers, SubaddressFolders};

use super::dkim::DkimCommand;
use super::pattern::PatternCommand;
use super::values::{alias_makers, edit, switch};

/// What can be done with domains.
#[derive(Subcommand)]
pub(super) enum DomainCommand {
    /// Receive mail for a domain from now on
    #[command(after_help = "\
Examples:
  relais domain add example.org
  relais domain add example.org --postmaster alice@example.org --catch-all rest@example.org
  relais domain add example.net --alias-of example.org      every address there is the one here")]
    Add {
        /// The domain, as example.org
        name: Domain,
        /// Where mail for unknown addresses goes; without it, they are refused
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<Address>,
        /// Who reads postmaster@ when no such address exists
        #[arg(long, value_name = "ADDRESS")]
        postmaster: Option<Address>,
        /// Characters that part a subaddress, as in alice+shop@ [default: +]
        #[arg(long, value_name = "CHARACTERS")]
        subaddress_separators: Option<String>,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// List all domains
    List,
    /// Show one domain
    Show {
        /// The domain
        name: Domain,
    },
    /// Show the DNS records to publish, as a zone file has them: by which mail comes here (MX), by which others check that mail is the domain's
    /// own (SPF, DKIM, DMARC), and by which mail programs find this server and its settings
    Records {
        /// The domain
        name: Domain,
    },
    /// Keys that sign a domain's mail (DKIM), and the records to publish
    #[command(subcommand)]
    Dkim(DkimCommand),
    /// Give every user of a domain their login in further domains too, and limit the number of mailboxes
    #[command(after_help = "\
Examples:
  relais domain users example.org --also-in example.com   alice@example.com is alice@example.org, and so for everybody
  relais domain users example.org --not-in example.com
  relais domain users example.org --max 50 --per-owner 2")]
    Users {
        /// The domain
        name: Domain,
        /// A further domain; may be repeated. Accounts to come are in it too
        #[arg(long, value_name = "DOMAIN")]
        also_in: Vec<Domain>,
        /// A further domain to give up, for all accounts; may be repeated
        #[arg(long, value_name = "DOMAIN")]
        not_in: Vec<Domain>,
        /// Mailboxes in the domain at the most; 0 for no limit
        #[arg(long, value_name = "NUMBER")]
        max: Option<u32>,
        /// As many mailboxes as the configuration says
        #[arg(long, conflicts_with = "max")]
        default_max: bool,
        /// Mailboxes of one person in the domain at the most; 0 for no limit
        #[arg(long, value_name = "NUMBER")]
        per_owner: Option<u32>,
        /// As many mailboxes of one person as the configuration says
        #[arg(long, conflicts_with = "per_owner")]
        default_per_owner: bool,
    },
    /// Change a domain
    #[command(after_help = "\
Examples:
  relais domain set example.org --time-zone Europe/Paris --language fr
  relais domain set example.org --subaddress-folders create      alice+bills@ goes into alice's folder bills
  relais domain set example.org --alias-makers everyone --alias-form random --aliases-per-person 50")]
    Set {
        /// The domain
        name: Domain,
        /// Where mail for unknown addresses goes
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<Address>,
        /// Refuse unknown addresses
        #[arg(long, conflicts_with = "catch_all")]
        no_catch_all: bool,
        /// Who reads postmaster@
        #[arg(long, value_name = "ADDRESS")]
        postmaster: Option<Address>,
        /// Let an administrator read postmaster@
        #[arg(long, conflicts_with = "postmaster")]
        no_postmaster: bool,
        /// Characters that part a subaddress; '' for no subaddresses
        #[arg(long, value_name = "CHARACTERS")]
        subaddress_separators: Option<String>,
        #[command(flatten)]
        content: Box<ContentArgs>,
        /// Accept mail for it
        #[arg(long)]
        enable: bool,
        /// Accept no mail for it
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Redirects by pattern, for addresses that nothing else has
    #[command(subcommand)]
    Pattern(PatternCommand),
    /// Give up a domain
    Remove {
        /// The domain
        name: Domain,
        /// Even when there is something in it: its accounts are deleted with their mail, its other objects too, and what leads there from other domains leads there no more
        #[arg(long)]
        force: bool,
    },
}

/// What else a domain has.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// Every address is the one of the same name in this other domain
    #[arg(long, value_name = "DOMAIN")]
    alias_of: Option<Domain>,
    /// It has addresses of its own
    #[arg(long, conflicts_with = "alias_of")]
    no_alias_of: bool,
    /// The zone in which expiry dates are read, as Europe/Paris
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The language of what the server writes to strangers, and of new accounts: en or fr. Accounts that there are keep theirs
    #[arg(long)]
    language: Option<String>,
    /// Whether alice+bills@ goes into alice's folder bills: off, existing (when there is one), create
    #[arg(long, value_name = "HOW")]
    subaddress_folders: Option<Folders>,
    /// Who may make aliases for themselves: nobody, everyone, or accounts parted by commas
    #[arg(long, value_name = "WHO", value_parser = alias_makers)]
    alias_makers: Option<AliasMakers>,
    /// How many one person may have
    #[arg(long, value_name = "COUNT")]
    aliases_per_person: Option<u32>,
    /// Which ones: any, own-prefix (alice.shop@), random; may be repeated
    #[arg(long = "alias-form", value_name = "FORM")]
    alias_forms: Option<Vec<Form>>,
}

/// [`SubaddressFolders`] as typed.
#[derive(Clone, Copy, ValueEnum)]
enum Folders {
    Off,
    Existing,
    Create,
}

/// [`AliasForm`] as typed.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Any,
    OwnPrefix,
    Random,
}

impl ContentArgs {
    fn content(self) -> DomainContent {
        let folders = |typed| match typed {
            Folders::Off => SubaddressFolders::Off,
            Folders::Existing => SubaddressFolders::Existing,
            Folders::Create => SubaddressFolders::Create,
        };
        let form = |typed: Form| match typed {
            Form::Any => AliasForm::Any,
            Form::OwnPrefix => AliasForm::OwnPrefix,
            Form::Random => AliasForm::Random,
        };
        DomainContent {
            alias_of: edit(self.alias_of, self.no_alias_of),
            time_zone: self.time_zone,
            language: self.language,
            subaddress_folders: self.subaddress_folders.map(folders),
            alias_makers: self.alias_makers,
            aliases_per_person_max: self.aliases_per_person,
            alias_forms: self.alias_forms.map(|forms| forms.into_iter().map(form).collect()),
        }
    }
}

impl DomainCommand {
    pub(super) fn request(self) -> Request {
        Request::Domain(match self {
            Self::Users { name, also_in, not_in, max, default_max, per_owner, default_per_owner } => {
                return Request::Account(AccountRequest::UsersOf {
                    domain: name,
                    add_domains: also_in,
                    remove_domains: not_in,
                    accounts_max: edit(max, default_max),
                    accounts_per_owner_max: edit(per_owner, default_per_owner),
                });
            }
            Self::Add { name, catch_all, postmaster, subaddress_separators, content } => {
                let content = Box::new(content.content());
                DomainRequest::Add { name, catch_all, postmaster, subaddress_separators, content }
            }
            Self::Dkim(command) => command.request(),
            Self::List => DomainRequest::List,
            Self::Show { name } => DomainRequest::Show { name },
            Self::Records { name } => DomainRequest::Records { name },
            Self::Set {
                name,
                catch_all,
                no_catch_all,
                postmaster,
                no_postmaster,
                subaddress_separators,
                content,
                enable,
                disable,
            } => DomainRequest::Set {
                name,
                catch_all: edit(catch_all, no_catch_all),
                postmaster: edit(postmaster, no_postmaster),
                subaddress_separators,
                enabled: switch(enable, disable),
                content: Box::new(content.content()),
            },
            Self::Pattern(command) => command.request(),
            Self::Remove { name, force } => DomainRequest::Remove { name, force },
        })
    }
}
