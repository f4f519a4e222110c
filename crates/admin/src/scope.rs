//! What of a listing an actor sees: administrators all of it, others what is theirs.

use mail::{Address, Domain};
use routing::Directory;
use routing::objects::Role;

use crate::actor::Actor;
use crate::may::Reach;
use crate::response::Response;

/// Leaves out of a listing what is not the actor's.
pub(crate) fn scoped(directory: &Directory, actor: &Actor, response: Response) -> Response {
    if actor.is_administrator(directory) {
        return response;
    }
    // One who has removed themselves meanwhile sees nothing.
    let Some(account) = actor.account(directory) else { return empty(response) };
    let reach = Reach::new(directory, account);
    let domain = |name: &Domain| reach.domain(name);
    let own = |address: &Address| directory.account_at(address).is_some_and(|found| found.id == account.id);
    let address = |at: &Address| match account.role {
        Role::User => own(at),
        Role::DomainAdministrator | Role::Administrator => reach.address(at) || own(at),
    };
    let mut response = response;
    match &mut response {
        Response::Domains(domains) => domains.retain(|view| domain(&view.domain.name)),
        Response::Accounts(accounts) => accounts.retain(|view| domain(view.address.domain()) || own(&view.address)),
        Response::Aliases(aliases) => aliases.retain(|alias| address(&alias.address)),
        Response::Responders(responders) => responders.retain(|responder| address(&responder.address)),
        Response::Account(view) if account.role != Role::User => {
            view.leading.retain(|leading| domain(leading.address.domain()));
        }
        _ => {}
    }
    response
}

fn empty(response: Response) -> Response {
    match response {
        Response::Domains(_) => Response::Domains(Vec::new()),
        Response::Accounts(_) => Response::Accounts(Vec::new()),
        Response::Aliases(_) => Response::Aliases(Vec::new()),
        Response::Responders(_) => Response::Responders(Vec::new()),
        other => other,
    }
}
