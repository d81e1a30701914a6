//! Root CA publisher: every active namespace has the ConfigMap `kube-root-ca.crt`, from which pods
//! know whom to trust as the API server.
//!
//! Source: KEP-1205 and the behaviour of the 1.36 controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::informer::{Informer, Key};
use crate::plan::{Action, Plan, difference};
use crate::queue::Queue;
use crate::serviceaccount::{is_active, subscribe};
use crate::{Context, Shutdown, run as run_plans};

/// The ConfigMap's name.
pub const NAME: &str = "kube-root-ca.crt";

const DESCRIPTION: &str = "kubernetes.io/description";

/// What Kubernetes writes there, word for word, since clients compare it.
const DESCRIPTION_TEXT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using \
     internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
     guaranteed across distributions of Kubernetes clusters.";

/// Publishes `bundle`, certificates in PEM, until `shutdown`.
pub async fn run(
    context: Context,
    bundle: String,
    namespaces: Informer<Namespace>,
    maps: Informer<ConfigMap>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    subscribe(&queue, &namespaces, &maps, NAME);
    let watched: Vec<Arc<dyn crate::informer::Watched>> =
        vec![Arc::new(namespaces.clone()), Arc::new(maps.clone())];
    let context = context.named("root-ca-certificate-publisher");
    run_plans(context, watched, queue, shutdown, move |namespace: &Key, _| {
        let Some(found) = namespaces.get(namespace) else { return Ok(None) };
        let map = maps.get(&Key::new(&namespace.name, NAME));
        Ok(Some(plan(&found, map.as_deref(), &bundle)))
    })
    .await;
}

/// Creates the ConfigMap of an active namespace, or sets right its data and description.
pub fn plan(namespace: &Namespace, map: Option<&ConfigMap>, bundle: &str) -> Plan {
    let mut plan = Plan::default();
    if is_active(namespace) {
        let action = match map {
            None => Some(create(namespace, bundle)),
            Some(map) => correct(map, bundle),
        };
        plan.then(action.into_iter().collect());
    }
    plan
}

fn create(namespace: &Namespace, bundle: &str) -> Action {
    let text = |key: &str, value: &str| Some(BTreeMap::from([(key.to_owned(), value.to_owned())]));
    Action::create(&ConfigMap {
        metadata: ObjectMeta {
            name: Some(NAME.into()),
            namespace: namespace.metadata.name.clone(),
            annotations: text(DESCRIPTION, DESCRIPTION_TEXT),
            ..ObjectMeta::default()
        },
        data: text("ca.crt", bundle),
        ..ConfigMap::default()
    })
    .lenient()
}

fn correct(map: &ConfigMap, bundle: &str) -> Option<Action> {
    let described = map.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DESCRIPTION));
    let data = difference(&json!(map.data.clone().unwrap_or_default()), &json!({ "ca.crt": bundle }));
    if data.is_none() && described.is_some_and(|text| text == DESCRIPTION_TEXT) {
        return None;
    }
    let annotations = json!({ DESCRIPTION: DESCRIPTION_TEXT });
    let mut body: Value = json!({ "metadata": { "uid": map.metadata.uid, "annotations": annotations } });
    if let Some(data) = data {
        body["data"] = data;
    }
    Some(Action::merge(map, body))
}

#[cfg(test)]
mod tests;
