//! ServiceAccount: every active namespace has the account `default`.
//!
//! Source: Kubernetes' documentation of service accounts and the behaviour of the 1.36 controller.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::informer::{Informer, Key};
use crate::plan::{Action, Plan};
use crate::queue::Queue;
use crate::{Context, Shutdown, run as run_plans};

/// The account's name.
pub const NAME: &str = "default";

/// Keeps the account in every namespace until `shutdown`.
pub async fn run(
    context: Context,
    namespaces: Informer<Namespace>,
    accounts: Informer<ServiceAccount>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    subscribe(&queue, &namespaces, &accounts, NAME);
    let watched: Vec<Arc<dyn crate::informer::Watched>> =
        vec![Arc::new(namespaces.clone()), Arc::new(accounts.clone())];
    let context = context.named("service-account-controller");
    run_plans(context, watched, queue, shutdown, move |namespace: &Key, _| {
        let Some(found) = namespaces.get(namespace) else { return Ok(None) };
        let account = accounts.get(&Key::new(&namespace.name, NAME));
        Ok(Some(plan(&found, account.as_deref())))
    })
    .await;
}

/// Wakes namespaces, and the namespace of an object called `name` that changes.
pub(crate) fn subscribe<K: crate::informer::Kind>(
    queue: &Queue<Key>,
    namespaces: &Informer<Namespace>,
    objects: &Informer<K>,
    name: &'static str,
) {
    let keys = queue.clone();
    namespaces.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let keys = queue.clone();
    objects.subscribe(move |change| {
        let key = change.last().map(Key::of).unwrap_or_default();
        if key.name == name {
            keys.add(Key::new("", key.namespace));
        }
    });
}

/// Whether objects may be made in the namespace.
pub(crate) fn is_active(namespace: &Namespace) -> bool {
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    namespace.metadata.deletion_timestamp.is_none() && phase != Some("Terminating")
}

/// Creates the account where an active namespace lacks it.
pub fn plan(namespace: &Namespace, account: Option<&ServiceAccount>) -> Plan {
    let mut plan = Plan::default();
    if account.is_none() && is_active(namespace) {
        let object = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                namespace: namespace.metadata.name.clone(),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        plan.then(vec![Action::create(&object).lenient()]);
    }
    plan
}

#[cfg(test)]
mod tests;
