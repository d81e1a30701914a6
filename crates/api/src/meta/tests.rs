use serde_json::json;

use super::*;

#[test]
fn absent_metadata_reads_as_empty() {
    for object in [
        json!({}),
        json!({"metadata": null}),
        json!({"metadata": 3}),
        json!({"metadata": {"labels": 1, "name": 2}}),
    ] {
        assert_eq!(name(&object), "");
        assert_eq!(label(&object, "a"), None);
        assert_eq!(finalizers(&object).count(), 0);
        assert_eq!(owner_references(&object).count(), 0);
        assert_eq!(creation_timestamp(&object), None);
        assert!(managed_fields(&object).is_empty());
    }
}

#[test]
fn what_is_written_is_read() {
    let mut object = json!({"metadata": null});
    set_name(&mut object, "a");
    set_namespace(&mut object, "b");
    set_uid(&mut object, "c");
    set_resource_version(&mut object, 7);
    set_generation(&mut object, 2);
    set_label(&mut object, "l", "1");
    set_annotation(&mut object, "n", "2");
    set_finalizers(&mut object, &["x", "y"]);
    set_creation_timestamp(&mut object, Time::from_unix(0));
    set_deletion(&mut object, Time::from_unix(30), 30);
    let expected = json!({"metadata": {
        "name": "a", "namespace": "b", "uid": "c", "resourceVersion": "7", "generation": 2,
        "labels": {"l": "1"}, "annotations": {"n": "2"}, "finalizers": ["x", "y"],
        "creationTimestamp": "1970-01-01T00:00:00Z", "deletionTimestamp": "1970-01-01T00:00:30Z",
        "deletionGracePeriodSeconds": 30,
    }});
    assert_eq!(object, expected);
    assert_eq!((name(&object), namespace(&object), uid(&object)), ("a", "b", "c"));
    assert_eq!((resource_version(&object), generation(&object)), ("7", Some(2)));
    assert_eq!(deletion_timestamp(&object), Some(Time::from_unix(30)));
    assert!(remove_finalizer(&mut object, "x"));
    assert!(!remove_finalizer(&mut object, "x"));
    assert_eq!(finalizers(&object).collect::<Vec<_>>(), ["y"]);
    assert!(remove_finalizer(&mut object, "y"));
    assert!(object["metadata"].get("finalizers").is_none());
    set_namespace(&mut object, "");
    assert!(object["metadata"].get("namespace").is_none());
}

#[test]
fn the_controller_is_one_of_the_owners() {
    let object = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "A", "name": "a", "uid": "1"},
        {"apiVersion": "v1", "kind": "B", "name": "b", "uid": "2", "controller": true, "blockOwnerDeletion": true},
    ]}});
    let owner = controller_of(&object).unwrap();
    assert_eq!((owner.kind, owner.name, owner.uid, owner.block_owner_deletion), ("B", "b", "2", true));
    assert_eq!(owner_references(&object).count(), 2);
}

#[test]
fn times_read_and_write() {
    for (text, micros) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("2000-02-29T12:00:00Z", 951_825_600_000_000),
        ("2026-11-23T16:01:38Z", 1_795_449_698_000_000),
        ("1600-03-01T00:00:00Z", -11_670_912_000_000_000),
    ] {
        let time = Time::parse(text).unwrap();
        assert_eq!(time.unix() * 1_000_000, micros, "{text}");
        assert_eq!(time.to_string(), text);
        let micro = MicroTime::from_unix_micros(micros + 42);
        assert_eq!(micro.to_string(), text.replace('Z', ".000042Z"));
        assert_eq!(MicroTime::parse(&micro.to_string()), Some(micro));
    }
    for (text, same) in [
        ("2026-11-23T17:01:38+01:00", "2026-11-23T16:01:38Z"),
        ("2026-11-23T10:31:38.999-05:30", "2026-11-23T16:01:38Z"),
        ("2026-11-23t16:01:38.123456789z", "2026-11-23T16:01:38Z"),
    ] {
        assert_eq!(Time::parse(text).unwrap().to_string(), same);
    }
    for bad in [
        "",
        "x",
        "2026-02-30T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z",
        "2026-1-01T00:00:00Z",
        "2026-01-01T00:00:00+1:00",
        "202é-01-01T00:00:00Z",
    ] {
        assert_eq!(Time::parse(bad), None, "{bad}");
    }
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_micros(1_500_000);
    assert_eq!(MicroTime::from(now).unix_micros(), 1_500_000);
    assert_eq!(Time::from(now).plus(1).unix(), 2);
    assert_eq!(Time::from(std::time::UNIX_EPOCH - std::time::Duration::from_millis(1)).unix(), -1);
}

#[test]
fn names_are_checked() {
    type Check = fn(&str) -> Vec<String>;
    let long = "a".repeat(64);
    let good: [(Check, &[&str]); 6] = [
        (name::dns1123_label, &["a", "0", "a-b", "1-2"]),
        (name::dns1123_subdomain, &["a", "a.b", "0.a-b.c", &long]),
        (name::dns1035_label, &["a", "a-1"]),
        (name::qualified_name, &["a", "A_b.c", "example.com/A-1"]),
        (name::label_value, &["", "a", "A_b.c-1"]),
        (name::path_segment, &["a:b", "system:x", "..."]),
    ];
    for (check, names) in good {
        for text in names {
            assert_eq!(check(text), Vec::<String>::new(), "{text}");
        }
    }
    let bad: [(Check, &[&str]); 6] = [
        (name::dns1123_label, &["", "-", "a-", "A", "a_b", "a.b", "é", &long]),
        (name::dns1123_subdomain, &["", ".", "a.", "a..b", "A.b", "a.-b"]),
        (name::dns1035_label, &["", "1", "a.b", "a-"]),
        (name::qualified_name, &["", "/a", "a/", "a/b/c", "-a", "A.b/c", &long]),
        (name::label_value, &["-", "a b", "a/b", &long]),
        (name::path_segment, &[".", "..", "a/b", "a%b"]),
    ];
    for (check, names) in bad {
        for text in names {
            assert!(!check(text).is_empty(), "{text}");
        }
    }
}

#[test]
fn name_faults_read_as_kubernetes_words_them() {
    assert_eq!(
        name::dns1123_subdomain("A"),
        [
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
          start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
          '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert_eq!(name::dns1123_label("a.b"), ["must not contain dots"]);
    assert_eq!(
        name::dns1123_label("a_b"),
        [
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
          end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
          '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ]
    );
    assert_eq!(name::label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    assert_eq!(name::path_segment("a/%"), ["may not contain '/'", "may not contain '%'"]);
    assert_eq!(name::path_segment(".."), ["may not be '..'"]);
    assert_eq!(name::qualified_name("/a"), ["prefix part must be non-empty"]);
}

#[test]
fn generated_names_fit_a_label() {
    assert_eq!(name::generate("web-", [0, 26, 27, 5, 255]), "web-b9bhq");
    let long = name::generate(&"x".repeat(80), [0; 5]);
    assert_eq!(long, format!("{}bbbbb", "x".repeat(58)));
    assert_eq!(name::generate(&"é".repeat(40), [0; 5]).len(), 63);
}
