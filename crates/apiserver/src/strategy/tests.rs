//! Cases in files: an object, what is done with it, and what comes of it.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::strategy;

/// One file under `testdata/strategy`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What a client does.
    action: Action,
    /// What it sends.
    input: Value,
    /// What is stored, for updates.
    #[serde(default)]
    old: Value,
    /// What is stored then.
    #[serde(default)]
    object: Option<Value>,
    /// What is wrong with it.
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Default,
    Create,
    Update,
    Status,
}

/// What comes of a case.
#[derive(Debug, PartialEq)]
enum Outcome {
    Stored(Value),
    Refused(Vec<String>),
}

impl Case {
    fn run(&self) -> Outcome {
        let (version, kind) = (api::meta::api_version(&self.input), api::meta::kind(&self.input));
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        let strategy = strategy(group, kind);
        assert_eq!((strategy.group, strategy.kind), (group, kind), "no strategy of its own");
        let mut object = self.input.clone();
        strategy.default(&mut object);
        let defaulted = object.clone();
        strategy.default(&mut object);
        assert_eq!(object, defaulted, "defaulting twice changes more than once");
        let errors = match self.action {
            Action::Default => Vec::new(),
            Action::Create => {
                strategy.prepare_create(&mut object);
                strategy.validate_create(&object)
            }
            Action::Update => {
                strategy.prepare_update(&mut object, &self.old);
                strategy.validate_update(&object, &self.old)
            }
            Action::Status => {
                strategy.prepare_status_update(&mut object, &self.old);
                strategy.validate_status_update(&object, &self.old)
            }
        };
        if errors.is_empty() {
            Outcome::Stored(object)
        } else {
            Outcome::Refused(errors.iter().map(ToString::to_string).collect())
        }
    }

    fn expected(&self) -> Outcome {
        match &self.object {
            Some(object) => Outcome::Stored(object.clone()),
            None => Outcome::Refused(self.errors.clone()),
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/strategy")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn cases() {
    let mut count = 0;
    for path in files(&root()).iter().flat_map(|folder| files(folder)) {
        let case = read(&path);
        assert_eq!(case.run(), case.expected(), "{}", path.display());
        count += 1;
    }
    assert!(count > 200, "only {count} cases were found");
}

#[test]
fn kinds_without_rules_have_their_metadata_checked() {
    let rules = strategy("example.com", "Widget");
    let object = json!({"metadata": {"name": "Not_A_Name", "labels": {"a b": "c"}}});
    assert_eq!(rules.validate_create(&object).len(), 2);
    let good = json!({"metadata": {"name": "widget", "resourceVersion": "1"}});
    assert_eq!(rules.validate_create(&good), []);
    assert_eq!(rules.validate_update(&good, &good), []);
}

/// Any JSON whose field names are often those of pods, so that it gets far.
fn json_like() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "metadata",
        "spec",
        "status",
        "containers",
        "initContainers",
        "volumes",
        "name",
        "image",
        "ports",
        "resources",
        "limits",
        "requests",
        "cpu",
        "env",
        "valueFrom",
        "fieldRef",
        "affinity",
        "tolerations",
        "template",
        "selector",
        "matchLabels",
        "securityContext",
        "livenessProbe",
        "httpGet",
        "port",
        "type",
        "rules",
        "items",
        "labels",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "", "a", "-", "é-", "1", "100m", "-1Gi", "Always", "..", "/", "In", "*", "iqn"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 96, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

/// Pods that mostly make sense, with anything left out.
fn pods() -> impl Strategy<Value = Value> {
    let image =
        prop::option::of(prop::sample::select(vec!["a", "a:latest", "a:1", "r.io:5000/a", "a@sha256:0", ""]));
    let amount = || prop::option::of(prop::sample::select(vec!["1", "1000m", "0.5", "2Gi", "1e3", "0"]));
    let list = (amount(), amount()).prop_map(|(cpu, memory)| json!({"cpu": cpu, "memory": memory}));
    let port = (0_u16..9000, prop::bool::ANY).prop_map(|(port, named)| {
        if named { json!({"containerPort": port, "name": "web"}) } else { json!({"containerPort": port}) }
    });
    let container = (image, prop::option::of(list.clone()), prop::option::of(list), prop::collection::vec(port, 0..3))
        .prop_map(|(image, limits, requests, ports)| {
            let resources = json!({"limits": limits, "requests": requests});
            let probe = json!({"httpGet": {"port": 80}});
            json!({"name": "c", "image": image, "resources": resources, "ports": ports, "livenessProbe": probe})
        });
    let volume = prop::sample::select(vec![
        json!({"name": "v"}),
        json!({"name": "v", "secret": {"secretName": "s"}}),
        json!({"name": "v", "hostPath": {"path": "/"}}),
        json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}),
        json!({"name": "v", "image": {"reference": "a"}}),
        json!({"name": "v", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}}),
    ]);
    let containers = prop::collection::vec(container, 0..3);
    (containers.clone(), containers, prop::collection::vec(volume, 0..3), any::<bool>()).prop_map(
        |(containers, inits, volumes, host)| {
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p", "namespace": "default"},
                "spec": {
                    "containers": containers,
                    "initContainers": inits,
                    "volumes": volumes,
                    "hostNetwork": host,
                    "resources": {"limits": {"cpu": "4"}},
                },
            })
        },
    )
}

proptest! {
    #[test]
    fn defaulting_pods_is_idempotent(pod in pods()) {
        let strategy = strategy("", "Pod");
        let mut once = pod;
        strategy.default(&mut once);
        let mut twice = once.clone();
        strategy.default(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn no_object_is_too_odd(object in json_like(), other in json_like()) {
        for row in super::TABLE.iter().copied().flatten() {
            for mut object in [object.clone(), json!({"metadata": object, "spec": object, "status": object})] {
                row.default(&mut object);
                row.validate_create(&object);
                row.validate_update(&object, &other);
                row.validate_status_update(&object, &other);
            }
            let mut new = json!({"metadata": {}, "spec": object, "status": object});
            let old = json!({"metadata": {}, "spec": other, "status": other});
            row.default(&mut new);
            row.prepare_create(&mut new);
            row.prepare_update(&mut new, &old);
            row.prepare_status_update(&mut new, &old);
        }
    }
}
