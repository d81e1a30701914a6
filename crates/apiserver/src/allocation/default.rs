//! What every cluster has: the ServiceCIDR and the Service `kubernetes`.

use api::meta::{self, Time};
use serde_json::{Value, json};

use super::Cidr;
use super::claim::{Claim, Owner};
use crate::endpoint::as_map;
use crate::server::Environment;
use crate::storage::{Place, Storage, StorageError};

const NAME: &str = "kubernetes";

/// Makes the ServiceCIDR `kubernetes` with this range, ready, where it is absent.
///
/// # Errors
/// When the store fails.
pub async fn ensure_service_cidr(
    storage: &Storage,
    environment: &Environment,
    range: Cidr,
) -> Result<(), StorageError> {
    let now = Time::from((environment.now)());
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": NAME},
        "spec": {"cidrs": [range.to_string()]},
        "status": {"conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "",
            "message": "Kubernetes default Service CIDR is ready",
            "lastTransitionTime": now.to_string(),
        }]},
    });
    create(storage, environment, Place { prefix: super::address::CIDRS, key: NAME }, object).await
}

/// Makes the Service `default/kubernetes` at the range's first address where it is absent: its port 443
/// leads to `target_port` of the API servers, whose addresses are for others to keep in its endpoints.
///
/// To be called before the API answers, so that nobody else gets the address. Needs the namespace
/// `default` only when the Service is read.
///
/// # Errors
/// When the store fails.
pub async fn ensure_kubernetes_service(
    storage: &Storage,
    environment: &Environment,
    range: Cidr,
    target_port: u16,
) -> Result<(), StorageError> {
    let ip = range.first();
    let service = kubernetes(&ip.to_string(), target_port);
    let key = format!("{}/{NAME}", meta::namespace(&service));
    let place = Place { prefix: super::repair::SERVICES, key: &key };
    if storage.read(place).await?.is_some() {
        return Ok(());
    }
    Claim::Address(ip).make(storage, environment, &Owner::of(&service)).await?;
    create(storage, environment, place, service).await
}

fn kubernetes(ip: &str, target_port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": NAME,
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": target_port}],
        },
        "status": {"loadBalancer": {}},
    })
}

/// Creates the object; one that is there already is left as it is.
async fn create(
    storage: &Storage,
    environment: &Environment,
    place: Place<'_>,
    mut object: Value,
) -> Result<(), StorageError> {
    meta::set_uid(&mut object, &environment.uid());
    meta::set_creation_timestamp(&mut object, Time::from((environment.now)()));
    storage.create(place, as_map(&object).expect("it was built as an object")).await?;
    Ok(())
}
