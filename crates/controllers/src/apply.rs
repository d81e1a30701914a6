//! Carries out a plan, and nothing else: no decision is made here.

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::gate::{Effect, Written};
use crate::informer::revision;
use crate::plan::{Action, Collection, Form, Plan, Propagation, Step, Target, Write};
use crate::recorder::Recorder;

/// How many writes of one step are under way at once.
const PARALLEL: usize = 32;

/// The field manager of all writes, as upstream's process is called.
const MANAGER: &str = "kube-controller-manager";

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was written, for the gate.
    pub written: Vec<Written>,
    /// The first refusal; the steps after its own were not begun.
    pub failure: Option<Error>,
    /// How many steps were completed.
    pub completed: usize,
}

impl Outcome {
    fn add(&mut self, result: Result<Option<Written>, Error>) {
        match result {
            Ok(written) => self.written.extend(written),
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    metadata: ObjectMeta,
}

/// Runs the steps of `plan` in order and records its events, until a step fails.
pub async fn apply(client: &Client, recorder: &Recorder, plan: &Plan) -> Outcome {
    let mut outcome = Outcome::default();
    for note in &plan.notes {
        recorder.record(note.clone());
    }
    for step in &plan.steps {
        match step {
            Step::All(actions) => run_batch(client, recorder, actions, &mut outcome).await,
            Step::SlowStart(actions) => run_slowly(client, recorder, actions, &mut outcome).await,
        }
        if outcome.failure.is_some() {
            break;
        }
        outcome.completed += 1;
    }
    outcome
}

async fn run_slowly(client: &Client, recorder: &Recorder, actions: &[Action], outcome: &mut Outcome) {
    let (mut rest, mut size) = (actions, 1);
    while !rest.is_empty() && outcome.failure.is_none() {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        run_batch(client, recorder, batch, outcome).await;
        (rest, size) = (later, size * 2);
    }
}

async fn run_batch(client: &Client, recorder: &Recorder, actions: &[Action], outcome: &mut Outcome) {
    let running: Vec<_> = actions.iter().map(|action| run_action(client, recorder, action).boxed()).collect();
    let mut results = stream::iter(running).buffer_unordered(PARALLEL);
    while let Some(result) = results.next().await {
        outcome.add(result);
    }
}

async fn run_action(client: &Client, recorder: &Recorder, action: &Action) -> Result<Option<Written>, Error> {
    match write(client, &action.write).await {
        Ok((name, written)) => {
            if let Some(note) = &action.success {
                recorder.record(note.filled("{name}", &name));
            }
            Ok(written)
        }
        Err(error) if action.lenient && error.is_moot() => Ok(None),
        Err(error) => {
            if let Some(note) = action.failure.as_ref().filter(|_| !error.is_quiet()) {
                recorder.record(note.filled("{error}", &error.message()));
            }
            Err(error)
        }
    }
}

/// The name of the object written, and what the cache will show.
async fn write(client: &Client, write: &Write) -> Result<(String, Option<Written>), Error> {
    match write {
        Write::Create(collection, body) => create(client, collection, body).await,
        Write::Patch { target, subresource, form, body } => {
            let answer = patch(client, target, subresource, *form, body).await?;
            Ok((target.name.clone(), revised(&target.collection, &answer)))
        }
        Write::Put { target, subresource, body } => {
            let answer = put(client, target, subresource, body).await?;
            Ok((target.name.clone(), revised(&target.collection, &answer)))
        }
        Write::Delete { target, revision, grace, propagation } => {
            delete(client, target, revision, *grace, *propagation).await?;
            Ok((target.name.clone(), gone(target)))
        }
        Write::Verify(target) => verify(client, target).await.map(|()| (target.name.clone(), None)),
    }
}

fn revised(collection: &Collection, meta: &ObjectMeta) -> Option<Written> {
    let effect = Effect::Revision(revision(meta));
    Some(Written { resource: collection.resource.clone(), effect })
}

fn gone(target: &Target) -> Option<Written> {
    let effect = Effect::Gone(target.key(), target.uid.clone());
    Some(Written { resource: target.collection.resource.clone(), effect })
}

async fn create(
    client: &Client,
    collection: &Collection,
    body: &Value,
) -> Result<(String, Option<Written>), Error> {
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let request = Request::new(&collection.path).create(&params, body.to_string().into_bytes())?;
    let answer = client.request::<Answer>(request).await?.metadata;
    Ok((answer.name.clone().unwrap_or_default(), revised(collection, &answer)))
}

async fn patch(
    client: &Client,
    target: &Target,
    subresource: &str,
    form: Form,
    body: &Value,
) -> Result<ObjectMeta, Error> {
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let request = Request::new(&target.collection.path);
    let mut request = match form {
        Form::Strategic => send_patch(&request, target, subresource, &params, &Patch::Strategic(body)),
        Form::Merge | Form::Json => send_patch(&request, target, subresource, &params, &Patch::Merge(body)),
    }?;
    if form == Form::Json {
        let json = http::HeaderValue::from_static("application/json-patch+json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json);
    }
    Ok(client.request::<Answer>(request).await?.metadata)
}

fn send_patch(
    request: &Request,
    target: &Target,
    subresource: &str,
    params: &PatchParams,
    patch: &Patch<&Value>,
) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
    if subresource.is_empty() {
        request.patch(&target.name, params, patch)
    } else {
        request.patch_subresource(subresource, &target.name, params, patch)
    }
}

async fn put(client: &Client, target: &Target, subresource: &str, body: &Value) -> Result<ObjectMeta, Error> {
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let request = Request::new(&target.collection.path);
    let data = body.to_string().into_bytes();
    let request = if subresource.is_empty() {
        request.replace(&target.name, &params, data)
    } else {
        request.replace_subresource(subresource, &target.name, &params, data)
    }?;
    Ok(client.request::<Answer>(request).await?.metadata)
}

async fn delete(
    client: &Client,
    target: &Target,
    revision: &str,
    grace: Option<u32>,
    propagation: Propagation,
) -> Result<(), Error> {
    let params = DeleteParams {
        grace_period_seconds: grace,
        propagation_policy: policy(propagation),
        preconditions: Some(Preconditions { uid: given(&target.uid), resource_version: given(revision) }),
        ..DeleteParams::default()
    };
    let request = Request::new(&target.collection.path).delete(&target.name, &params)?;
    match client.request_text(request).await.map_err(Error::from) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn policy(propagation: Propagation) -> Option<PropagationPolicy> {
    match propagation {
        Propagation::Default => None,
        Propagation::Background => Some(PropagationPolicy::Background),
        Propagation::Foreground => Some(PropagationPolicy::Foreground),
        Propagation::Orphan => Some(PropagationPolicy::Orphan),
    }
}

async fn verify(client: &Client, target: &Target) -> Result<(), Error> {
    let request =
        Request::new(&target.collection.path).get(&target.name, &kube::core::params::GetParams::default())?;
    let meta = client.request::<Answer>(request).await?.metadata;
    if meta.uid.as_deref() != Some(&target.uid) {
        return Err(Error::Replaced { target: target.key() });
    }
    if meta.deletion_timestamp.is_some() {
        return Err(Error::Deleting { target: target.key() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
