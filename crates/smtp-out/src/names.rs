//! The DNS as sending asks it: validated where DNSSEC can be (RFC 7672 §2.1), and plainly where it can't.

use std::net::IpAddr;

use mail::Domain;
use world::{MxRecord, Proven, ResolveError, World};

/// See the module.
pub(crate) struct Names<'a> {
    world: &'a World,
    validating: bool,
}

/// The MX records of a domain.
pub(crate) struct Mx {
    /// The records, or why there are none.
    pub(crate) records: Result<Vec<MxRecord>, ResolveError>,
    /// Whether DNSSEC proves that.
    pub(crate) proven: bool,
}

/// The addresses of a host.
pub(crate) struct Addresses {
    /// The addresses; at least one.
    pub(crate) ips: Vec<IpAddr>,
    /// The name that they belong to, where aliases end, when DNSSEC proves it all.
    pub(crate) proven: Option<Domain>,
}

impl<'a> Names<'a> {
    /// Asks the resolver of the world.
    pub(crate) fn new(world: &'a World, validating: bool) -> Self {
        Self { world, validating }
    }

    /// The MX records of a domain.
    pub(crate) async fn mx(&self, domain: &Domain) -> Mx {
        if !self.validating {
            return Mx { records: self.world.resolver.mx(domain).await, proven: false };
        }
        match self.world.resolver.proven_mx(domain).await {
            Ok(answer) => Mx { proven: answer.secure, records: some(answer).map(|answer| answer.records) },
            Err(error) => Mx { records: Err(error), proven: false },
        }
    }

    /// The addresses of a host.
    pub(crate) async fn addresses(&self, host: &Domain) -> Result<Addresses, ResolveError> {
        if !self.validating {
            return Ok(Addresses { ips: self.world.resolver.addresses(host).await?, proven: None });
        }
        let answer = some(self.world.resolver.proven_addresses(host).await?)?;
        Ok(Addresses { proven: answer.secure.then_some(answer.name), ips: answer.records })
    }
}

/// An answer that has records.
fn some<T>(answer: Proven<T>) -> Result<Proven<T>, ResolveError> {
    match (answer.records.is_empty(), answer.exists) {
        (false, _) => Ok(answer),
        (true, true) => Err(ResolveError::NoRecords),
        (true, false) => Err(ResolveError::NoSuchName),
    }
}
