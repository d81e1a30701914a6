use serde_json::json;

use super::*;

fn kind() -> schema::GroupVersionKind {
    schema::GroupVersionKind { group: "example.com".into(), version: "v1".into(), kind: "T".into() }
}

/// The spec of every case: numbers, a list map, a map, formats.
fn compiled(rules: &Value) -> Result<(schema::Schema, Programs), Vec<String>> {
    let raw = json!({"type": "object", "properties": {"spec": {
        "type": "object",
        "x-kubernetes-validations": rules,
        "properties": {
            "min": {"type": "integer"}, "max": {"type": "integer"}, "share": {"type": "number"},
            "name": {"type": "string"}, "since": {"type": "string", "format": "date-time"},
            "wait": {"type": "string", "format": "duration"}, "namespace": {"type": "string"},
            "with-dash": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}},
            "numbers": {"type": "array", "items": {"type": "integer"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "port": {"x-kubernetes-int-or-string": true},
        },
    }}});
    let schema = schema::crd::schema(&raw, "s", kind()).unwrap();
    let programs = Programs::compile(schema.root(), "s")
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok((schema, programs))
}

fn check(rule: &Value, spec: &Value, old: Option<&Value>, expected: &[&str]) {
    let (schema, programs) = compiled(&json!([rule])).unwrap_or_else(|errors| panic!("{rule}: {errors:?}"));
    let object = json!({"metadata": {"name": "x"}, "spec": spec});
    let old = old.map(|spec| json!({"metadata": {"name": "x"}, "spec": spec}));
    let errors = programs.evaluate(schema.root(), &object, old.as_ref());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected, "{rule} on {spec}");
}

#[test]
fn rules_hold_or_are_told() {
    let rule = |text: &str| json!({"rule": text});
    let failed = |text: &str| format!("spec: Invalid value: \"object\": failed rule: {text}");
    let bounds = "self.min <= self.max";
    check(&rule(bounds), &json!({"min": 1, "max": 2}), None, &[]);
    check(&rule(bounds), &json!({"min": 3, "max": 2}), None, &[&failed(bounds)]);
    check(
        &rule(bounds),
        &json!({"min": 3}),
        None,
        &["spec: Invalid value: \"object\": no such key: max evaluating rule: self.min <= self.max"],
    );
    for text in [
        "!has(self.max) || self.max > 0",
        "self.tags.all(t, t.startsWith('a')) && size(self.tags) == 2",
        "self.labels.exists(k, k == 'x' && self.labels[k] == 'y')",
        "self.share > 0.25",
        "self.since > timestamp('2020-01-01T00:00:00Z')",
        "self.wait < duration('2h')",
        "self.__namespace__ == 'n' && self.with__dash__dash == 'd'",
        "self.port == 80 || self.port == 'http'",
        "self.name.matches('^[a-z]+$') && self.name.lowerAscii() == self.name",
        "self.tags.map(t, t + 'x').exists(t, t == 'abx')",
        "quantity('1Gi').isGreaterThan(quantity('1Mi'))",
        "self.numbers.filter(n, n > 1).size() == 2",
    ] {
        let spec = json!({"max": 1, "tags": ["ab", "ac"], "labels": {"x": "y"}, "share": 1, "port": 80,
            "since": "2026-01-01T00:00:00Z", "wait": "1h30m", "namespace": "n", "with-dash": "d",
            "name": "abc", "numbers": [1, 2, 3]});
        check(&rule(text), &spec, None, &[]);
    }
}

#[test]
fn messages_reasons_and_paths_are_the_rules_own() {
    let spec = json!({"min": 3, "max": 2});
    let with = |more: Value| {
        let mut rule = json!({"rule": "self.min <= self.max"});
        for (name, value) in more.as_object().unwrap() {
            rule[name] = value.clone();
        }
        rule
    };
    let told = |detail: &str| format!("spec: Invalid value: \"object\": {detail}");
    check(&with(json!({"message": "min above max"})), &spec, None, &[&told("min above max")]);
    let made = with(json!({"messageExpression": "'min is ' + string(self.min)", "message": "m"}));
    check(&made, &spec, None, &[&told("min is 3")]);
    let broken = with(json!({"messageExpression": "string(self.numbers[5])", "message": "m"}));
    check(&broken, &spec, None, &[&told("m")]);
    let required = with(json!({"reason": "FieldValueRequired", "fieldPath": ".min", "message": "m"}));
    check(&required, &spec, None, &["spec.min: Required value: m"]);
    let forbidden = with(json!({"reason": "FieldValueForbidden", "message": "m"}));
    check(&forbidden, &spec, None, &["spec: Forbidden: m"]);
}

