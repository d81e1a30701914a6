//! Lines of what keeps pods running: `apps`, `batch`, `autoscaling`, `policy` and core's controllers.

use serde_json::Value;

use super::cell::{self, NONE, UNKNOWN, UNSET};
use super::{AGE, CONTAINERS, Head, IMAGES, NAME, SELECTOR, Spec, items};
use crate::duration;
use crate::gvk::GroupVersionKind;
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        group: "apps",
        kind: "Deployment",
        columns: &[
            NAME,
            Head::text("Ready", "How many of the wanted pods are ready"),
            Head::text("Up-to-date", "How many pods have the current template"),
            Head::text("Available", "How many pods have been ready long enough"),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        cells: deployment,
    },
    Spec { group: "apps", kind: "ReplicaSet", columns: REPLICAS, cells: replica_set },
    Spec { group: "", kind: "ReplicationController", columns: REPLICAS, cells: replication_controller },
    Spec {
        group: "apps",
        kind: "StatefulSet",
        columns: &[
            NAME,
            Head::text("Ready", "How many of the wanted pods are ready"),
            AGE,
            CONTAINERS,
            IMAGES,
        ],
        cells: stateful_set,
    },
    Spec { group: "apps", kind: "DaemonSet", columns: DAEMON_SET, cells: daemon_set },
    Spec {
        group: "apps",
        kind: "ControllerRevision",
        columns: &[
            NAME,
            Head::text("Controller", "Whose revision it is"),
            Head::text("Revision", "Its number"),
            AGE,
        ],
        cells: controller_revision,
    },
    Spec {
        group: "batch",
        kind: "Job",
        columns: &[
            NAME,
            Head::text("Status", "How it stands"),
            Head::text("Completions", "How many of the wanted pods have succeeded"),
            Head::text("Duration", "How long it has taken"),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        cells: job,
    },
    Spec { group: "batch", kind: "CronJob", columns: CRON_JOB, cells: cron_job },
    Spec {
        group: "",
        kind: "PodTemplate",
        columns: &[
            NAME,
            Head { priority: 0, ..CONTAINERS },
            Head { priority: 0, ..IMAGES },
            Head::text("Pod Labels", "The labels of its pods"),
        ],
        cells: pod_template,
    },
    Spec {
        group: "autoscaling",
        kind: "HorizontalPodAutoscaler",
        columns: &[
            NAME,
            Head::text("Reference", "What it scales"),
            Head::text("Targets", "Current and wanted metrics"),
            Head::text("MinPods", "The least replicas"),
            Head::text("MaxPods", "The most replicas"),
            Head::text("Replicas", "The current replicas"),
            AGE,
        ],
        cells: autoscaler,
    },
    Spec {
        group: "autoscaling",
        kind: "Scale",
        columns: &[
            Head { format: "", ..NAME },
            Head::integer("Desired", "The wanted replicas"),
            Head::integer("Available", "The current replicas"),
            AGE,
        ],
        cells: scale,
    },
    Spec {
        group: "policy",
        kind: "PodDisruptionBudget",
        columns: &[
            NAME,
            Head::text("Min Available", "How many pods must stay available"),
            Head::text("Max Unavailable", "How many pods may be unavailable"),
            Head::integer("Allowed Disruptions", "How many pods may be evicted now"),
            AGE,
        ],
        cells: disruption_budget,
    },
];

