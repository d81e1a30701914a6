//! ReplicationController: the ReplicaSet of Kubernetes' first days, served by ReplicaSet's code.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{
    Pod, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use kube::core::Selector;

use crate::informer::Informer;
use crate::replicaset::{Replicated, Replicator, keep};
use crate::{Context, Error, Shutdown};

/// Keeps every ReplicationController's pods until `shutdown`.
pub async fn run(
    context: Context,
    sets: Informer<ReplicationController>,
    pods: Informer<Pod>,
    shutdown: Shutdown,
) {
    keep(context.named("replication-controller"), sets, pods, shutdown).await;
}

impl Replicated for ReplicationController {
    const COUNTS_TERMINATING: bool = false;

    fn replicator(self: Arc<Self>) -> Result<Replicator<Self>, Error> {
        let spec = self.spec.clone().unwrap_or_default();
        Ok(Replicator {
            replicas: spec.replicas.unwrap_or(1),
            min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
            selector: labels(spec.selector),
            template: spec.template.unwrap_or_default(),
            status: self.status.clone().map(status).unwrap_or_default(),
            object: self,
        })
    }

    fn selector(&self) -> Option<Selector> {
        let selector = labels(self.spec.as_ref()?.selector.clone());
        (!selector.selects_all()).then_some(selector)
    }
}

fn labels(map: Option<BTreeMap<String, String>>) -> Selector {
    map.unwrap_or_default().into_iter().collect()
}

fn status(status: ReplicationControllerStatus) -> ReplicaSetStatus {
    ReplicaSetStatus {
        available_replicas: status.available_replicas,
        conditions: status.conditions.map(|conditions| conditions.into_iter().map(condition).collect()),
        fully_labeled_replicas: status.fully_labeled_replicas,
        observed_generation: status.observed_generation,
        ready_replicas: status.ready_replicas,
        replicas: status.replicas,
        terminating_replicas: None,
    }
}

fn condition(condition: ReplicationControllerCondition) -> ReplicaSetCondition {
    ReplicaSetCondition {
        last_transition_time: condition.last_transition_time,
        message: condition.message,
        reason: condition.reason,
        status: condition.status,
        type_: condition.type_,
    }
}
