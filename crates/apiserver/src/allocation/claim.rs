//! One address or port, and the object in the store that says whose it is.

use std::net::Ipv4Addr;

use api::meta::{self, Time};
use serde_json::{Value, json};

use crate::endpoint::as_map;
use crate::server::Environment;
use crate::storage::{Current, Place, Storage, StorageError, Written};

/// Where IPAddress objects are.
pub(super) const ADDRESSES: &str = "networking.k8s.io/ipaddresses";
/// Where node ports are: no kind has this prefix, and as a group it is no domain, so none can.
pub(super) const PORTS: &str = "internal/nodeports";
/// The label that tells our IPAddress objects from those of others.
pub(super) const MANAGED_BY: (&str, &str) = ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");
const FAMILY: (&str, &str) = ("ipaddress.kubernetes.io/ip-family", "IPv4");
/// How often freeing is tried again after a lost race.
const TRIES: usize = 8;

/// What can be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Claim {
    /// A cluster address.
    Address(Ipv4Addr),
    /// A port of every node.
    Port(u16),
}

/// The Service that has a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
}

impl Owner {
    /// The Service itself as owner.
    pub(super) fn of(service: &Value) -> Self {
        Self { namespace: meta::namespace(service).to_owned(), name: meta::name(service).to_owned() }
    }

    /// Who has what an object of a claim stands for.
    pub(super) fn recorded(object: &Value) -> Self {
        let text = |field: &str| object["spec"]["parentRef"][field].as_str().unwrap_or("").to_owned();
        Self { namespace: text("namespace"), name: text("name") }
    }

    /// The key of the Service in the store.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Claim {
    /// The claim that an object below `prefix` stands for.
    pub(super) fn parse(prefix: &str, key: &str) -> Option<Self> {
        match prefix {
            ADDRESSES => key.parse().ok().map(Self::Address),
            PORTS => key.parse().ok().map(Self::Port),
            _ => None,
        }
    }

    /// The resource prefix in the store.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Address(_) => ADDRESSES,
            Self::Port(_) => PORTS,
        }
    }

    /// The key below the prefix.
    pub(super) fn key(self) -> String {
        match self {
            Self::Address(ip) => ip.to_string(),
            Self::Port(port) => port.to_string(),
        }
    }

    fn object(self, environment: &Environment, owner: &Owner) -> Value {
        let Owner { namespace, name } = owner;
        let mut object = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {"name": self.key(), "labels": {FAMILY.0: FAMILY.1, MANAGED_BY.0: MANAGED_BY.1}},
            "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": name}},
        });
        if let Self::Port(_) = self {
            object["apiVersion"] = "internal/v1".into();
            object["kind"] = "NodePort".into();
            meta::remove(&mut object, "labels");
        }
        meta::set_uid(&mut object, &environment.uid());
        meta::set_creation_timestamp(&mut object, Time::from((environment.now)()));
        object
    }

    /// The object that says whose it is, if somebody has it.
    pub(super) async fn read(self, storage: &Storage) -> Result<Option<Current>, StorageError> {
        storage.read(Place { prefix: self.prefix(), key: &self.key() }).await
    }

    /// Gives it to `owner`, unless somebody has it; tells whether it was free.
    pub(super) async fn make(
        self,
        storage: &Storage,
        environment: &Environment,
        owner: &Owner,
    ) -> Result<bool, StorageError> {
        let object = self.object(environment, owner);
        let map = as_map(&object).expect("a claim is an object");
        let written = storage.create(Place { prefix: self.prefix(), key: &self.key() }, map).await?;
        Ok(matches!(written, Written::Done(_)))
    }

    /// Frees it, if `owner` has it.
    pub(super) async fn free(self, storage: &Storage, owner: &Owner) -> Result<(), StorageError> {
        for _ in 0..TRIES {
            let Some(current) = self.read(storage).await? else { return Ok(()) };
            if Owner::recorded(&current.object) != *owner {
                return Ok(());
            }
            let place = Place { prefix: self.prefix(), key: &self.key() };
            if let Written::Done(_) = storage.delete(place, &current).await? {
                return Ok(());
            }
        }
        // Somebody keeps changing it: it is theirs to free.
        Ok(())
    }
}
