//! Names into addresses, all of which the policy must admit. The connection is made to these addresses and no others.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::privacy::{EgressGate, EgressPolicy, is_name};

/// The system's resolver behind the policy.
pub(super) struct Resolver(pub(super) Arc<EgressGate>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = resolve(name.as_str()).await?;
            let hosts: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
            gate.policy().admits(name.as_str(), &hosts)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Returns what a host leads to, if the policy admits all of it.
///
/// # Errors
///
/// Says why nothing is found, or what the policy does not admit.
pub async fn look_up(policy: &EgressPolicy, host: &str) -> Result<Vec<IpAddr>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = resolve(bare).await.map_err(|error| error.to_string())?;
    let mut addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    addresses.dedup();
    if is_name(host) {
        policy.admits(host, &addresses).map_err(|denied| denied.message)?;
    }
    Ok(addresses)
}

async fn resolve(host: &str) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    if host == "localhost" {
        // Nobody is asked who this machine is.
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(here.map(|address| SocketAddr::new(address, 0)).into());
    }
    #[expect(clippy::disallowed_methods, reason = "this is the transport")]
    let found = tokio::net::lookup_host((host, 0)).await?;
    Ok(found.collect())
}
