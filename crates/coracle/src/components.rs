//! The components in the server's own process: controllers and the scheduler, each with an identity
//! of its own, all over one watch per kind.
//!
//! A component's client goes through authentication, authorization and admission like any other; only
//! the socket is missing.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use apiserver::ApiServer;
use apiserver::authn::{Peer, User};
use controllers::{Context, Informer, Shutdown, csr, node_ipam, persistent_volume};
use http_body_util::BodyExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    ReplicationController, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::{self, ReflectHandle, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::pki::Pair;

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

/// What components need of the binary beside the server.
pub struct Material {
    /// The cluster's CA, PEM: published to pods, and signing certificates of nodes.
    pub ca: Pair,
    /// Where volumes of class `local-path` are kept.
    pub volumes_dir: PathBuf,
}

/// Starts every component; they end with `stop`.
pub fn start(server: &ApiServer, material: &Material, stop: &CancellationToken) -> Result<JoinSet<()>> {
    let mut starter = Starter {
        server,
        watching: client(server, User::new("system:kube-controller-manager", &[])),
        tasks: JoinSet::new(),
        end: controllers::shutdown(stop.clone().cancelled_owned()),
    };
    let (pod_watch, node_watch) = (Watch::<Pod>::new(), Watch::<Node>::new());
    starter.scheduler(pod_watch.handle.clone(), node_watch.handle.clone(), stop);
    let pods = controllers::pods_by_node(pod_watch.store.clone());
    let nodes = Informer::new(node_watch.store.clone());
    pod_watch.start(&mut starter.tasks, &starter.watching, pods.clone());
    node_watch.start(&mut starter.tasks, &starter.watching, nodes.clone());
    let namespaces = starter.informer::<Namespace>();
    starter.workloads(&pods);
    starter.network(&pods, &nodes);
    starter.nodes(&pods, &nodes);
    starter.housekeeping(&pods, &nodes, &namespaces);
    starter.identities(&nodes, &namespaces, &material.ca)?;
    starter.volumes(&pods, &nodes, &material.volumes_dir);
    Ok(starter.tasks)
}

/// Starts components over shared watches.
struct Starter<'a> {
    server: &'a ApiServer,
    /// The client of all watches.
    watching: Client,
    tasks: JoinSet<()>,
    end: Shutdown,
}

