//! From the Service that an APIService names to an address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use api::meta;
use serde_json::Value;

use crate::cache::WatchCache;
use crate::cache::shard::range;

/// A Service and one of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The port of the Service.
    pub port: u16,
}

/// Why a Service has no address; the reasons are the Available condition's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is no such Service.
    #[error("service/{1} in {0:?} is not present")]
    ServiceNotFound(String, String),
    /// The Service has no such port.
    #[error("service/{1} in {0:?} is not listening on port {2}")]
    ServicePort(String, String, u16),
    /// No ready endpoint stands behind it.
    #[error("endpoints for service/{1} in {0:?} have no addresses with a port for {2}")]
    MissingEndpoints(String, String, u16),
    /// Nobody can tell.
    #[error("this server was not told how to reach Services")]
    NoResolver,
}

impl Unresolved {
    /// The reason in the condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ServiceNotFound(..) => "ServiceNotFound",
            Self::ServicePort(..) => "ServicePortError",
            Self::MissingEndpoints(..) => "MissingEndpoints",
            Self::NoResolver => "FailedDiscoveryCheck",
        }
    }
}

/// Finds the addresses of Services.
pub trait Resolver: Send + Sync {
    /// An address to connect to.
    ///
    /// # Errors
    /// Why there is none.
    fn resolve(&self, service: &ServicePort) -> Result<SocketAddr, Unresolved>;
}

/// Reads Services and EndpointSlices from the watch cache.
pub struct Watched {
    /// Where they are.
    pub cache: Arc<WatchCache>,
    /// Whether the cluster IP is used where there is one; else always an endpoint.
    pub cluster_ip: bool,
}

impl Resolver for Watched {
    fn resolve(&self, service: &ServicePort) -> Result<SocketAddr, Unresolved> {
        let ServicePort { namespace, name, port } = service.clone();
        let key = format!("{namespace}/{name}");
        let object = self.cache.shard("core/services").get(&key);
        let object: Option<Value> = object.and_then(|o| serde_json::from_slice(o.versioned.json()).ok());
        let Some(object) = object else { return Err(Unresolved::ServiceNotFound(namespace, name)) };
        let ports = object.pointer("/spec/ports").and_then(Value::as_array);
        let found = ports.into_iter().flatten().find(|own| own["port"].as_u64() == Some(port.into()));
        let Some(found) = found else { return Err(Unresolved::ServicePort(namespace, name, port)) };
        let endpoint = self.endpoint(&namespace, &name, meta::text(found, "name"));
        let cluster_ip: Option<IpAddr> = meta::text(&object, "spec.clusterIP").parse().ok();
        match (endpoint, cluster_ip) {
            (Some(_), Some(ip)) if self.cluster_ip => Ok(SocketAddr::new(ip, port)),
            (Some(endpoint), _) => Ok(endpoint),
            (None, _) => Err(Unresolved::MissingEndpoints(namespace, name, port)),
        }
    }
}

impl Watched {
    /// A ready endpoint's address, with the port that the Service's port of that name leads to.
    fn endpoint(&self, namespace: &str, service: &str, port: &str) -> Option<SocketAddr> {
        let (objects, _) = self.cache.shard("discovery.k8s.io/endpointslices").snapshot();
        let prefix = format!("{namespace}/");
        let mut slices = range(&objects, &prefix, None)
            .filter(|object| object.indexed.label("kubernetes.io/service-name") == Some(service))
            .filter_map(|object| serde_json::from_slice::<Value>(object.versioned.json()).ok());
        slices.find_map(|slice| {
            let ports = slice.get("ports").and_then(Value::as_array);
            let found = ports.into_iter().flatten().find(|own| meta::text(own, "name") == port)?;
            let number = u16::try_from(found["port"].as_u64()?).ok()?;
            let endpoints = slice.get("endpoints").and_then(Value::as_array);
            let ready = endpoints
                .into_iter()
                .flatten()
                .find(|e| e.pointer("/conditions/ready") != Some(&Value::Bool(false)))?;
            let ip: IpAddr = ready.pointer("/addresses/0")?.as_str()?.parse().ok()?;
            Some(SocketAddr::new(ip, number))
        })
    }
}
