//! What of a listing an actor sees: administrators all of it, others what is theirs.

use mail::{Address, Domain};
use routing::Directory;
use routing::objects::{AliasObject, Role};

use crate::actor::Actor;
use crate::error::{AdminError, ErrorKind};
use crate::may::Reach;
use crate::response::Response;

/// Leaves out of a listing what is not the actor's, and refuses an explanation that leads through what is others'.
#[expect(clippy::wildcard_enum_match_arm, reason = "only listings and explanations show what is others'")]
pub(crate) fn scoped(directory: &Directory, actor: &Actor, response: Response) -> Result<Response, AdminError> {
    if actor.is_administrator(directory) {
        return Ok(response);
    }
    // One who has removed themselves meanwhile sees nothing.
    let Some(account) = actor.account(directory) else { return Ok(empty(response)) };
    let reach = Reach::new(directory, account);
    let domain = |name: &Domain| reach.domain(name);
    let own = |address: &Address| directory.account_at(address).is_some_and(|found| found.id == account.id);
    let address = |at: &Address| match account.role {
        Role::User => own(at),
        Role::DomainAdministrator | Role::Administrator => reach.address(at) || own(at),
    };
    let made = |alias: &AliasObject| alias.made_by == Some(account.id);
    let mut response = response;
    if let Response::Explanation(told) = &mut response {
        told.filters.retain(|of| address(&of.account));
    }
    match &mut response {
        Response::Domains(domains) => domains.retain(|view| domain(&view.domain.name)),
        Response::Accounts(accounts) => accounts.retain(|view| domain(view.address.domain()) || own(&view.address)),
        Response::Aliases(aliases) => aliases.retain(|one| address(&one.alias.address) || made(&one.alias)),
        Response::Groups(groups) => groups.retain(|group| address(&group.address)),
        Response::SharedMailboxes(all) => all.retain(|view| address(&view.address)),
        Response::Explanation(told) if account.role != Role::User && !reach.sees(&told.resolution.tree) => {
            let text = "the address leads through addresses of domains that are not yours";
            let error = AdminError::new(ErrorKind::Denied, text);
            return Err(error.hint("an administrator of the server can explain it"));
        }
        Response::Responders(responders) => responders.retain(|one| address(&one.responder.address)),
        Response::Lists(lists) => lists.retain(|view| address(&view.list.address)),
        Response::Externals(all) => all.retain(|view| address(&view.owner)),
        Response::DmarcReports(all) => all.retain(|view| domain(&view.domain)),
        Response::TlsReports(all) => all.retain(|view| domain(&view.domain)),
        Response::Account(view) if account.role != Role::User => {
            view.leading.retain(|leading| domain(leading.address.domain()));
            view.redirects.retain(|redirect| domain(redirect.address.domain()));
        }
        _ => {}
    }
    Ok(response)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only listings can be empty")]
fn empty(response: Response) -> Response {
    match response {
        Response::Domains(_) => Response::Domains(Vec::new()),
        Response::Accounts(_) => Response::Accounts(Vec::new()),
        Response::Aliases(_) => Response::Aliases(Vec::new()),
        Response::Groups(_) => Response::Groups(Vec::new()),
        Response::SharedMailboxes(_) => Response::SharedMailboxes(Vec::new()),
        Response::Lists(_) => Response::Lists(Vec::new()),
        Response::Responders(_) => Response::Responders(Vec::new()),
        Response::Externals(_) => Response::Externals(Vec::new()),
        Response::DmarcReports(_) => Response::DmarcReports(Vec::new()),
        Response::TlsReports(_) => Response::TlsReports(Vec::new()),
        other => other,
    }
}
