//! What is known of clients elsewhere, as the configuration says.

use std::sync::Arc;

use delivery::{ClientSettings, Clients, Delivery};
use reputation::OwnNames;
use sender_auth::verify::SenderAuthentication;

use crate::config::Config;

use super::own::{interface_addresses, own_addresses};
use super::supervise::Supervisor;

/// Delivery that knows something of clients. `by`: who knows SPF and the names of addresses.
pub(super) fn knowing(delivery: Delivery, config: &Config, by: Option<Arc<dyn SenderAuthentication>>) -> Delivery {
    let section = &config.reputation;
    let own = if section.refuse_own_name { own_names(config) } else { OwnNames::default() };
    let settings = ClientSettings {
        lists: section.lists(),
        own,
        doubts: section.checks,
        standing: section.standing,
        greylist: config.greylist.settings(),
    };
    let clients = Clients::new(delivery.store().world().clone(), by, settings);
    delivery.knowing(clients)
}

/// What nobody elsewhere is called.
fn own_names(config: &Config) -> OwnNames {
    let mut hosts = config.queue.own_names.clone();
    hosts.push(config.hostname.clone());
    let mut addresses = own_addresses(&config.listeners.mx, &interface_addresses());
    addresses.extend(&config.queue.own_addresses);
    OwnNames { hosts, addresses }
}

/// Looks now and then whether lists work.
pub(super) fn watch_lists(tasks: &mut Supervisor, clients: Option<&Clients>) {
    let Some(clients) = clients.filter(|clients| !clients.settings().lists.is_empty()) else { return };
    let (clients, stop) = (clients.clone(), tasks.workers_stop());
    tasks.worker("lists in the dns", move || {
        let (clients, stop) = (clients.clone(), stop.clone());
        async move {
            clients.test_lists(stop.cancelled()).await;
            Ok(())
        }
    });
}
