//! Tells pods' owners what became of them: conditions and events, beside the decisions and never in their way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc;

use crate::bind::{self, News, PodKey, Reason};

/// Reports that wait at most; more are dropped.
pub(crate) const BACKLOG_MAX: usize = 8192;
/// Reports being written at once.
const WRITES_MAX: usize = 16;
/// How long a repeated event counts as the same.
const SERIES_MAX: Duration = Duration::from_secs(360);
/// How often the count of a repeated event is written.
const SERIES_PAUSE: Duration = Duration::from_secs(10);
/// How often a condition is tried when the pod changes meanwhile.
const CONDITION_TRIES: usize = 4;
/// How long a try waits for the reflector to catch up.
const CONDITION_PAUSE: Duration = Duration::from_millis(50);

/// What became of a pod.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// It was bound.
    Scheduled {
        /// The pod.
        pod: PodKey,
        /// The node.
        node: Arc<str>,
    },
    /// It was not.
    Failed {
        /// The pod.
        pod: PodKey,
        /// The reason of its condition.
        reason: Reason,
        /// Why.
        message: String,
    },
}

/// Writes reports until the scheduler has none any more.
pub(crate) async fn run(client: Client, pods: Store<Pod>, name: String, inbox: mpsc::Receiver<Report>) {
    let reporter = Reporter { client, pods, name, series: Mutex::default() };
    let reports = futures::stream::unfold(inbox, |mut inbox| async move {
        let report = inbox.recv().await?;
        Some((report, inbox))
    });
    reports.for_each_concurrent(WRITES_MAX, |report| reporter.write(report)).await;
}

struct Reporter {
    client: Client,
    pods: Store<Pod>,
    name: String,
    series: Mutex<AllSeries>,
}

/// Events told lately, by the uid of the pod and the note.
#[derive(Debug, Default)]
struct AllSeries {
    known: HashMap<(String, String), Series>,
    purged: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Series {
    event: String,
    count: i32,
    seen: Instant,
    written: Instant,
}

impl Reporter {
    async fn write(&self, report: Report) {
        match report {
            Report::Scheduled { pod, node } => {
                self.create(&News::scheduled(pod, &node)).await;
            }
            Report::Failed { pod, reason, message } => {
                self.set_condition(&pod, reason, &message).await;
                self.publish(News::failed(pod, &message)).await;
            }
        }
    }

    /// Sets the condition on the pod as it is now; one that is gone or assigned meanwhile is left alone.
    async fn set_condition(&self, key: &PodKey, reason: Reason, message: &str) {
        let object = ObjectRef::new(&key.name).within(&key.namespace);
        for _ in 0..CONDITION_TRIES {
            let pod = self.pods.get(&object).filter(|pod| pod.metadata.uid.as_ref() == Some(&key.uid));
            let Some(pod) = pod.filter(|pod| !is_assigned(pod)) else { return };
            match bind::set_unscheduled(self.client.clone(), &pod, reason, message).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    tokio::time::sleep(CONDITION_PAUSE).await;
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return,
                Err(error) => return tracing::warn!(pod = %object, %error, "cannot set PodScheduled"),
                Ok(()) => return,
            }
        }
        tracing::debug!(pod = %object, "the pod keeps changing: its condition is left to the next refusal");
    }

    /// Creates an event, or counts it where the same was told lately.
    async fn publish(&self, news: News) {
        match self.repeated(&news) {
            None => {
                if let Some(event) = self.create(&news).await {
                    let now = Instant::now();
                    let series = Series { event, count: 1, seen: now, written: now - SERIES_PAUSE };
                    self.series().known.insert((news.pod.uid, news.note), series);
                }
            }
            Some(series) if series.written.elapsed() < SERIES_PAUSE => {}
            Some(series) => {
                let client = self.client.clone();
                let patch =
                    bind::repeat_event(client, &news.pod.namespace, &series.event, series.count).await;
                if let Err(error) = patch {
                    tracing::debug!(%error, "cannot count an event");
                }
                if let Some(kept) = self.series().known.get_mut(&(news.pod.uid, news.note)) {
                    kept.written = Instant::now();
                }
            }
        }
    }

    fn repeated(&self, news: &News) -> Option<Series> {
        let mut all = self.series();
        if all.purged.is_none_or(|at| at.elapsed() > SERIES_PAUSE) {
            all.purged = Some(Instant::now());
            all.known.retain(|_, series| series.seen.elapsed() < SERIES_MAX);
        }
        let series = all.known.get_mut(&(news.pod.uid.clone(), news.note.clone()))?;
        series.count += 1;
        series.seen = Instant::now();
        Some(series.clone())
    }

    fn series(&self) -> std::sync::MutexGuard<'_, AllSeries> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn create(&self, news: &News) -> Option<String> {
        let created = bind::create_event(self.client.clone(), &self.name, news).await;
        created.inspect_err(|error| tracing::debug!(%error, "cannot create an event")).ok()
    }
}

fn is_assigned(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.as_deref().is_some_and(|name| !name.is_empty()))
}
