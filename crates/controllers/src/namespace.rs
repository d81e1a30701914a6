//! Namespace: empties a namespace that is being deleted, then lets it go.
//!
//! Pods go first (KEP-5080): nothing a pod may need while it ends, such as its NetworkPolicies, is
//! taken from under it. Then every other namespaced resource that discovery shows and that can be
//! deleted, custom resources included. What is left is reported in the status's conditions; when
//! nothing is, the finalizer `kubernetes` is taken out of the spec.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use kube::core::Request;
use serde::Deserialize;

use crate::discovery::{Served, discover};
use crate::informer::{Informer, Key, Watched};
use crate::plan::Plan;
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, pod, run_with};

mod plan;

pub use plan::{Content, Remaining, plan};

/// How many resources of one namespace are emptied at once.
const PARALLEL: usize = 16;

/// Empties namespaces until `shutdown`.
pub async fn run(context: Context, namespaces: Informer<Namespace>, pods: Informer<Pod>, shutdown: Shutdown) {
    let queue = Queue::default();
    let names = queue.clone();
    namespaces.subscribe(move |change| {
        if let Some(namespace) = change.new.filter(|namespace| is_terminating(namespace)) {
            names.add(Key::of(namespace));
        }
    });
    let (names, all) = (queue.clone(), namespaces.clone());
    pods.subscribe(move |change| {
        // The last pod to go lets the rest begin.
        if let (Some(pod), None) = (change.old, change.new) {
            let key = Key::new("", pod.metadata.namespace.as_deref().unwrap_or_default());
            if all.get(&key).is_some_and(|namespace| is_terminating(&namespace)) {
                names.add(key);
            }
        }
    });
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(namespaces.clone())];
    run_with(context.named("namespace-controller"), watched, queue, shutdown, move |context, gate, key| {
        Box::pin(async move {
            let api: Api<Namespace> = Api::all(context.client.clone());
            let Some(namespace) = api.get_opt(&key.name).await? else { return Ok(None) };
            if !is_terminating(&namespace) {
                return Ok(None);
            }
            let content = empty(&context, &key.name).await;
            let plan: Plan = plan(&namespace, &content, context.now());
            context.carry_out(&gate, &key, &plan).await?;
            finish(&namespace, &content, &plan, &context)
        })
    })
    .await;
}

fn is_terminating(namespace: &Namespace) -> bool {
    let held = namespace
        .spec
        .as_ref()
        .and_then(|spec| spec.finalizers.as_ref())
        .is_some_and(|held| !held.is_empty());
    namespace.metadata.deletion_timestamp.is_some() && held
}

/// Objects with finalizers of their own go at their own time, and no event of all kinds tells when:
/// the older the deletion, the rarer the look.
fn finish(namespace: &Namespace, content: &Content, plan: &Plan, context: &Context) -> Reconciled {
    if plan.again.is_none() || content.is_empty() {
        return Ok(None);
    }
    let since = namespace.metadata.deletion_timestamp.as_ref().map_or_else(|| context.now(), |time| time.0);
    let wait = pod::age(since, context.now()) / 4;
    Ok(Some(wait.clamp(Duration::from_millis(50), Duration::from_secs(5))))
}

/// Deletes what can be deleted, and says what is left.
async fn empty(context: &Context, namespace: &str) -> Content {
    let mut content = Content::default();
    let served = match discover(&context.client).await {
        Ok(served) => served,
        Err(error) => {
            content.discovery_failure = Some(error.message());
            return content;
        }
    };
    let deletable =
        served.into_iter().filter(|served| served.namespaced && served.can("delete") && served.can("list"));
    let (first, rest): (Vec<_>, Vec<_>) = deletable.partition(|served| served.full_name() == "pods");
    for group in [first, rest] {
        let emptied: Vec<_> =
            group.iter().map(|served| empty_resource(context, served, namespace).boxed()).collect();
        content.remaining.extend(
            stream::iter(emptied).buffered(PARALLEL).filter_map(std::future::ready).collect::<Vec<_>>().await,
        );
        if !content.is_empty() {
            break;
        }
    }
    content
}

async fn empty_resource(context: &Context, served: &Served, namespace: &str) -> Option<Remaining> {
    let result = async {
        if list(context, served, namespace).await?.items.is_empty() {
            return Ok(Items::default());
        }
        delete(context, served, namespace).await?;
        list(context, served, namespace).await
    };
    let (items, failure) = match result.await {
        Ok(items) => (items, None),
        // The resource went away with its definition, or takes no such request: nothing is left of it.
        Err(error) if error.is_not_found() || error.is_method_not_allowed() => return None,
        Err(error) => (Items::default(), Some(error.message())),
    };
    let remaining = Remaining::new(served.full_name(), &items.metas(), failure);
    (remaining.count > 0 || remaining.failure.is_some()).then_some(remaining)
}

#[derive(Default, Deserialize)]
struct Items {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct Item {
    #[serde(default)]
    metadata: ObjectMeta,
}

impl Items {
    fn metas(&self) -> Vec<&ObjectMeta> {
        self.items.iter().map(|item| &item.metadata).collect()
    }
}

async fn list(context: &Context, served: &Served, namespace: &str) -> Result<Items, Error> {
    let request = Request::new(&served.collection(namespace).path).list_metadata(&ListParams::default())?;
    Ok(context.client.request(request).await?)
}

async fn delete(context: &Context, served: &Served, namespace: &str) -> Result<(), Error> {
    let collection = served.collection(namespace);
    let params = DeleteParams::background();
    if served.can("deletecollection") {
        let request = Request::new(&collection.path).delete_collection(&params, &ListParams::default())?;
        context.client.request_text(request).await?;
        return Ok(());
    }
    for item in list(context, served, namespace).await?.items {
        let name = item.metadata.name.unwrap_or_default();
        let request = Request::new(&collection.path).delete(&name, &params)?;
        match context.client.request_text(request).await.map_err(Error::from) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Counts finalizers over objects.
fn finalizers(metas: &[&ObjectMeta]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for finalizer in metas.iter().flat_map(|meta| meta.finalizers.iter().flatten()) {
        *counts.entry(finalizer.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
