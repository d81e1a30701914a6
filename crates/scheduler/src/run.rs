//! Runs the engine against a cluster: events in, bindings out, at most 64 of them in flight.
//!
//! ```text
//!  pods, nodes (shared reflectors) ──> Engine ──> bind tasks (64) ──> results back to the engine
//!                                         └─────> reporter: conditions and events (16), best effort
//! ```
//! A shared reflector announces what is added and changed, but not what is
//! deleted. Deletions are found by comparing counts on every tick, and sweeping
//! when they differ; so they are seen at most a tick later.

use std::{
    collections::HashMap,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Client, ResourceExt,
    runtime::reflector::{ObjectRef, ReflectHandle, Store, store::WriterDropped},
};
use tokio::{sync::mpsc, task::JoinSet, time::MissedTickBehavior};

use crate::{
    bind::{self, BindError, PodKey, Reason},
    engine::{Engine, Step},
    report::{self, Report},
    time::Time,
};

/// How often deletions are looked for.
const TICK: Duration = Duration::from_millis(100);
/// The longest pause of a sweep per object swept, so that sweeping stays under 2 percent of a core.
const SWEEP_REST_PER_OBJECT: Duration = Duration::from_micros(20);
/// How often a reflector that seems to have nothing is asked again. It says so, and wakes nobody, for
/// each announced object that is gone by now.
const ASK_AGAIN: usize = 8;
/// The same while objects go, when many in a row may be gone.
const ASK_AGAIN_WHILE_OBJECTS_GO: usize = 1024;
/// How long that lasts after the last was found gone.
const OBJECTS_GO_FOR: Duration = Duration::from_secs(1);
/// Events taken in before decisions are made again.
const EVENTS_PER_TURN: usize = 1024;

/// How the scheduler runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pods that name this scheduler are its own.
    pub name: String,
    /// Bindings in flight at once.
    pub bindings_max: usize,
    /// Decides ties between nodes.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { name: "default-scheduler".into(), bindings_max: 64, seed: 0 }
    }
}

/// Why the scheduler stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The reflector of a kind ended before it had listed.
    #[error("the {kind} reflector ended before it was ready")]
    NotReady {
        /// The kind.
        kind: &'static str,
        /// What the reflector says.
        source: WriterDropped,
    },
    /// The reflector of a kind ended.
    #[error("the {kind} reflector ended")]
    Ended {
        /// The kind.
        kind: &'static str,
    },
}

/// Schedules until `shutdown` completes; then waits for the bindings in flight.
///
/// Waits until both reflectors have listed. The identity behind `client` needs
/// `create` on `pods/binding`, `patch` on `pods/status`, and `create` and
/// `patch` on `events.k8s.io/events`.
pub async fn run(
    client: Client,
    pods: ReflectHandle<Pod>,
    nodes: ReflectHandle<Node>,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    tokio::pin!(shutdown);
    let ready = async {
        let wait = |kind| move |source| RunError::NotReady { kind, source };
        nodes.reader().wait_until_ready().await.map_err(wait("Node"))?;
        pods.reader().wait_until_ready().await.map_err(wait("Pod"))
    };
    tokio::select! {
        () = &mut shutdown => return Ok(()),
        ready = ready => ready?,
    }
    let (reports, inbox) = mpsc::channel(report::BACKLOG_MAX);
    let reporter = tokio::spawn(report::run(client.clone(), pods.reader(), config.name.clone(), inbox));
    let mut runner = Runner::new(client, &pods, &nodes, &config, reports);
    runner.load();
    let result = runner.turn_until(pods, nodes, shutdown).await;
    runner.finish().await;
    if let Err(error) = reporter.await {
        tracing::error!(%error, "the scheduler's reporter failed");
    }
    result
}

type Bound = (Arc<str>, PodKey, Arc<str>, Result<(), BindError>);

struct Runner {
    client: Client,
    engine: Engine,
    start: Instant,
    pods: Seen<Pod>,
    nodes: Seen<Node>,
    bindings: JoinSet<Bound>,
    bindings_max: usize,
    reports: mpsc::Sender<Report>,
}

