//! The built-in controllers of Kubernetes 1.36, one module each. API boundary: yes.
//!
//! A controller speaks only [`kube::Client`]; this crate never knows the store or the API server's
//! internals, so its controllers run in the server's process or against any cluster.
//!
//! ```text
//!  one watch per kind ──> Informer<K> ──handlers──> Queue<name> ──> reconcile(name)
//!                            │  cache                                   │
//!                            └──────────> snapshot ──> plan(snapshot, now) ──> apply(client, plan)
//!                                            ▲                                     │
//!                                            └── Gate: not before the cache shows ─┘
//!                                                    what was written last
//! ```
//!
//! Invariants:
//! - Level-based: queues hold names; no controller knows which event woke it.
//! - `plan` is pure: it gets the cache's objects and the time and decides names, counts and patches.
//!   [`apply`](apply::apply) decides nothing.
//! - A name is never planned from a cache older than its own last writes ([`gate`]).
//! - A controller patches what it owns and never sends back a whole object that it read.
//! - Nothing polls. A name is looked at again without an event only where time itself matters.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::reflector::Store;

pub mod apply;
pub mod csr;
pub mod deployment;
mod discovery;
pub mod endpoints;
pub mod endpointslice;
pub mod endpointslice_mirroring;
mod error;
pub mod garbage_collector;
pub mod gate;
pub mod informer;
pub mod job;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
pub mod owner;
pub mod persistent_volume;
pub mod plan;
mod pod;
pub mod pod_gc;
pub mod queue;
pub mod recorder;
pub mod replicaset;
pub mod replication_controller;
pub mod root_ca;
mod service;
pub mod serviceaccount;
pub mod taint_eviction;
pub mod ttl_after_finished;

pub use error::Error;
pub use informer::{Informer, Key};

use gate::Gate;
use informer::Watched;
use plan::Plan;
use queue::{Name, Queue};
use recorder::Recorder;

/// Completes when the process wants its controllers to end.
pub type Shutdown = Shared<BoxFuture<'static, ()>>;

/// A [`Shutdown`] from any future.
pub fn shutdown(signal: impl Future<Output = ()> + Send + 'static) -> Shutdown {
    signal.boxed().shared()
}

/// The informer of pods as all controllers of this crate share it: indexed by node too.
pub fn pods_by_node(store: Store<Pod>) -> Informer<Pod> {
    Informer::with_facet(store, |pod: &Pod| pod.spec.as_ref()?.node_name.clone())
}

/// Where the time comes from; a simulation brings its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
pub fn wall_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// What every controller needs beside its informers.
#[derive(Clone)]
pub struct Context {
    /// The connection, with the identity that the process gives its controllers.
    pub client: Client,
    /// Where events go.
    pub recorder: Recorder,
    /// The time.
    pub clock: Clock,
    /// How many names one controller reconciles at once.
    pub workers: usize,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({} workers)", self.workers)
    }
}

impl Context {
    /// A context with a recorder of its own. Must be called within a tokio runtime.
    pub fn new(client: Client, clock: Clock, workers: usize) -> Self {
        let recorder = Recorder::start(client.clone(), Arc::clone(&clock));
        Self { client, recorder, clock, workers }
    }

    /// The same context, its events in the name of `component`.
    pub fn named(&self, component: &str) -> Self {
        Self { recorder: self.recorder.named(component), ..self.clone() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// The ordinary life of a controller: waits for its caches, then plans and applies each name that
/// its queue brings, once the [`Gate`] is open for it. `plan` reads the caches it was made with;
/// `None` means that there is nothing of that name.
pub async fn run<K, P>(
    context: Context,
    watched: Vec<Arc<dyn Watched>>,
    queue: Queue<K>,
    shutdown: Shutdown,
    plan: P,
) where
    K: Name,
    P: Fn(&K, Timestamp) -> Result<Option<Plan>, Error> + Send + Sync + 'static,
{
    let plan = Arc::new(plan);
    run_with(context, watched, queue, shutdown, move |context, gate, key| {
        let plan = Arc::clone(&plan);
        Box::pin(async move {
            let Some(plan) = plan(&key, context.now())? else { return Ok(None) };
            context.carry_out(&gate, &key, &plan).await?;
            Ok(plan.again)
        })
    })
    .await;
}

/// What a reconcile answers: when to look again, or why it failed.
pub type Reconciled = Result<Option<Duration>, Error>;

/// As [`run`], for controllers whose reconcile is more than one plan.
pub async fn run_with<K, F>(
    context: Context,
    watched: Vec<Arc<dyn Watched>>,
    queue: Queue<K>,
    shutdown: Shutdown,
    reconcile: F,
) where
    K: Name,
    F: Fn(Context, Arc<Gate<K>>, K) -> Pin<Box<dyn Future<Output = Reconciled> + Send>>,
{
    tokio::select! {
        () = gate::synced(&watched) => {}
        () = shutdown.clone() => return,
    }
    let gate = Arc::new(Gate::new(watched.clone()));
    for cache in &watched {
        let (gate, queue) = (Arc::downgrade(&gate), queue.clone());
        cache.on_progress(Box::new(move || {
            let released = gate.upgrade().map(|gate| gate.released()).unwrap_or_default();
            released.into_iter().for_each(|key| queue.add(key));
        }));
    }
    let step = |key: K| {
        let (gate, open) = (Arc::clone(&gate), gate.open(&key));
        let work = open.then(|| reconcile(context.clone(), gate, key));
        async move {
            match work {
                Some(work) => work.await,
                None => Ok(None),
            }
        }
    };
    queue.run(context.workers, shutdown, step).await;
}

impl Context {
    /// Applies a plan and notes its writes in the gate. That a namespace is terminating is no error.
    pub async fn carry_out<K: Name>(&self, gate: &Gate<K>, key: &K, plan: &Plan) -> Result<(), Error> {
        let outcome = apply::apply(&self.client, &self.recorder, plan).await;
        gate.note(key, outcome.written);
        match outcome.failure {
            Some(error) if !error.namespace_terminating() => Err(error),
            _ => Ok(()),
        }
    }
}
