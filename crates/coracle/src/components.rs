//! The components in the server's own process: controllers and the scheduler, each with an identity
//! of its own, all over one watch per kind.
//!
//! A component's client goes through authentication, authorization and admission like any other; only
//! the socket is missing.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use apiserver::ApiServer;
use apiserver::authn::{Peer, User};
use controllers::{Context, Informer, Shutdown};
use futures::StreamExt;
use http_body_util::BodyExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ReplicationController};
use kube::runtime::reflector::{self, ReflectHandle, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Events that a subscriber of a reflector may be behind.
const BUFFER: usize = 1024;
/// Names that one controller works on at once.
const WORKERS: usize = 8;

/// A client that reaches the server without a socket, as `user`.
pub fn client(server: &ApiServer, user: User) -> Client {
    let (server, peer) = (server.clone(), Peer::Component(Arc::new(user)));
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let response = server.handle(&peer, request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    Client::new(service, "default")
}

/// The identity of a controller: a service account of kube-system, as kube-controller-manager uses.
fn controller(name: &str) -> User {
    const NAMESPACE: &str = "kube-system";
    let user = format!("system:serviceaccount:{NAMESPACE}:{name}");
    User::new(&user, &["system:serviceaccounts", &format!("system:serviceaccounts:{NAMESPACE}")])
}

/// The one watch of a kind: what scheduler and controllers share.
struct Watch<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone + Default,
{
    store: Store<K>,
    handle: ReflectHandle<K>,
    writer: reflector::store::Writer<K>,
}

impl<K> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    fn new() -> Self {
        let (store, writer) = reflector::store_shared(BUFFER);
        let handle = writer.subscribe().expect("the writer is shared");
        Self { store, handle, writer }
    }

    /// Feeds the reflector and the informer over it until the process ends.
    fn start(self, tasks: &mut JoinSet<()>, client: &Client, informer: Informer<K>)
    where
        K: controllers::informer::Kind,
    {
        let api: Api<K> = Api::all(client.clone());
        let writer = self.writer;
        tasks.spawn(async move {
            let config = watcher::Config::default().streaming_lists();
            let events = watcher(api, config).default_backoff().modify(|object| {
                object.meta_mut().managed_fields = None;
            });
            informer.follow(events.reflect_shared(writer)).await;
        });
    }
}

/// Starts every component; they end with `stop`.
pub fn start(server: &ApiServer, stop: &CancellationToken) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let watching = client(server, User::new("system:kube-controller-manager", &[]));
    let pods = Watch::<Pod>::new();
    let nodes = Watch::<Node>::new();
    start_scheduler(server, &mut tasks, pods.handle.clone(), nodes.handle.clone(), stop);
    let cluster = Cluster {
        pods: controllers::pods_by_node(pods.store.clone()),
        nodes: Informer::new(nodes.store.clone()),
    };
    pods.start(&mut tasks, &watching, cluster.pods.clone());
    nodes.start(&mut tasks, &watching, cluster.nodes.clone());
    start_controllers(server, &mut tasks, &watching, &cluster, stop);
    tasks
}

/// The informers that more than one component needs.
struct Cluster {
    pods: Informer<Pod>,
    nodes: Informer<Node>,
}

fn start_scheduler(
    server: &ApiServer,
    tasks: &mut JoinSet<()>,
    pods: ReflectHandle<Pod>,
    nodes: ReflectHandle<Node>,
    stop: &CancellationToken,
) {
    let client = client(server, User::new("system:kube-scheduler", &[]));
    let stop = stop.clone();
    tasks.spawn(async move {
        let config = scheduler::Config::default();
        if let Err(error) = scheduler::run(client, pods, nodes, config, stop.cancelled_owned()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the scheduler ended");
        }
    });
}

fn start_controllers(
    server: &ApiServer,
    tasks: &mut JoinSet<()>,
    watching: &Client,
    cluster: &Cluster,
    stop: &CancellationToken,
) {
    let context = |name: &str| {
        Context::new(client(server, controller(name)), controllers::wall_clock(), WORKERS).named(name)
    };
    let end: Shutdown = controllers::shutdown(stop.clone().cancelled_owned());
    let sets = informer::<ReplicaSet>(tasks, watching);
    let deployments = informer::<Deployment>(tasks, watching);
    let replication = informer::<ReplicationController>(tasks, watching);
    let jobs = informer::<Job>(tasks, watching);
    let namespaces = informer::<Namespace>(tasks, watching);
    let Cluster { pods, nodes } = cluster;
    tasks.spawn(controllers::replicaset::run(
        context("replicaset-controller"),
        sets.clone(),
        pods.clone(),
        end.clone(),
    ));
    tasks.spawn(controllers::replication_controller::run(
        context("replication-controller"),
        replication,
        pods.clone(),
        end.clone(),
    ));
    tasks.spawn(controllers::deployment::run(
        context("deployment-controller"),
        deployments,
        sets,
        pods.clone(),
        end.clone(),
    ));
    tasks.spawn(controllers::job::run(context("job-controller"), jobs.clone(), pods.clone(), end.clone()));
    tasks.spawn(controllers::ttl_after_finished::run(
        context("ttl-after-finished-controller"),
        jobs,
        end.clone(),
    ));
    tasks.spawn(controllers::namespace::run(
        context("namespace-controller"),
        namespaces,
        pods.clone(),
        end.clone(),
    ));
    tasks.spawn(controllers::pod_gc::run(
        context("pod-garbage-collector"),
        pods.clone(),
        nodes.clone(),
        controllers::pod_gc::TERMINATED_LIMIT,
        end.clone(),
    ));
    tasks.spawn(controllers::garbage_collector::run(context("generic-garbage-collector"), end));
}

/// An informer of a kind that has its own watch.
fn informer<K>(tasks: &mut JoinSet<()>, client: &Client) -> Informer<K>
where
    K: Resource<DynamicType = ()>
        + controllers::informer::Kind
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let watch = Watch::<K>::new();
    let informer = Informer::new(watch.store.clone());
    watch.start(tasks, client, informer.clone());
    informer
}