impl Runner {
    fn new(
        client: Client,
        pods: &ReflectHandle<Pod>,
        nodes: &ReflectHandle<Node>,
        config: &Config,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        Self {
            client,
            engine: Engine::new(&config.name, config.seed),
            start: Instant::now(),
            pods: Seen::new(pods.reader()),
            nodes: Seen::new(nodes.reader()),
            bindings: JoinSet::new(),
            bindings_max: config.bindings_max.max(1),
            reports,
        }
    }

    fn now(&self) -> Time {
        Time::since_start(self.start.elapsed())
    }

    /// Takes in what the reflectors have listed, nodes first, so that no pod looks for a node in vain.
    fn load(&mut self) {
        for node in self.nodes.reader.state() {
            self.set_node(&node);
        }
        for pod in self.pods.reader.state() {
            self.set_pod(&pod);
        }
    }

    async fn turn_until(
        &mut self,
        mut pods: ReflectHandle<Pod>,
        mut nodes: ReflectHandle<Node>,
        mut shutdown: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), RunError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.drain(&mut pods, &mut nodes)?;
            self.decide();
            let room = self.bindings.len() < self.bindings_max;
            let due = self.engine.deadline(self.now()).filter(|_| room);
            let rest = due.map(|due| self.now().until(due));
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                Some(done) = self.bindings.join_next() => self.bound(done),
                node = announced(&mut nodes, self.nodes.patience()) => self.set_node(&*ended("Node", node)?),
                pod = announced(&mut pods, self.pods.patience()) => self.set_pod(&*ended("Pod", pod)?),
                _ = tick.tick() => self.sweep(),
                () = tokio::time::sleep(rest.unwrap_or_default()), if rest.is_some() => {}
            }
        }
    }

    /// Takes in what is ready, without waiting.
    fn drain(
        &mut self,
        pods: &mut ReflectHandle<Pod>,
        nodes: &mut ReflectHandle<Node>,
    ) -> Result<(), RunError> {
        for _ in 0..EVENTS_PER_TURN {
            let Some(node) = announced(nodes, self.nodes.patience()).now_or_never() else { break };
            self.set_node(&*ended("Node", node)?);
        }
        for _ in 0..EVENTS_PER_TURN {
            let Some(pod) = announced(pods, self.pods.patience()).now_or_never() else { break };
            self.set_pod(&*ended("Pod", pod)?);
        }
        while let Some(done) = self.bindings.try_join_next() {
            self.bound(done);
        }
        Ok(())
    }

    fn set_pod(&mut self, pod: &Pod) {
        let now = self.now();
        self.pods.note(pod);
        self.engine.set_pod(pod, now);
    }

    fn set_node(&mut self, node: &Node) {
        let now = self.now();
        self.nodes.note(node);
        self.engine.set_node(node, now);
    }

    fn sweep(&mut self) {
        let now = self.now();
        for (uid, _) in self.pods.gone() {
            self.engine.remove_pod(&uid, now);
        }
        for (_, node) in self.nodes.gone() {
            self.engine.remove_node(&node.name, now);
        }
    }

    /// Decides as long as bindings may be started.
    fn decide(&mut self) {
        let mut refusals = 0;
        while self.bindings.len() < self.bindings_max && refusals < EVENTS_PER_TURN {
            match self.engine.step(self.now()) {
                None => return,
                Some(Step::Bind { pod, node }) => self.start_binding(pod.uid.clone(), node),
                Some(Step::Refuse { pod, message }) => {
                    refusals += 1;
                    if let Some((key, _)) = self.pods.current(&pod.uid) {
                        self.report(Report::Failed { pod: key, reason: Reason::Unschedulable, message });
                    }
                }
            }
        }
    }

    /// Starts a binding, unless the reflector already shows the pod gone, leaving or assigned.
    fn start_binding(&mut self, uid: Arc<str>, node: Arc<str>) {
        let current = self.pods.current(&uid).filter(|(_, pod)| is_waiting(pod));
        let Some((key, _)) = current else {
            let now = self.now();
            self.engine.remove_pod(&uid, now);
            return;
        };
        let client = self.client.clone();
        self.bindings.spawn(async move {
            let result = bind::assign(client, &key, &node).await;
            (uid, key, node, result)
        });
    }

    fn bound(&mut self, done: Result<Bound, tokio::task::JoinError>) {
        let (uid, key, node, result) = match done {
            Ok(bound) => bound,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match result {
            Ok(()) => {
                self.engine.bound(&uid);
                self.report(Report::Scheduled { pod: key, node });
            }
            Err(error) => {
                let now = self.now();
                self.engine.bind_failed(&uid, now);
                let message = error.message();
                tracing::warn!(pod = %key.name, namespace = %key.namespace, %message, "binding failed");
                if let BindError::Refused(_) = error {
                    self.report(Report::Failed { pod: key, reason: Reason::SchedulerError, message });
                }
            }
        }
    }

    /// Reports are best effort: a scheduler that waited for them would be as slow as they are.
    fn report(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            tracing::debug!("too many reports: one is dropped");
        }
    }

    async fn finish(&mut self) {
        while let Some(done) = self.bindings.join_next().await {
            self.bound(done);
        }
        let (closed, _) = mpsc::channel(1);
        self.reports = closed;
    }
}

