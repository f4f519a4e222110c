//! `relais external test`: what works with an external account, step by step and in words. Nothing is fetched.

use routing::objects::{ExternalAccountObject, ExternalProtocol, ExternalSecurity};

use crate::Fetch;
use crate::error::FetchError;
use crate::imap::Imap;
use crate::look::wire;
use crate::pop3::Pop3;

impl Fetch {
    /// Tries an external account: the steps that went well, and why it went no further.
    pub async fn test(&self, external: &ExternalAccountObject) -> (Vec<String>, Option<String>) {
        let mut steps = Vec::new();
        let failed = self.steps(external, &mut steps).await.err();
        (steps, failed.map(|error| self.told(external, error.to_string())))
    }

    async fn steps(&self, external: &ExternalAccountObject, steps: &mut Vec<String>) -> Result<(), FetchError> {
        let password = self.password(external)?;
        let wire = wire(self, external).await?;
        let (host, port, name) = (&external.host, external.port, external.protocol.name());
        let protection = match external.security {
            ExternalSecurity::Tls => "TLS, and its certificate is good",
            ExternalSecurity::Starttls => "STARTTLS, and its certificate is good",
            ExternalSecurity::None => "no encryption",
        };
        let connected = format!("connected to {host} port {port} ({name}) with {protection}");
        let logged_in = format!("logged in as {}", external.login);
        match external.protocol {
            ExternalProtocol::Imap => {
                let mut session = Imap::open(wire, external).await?;
                steps.push(connected);
                session.log_in(&external.login, &password).await?;
                steps.push(logged_in);
                for (remote, local) in external.folder_pairs() {
                    let opened = session.select(&remote, true).await?;
                    steps.push(format!("the folder {remote} has {} messages, fetched into {local}", opened.exists));
                }
                session.log_out().await;
            }
            ExternalProtocol::Pop3 => {
                let mut session = Pop3::open(wire, external).await?;
                steps.push(connected);
                session.log_in(&external.login, &password).await?;
                steps.push(logged_in);
                let listed = session.list().await?;
                let number = listed.len();
                steps.push(format!("the mailbox has {number} messages, fetched into {}", external.mailbox));
                if listed.iter().any(|one| one.uidl.is_none()) {
                    return Err(FetchError::NoUidl);
                }
                session.quit().await?;
            }
        }
        Ok(())
    }
}