#[test]
fn transitions_and_ratcheting() {
    let grows = json!({"rule": "self.max >= oldSelf.max", "message": "no"});
    check(&grows, &json!({"max": 1}), None, &[]);
    check(&grows, &json!({"max": 2}), Some(&json!({"max": 1})), &[]);
    check(&grows, &json!({"max": 1}), Some(&json!({"max": 2})), &["spec: Invalid value: \"object\": no"]);
    // What did not change is not refused, even where it breaks a new rule.
    let bounds = json!({"rule": "self.min <= self.max", "message": "no"});
    let wrong = json!({"min": 3, "max": 2});
    check(&bounds, &wrong, Some(&wrong), &[]);
    check(&bounds, &wrong, Some(&json!({"min": 4, "max": 2})), &["spec: Invalid value: \"object\": no"]);
    let optional =
        json!({"rule": "oldSelf.hasValue() || self.max == 1", "optionalOldSelf": true, "message": "no"});
    check(&optional, &json!({"max": 2}), None, &["spec: Invalid value: \"object\": no"]);
    check(&optional, &json!({"max": 2}), Some(&json!({"max": 1})), &[]);
}

#[test]
fn costly_rules_are_stopped() {
    let many: Vec<i64> = (0..2_000).collect();
    let nested =
        json!({"rule": "self.numbers.all(a, self.numbers.all(b, self.numbers.all(c, a + b + c >= 0)))"});
    let why = "spec: Invalid value: \"object\": no further validation rules will be run due to call cost exceeds limit \
               for rule: self.numbers.all(a, self.numbers.all(b, self.numbers.all(c, a + b + c >= 0)))";
    check(&nested, &json!({"numbers": many}), None, &[why]);
}

#[test]
fn wrong_rules_are_refused() {
    for (rule, why) in [
        ("self.min <=", "compilation failed"),
        ("self.nosuch == 1", "undefined field 'nosuch'"),
        ("other.min == 1", "undeclared reference to 'other' (in container '')"),
        ("nosuch(self.min)", "undeclared reference to 'nosuch' (in container '')"),
        ("self.min", "must evaluate to a bool, not int"),
        ("self.min == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.name.size", "type 'string' does not support field selection"),
        ("self.tags.all(t, t.nosuch)", "type 'string' does not support field selection"),
        ("google.protobuf.Int64Value{value: 1} == 1", "undeclared reference"),
        ("self.metadata.name == 'a'", "undefined field 'metadata'"),
    ] {
        let errors = compiled(&json!([{"rule": rule}])).unwrap_err();
        assert_eq!(errors.len(), 1, "{rule}: {errors:?}");
        let at = "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: ";
        assert!(errors[0].starts_with(at) && errors[0].contains(why), "{rule}: {errors:?}");
    }
    let deep = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    assert!(compiled(&json!([{"rule": deep}])).is_err());
    for long in
        [vec!["self.min"; 500].join(" + ") + " > 0", vec!["1"; 8_000].join("+"), vec!["a"; 8_000].join(".")]
    {
        assert!(compiled(&json!([{"rule": long}])).is_err());
    }
    for wrong in [
        json!({"rule": "true", "reason": "Sideways"}),
        json!({"rule": "true", "fieldPath": ".nosuch"}),
        json!({"rule": "true", "messageExpression": "1 + 1 == 2"}),
        json!({"rule": "true", "optionalOldSelf": true}),
    ] {
        assert!(compiled(&json!([wrong])).is_err(), "{wrong}");
    }
}
