//! The default policy as a whole, and its reconciliation.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::authz::cluster::{Cluster, ENVIRONMENT, Sent};

fn find(kind: &str, name: &str) -> Value {
    let found = objects().into_iter().find(|object| meta::kind(object) == kind && meta::name(object) == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn names_are_unique_and_bindings_find_their_roles() {
    let all = objects();
    let id =
        |object: &Value| format!("{}/{}/{}", meta::kind(object), meta::namespace(object), meta::name(object));
    let ids: BTreeSet<String> = all.iter().map(id).collect();
    assert_eq!(ids.len(), all.len());
    for binding in all.iter().filter(|object| object.get("roleRef").is_some()) {
        let (kind, name) = (meta::text(binding, "roleRef.kind"), meta::text(binding, "roleRef.name"));
        let role = format!("{kind}/{}/{name}", meta::namespace(binding));
        assert!(ids.contains(&role), "{} names {role}", id(binding));
    }
}

#[test]
fn everything_is_marked_and_nothing_is_for_the_unauthenticated() {
    for object in objects() {
        assert_eq!(meta::label(&object, "kubernetes.io/bootstrapping"), Some("rbac-defaults"));
        assert_eq!(meta::annotation(&object, AUTOUPDATE), Some("true"));
        assert!(!object.to_string().contains("system:unauthenticated"), "{object}");
    }
}

#[test]
fn rules_are_whole_and_name_what_is_served() {
    let kinds = api::kinds::Registry::builtin();
    // Served by other API servers, kept for clients' names, or known to authorization alone.
    let foreign = ["extensions", "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io", "*"];
    let virtual_resources =
        ["signers", "nodes", "endpoints", "deployments", "certificatesigningrequests", "devicetaintrules"];
    for role in objects() {
        let rules: Vec<Rule> =
            role.get("rules").map(|r| serde_json::from_value(r.clone()).unwrap()).unwrap_or_default();
        for rule in rules {
            assert!(
                !rule.verbs.is_empty() && (rule.resources.is_empty() != rule.non_resource_urls.is_empty()),
                "{rule}"
            );
            for group in rule.api_groups.iter().filter(|group| !foreign.contains(&group.as_str())) {
                for resource in &rule.resources {
                    let plural = resource.split('/').next().unwrap();
                    let served = kinds.iter().any(|row| row.group == *group && row.plural == plural);
                    assert!(
                        served || plural == "*" || virtual_resources.contains(&plural),
                        "{} {rule}",
                        meta::name(&role)
                    );
                }
            }
        }
    }
}

#[test]
fn admin_holds_what_edit_and_view_hold() {
    let rules =
        |name| serde_json::from_value::<Vec<Rule>>(find("ClusterRole", name)["rules"].clone()).unwrap();
    for (more, less) in [("admin", "edit"), ("edit", "view"), ("cluster-admin", "admin")] {
        assert_eq!(missing(&rules(more), &rules(less)), [], "{more} lacks what {less} has");
        assert_ne!(missing(&rules(less), &rules(more)), [], "{less} has all that {more} has");
    }
}

/// Plans `name` of `kind` after a user changed it.
fn check(kind: &str, name: &str, change: impl Fn(&mut Value), expected: impl Fn(&Value, &Value) -> Plan) {
    let desired = find(kind, name);
    let mut existing = desired.clone();
    change(&mut existing);
    assert_eq!(plan(&desired, Some(&existing)), expected(&desired, &existing), "{kind} {name}");
}

#[test]
fn plans_add_and_never_remove() {
    let role = "system:kube-dns";
    assert_eq!(plan(&find("ClusterRole", role), None), Plan::Create);
    check("ClusterRole", role, |_| {}, |_, _| Plan::Keep);
    check("ClusterRole", role, |role| meta::set_label(role, "own", "label"), |_, _| Plan::Keep);
    let more = |role: &mut Value| {
        append(role, "rules", [json!({"verbs": ["get"], "nonResourceURLs": ["/x"]})].into_iter());
    };
    check("ClusterRole", role, more, |_, _| Plan::Keep);
    let less = |role: &mut Value| {
        role["rules"] = json!([{"verbs": ["list", "watch"], "apiGroups": [""], "resources": ["endpoints"]}]);
    };
    check("ClusterRole", role, less, |_, existing| {
        let mut whole = existing.clone();
        let lacking = ["list", "watch"]
            .map(|verb| json!({"verbs": [verb], "apiGroups": [""], "resources": ["services"]}));
        append(&mut whole, "rules", lacking.into_iter());
        Plan::Replace(whole)
    });
    let frozen = |role: &mut Value| {
        role["rules"] = json!([]);
        meta::set_annotation(role, AUTOUPDATE, "false");
    };
    check("ClusterRole", role, frozen, |_, _| Plan::Keep);
    check("ClusterRole", "admin", |role| role["rules"] = json!([]), |_, _| Plan::Keep);
    let bare = |role: &mut Value| drop(meta::remove(role, "labels"));
    check("ClusterRole", role, bare, |desired, _| Plan::Replace(desired.clone()));
}

#[test]
fn bindings_get_their_subjects_back() {
    let binding = "system:kube-scheduler";
    let other = json!({"apiGroup": GROUP, "kind": "User", "name": "other"});
    let changed = |binding: &mut Value| binding["subjects"] = json!([other]);
    check("ClusterRoleBinding", binding, changed, |desired, existing| {
        let mut whole = existing.clone();
        append(&mut whole, "subjects", [desired["subjects"][0].clone()].into_iter());
        Plan::Replace(whole)
    });
    check("ClusterRoleBinding", binding, |b| b["roleRef"]["name"] = json!("x"), |_, _| Plan::Recreate);
    check("ClusterRoleBinding", "system:node", |b| b["subjects"] = json!([other]), |_, _| Plan::Keep);
}

#[test]
fn aggregation_reaches_through_levels() {
    let rule = |resource: &str| json!({"verbs": ["get"], "apiGroups": [""], "resources": [resource]});
    let leaf =
        json!({"metadata": {"name": "leaf", "labels": {"to": "middle"}}, "rules": [rule("a"), rule("b")]});
    let twin =
        json!({"metadata": {"name": "twin", "labels": {"to": "middle"}}, "rules": [rule("b"), rule("c")]});
    let selects = |label: &str| json!({"clusterRoleSelectors": [{"matchLabels": {"to": label}}]});
    let middle = json!({"metadata": {"name": "middle", "labels": {"to": "top"}}, "aggregationRule": selects("middle")});
    let top = json!({"metadata": {"name": "top", "labels": {"to": "top"}}, "aggregationRule": selects("top"), "rules": [rule("old")]});
    let all = [top, middle, leaf, twin];
    let updates = aggregate::aggregate(&all);
    let expected = json!([rule("a"), rule("b"), rule("c")]);
    let found: Vec<_> = updates.iter().map(|role| (meta::name(role), &role["rules"])).collect();
    assert_eq!(found, [("middle", &expected), ("top", &expected)]);
    let settled = [updates[0].clone(), updates[1].clone(), all[2].clone(), all[3].clone()];
    assert_eq!(aggregate::aggregate(&settled), Vec::<Value>::new());
}

#[tokio::test]
async fn a_new_cluster_knows_its_roles_and_writes_them_once() {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "v", "namespace": "a"},
        "roleRef": role_ref("ClusterRole", "view"), "subjects": [{"kind": "User", "name": "vera"}],
    });
    let cluster = Cluster::new(&[binding]).await;
    reconcile(&cluster.storage, &ENVIRONMENT).await.unwrap();
    let written = cluster.cache.catch_up().await.unwrap();
    assert!(written > objects().len() as u64);
    reconcile(&cluster.storage, &ENVIRONMENT).await.unwrap();
    assert_eq!(cluster.cache.catch_up().await.unwrap(), written);
    let code = async |user: Option<&str>, send: &str| {
        let (user, send) = (user.map(str::to_owned), send.to_owned());
        cluster.send(&Sent { user, send, headers: BTreeMap::new(), body: Value::Null }).await.0
    };
    for (user, send, expected) in [
        (Some("vera"), "GET /api/v1/namespaces/a/pods", 200),
        (Some("vera"), "GET /api/v1/namespaces/a/secrets", 403),
        (Some("vera"), "GET /api/v1/namespaces/b/pods", 403),
        (Some("vera,system:authenticated"), "GET /apis", 200),
        (Some("vera"), "GET /apis", 403),
        (Some("system:kube-scheduler"), "GET /api/v1/nodes", 200),
        (Some("system:serviceaccount:kube-system:job-controller"), "GET /apis/batch/v1/jobs", 200),
        (Some("system:serviceaccount:a:job-controller"), "GET /apis/batch/v1/jobs", 403),
        (None, "GET /apis", 401),
        (None, "GET /livez", 200),
    ] {
        assert_eq!(code(user, send).await, expected, "{user:?} {send}");
    }
}