/// The next announced object that still exists; `None` when the reflector has ended.
async fn announced<K>(handle: &mut ReflectHandle<K>, patience: usize) -> Option<Arc<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    std::future::poll_fn(|context| {
        let polls = (0..patience).map(|_| handle.poll_next_unpin(context));
        polls.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

fn ended<K>(kind: &'static str, object: Option<Arc<K>>) -> Result<Arc<K>, RunError> {
    object.ok_or(RunError::Ended { kind })
}

fn is_waiting(pod: &Pod) -> bool {
    let assigned = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    pod.metadata.deletion_timestamp.is_none() && assigned.unwrap_or_default().is_empty()
}

/// What a reflector has announced, to find out what is gone.
struct Seen<K: kube::Resource<DynamicType = ()> + Clone + 'static> {
    reader: Store<K>,
    known: HashMap<Arc<str>, ObjectRef<K>>,
    rest_until: Instant,
    last_gone: Option<Instant>,
}

impl<K: kube::Resource<DynamicType = ()> + Clone + 'static> Seen<K> {
    fn new(reader: Store<K>) -> Self {
        Self { reader, known: HashMap::new(), rest_until: Instant::now(), last_gone: None }
    }

    fn note(&mut self, object: &K) {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        if !self.known.contains_key(uid) {
            self.known.insert(uid.into(), ObjectRef::from_obj(object));
        }
    }

    /// The object of this uid as the reflector has it now.
    fn current(&self, uid: &Arc<str>) -> Option<(PodKey, Arc<K>)> {
        let object = self.reader.get(self.known.get(uid)?)?;
        let key = PodKey {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
        };
        (key.uid == **uid).then_some((key, object))
    }

    /// How often to ask the reflector for more.
    fn patience(&self) -> usize {
        let lately = self.last_gone.is_some_and(|at| at.elapsed() < OBJECTS_GO_FOR);
        let go = lately || self.reader.len() < self.known.len();
        if go { ASK_AGAIN_WHILE_OBJECTS_GO } else { ASK_AGAIN }
    }

    /// Forgets and returns what the reflector no longer has.
    fn gone(&mut self) -> Vec<(Arc<str>, ObjectRef<K>)> {
        let now = Instant::now();
        if self.reader.len() == self.known.len() || now < self.rest_until {
            return Vec::new();
        }
        let rest = SWEEP_REST_PER_OBJECT * u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.rest_until = now + rest;
        let reader = &self.reader;
        let is_there = |uid: &str, object: &ObjectRef<K>| {
            reader.get(object).is_some_and(|found| found.meta().uid.as_deref() == Some(uid))
        };
        let gone: Vec<_> = self.known.extract_if(|uid, object| !is_there(uid, object)).collect();
        self.last_gone = if gone.is_empty() { self.last_gone } else { Some(now) };
        gone
    }
}

#[cfg(test)]
mod tests;
