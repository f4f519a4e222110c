//! The letter that a hook was switched off.

use delivery::{Letter, Prepared};
use routing::objects::{AccountObject, Role};
use storage::webhooks::WebhookRow;

use crate::Hooks;
use crate::limits::TOLD_MAX;

impl Hooks {
    /// A letter for each administrator. One that can't be sent must not keep the others from being sent.
    pub(crate) async fn letters(&self, hook: &WebhookRow, why: &str) -> Vec<Prepared> {
        let administrators: Vec<AccountObject> = {
            let directory = self.store.directory();
            let found = directory.accounts().filter(|one| one.enabled && one.role == Role::Administrator);
            found.take(TOLD_MAX).map(|one| one.as_ref().clone()).collect()
        };
        tracing::warn!(hook = hook.id, url = hook.url, why, "a webhook is switched off");
        let mut letters = Vec::new();
        for administrator in &administrators {
            let (subject, text) = words(self.delivery.command(), administrator.language == "fr", hook, why);
            let Some(letter) = Letter::from_postmaster(administrator, subject, text) else { continue };
            match self.delivery.prepare_letter(&letter).await {
                Ok(prepared) => letters.push(prepared),
                Err(error) => {
                    tracing::warn!(to = %letter.to, %error, "somebody can't be told of a webhook that is switched off");
                }
            }
        }
        letters
    }
}

fn words(relais: &str, french: bool, hook: &WebhookRow, why: &str) -> (String, String) {
    let (id, url) = (hook.id, &hook.url);
    if french {
        return (
            format!("Le webhook {id} est désactivé"),
            format!(
                "Bonjour,\n\nle webhook {id} ({url}) ne répond plus comme il faut, et Relais ne l'appelle plus. La dernière \
                 erreur : {why}.\n\nQuand il fonctionne à nouveau : `{relais} webhook enable {id}`, puis `{relais} webhook test {id}`.\n\
                 Ce qui s'est passé entre-temps ne lui sera pas dit.\n"
            ),
        );
    }
    (
        format!("The webhook {id} is switched off"),
        format!(
            "Hello,\n\nthe webhook {id} ({url}) does not answer as it should, and Relais calls it no more. The last error: {why}.\n\n\
             When it works again: `{relais} webhook enable {id}`, then `{relais} webhook test {id}`.\n\
             What happened meanwhile is not told to it.\n"
        ),
    )
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;

    use super::*;

    #[test]
    fn the_command_is_named_with_its_configuration() {
        let hook = WebhookRow {
            id: 3,
            url: "https://hook.example/".to_owned(),
            events: Vec::new(),
            secret: String::new(),
            enabled: false,
            created_at: Timestamp(0),
            succeeded_at: None,
            failing_since: None,
            last_error: None,
        };
        for french in [false, true] {
            let (_, text) = words("relais --config /srv/relais.toml", french, &hook, "no answer");
            assert!(text.contains("`relais --config /srv/relais.toml webhook enable 3`"), "{text}");
            assert!(text.contains("`relais --config /srv/relais.toml webhook test 3`"), "{text}");
        }
    }
}