impl Starter<'_> {
    fn context(&self, name: &str) -> Context {
        Context::new(client(self.server, controller(name)), controllers::wall_clock(), WORKERS).named(name)
    }

    /// Runs a controller until the end.
    fn run(&mut self, controller: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(controller);
    }

    /// An informer of a kind that has its own watch.
    fn informer<K>(&mut self) -> Informer<K>
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
        watch.start(&mut self.tasks, &self.watching, informer.clone());
        informer
    }

    fn scheduler(&mut self, pods: ReflectHandle<Pod>, nodes: ReflectHandle<Node>, stop: &CancellationToken) {
        let client = client(self.server, User::new("system:kube-scheduler", &[]));
        let stop = stop.clone();
        self.tasks.spawn(async move {
            let config = scheduler::Config::default();
            if let Err(error) = scheduler::run(client, pods, nodes, config, stop.cancelled_owned()).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the scheduler ended");
            }
        });
    }

    fn workloads(&mut self, pods: &Informer<Pod>) {
        let end = self.end.clone();
        let sets = self.informer::<ReplicaSet>();
        let deployments = self.informer::<Deployment>();
        let replication = self.informer::<ReplicationController>();
        let jobs = self.informer::<Job>();
        let context = self.context("replicaset-controller");
        self.run(controllers::replicaset::run(context, sets.clone(), pods.clone(), end.clone()));
        let context = self.context("replication-controller");
        self.run(controllers::replication_controller::run(context, replication, pods.clone(), end.clone()));
        let context = self.context("deployment-controller");
        self.run(controllers::deployment::run(context, deployments, sets, pods.clone(), end.clone()));
        let context = self.context("job-controller");
        self.run(controllers::job::run(context, jobs.clone(), pods.clone(), end.clone()));
        let context = self.context("ttl-after-finished-controller");
        self.run(controllers::ttl_after_finished::run(context, jobs, end));
    }

    fn network(&mut self, pods: &Informer<Pod>, nodes: &Informer<Node>) {
        let end = self.end.clone();
        let services = self.informer::<Service>();
        let slices = self.informer::<EndpointSlice>();
        let endpoints = self.informer::<Endpoints>();
        let context = self.context("endpointslice-controller");
        let (all, on) = (pods.clone(), nodes.clone());
        self.run(controllers::endpointslice::run(
            context,
            services.clone(),
            all,
            on,
            slices.clone(),
            end.clone(),
        ));
        let context = self.context("endpoint-controller");
        let all = pods.clone();
        self.run(controllers::endpoints::run(context, services.clone(), all, endpoints.clone(), end.clone()));
        let context = self.context("endpointslicemirroring-controller");
        self.run(controllers::endpointslice_mirroring::run(context, endpoints, services, slices, end));
    }

    fn nodes(&mut self, pods: &Informer<Pod>, nodes: &Informer<Node>) {
        let end = self.end.clone();
        let leases = self.informer::<Lease>();
        let context = self.context("node-controller");
        let ranges = vec![node_ipam::ClusterRange::standard()];
        self.run(node_ipam::run(context.clone(), ranges, Vec::new(), nodes.clone(), end.clone()));
        let grace = controllers::node_lifecycle::Grace::default();
        let (all, on) = (pods.clone(), nodes.clone());
        self.run(controllers::node_lifecycle::run(context.clone(), grace, on, leases, all, end.clone()));
        self.run(controllers::taint_eviction::run(context, nodes.clone(), pods.clone(), end));
    }

    fn housekeeping(
        &mut self,
        pods: &Informer<Pod>,
        nodes: &Informer<Node>,
        namespaces: &Informer<Namespace>,
    ) {
        let end = self.end.clone();
        let context = self.context("namespace-controller");
        self.run(controllers::namespace::run(context, namespaces.clone(), pods.clone(), end.clone()));
        let context = self.context("pod-garbage-collector");
        let limit = controllers::pod_gc::TERMINATED_LIMIT;
        self.run(controllers::pod_gc::run(context, pods.clone(), nodes.clone(), limit, end.clone()));
        let context = self.context("generic-garbage-collector");
        self.run(controllers::garbage_collector::run(context, end));
    }

    fn identities(
        &mut self,
        nodes: &Informer<Node>,
        namespaces: &Informer<Namespace>,
        ca: &Pair,
    ) -> Result<()> {
        let end = self.end.clone();
        let accounts = self.informer::<ServiceAccount>();
        let maps = self.informer::<ConfigMap>();
        let requests = self.informer::<CertificateSigningRequest>();
        let context = self.context("service-account-controller");
        self.run(controllers::serviceaccount::run(context, namespaces.clone(), accounts, end.clone()));
        let context = self.context("root-ca-cert-publisher");
        self.run(controllers::root_ca::run(context, ca.cert.clone(), namespaces.clone(), maps, end.clone()));
        let context = self.context("certificate-controller");
        let authority =
            csr::sign::Authority::new(&ca.cert, &ca.key).context("the cluster's CA cannot sign")?;
        self.run(csr::run_approver(context.clone(), requests.clone(), nodes.clone(), end.clone()));
        self.run(csr::run_signer(context.clone(), authority, serial, requests.clone(), end.clone()));
        self.run(csr::run_cleaner(context, requests, end));
        Ok(())
    }

    fn volumes(&mut self, pods: &Informer<Pod>, nodes: &Informer<Node>, dir: &Path) {
        let caches = persistent_volume::Caches {
            claims: self.informer::<PersistentVolumeClaim>(),
            volumes: self.informer::<PersistentVolume>(),
            classes: self.informer::<StorageClass>(),
            pods: pods.clone(),
            nodes: nodes.clone(),
        };
        let context = self.context("persistent-volume-binder");
        let end = self.end.clone();
        self.run(persistent_volume::run(context, dir.to_string_lossy().into_owned(), caches, end));
    }
}

/// A certificate's serial number.
fn serial() -> [u8; 16] {
    let mut bytes = [0; 16];
    crate::server::random(&mut bytes);
    bytes
}
