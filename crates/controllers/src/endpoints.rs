//! Endpoints: the older form of a Service's addresses, one object of the Service's name.
//!
//! Invariants: an object holds at most 1000 addresses and says by an annotation when it left some
//! out; it shows only the Service's first family. Source: core/v1 and the 1.36 controller.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};

use crate::informer::{Informer, Key};
use crate::queue::Queue;
use crate::{Context, Shutdown, run as run_plans, service};

mod plan;
mod subsets;

pub use plan::{Snapshot, plan};

/// The label that names an object's writer.
pub(crate) const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// This controller as that writer.
pub(crate) const MANAGER: &str = "endpoint-controller";

/// Keeps the Endpoints of every Service with a selector until `shutdown`.
pub async fn run(
    context: Context,
    services: Informer<Service>,
    pods: Informer<Pod>,
    endpoints: Informer<Endpoints>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    service::subscribe(&queue, &services, &pods);
    let keys = queue.clone();
    endpoints.subscribe(move |change| {
        // A deletion may be our own write to an object that a person made, which the gate awaits.
        if change.new.is_none() || change.both().any(is_ours) {
            keys.add(change.last().map(Key::of).unwrap_or_default());
        }
    });
    let watched: Vec<Arc<dyn crate::informer::Watched>> =
        vec![Arc::new(services.clone()), Arc::new(pods.clone()), Arc::new(endpoints.clone())];
    let context = context.named("endpoint-controller");
    run_plans(context, watched, queue, shutdown, move |key, _| {
        let service = services.get(key);
        let pods = service.as_ref().map(|service| service::selected(service, &pods)).unwrap_or_default();
        Ok(Some(plan(&Snapshot { service, pods, endpoints: endpoints.get(key) })))
    })
    .await;
}

/// Whether this controller wrote the object.
pub(crate) fn is_ours(endpoints: &Endpoints) -> bool {
    let label = endpoints.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY));
    label.is_some_and(|manager| manager == MANAGER)
}

#[cfg(test)]
mod tests;
