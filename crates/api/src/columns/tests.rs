use serde_json::json;

use super::*;
use crate::kinds::Registry;

fn now() -> Time {
    Time::parse("2026-01-01T01:00:00Z").unwrap()
}

/// Each line of the file: group and kind, an object without what every object has, and its cells.
#[test]
fn lines_read_as_kubectl_shows_them() {
    let mut count = 0;
    for line in include_str!("../../testdata/columns.jsonl").lines() {
        let (kind, mut object, cells): (String, Value, Vec<Value>) = serde_json::from_str(line).unwrap();
        meta::set_name(&mut object, "x");
        meta::set_creation_timestamp(&mut object, now().plus(-300));
        let (group, kind) = kind.split_once('/').unwrap();
        assert_eq!(Printer::builtin(group, kind).row(&object, now()).cells, cells, "{line}");
        count += 1;
    }
    assert!(count > 100);
}

#[test]
fn every_line_fills_every_column_whatever_the_object() {
    let odd = json!({
        "metadata": [], "spec": {"replicas": "x", "ports": [1], "rules": [null], "template": 3, "metrics": [{}]},
        "status": {"phase": 1, "hard": {"a": {}}, "containerStatuses": [7], "conditions": {"a": 1}},
        "subsets": [{"addresses": [{}], "ports": [null]}], "subjects": [null],
    });
    for resource in Registry::builtin().iter() {
        let printer = Printer::builtin(&resource.group, &resource.kind);
        for object in [json!({}), json!(null), odd.clone()] {
            let row = printer.row(&object, now());
            assert_eq!(row.cells.len(), printer.columns().len(), "{}", resource.kind);
            assert!(row.conditions.is_empty());
        }
        let names: Vec<&str> = printer.columns().iter().map(|c| c.format.as_ref()).collect();
        assert!(names.contains(&"name"), "{}", resource.kind);
        assert!(printer.columns().iter().all(|c| !c.description.is_empty()), "{}", resource.kind);
    }
}

#[test]
fn every_builtin_printer_belongs_to_a_kind() {
    let registry = Registry::builtin();
    for spec in FAMILIES.iter().copied().flatten() {
        let known = registry.iter().any(|r| (r.group.as_ref(), r.kind.as_ref()) == (spec.group, spec.kind));
        assert!(known || spec.kind == "Scale", "{}/{}", spec.group, spec.kind);
    }
}

#[test]
fn columns_have_kubernetes_names_and_shapes() {
    let head = |group, kind| -> Vec<String> {
        let columns = Printer::builtin(group, kind).columns().to_vec();
        columns.iter().map(|c| format!("{}:{}:{}", c.name, c.kind, c.priority)).collect()
    };
    assert_eq!(
        head("", "Pod")[..6],
        [
            "Name:string:0",
            "Ready:string:0",
            "Status:string:0",
            "Restarts:string:0",
            "Age:string:0",
            "IP:string:1"
        ]
    );
    assert_eq!(head("", "LimitRange"), ["Name:string:0", "Created At:date:0"]);
    assert_eq!(
        head("", "Event")[..5],
        ["Last Seen:string:0", "Type:string:0", "Reason:string:0", "Object:string:0", "Subobject:string:1"]
    );
    assert_eq!(
        Printer::builtin("", "Pod").columns()[0].to_value(),
        json!({"name": "Name", "type": "string", "format": "name", "priority": 0,
            "description": "The name, unique within the namespace"})
    );
}

#[test]
fn finished_pods_say_so() {
    let row = |phase| Printer::builtin("", "Pod").row(&json!({"status": {"phase": phase}}), now());
    assert_eq!(
        row("Failed").conditions,
        [json!({"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."})]
    );
    assert_eq!(row("Succeeded").conditions[0]["reason"], "Succeeded");
    assert!(row("Running").conditions.is_empty());
    let job = Printer::builtin("batch", "Job").row(&json!({"status": {"phase": "Failed"}}), now());
    assert!(job.conditions.is_empty());
}

