//! Where the keys of the issuer of tokens are: a file, or a place on the web.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth::{DirectoryAuthenticator, IssuerSettings, KeySource, TokenRules};
use rustls_pki_types::CertificateDer;
use world::https::{Https, HttpsClient, Reach, Request, Url};
use world::{BoxFuture, World};

use crate::cli::Failure;
use crate::config::OAuth;

use super::settings::authorities;

/// The authenticator, which takes tokens when an issuer is configured.
pub(super) fn with_issuer(
    authenticator: DirectoryAuthenticator,
    oauth: &OAuth,
    world: &World,
) -> Result<DirectoryAuthenticator, Failure> {
    if oauth.issuer.is_empty() {
        return Ok(authenticator);
    }
    let source: Arc<dyn KeySource> = if oauth.keys_url.is_empty() {
        let file = File(oauth.keys_file.clone());
        // What can't be read now is told now; later it is only logged.
        let keys = file.read().and_then(|text| auth::KeySet::parse(&text).map_err(|flaw| flaw.to_string()));
        keys.map_err(|error| Failure::new(format!("[oauth] keys_file {}: {error}", file.0.display())))?;
        Arc::new(file)
    } else {
        let further: Vec<CertificateDer<'static>> = match oauth.ca_file.as_os_str().is_empty() {
            true => Vec::new(),
            false => authorities(&oauth.ca_file, "[oauth]")?,
        };
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("[oauth]: {error}"));
        let url = Url::parse(&oauth.keys_url).map_err(|flaw| failed(&flaw))?;
        let client = HttpsClient::new(world.clone(), &further).map_err(|error| failed(&error))?;
        Arc::new(Web { client: Arc::new(client), url })
    };
    let settings = IssuerSettings {
        rules: TokenRules {
            issuer: oauth.issuer.clone(),
            audiences: oauth.audiences.clone(),
            scope: oauth.scope.clone(),
            claim: oauth.claim.clone(),
        },
        configuration_url: oauth.configuration_url(),
        keys_kept: Duration::from_secs(oauth.keys_kept_secs),
    };
    Ok(authenticator.with_issuer(settings, source))
}

/// Keys in a file, which is read again when they are asked for.
struct File(PathBuf);

impl File {
    #[expect(clippy::disallowed_methods, reason = "a file of the configuration, small and local, as the certificate's")]
    fn read(&self) -> Result<Vec<u8>, String> {
        let octets = std::fs::metadata(&self.0).map_err(|error| error.to_string())?.len();
        if octets > KEYS_OCTETS_MAX as u64 {
            return Err("it is too large".to_owned());
        }
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

impl KeySource for File {
    fn load(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(std::future::ready(self.read()))
    }
}

/// Keys on the web.
struct Web {
    client: Arc<dyn Https>,
    url: Url,
}

impl KeySource for Web {
    fn load(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        let request = Request {
            within: WEB_TIME_MAX,
            octets_max: KEYS_OCTETS_MAX,
            // An administrator has written it down; it may be the machine beside this one.
            reach: Reach::Anywhere,
            ..Request::get(self.url.clone())
        };
        Box::pin(async move {
            let response = self.client.exchange(request).await.map_err(|error| error.to_string())?;
            if response.is_success() { Ok(response.body) } else { Err(format!("status {}", response.status)) }
        })
    }
}

/// A person waits for it.
const WEB_TIME_MAX: Duration = Duration::from_secs(10);

/// A key of RSA with 4,096 bits takes less than a kilobyte, with certificates some more.
const KEYS_OCTETS_MAX: usize = 256 * 1024;
