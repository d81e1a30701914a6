//! Decisions over roles and bindings as data, and the index against an evaluator without one.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::index::{Objects, Subject, escalation};
use super::*;
use crate::authz::cluster::Question;
use crate::request::ResourceInfo;

#[derive(Deserialize)]
struct Cases {
    objects: Vec<Value>,
    cases: Vec<Case>,
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
struct Case {
    ask: String,
    say: Option<String>,
    no: Option<String>,
}

#[derive(Deserialize)]
struct Grant {
    user: String,
    namespace: String,
    rules: Vec<Rule>,
    refused: Option<String>,
}

fn objects(values: &[Value]) -> Objects {
    let mut objects = Objects::default();
    for value in values {
        let (namespace, name) = (api::meta::namespace(value), api::meta::name(value));
        let key: Arc<str> =
            if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}").into() };
        let role = || Arc::new(serde_json::from_value::<Role>(value.clone()).unwrap());
        let binding = || Arc::new(serde_json::from_value::<Binding>(value.clone()).unwrap());
        match api::meta::kind(value) {
            "Role" => drop(objects.roles.insert(key, role())),
            "ClusterRole" => drop(objects.cluster_roles.insert(key, role())),
            "RoleBinding" => drop(objects.bindings.insert(key, binding())),
            _ => drop(objects.cluster_bindings.insert(key, binding())),
        }
    }
    objects
}

fn cases() -> Cases {
    serde_saphyr::from_str(include_str!("../../../testdata/authz/rbac.yaml")).unwrap()
}

fn check(index: &Index, case: &Case) {
    let question = Question::parse(&case.ask);
    let expected = match (&case.say, &case.no) {
        (Some(say), _) => Decision::Allow(say.clone()),
        (None, no) => Decision::NoOpinion(no.clone().unwrap()),
    };
    assert_eq!(index.decide(&question.user, &question.action()), expected, "{}", case.ask);
}

#[test]
fn decisions_follow_roles_and_bindings() {
    let Cases { objects: values, cases, .. } = cases();
    let index = Index::new(&objects(&values));
    cases.iter().for_each(|case| check(&index, case));
}

#[test]
fn only_what_is_held_may_be_granted() {
    let Cases { objects: values, grants, .. } = cases();
    let index = Index::new(&objects(&values));
    for grant in grants {
        let user = User::new(&grant.user, &[]);
        let held = index.known(&user, &grant.namespace);
        let missing = rule::missing(&held.rules, &grant.rules);
        let refused = (!missing.is_empty()).then(|| escalation(&user, missing, &held.faults));
        assert_eq!(refused, grant.refused, "{}", grant.user);
    }
}

/// Decides by looking at every binding, and at rules by their definition.
fn naive(objects: &Objects, user: &User, action: &Action<'_>) -> bool {
    let applies = |subject: &Subject, namespace: &str| match subject.kind.as_str() {
        "User" => subject.name == user.name,
        "Group" => user.groups.contains(&subject.name),
        _ => {
            let home = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
            crate::authn::account::user_name(home, &subject.name) == user.name
        }
    };
    let grants = |binding: &Binding, namespace: &str| {
        binding.subjects.iter().flatten().any(|subject| applies(subject, namespace))
            && objects
                .resolve(&binding.role_ref, namespace)
                .is_ok_and(|rules| rules.iter().any(|r| allows(r, action)))
    };
    let everywhere = objects.cluster_bindings.values().any(|binding| grants(binding, ""));
    let here = |(key, binding): (&Arc<str>, &Arc<Binding>)| {
        let namespace = key.split_once('/').unwrap().0;
        namespace == action.namespace() && grants(binding, namespace)
    };
    everywhere || objects.bindings.iter().any(here)
}

