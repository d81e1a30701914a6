//! Cases as data: `testdata/CONTROLLER/*.yaml` holds `given` (merged under each case) and `cases`;
//! a case's `expect` is compared with the plan as [`show`] writes it.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Action, Form, Plan, Propagation, Step, Target, Write, difference};
use crate::recorder::{Level, Note};

/// One case, with its file's `given` merged under it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) fields: Value,
}

impl Case {
    /// The field as a typed value; its default where the case has none.
    pub(crate) fn get<T: DeserializeOwned + Default>(&self, field: &str) -> T {
        match self.fields.get(field) {
            Some(value) => self.decode(field, value),
            None => T::default(),
        }
    }

    /// The field as a typed value.
    pub(crate) fn must<T: DeserializeOwned>(&self, field: &str) -> T {
        let value = self.fields.get(field).unwrap_or_else(|| panic!("{}: no field {field}", self.name));
        self.decode(field, value)
    }

    fn decode<T: DeserializeOwned>(&self, field: &str, value: &Value) -> T {
        serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{}: {field}: {error}", self.name))
    }

    /// The case's time.
    pub(crate) fn now(&self) -> k8s_openapi::jiff::Timestamp {
        self.must::<String>("now").parse().unwrap()
    }

    /// Compares what `plan` shows with the case's field; `None` and an empty list are equal.
    pub(crate) fn compare(&self, field: &str, plan: &Plan) {
        let shown = show(plan);
        let expected = self.fields.get(field).cloned().unwrap_or_else(|| json!([]));
        if let Err(why) = matches(&expected, &shown, field) {
            let shown = serde_json::to_string_pretty(&shown).unwrap();
            panic!("{}: {why}\nthe whole plan:\n{shown}", self.name);
        }
    }

    /// Compares `again`, in seconds.
    pub(crate) fn compare_again(&self, plan: &Plan) {
        let expected: Option<f64> = self.get("again");
        assert_eq!(plan.again.map(|again| again.as_secs_f64()), expected, "{}: again", self.name);
    }
}

/// Checks every case of a controller, and only then fails for those that failed.
pub(crate) fn check_all(controller: &str, check: fn(&Case)) {
    let cases = cases(controller);
    let failed = cases.iter().filter(|case| std::panic::catch_unwind(|| check(case)).is_err()).count();
    assert_eq!(failed, 0, "of {} cases of {controller} failed, see above", cases.len());
}

/// All cases of a controller; there must be some.
fn cases(controller: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(controller);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let cases: Vec<Case> = files.iter().flat_map(|file| read(file)).collect();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    cases
}

fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let content: Value =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let given = content.get("given").cloned().unwrap_or_else(|| json!({}));
    let cases = content["cases"].as_array().unwrap_or_else(|| panic!("{}: no cases", file.display()));
    cases.iter().map(|case| merged(file, &given, case)).collect()
}

fn merged(file: &Path, given: &Value, case: &Value) -> Case {
    let name = format!("{}: {}", file.file_stem().unwrap().to_string_lossy(), case["name"]);
    let mut fields = given.clone();
    merge(&mut fields, case);
    Case { name, fields }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (field, value) in patch {
                if value.is_null() {
                    target.remove(field);
                } else {
                    merge(target.entry(field.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// The plan as data: a list of steps, each a list of actions; equal neighbours are counted in
/// `times`; the plan's own events come first, as a step of `event`s.
pub(crate) fn show(plan: &Plan) -> Value {
    let mut steps: Vec<Value> = Vec::new();
    if !plan.notes.is_empty() {
        steps.push(plan.notes.iter().map(|note| json!({ "event": say(note) })).collect());
    }
    steps.extend(plan.steps.iter().map(show_step));
    Value::Array(steps)
}

fn show_step(step: &Step) -> Value {
    let mut shown: Vec<(Value, usize)> = Vec::new();
    for action in step.actions().iter().map(show_action) {
        match shown.last_mut() {
            Some((last, times)) if *last == action => *times += 1,
            _ => shown.push((action, 1)),
        }
    }
    shown.into_iter().map(|(action, times)| counted(action, times)).collect()
}

fn counted(mut action: Value, times: usize) -> Value {
    if times > 1 {
        action["times"] = json!(times);
    }
    action
}

fn show_action(action: &Action) -> Value {
    let mut shown = match &action.write {
        Write::Create(collection, object) => json!({ "create": collection.resource, "object": object }),
        Write::Patch { target, subresource, form, body } => {
            let form = match form {
                Form::Merge => "patch",
                Form::Strategic => "strategic",
                Form::Json => "json",
            };
            json!({ form: path(target, subresource), "body": body })
        }
        Write::Put { target, subresource, body } => json!({ "put": path(target, subresource), "body": body }),
        Write::Delete { target, grace, propagation, .. } => {
            let mut shown = json!({ "delete": path(target, "") });
            if let Some(grace) = grace {
                shown["grace"] = json!(grace);
            }
            if *propagation != Propagation::Default {
                shown["propagation"] = json!(format!("{propagation:?}"));
            }
            shown
        }
        Write::Verify(target) => json!({ "verify": path(target, "") }),
    };
    if let Some(note) = &action.success {
        shown["done"] = json!(say(note));
    }
    if let Some(note) = &action.failure {
        shown["refused"] = json!(say(note));
    }
    shown
}

fn path(target: &Target, subresource: &str) -> String {
    let parts = [target.collection.resource.as_str(), &target.name, subresource];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn say(note: &Note) -> String {
    let level = match note.level {
        Level::Normal => "Normal",
        Level::Warning => "Warning",
    };
    format!("{level} {} {}", note.reason, note.message)
}

/// Whether `actual` is what is expected: maps may hold more than expected, but a patch's `body` is
/// compared whole, and so are lists; what repeats (`times`) must be expected.
fn matches(expected: &Value, actual: &Value, at: &str) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            if actual.contains_key("times") && !expected.contains_key("times") {
                return Err(format!("{at}: unexpected times {}", actual["times"]));
            }
            expected.iter().try_for_each(|(field, value)| {
                let found = actual.get(field).unwrap_or(&Value::Null);
                let at = format!("{at}.{field}");
                if field == "body" { equal(value, found, &at) } else { matches(value, found, &at) }
            })
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let pairs = expected.iter().zip(actual).enumerate();
            pairs
                .into_iter()
                .try_for_each(|(i, (expected, actual))| matches(expected, actual, &format!("{at}[{i}]")))
        }
        _ => equal(expected, actual, at),
    }
}

fn equal(expected: &Value, actual: &Value, at: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{at}: expected {expected}\n  found {actual}"))
}

#[test]
fn a_difference_is_the_merge_patch_between_two_values() {
    let check = |old: Value, new: Value, expected: Option<Value>| {
        assert_eq!(difference(&old, &new), expected, "{old} -> {new}");
    };
    check(json!({"a": 1}), json!({"a": 1}), None);
    check(json!({"a": 1, "b": 2}), json!({"a": 2}), Some(json!({"a": 2, "b": null})));
    check(json!({"a": {"x": [1]}}), json!({"a": {"x": [2], "y": 1}}), Some(json!({"a": {"x": [2], "y": 1}})));
    check(json!({}), json!({"a": {}}), Some(json!({"a": {}})));
}
