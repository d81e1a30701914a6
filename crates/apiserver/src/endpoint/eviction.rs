//! `pods/eviction`: a deletion that the pod's disruption budgets must allow.

use api::meta;
use api::selector::LabelSelector;
use api::status::{Cause, Details, Status};
use http::StatusCode;
use serde_json::{Value, json};

use super::delete::{self, Options};
use super::read::freshen;
use super::{Call, review_target, storage_failure};
use crate::cache::shard::range;
use crate::endpoint::as_map;
use crate::respond::{self, Outcome};
use crate::storage::{Place, Written};

const BUDGETS: &str = "policy/poddisruptionbudgets";
const TRIES: usize = 8;

/// Answers `create` of an eviction.
///
/// # Errors
/// 429 while a budget allows no disruption, 500 when more than one budget selects the pod.
pub async fn evict(call: &Call) -> Outcome {
    let eviction = review_target(call, "io.k8s.api.policy.v1.Eviction")?;
    let options: Options = match eviction.get("deleteOptions") {
        Some(options) => {
            serde_json::from_value(options.clone()).map_err(|e| Status::bad_request(e.to_string()))?
        }
        None => Options::default(),
    };
    freshen(call, "").await?;
    let key = call.key(&call.info.name);
    let pod =
        call.shared.cache.shard(call.prefix()).get(&key).ok_or_else(|| call.not_found(&call.info.name))?;
    let pod: Value = serde_json::from_slice(pod.versioned.json()).map_err(Status::internal_error)?;
    if disrupts(&pod) {
        charge(call, &pod).await?;
    }
    delete::remove(call, &options, &call.info.name).await?;
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::json(StatusCode::CREATED, success.to_string()))
}

/// Whether evicting the pod takes something away: pods that are done, pending or going do not count.
fn disrupts(pod: &Value) -> bool {
    let phase = meta::text(pod, "status.phase");
    meta::deletion_timestamp(pod).is_none() && !matches!(phase, "Succeeded" | "Failed" | "Pending")
}

/// The keys of the budgets that select the pod.
fn budgets(call: &Call, pod: &Value) -> Vec<String> {
    let (objects, _) = call.shared.cache.shard(BUDGETS).snapshot();
    let prefix = format!("{}/", call.info.namespace);
    let selects = |json: &[u8]| {
        let budget: Value = serde_json::from_slice(json).unwrap_or_default();
        LabelSelector::from_object(meta::at(&budget, "spec.selector"))
            .is_ok_and(|selector| selector.matches(pod))
    };
    range(&objects, &prefix, None)
        .filter(|o| selects(o.versioned.json()))
        .map(|o| o.key.to_string())
        .collect()
}

/// Takes one disruption from the pod's budget.
async fn charge(call: &Call, pod: &Value) -> Result<(), Status> {
    let keys = budgets(call, pod);
    let [key] = keys.as_slice() else {
        return match keys.len() {
            0 => Ok(()),
            _ => Err(Status::internal_error(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            )),
        };
    };
    let place = Place { prefix: BUDGETS, key };
    for _ in 0..TRIES {
        let read = call.shared.storage.read(place).await.map_err(|error| storage_failure(&error))?;
        let Some(current) = read else { return Ok(()) };
        let mut budget = current.object.clone();
        let allowed = budget.pointer("/status/disruptionsAllowed").and_then(Value::as_i64).unwrap_or(0);
        let observed = budget.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or(0);
        if observed < meta::generation(&budget).unwrap_or(0) || allowed < 1 {
            return Err(refusal(&budget));
        }
        budget["status"]["disruptionsAllowed"] = json!(allowed - 1);
        budget["status"]["disruptedPods"][meta::name(pod)] = json!(call.shared.now().to_string());
        if call.dry_run()? {
            return Ok(());
        }
        let written = call.shared.storage.replace(place, as_map(&budget)?, current.revision).await;
        if let Written::Done(_) = written.map_err(|error| storage_failure(&error))? {
            return Ok(());
        }
    }
    Err(Status::too_many_requests("Cannot evict pod as its disruption budget changes too fast.", 1))
}

fn refusal(budget: &Value) -> Status {
    let number =
        |field: &str| budget.pointer(&format!("/status/{field}")).and_then(Value::as_i64).unwrap_or(0);
    let cause = Cause {
        reason: "DisruptionBudget".into(),
        message: format!(
            "The disruption budget {} needs {} healthy pods and has {} currently",
            meta::name(budget),
            number("desiredHealthy"),
            number("currentHealthy")
        ),
        field: String::new(),
    };
    let status =
        Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0);
    status.with(Details { causes: vec![cause], ..Details::default() })
}