#[test]
fn custom_columns_are_filled_by_type() {
    let object = json!({
        "metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:55:00Z", "labels": {"app.io/x": "l"}},
        "spec": {"n": 3, "f": 2.7, "b": true, "s": "t", "o": {"k": [1]}, "d": "2026-01-01T00:59:00.5Z", "z": null},
        "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]},
    });
    for (kind, path, cell) in [
        ("integer", ".spec.n", json!(3)),
        ("integer", ".spec.f", json!(2)),
        ("integer", ".spec.s", json!(null)),
        ("number", ".spec.f", json!(2.7)),
        ("number", ".spec.s", json!(null)),
        ("boolean", ".spec.b", json!(true)),
        ("boolean", ".spec.n", json!(null)),
        ("string", ".spec.s", json!("t")),
        ("string", ".spec.n", json!("3")),
        ("string", ".spec.o", json!("{\"k\":[1]}")),
        ("string", ".spec.absent", json!(null)),
        ("string", ".spec.z", json!("<no value>")),
        ("string", ".metadata.labels['app.io/x']", json!("l")),
        ("string", r".metadata.labels.app\.io/x", json!("l")),
        ("string", ".status.conditions[?(@.type==\"Ready\")].status", json!("True")),
        ("date", ".spec.d", json!("60s")),
        ("date", ".spec.s", json!("<invalid>")),
        ("date", ".spec.n", json!(null)),
    ] {
        let column = json!({"name": "C", "type": kind, "jsonPath": path, "priority": 1});
        let printer = Printer::custom(&[column]).unwrap();
        assert_eq!(printer.row(&object, now()).cells, [json!("x"), cell], "{kind} {path}");
        assert_eq!(printer.columns()[1].priority, 1);
    }
    let plain = Printer::custom(&[]).unwrap();
    assert_eq!(plain.row(&object, now()).cells, [json!("x"), json!("5m")]);
    assert_eq!(plain.columns()[1].name, "Age");
}

#[test]
fn wrong_custom_columns_say_why() {
    for (column, message) in [
        (json!({"type": "string", "jsonPath": ".a"}), "a printer column has no name"),
        (
            json!({"name": "C", "type": "x"}),
            "printer column \"C\" has type \"x\": use integer, number, boolean, string or date",
        ),
        (
            json!({"name": "C", "type": "string", "jsonPath": "a"}),
            "the jsonPath of printer column \"C\" is wrong",
        ),
    ] {
        assert_eq!(Printer::custom(&[column]).unwrap_err().to_string(), message);
    }
}

#[test]
fn json_paths_find_values() {
    let root = json!({"a": {"b.c": 1, "d": [10, 20, 30, 40]}, "l": [{"n": "x", "v": 1}, {"n": "y", "v": 2, "w": ["]"]}]});
    for (path, found) in [
        ("", json!([root.clone()])),
        (".a['b.c']", json!([1])),
        ("{.a.b\\.c}", json!([1])),
        ("$.a.d[0]", json!([10])),
        (".a.d[-1]", json!([40])),
        (".a.d[-9]", json!([])),
        (".a.d[1:3]", json!([20, 30])),
        (".a.d[-2:]", json!([30, 40])),
        (".a.d[:1]", json!([10])),
        (".a.d[3:1]", json!([])),
        (".l[*].n", json!(["x", "y"])),
        (".a.*", json!([1, [10, 20, 30, 40]])),
        (".l[?(@.n=='y')].v", json!([2])),
        (".l[?(@.v>=1)].n", json!(["x", "y"])),
        (".l[?(@.v < 2)].n", json!(["x"])),
        (".l[?(@.n!=\"x\")].n", json!(["y"])),
        (".l[?(@.w)].n", json!(["y"])),
        (".l[?(@.w[0]==']')].n", json!(["y"])),
        (".a.d.x", json!([])),
    ] {
        let path_found: Vec<Value> =
            JsonPath::parse(path).unwrap().find(&root).into_iter().cloned().collect();
        assert_eq!(Value::from(path_found), found, "{path}");
    }
    for (path, message) in [
        ("a", "a path begins with '.' or '[', not with \"a\""),
        (".a[0", "\"[0\" is not closed"),
        (".a[x]", "cannot read \"x\" in brackets"),
        (".a[?(b)]", "cannot read \"b\" in brackets"),
        (".a..b", "a name is missing after '.'"),
    ] {
        assert_eq!(JsonPath::parse(path).unwrap_err().to_string(), message, "{path}");
    }
}