fn allows(rule: &Rule, action: &Action<'_>) -> bool {
    let any =
        |list: &[String], wanted: &str| list.contains(&"*".to_owned()) || list.contains(&wanted.to_owned());
    let resource = action.resource.unwrap();
    let (plain, sub) = (resource.resource.clone(), &resource.subresource);
    let combined = if sub.is_empty() { plain } else { format!("{plain}/{sub}") };
    any(&rule.verbs, action.verb)
        && any(&rule.api_groups, &resource.group)
        && (any(&rule.resources, &combined)
            || (!sub.is_empty() && rule.resources.contains(&format!("*/{sub}"))))
        && (rule.resource_names.is_empty() || rule.resource_names.contains(&resource.name))
}

fn pick(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(words).prop_map(str::to_owned)
}

fn some(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(pick(words), 0..3)
}

prop_compose! {
    fn a_rule()(
        verbs in some(&["get", "list", "*"]),
        api_groups in some(&["", "apps", "*"]),
        resources in some(&["p", "p/s", "*/s", "*", "q"]),
        resource_names in some(&["x", "y"]),
    ) -> Rule {
        Rule { verbs, api_groups, resources, resource_names, ..Rule::default() }
    }
}

prop_compose! {
    fn a_subject()(
        kind in pick(&["User", "Group", "ServiceAccount"]),
        name in pick(&["u", "v", "g", "system:serviceaccount:a:u"]),
        namespace in pick(&["", "a", "b"]),
    ) -> Subject {
        Subject { kind, name, namespace }
    }
}

prop_compose! {
    fn a_binding()(
        subjects in proptest::collection::vec(a_subject(), 0..3),
        kind in pick(&["Role", "ClusterRole"]),
        name in pick(&["r", "s", "gone"]),
    ) -> Binding {
        Binding { subjects: Some(subjects), role_ref: RoleRef { kind, name, ..RoleRef::default() } }
    }
}

fn under<T: std::fmt::Debug>(
    keys: &'static [&'static str],
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = HashMap<Arc<str>, Arc<T>>> {
    proptest::collection::vec((pick(keys), of), 0..4).prop_map(|entries| {
        entries.into_iter().map(|(key, value)| (Arc::from(key), Arc::new(value))).collect()
    })
}

fn a_role() -> impl Strategy<Value = Role> {
    proptest::collection::vec(a_rule(), 0..3).prop_map(|rules| Role { rules: rules.into() })
}

prop_compose! {
    fn all_objects()(
        roles in under(&["a/r", "a/s", "b/r"], a_role()),
        cluster_roles in under(&["r", "s"], a_role()),
        bindings in under(&["a/1", "a/2", "b/1"], a_binding()),
        cluster_bindings in under(&["1", "2"], a_binding()),
    ) -> Objects {
        Objects { roles, cluster_roles, bindings, cluster_bindings }
    }
}

prop_compose! {
    fn a_resource()(
        group in pick(&["", "apps"]),
        resource in pick(&["p", "q"]),
        subresource in pick(&["", "s"]),
        namespace in pick(&["", "a", "b"]),
        name in pick(&["", "x", "y"]),
    ) -> ResourceInfo {
        ResourceInfo { group, resource, subresource, namespace, name, ..ResourceInfo::default() }
    }
}

proptest! {
    #[test]
    fn the_index_decides_as_every_binding_does(
        objects in all_objects(),
        name in pick(&["u", "v", "system:serviceaccount:a:u", "system:serviceaccount:b:v"]),
        groups in some(&["g", "v"]),
        resource in a_resource(),
        verb in pick(&["get", "list"]),
    ) {
        let user = User { name, groups, ..User::default() };
        let action = Action::on(&verb, &resource);
        let decided = Index::new(&objects).decide(&user, &action).is_allowed();
        prop_assert_eq!(decided, naive(&objects, &user, &action));
    }

    #[test]
    fn what_covers_allows(
        held in proptest::collection::vec(a_rule(), 0..4),
        wanted in a_rule(),
        resource in a_resource(),
        verb in pick(&["get", "list"]),
    ) {
        let action = Action::on(&verb, &resource);
        let covered = rule::missing(&held, std::slice::from_ref(&wanted)).is_empty();
        if covered && wanted.allows(&action) {
            prop_assert!(held.iter().any(|own| own.allows(&action)));
        }
    }
}
