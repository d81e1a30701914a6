use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::kinds::Registry;

#[test]
fn label_selectors_read_and_write() {
    let cases = include_str!("../../testdata/label-selectors.txt").lines().filter(|l| !l.starts_with('#'));
    let mut count = 0;
    for line in cases {
        let (text, expected) = line.split_once(" =>").unwrap();
        let actual = match LabelSelector::parse(text) {
            Ok(selector) => selector.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(actual, expected.trim(), "{text:?}");
        count += 1;
    }
    assert!(count > 35);
}

#[test]
fn label_selectors_match() {
    let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "n": "5", "empty": ""}}});
    for (text, expected) in [
        ("", true),
        ("app", true),
        ("!app", false),
        ("!none", true),
        ("app=web", true),
        ("app=web,tier=back", false),
        ("app!=db,none!=x", true),
        ("app in (db,web)", true),
        ("app notin (db,web)", false),
        ("none in (a)", false),
        ("none notin (a)", true),
        ("empty=", true),
        ("none=", false),
        ("n>4,n<6", true),
        ("n>5", false),
        ("app>1", false),
        ("none<9", false),
    ] {
        assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
    }
    assert!(LabelSelector::everything().matches(&json!({})));
    assert!(!LabelSelector::nothing().matches(&object));
}

#[test]
fn selector_objects_are_read() {
    for (selector, text) in [
        (json!({}), Ok("")),
        (json!({"matchLabels": {"b": "1", "a": "2"}}), Ok("a=2,b=1")),
        (
            json!({"matchLabels": {"z": "1"}, "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "b", "operator": "DoesNotExist"},
            ]}),
            Ok("a in (x,y),!b,z=1"),
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Gt"}]}),
            Err(r#""Gt" is not a valid label selector operator"#),
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
            Err(r#"values: Invalid value: ["x"]: values set must be empty for exists and does not exist"#),
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"),
        ),
    ] {
        let actual =
            LabelSelector::from_object(Some(&selector)).map(|s| s.to_string()).map_err(|e| e.to_string());
        assert_eq!(actual, text.map(str::to_owned).map_err(str::to_owned), "{selector}");
    }
    assert!(LabelSelector::from_object(None).unwrap().is_nothing());
    assert!(LabelSelector::from_object(Some(&json!(null))).unwrap().is_nothing());
    assert_eq!(LabelSelector::from_map(Some(&json!({"a": "b"}))).unwrap().to_string(), "a=b");
}

#[test]
fn field_selectors_read_and_write() {
    for (text, written) in [
        ("", Ok("")),
        ("a=b", Ok("a=b")),
        ("a==b,,c!=d", Ok("a=b,c!=d")),
        ("a=", Ok("a=")),
        (r"a=\,\=\\", Ok(r"a=\,\=\\")),
        ("a.b!=", Ok("a.b!=")),
        ("a", Err("invalid selector: 'a'; can't understand 'a'")),
        ("a=b,c", Err("invalid selector: 'a=b,c'; can't understand 'c'")),
        (r"a=\x", Err(r"invalid field selector: invalid escape sequence: \x")),
        (r"a=b\", Err(r"invalid field selector: invalid escape sequence: \")),
        ("a=b=c", Err("invalid field selector: unescaped character in value: 61")),
    ] {
        let actual = FieldSelector::parse(text).map(|s| s.to_string()).map_err(|e| e.to_string());
        assert_eq!(actual, written.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

#[test]
fn field_selectors_match_what_the_table_makes_selectable() {
    let registry = Registry::builtin();
    let pod = json!({"metadata": {"name": "p", "namespace": "d"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}});
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod"}, "reportingComponent": "kubelet"});
    let job = json!({"status": {"succeeded": 3}});
    for (group, plural, object, text, expected) in [
        ("", "pods", &pod, "spec.nodeName=n1,status.phase!=Failed", true),
        ("", "pods", &pod, "spec.nodeName=", false),
        ("", "pods", &pod, "spec.host=n1,status.podIP=", true),
        ("", "pods", &pod, "spec.hostNetwork=false,metadata.namespace=d", true),
        ("", "pods", &pod, "status.podIPs=1.2.3.4", false),
        ("", "nodes", &json!({"spec": {"unschedulable": true}}), "spec.unschedulable=true", true),
        ("", "events", &event, "source=kubelet,involvedObject.kind=Pod", true),
        ("events.k8s.io", "events", &event, "regarding.kind=Pod,reportingController=kubelet", true),
        ("batch", "jobs", &job, "status.successful=3", true),
        ("", "configmaps", &pod, "metadata.name=p", true),
        ("", "configmaps", &pod, "metadata.name!=p", false),
    ] {
        let resource = registry.get(group, plural).unwrap();
        let matcher = FieldSelector::parse(text).unwrap().bind(resource).unwrap();
        assert_eq!(matcher.matches(object), expected, "{plural} {text}");
        let values = field_values(resource, object);
        let lookup = |name: &str| values.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        assert_eq!(matcher.matches_with(lookup), expected, "{plural} {text}, indexed");
    }
    for (plural, text, message) in [
        ("pods", "spec.x=1", "field label not supported: spec.x"),
        ("nodes", "metadata.namespace=a", "field label not supported: metadata.namespace"),
        (
            "configmaps",
            "data=1",
            r#""data" is not a known field selector: only "metadata.name", "metadata.namespace""#,
        ),
    ] {
        let resource = registry.get("", plural).unwrap();
        let error = FieldSelector::parse(text).unwrap().bind(resource).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let exact = FieldSelector::parse("metadata.name=a,spec.x!=b").unwrap();
    assert_eq!(exact.required("metadata.name"), Some("a"));
    assert_eq!(exact.required("spec.x"), None);
}

proptest! {
    #[test]
    fn label_selectors_never_panic_and_settle(text in "[a-c=!(),<> inot1\\PC]{0,24}") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            let written = selector.to_string();
            prop_assert_eq!(LabelSelector::parse(&written).unwrap(), selector);
        }
    }

    #[test]
    fn field_selectors_never_panic_and_settle(text in "[ab=!,\\\\.\\PC]{0,16}") {
        if let Ok(selector) = FieldSelector::parse(&text) {
            let written = selector.to_string();
            prop_assert_eq!(FieldSelector::parse(&written).unwrap(), selector);
        }
    }
}