const REPLICAS: &[Head] = &[
    NAME,
    Head::integer("Desired", "The wanted pods"),
    Head::integer("Current", "The pods there are"),
    Head::integer("Ready", "The pods that are ready"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const DAEMON_SET: &[Head] = &[
    NAME,
    Head::integer("Desired", "The nodes that should run a pod"),
    Head::integer("Current", "The nodes that run a pod"),
    Head::integer("Ready", "The nodes with a ready pod"),
    Head::integer("Up-to-date", "The nodes with a pod of the current template"),
    Head::integer("Available", "The nodes with a pod ready long enough"),
    Head::text("Node Selector", "Which nodes it means"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const CRON_JOB: &[Head] = &[
    NAME,
    Head::text("Schedule", "When it runs, in cron's syntax"),
    Head::text("Timezone", "Whose clock the schedule means"),
    Head::boolean("Suspend", "Whether runs are held back"),
    Head::integer("Active", "The runs under way"),
    Head::text("Last Schedule", "The time since the last run began"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// The replicas a spec asks for; absent means one.
fn desired(object: &Value) -> i64 {
    meta::at(object, "spec.replicas").and_then(Value::as_i64).unwrap_or(1)
}

fn ready_of_desired(object: &Value) -> Value {
    format!("{}/{}", cell::int(object, "status.readyReplicas"), desired(object)).into()
}

/// The three wide cells of a controller of pods.
fn template(object: &Value, selector: Value) -> [Value; 3] {
    let [names, images] = cell::containers(object, "spec.template.spec");
    [names, images, selector]
}

fn deployment(object: &Value, now: Time) -> Vec<Value> {
    let selector = match cell::selector(object, "spec.selector").as_str() {
        "<error>" => "<invalid>".into(),
        NONE => "".into(),
        text => text.into(),
    };
    let narrow = [
        cell::name(object),
        ready_of_desired(object),
        cell::integer(object, "status.updatedReplicas"),
        cell::integer(object, "status.availableReplicas"),
        cell::age(object, now),
    ];
    narrow.into_iter().chain(template(object, selector)).collect()
}

fn replicas(object: &Value, selector: Value, now: Time) -> Vec<Value> {
    let narrow = [
        cell::name(object),
        desired(object).into(),
        cell::integer(object, "status.replicas"),
        cell::integer(object, "status.readyReplicas"),
        cell::age(object, now),
    ];
    narrow.into_iter().chain(template(object, selector)).collect()
}

fn replica_set(object: &Value, now: Time) -> Vec<Value> {
    replicas(object, cell::selector(object, "spec.selector").into(), now)
}

fn replication_controller(object: &Value, now: Time) -> Vec<Value> {
    replicas(object, cell::labels(object, "spec.selector").into(), now)
}

fn stateful_set(object: &Value, now: Time) -> Vec<Value> {
    let [names, images] = cell::containers(object, "spec.template.spec");
    vec![cell::name(object), ready_of_desired(object), cell::age(object, now), names, images]
}

fn daemon_set(object: &Value, now: Time) -> Vec<Value> {
    let narrow = [
        cell::name(object),
        cell::integer(object, "status.desiredNumberScheduled"),
        cell::integer(object, "status.currentNumberScheduled"),
        cell::integer(object, "status.numberReady"),
        cell::integer(object, "status.updatedNumberScheduled"),
        cell::integer(object, "status.numberAvailable"),
        cell::labels(object, "spec.template.spec.nodeSelector").into(),
        cell::age(object, now),
    ];
    narrow.into_iter().chain(template(object, cell::selector(object, "spec.selector").into())).collect()
}

fn controller_revision(object: &Value, now: Time) -> Vec<Value> {
    let controller = meta::controller_of(object).map_or_else(
        || NONE.to_owned(),
        |owner| match GroupVersionKind::parse(owner.api_version, owner.kind) {
            Ok(gvk) => format!("{}/{}", gvk.group_kind().to_string().to_lowercase(), owner.name),
            Err(_) => owner.name.to_owned(),
        },
    );
    vec![cell::name(object), controller.into(), cell::integer(object, "revision"), cell::age(object, now)]
}

fn job(object: &Value, now: Time) -> Vec<Value> {
    let narrow = [
        cell::name(object),
        job_status(object).into(),
        completions(object).into(),
        job_duration(object, now).into(),
        cell::age(object, now),
    ];
    narrow.into_iter().chain(template(object, cell::selector(object, "spec.selector").into())).collect()
}

fn job_status(object: &Value) -> &'static str {
    let deleted = !meta::text(object, "metadata.deletionTimestamp").is_empty();
    if cell::holds(object, "Complete") {
        "Complete"
    } else if cell::holds(object, "Failed") {
        "Failed"
    } else if deleted {
        "Terminating"
    } else if cell::holds(object, "Suspended") {
        "Suspended"
    } else if cell::holds(object, "FailureTarget") {
        "FailureTarget"
    } else {
        "Running"
    }
}

fn completions(object: &Value) -> String {
    let succeeded = cell::int(object, "status.succeeded");
    let wanted = meta::at(object, "spec.completions").and_then(Value::as_i64);
    match (wanted, cell::int(object, "spec.parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(object: &Value, now: Time) -> String {
    let time = |path| Time::parse(meta::text(object, path));
    let end = time("status.completionTime").unwrap_or(now);
    time("status.startTime").map_or_else(String::new, |start| duration::between(start, end))
}

fn cron_job(object: &Value, now: Time) -> Vec<Value> {
    let last = match meta::text(object, "status.lastScheduleTime") {
        "" => NONE.to_owned(),
        _ => cell::since(object, "status.lastScheduleTime", now),
    };
    let suspend = match meta::at(object, "spec.suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    let [names, images] = cell::containers(object, "spec.jobTemplate.spec.template.spec");
    vec![
        cell::name(object),
        cell::text(object, "spec.schedule"),
        cell::text_or(object, "spec.timeZone", NONE),
        suspend.into(),
        cell::count(object, "status.active").into(),
        last.into(),
        cell::age(object, now),
        names,
        images,
        cell::selector(object, "spec.jobTemplate.spec.selector").into(),
    ]
}

fn pod_template(object: &Value, _now: Time) -> Vec<Value> {
    let [names, images] = cell::containers(object, "template.spec");
    vec![cell::name(object), names, images, cell::labels(object, "template.metadata.labels").into()]
}

fn scale(object: &Value, now: Time) -> Vec<Value> {
    let [spec, status] = ["spec.replicas", "status.replicas"].map(|path| cell::integer(object, path));
    vec![cell::name(object), spec, status, cell::age(object, now)]
}

fn disruption_budget(object: &Value, now: Time) -> Vec<Value> {
    let limit = |path| meta::at(object, path).map_or_else(|| "N/A".to_owned(), cell::plain);
    vec![
        cell::name(object),
        limit("spec.minAvailable").into(),
        limit("spec.maxUnavailable").into(),
        cell::integer(object, "status.disruptionsAllowed"),
        cell::age(object, now),
    ]
}

fn autoscaler(object: &Value, now: Time) -> Vec<Value> {
    let target = meta::at(object, "spec.scaleTargetRef").unwrap_or(&Value::Null);
    let least = meta::at(object, "spec.minReplicas").map_or_else(|| UNSET.to_owned(), cell::plain);
    vec![
        cell::name(object),
        format!("{}/{}", meta::text(target, "kind"), meta::text(target, "name")).into(),
        metrics(object).into(),
        least.into(),
        cell::integer(object, "spec.maxReplicas"),
        cell::integer(object, "status.currentReplicas"),
        cell::age(object, now),
    ]
}

/// Current and wanted value of every metric, in the shape of `autoscaling/v2` or else of `v1`.
fn metrics(object: &Value) -> String {
    let percent = |path| meta::at(object, path).map(|p| format!("{p}%"));
    if let Some(wanted) = percent("spec.targetCPUUtilizationPercentage") {
        let current = percent("status.currentCPUUtilizationPercentage");
        return format!("cpu: {}/{wanted}", current.as_deref().unwrap_or(UNKNOWN));
    }
    let statuses = items(object, "status.currentMetrics");
    let specs = items(object, "spec.metrics").iter().enumerate();
    let all: Vec<String> =
        specs.map(|(i, spec)| metric(spec, statuses.get(i).unwrap_or(&Value::Null))).collect();
    cell::some(&all, 2, ", ", NONE)
}

fn metric(spec: &Value, status: &Value) -> String {
    let (field, named) = match meta::text(spec, "type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = meta::at(spec, field).unwrap_or(&Value::Null);
    let current = meta::at(status, field).unwrap_or(&Value::Null);
    let amount = |path: &str, value: &str| {
        meta::at(current, path).map_or(UNKNOWN.to_owned(), |q| {
            if value == "%" { format!("{q}%") } else { cell::quantity(Some(q)) }
        })
    };
    let average = meta::at(wanted, "target.averageValue");
    let text = match (average, named) {
        (Some(target), _) => {
            let mark = if matches!(field, "external" | "object") { " (avg)" } else { "" };
            format!("{}/{}{mark}", amount("current.averageValue", ""), cell::quantity(Some(target)))
        }
        (None, true) => {
            let target = meta::at(wanted, "target.averageUtilization").map(|p| format!("{p}%"));
            format!("{}/{}", amount("current.averageUtilization", "%"), target.as_deref().unwrap_or("<auto>"))
        }
        (None, false) => {
            format!("{}/{}", amount("current.value", ""), cell::quantity(meta::at(wanted, "target.value")))
        }
    };
    if named { format!("{}: {text}", meta::text(wanted, "name")) } else { text }
}
