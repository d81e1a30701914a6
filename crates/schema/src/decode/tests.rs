use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::builtin;

fn shape(case: &Value) -> Shape<'static> {
    match case["shape"].as_str() {
        None | Some("any") => Shape::Any,
        Some("custom") => Shape::Custom,
        Some(name) => Shape::Typed(builtin().definition(name).unwrap_or_else(|| panic!("no {name}"))),
    }
}

/// One case: `json` or `yaml` (text), `shape`, and `value` with `issues`, or `error`.
fn check(case: &Value) -> (Value, Value) {
    let shape = shape(case);
    let decoded = match (case["json"].as_str(), case["yaml"].as_str()) {
        (Some(text), None) => json(text.as_bytes(), shape),
        (None, Some(text)) => yaml(text.as_bytes(), shape),
        _ => panic!("a case has json or yaml: {case}"),
    };
    let got = match decoded {
        Ok(Decoded { value, issues }) => {
            let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
            json!({"value": value, "issues": issues})
        }
        Err(error) => json!({"error": error.to_string()}),
    };
    let expected = match case.get("error") {
        Some(error) => json!({"error": error}),
        None => json!({"value": case["value"], "issues": case.get("issues").unwrap_or(&json!([]))}),
    };
    (got, expected)
}

#[test]
fn cases() {
    crate::cases::run("decode", 70, check);
}

#[test]
fn depth_is_bounded() {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    assert!(json(deep("[", "]", DEPTH_MAX).as_bytes(), Shape::Any).is_ok());
    for n in [DEPTH_MAX + 1, 10_000, 1_000_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            assert_eq!(json(deep(open, close, n).as_bytes(), Shape::Any), Err(DecodeError::Depth), "{n}");
        }
    }
    let yaml_body = deep("[", "]", DEPTH_MAX + 1);
    assert_eq!(yaml(yaml_body.as_bytes(), Shape::Any), Err(DecodeError::Depth));
}

#[test]
fn aliases_do_not_blow_up() {
    let mut body = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let prior = vec![format!("*a{}", n - 1); 10].join(", ");
        body.push_str(&format!("a{n}: &a{n} [{prior}]\n"));
    }
    let error = yaml(body.as_bytes(), Shape::Any).expect_err("a bomb");
    assert!(error.to_string().contains("excessive aliasing"), "{error}");
}

#[test]
fn issues_are_bounded_and_unique() {
    let fields: Vec<String> = (0..500).map(|n| format!(r#""f{n}": 1, "f{n}": 2"#)).collect();
    let body = format!("{{{}}}", fields.join(","));
    let pod = builtin().definition("io.k8s.api.core.v1.Pod").unwrap();
    let issues = json(body.as_bytes(), Shape::Typed(pod)).unwrap().issues;
    assert_eq!(issues.len(), 100);
    assert_eq!(issues[99], Issue::UnknownField("f99".to_owned()));
}

const DEPLOYMENT: &str = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web",
    "creationTimestamp":"2026-01-02T03:04:05Z","labels":{"a":"\u00e9\n"}},"spec":{"replicas":3,"template":{"spec":
    {"containers":[{"name":"c","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1.5"}},
    "livenessProbe":{"httpGet":{"port":"web"}},"tty":true}],"nodeSelector":null}}}}"#;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|f: f64| Value::from(f + 0.5)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_reads_what_serde_json_writes(value in any_json()) {
        prop_assume!(!value.to_string().contains(".0"));
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let decoded = json(text.as_bytes(), Shape::Any).unwrap();
            prop_assert_eq!(&decoded.value, &value);
            prop_assert!(decoded.issues.is_empty());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let pod = builtin().definition("io.k8s.api.core.v1.Pod").unwrap();
        for shape in [Shape::Any, Shape::Custom, Shape::Typed(pod)] {
            let _ = json(&bytes, shape);
            let _ = yaml(&bytes, shape);
        }
    }

    #[test]
    fn damaged_objects_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let deployment = builtin().definition("io.k8s.api.apps.v1.Deployment").unwrap();
        let mut body = DEPLOYMENT.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for end in [body.len(), cut.index(body.len())] {
            let _ = json(&body[..end], Shape::Typed(deployment));
            let _ = yaml(&body[..end], Shape::Typed(deployment));
        }
    }

    #[test]
    fn broken_json_is_refused_as_serde_json_refuses_it(text in r#"[\[\]{}:, "a1e.\\-nultrue]{0,24}"#) {
        let theirs = serde_json::from_str::<Value>(&text).is_ok();
        prop_assert_eq!(json(text.as_bytes(), Shape::Any).is_ok(), theirs);
    }

    #[test]
    fn any_tree_fits_or_is_refused(value in any_json()) {
        let deployment = builtin().definition("io.k8s.api.apps.v1.Deployment").unwrap();
        let body = json!({"spec": {"template": {"spec": value}}, "metadata": {"labels": value}}).to_string();
        let _ = json(body.as_bytes(), Shape::Typed(deployment));
    }
}
