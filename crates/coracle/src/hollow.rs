//! `coracle agent --hollow N`: nodes that run nothing and say that they do, for benches and tests.
//!
//! A hollow node registers, renews its Lease, answers an assigned pod with `Running` and `Ready`, and
//! lets a deleted pod go at once. It speaks the API as any kubelet does, over the network.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Requests in flight at once.
const IN_FLIGHT: usize = 64;
/// How often a node renews its Lease, as kubelets do.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const LEASE_SECONDS: i32 = 40;
const MANAGER: &str = "hollow-kubelet";

/// Runs `count` hollow nodes named `hollow-0` and so on, until `stop`.
pub async fn run(client: Client, count: usize, ready: impl FnOnce(), stop: CancellationToken) -> Result<()> {
    let names: Arc<HashSet<String>> = Arc::new((0..count).map(|n| format!("hollow-{n}")).collect());
    futures::stream::iter(names.iter().cloned())
        .map(|name| register(client.clone(), name))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<()>>()
        .await?;
    ready();
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = serve_pods(client.clone(), Arc::clone(&names)) => ended,
        () = renew_leases(&client, &names) => Ok(()),
    }
}

async fn register(client: Client, name: String) -> Result<()> {
    let nodes: Api<Node> = Api::all(client);
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "coracle.dev/hollow": "true",
        }},
    }))?;
    match nodes.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other.with_context(|| format!("node {name} cannot be registered"))?),
    }
    let status = json!({"status": node_status(&name, Timestamp::now())});
    nodes
        .patch_status(&name, &PatchParams::apply(MANAGER), &Patch::Merge(status))
        .await
        .with_context(|| format!("the status of node {name} cannot be set"))?;
    // Without this the node keeps the taint that it got at its creation.
    let untaint = json!({"spec": {"taints": null}});
    nodes.patch(&name, &PatchParams::apply(MANAGER), &Patch::Merge(untaint)).await?;
    Ok(())
}

/// The status of a node with 32 cores, 256 GiB and room for 110 pods.
fn node_status(name: &str, now: Timestamp) -> Value {
    let resources = json!({"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"});
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "hollow",
               "lastHeartbeatTime": now.to_string(), "lastTransitionTime": now.to_string()})
    };
    json!({
        "capacity": resources, "allocatable": resources,
        "addresses": [{"type": "Hostname", "address": name}],
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            condition("Ready", "True", "KubeletReady"),
        ],
    })
}

/// Answers every pod that is assigned to one of our nodes.
async fn serve_pods(client: Client, names: Arc<HashSet<String>>) -> Result<()> {
    let pods: Api<Pod> = Api::all(client.clone());
    let assigned = watcher::Config::default().fields("spec.nodeName!=").streaming_lists();
    let events = watcher(pods, assigned).default_backoff().modify(|pod| pod.metadata.managed_fields = None);
    let answer_one = |event: watcher::Result<Pod>| {
        let (client, names) = (client.clone(), Arc::clone(&names));
        async move {
            match event {
                Ok(pod) if is_ours(&pod, &names) => {
                    if let Err(error) = answer(&client, &pod).await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(pod = pod.name_any(), error, "pod not answered");
                    }
                }
                Ok(_) => {}
                // The watch begins again by itself, also after a restart of the server.
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the watch of pods broke");
                }
            }
        }
    };
    events.touched_objects().for_each_concurrent(IN_FLIGHT, answer_one).await;
    bail!("the watch of pods ended")
}

fn is_ours(pod: &Pod, names: &HashSet<String>) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()).is_some_and(|node| names.contains(node))
}

/// What a pod needs next, if anything.
async fn answer(client: &Client, pod: &Pod) -> kube::Result<()> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let name = pod.name_any();
    let outcome = if pod.metadata.deletion_timestamp.is_some() {
        api.delete(&name, &DeleteParams::default().grace_period(0)).await.map(drop)
    } else if phase(pod) == "Pending" {
        let patch = Patch::Merge(running(pod, Timestamp::now()));
        api.patch_status(&name, &PatchParams::apply(MANAGER), &patch).await.map(drop)
    } else {
        Ok(())
    };
    match outcome {
        // The pod is gone already, or another one has its name: nothing is left to do.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other,
    }
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// The status of a pod whose containers all run.
fn running(pod: &Pod, now: Timestamp) -> Value {
    let now = format!("{now:.0}");
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let statuses: Vec<Value> = containers
        .map(|container| {
            json!({"name": container.name, "image": container.image, "imageID": "", "ready": true, "started": true,
                   "restartCount": 0, "containerID": "hollow://0", "state": {"running": {"startedAt": now}}})
        })
        .collect();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions: Vec<Value> =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .map(condition)
            .into();
    json!({
        "metadata": {"uid": pod.uid()},
        "status": {"phase": "Running", "startTime": now, "conditions": conditions, "containerStatuses": statuses,
                   "podIP": address(pod), "podIPs": [{"ip": address(pod)}]},
    })
}

/// An address from the pod's uid: nothing listens there.
fn address(pod: &Pod) -> String {
    let uid = pod.uid().unwrap_or_default();
    let sum = uid.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let [_, a, b, c] = sum.to_be_bytes();
    format!("10.{a}.{b}.{}", c.max(1))
}

/// Renews every Lease once per period, evenly spread over it.
async fn renew_leases(client: &Client, names: &HashSet<String>) {
    let pause = RENEW_EVERY / u32::try_from(names.len().max(1)).unwrap_or(u32::MAX);
    let mut turn = tokio::time::interval(pause);
    loop {
        for name in names {
            turn.tick().await;
            if let Err(error) = renew(client, name).await {
                tracing::warn!(node = name, error = &error as &dyn std::error::Error, "lease not renewed");
            }
        }
    }
}

async fn renew(client: &Client, name: &str) -> kube::Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let lease = Lease {
        metadata: kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::new()),
            ..kube::api::ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(name.to_owned()),
            lease_duration_seconds: Some(LEASE_SECONDS),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    };
    match leases.patch(name, &PatchParams::default(), &Patch::Merge(&lease)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            leases.create(&PostParams::default(), &lease).await.map(drop)
        }
        other => other.map(drop),
    }
}
