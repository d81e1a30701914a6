//! Acting as somebody else: the `Impersonate-*` headers, each checked with the verb `impersonate`.
//!
//! Reference: Kubernetes' user impersonation; service accounts are checked as `serviceaccounts`, extras
//! as `userextras/KEY` and uids as `uids`, both in `authentication.k8s.io`.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::status::Status;
use http::HeaderMap;

use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, account};
use crate::authz::{self, Action, Authorizer};
use crate::request::ResourceInfo;

const NAME: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user as whom a request is to be handled: `user` itself unless headers say otherwise.
///
/// # Errors
/// 403 when `user` may not impersonate all of it, 400 when headers name anything but no user.
pub fn impersonate(
    user: &Arc<User>,
    headers: &HeaderMap,
    authorizer: &dyn Authorizer,
) -> Result<Arc<User>, Status> {
    let Some(wanted) = wanted(headers)? else { return Ok(Arc::clone(user)) };
    for asked in asked(&wanted) {
        authz::require(authorizer, user, &Action::on("impersonate", &asked))?;
    }
    Ok(Arc::new(completed(wanted)))
}

/// The user that headers describe.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let all = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let one = |name| all(name).into_iter().next().unwrap_or_default();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy().into_owned();
            extra.entry(key).or_default().extend(all(name.as_str()));
        }
    }
    let user = User { name: one(NAME), uid: one(UID), groups: all(GROUP), extra };
    match user.name.is_empty() {
        false => Ok(Some(user)),
        true if user == User::default() => Ok(None),
        true => {
            Err(Status::bad_request("requested a group, a uid or extras without impersonating a user name"))
        }
    }
}

/// Everything that has to be allowed.
fn asked(wanted: &User) -> Vec<ResourceInfo> {
    let on = |group: &str, resource: &str, name: &str| ResourceInfo {
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        ..ResourceInfo::default()
    };
    let mut all = vec![match account::split(&wanted.name) {
        Some((namespace, name)) => {
            ResourceInfo { namespace: namespace.to_owned(), ..on("", "serviceaccounts", name) }
        }
        None => on("", "users", &wanted.name),
    }];
    all.extend(wanted.groups.iter().map(|group| on("", "groups", group)));
    for (key, values) in &wanted.extra {
        let extra = |value: &String| ResourceInfo {
            subresource: key.clone(),
            ..on(AUTHENTICATION, "userextras", value)
        };
        all.extend(values.iter().map(extra));
    }
    if !wanted.uid.is_empty() {
        all.push(on(AUTHENTICATION, "uids", &wanted.uid));
    }
    all
}

/// Adds the groups that the user has without being given any.
fn completed(mut user: User) -> User {
    if user.groups.is_empty()
        && let Some((namespace, _)) = account::split(&user.name)
    {
        user.groups = account::groups(namespace);
    }
    let marked = user.is_member(AUTHENTICATED) || user.is_member(UNAUTHENTICATED);
    if !marked {
        let group = if user.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        user.groups.push(group.to_owned());
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::Decision;

    /// Allows what is written `resource[/sub] [namespace/]name`.
    struct Only(&'static [&'static str]);

    impl Authorizer for Only {
        fn authorize(&self, _user: &User, action: &Action<'_>) -> Decision {
            let asked = action.resource.unwrap();
            let join = |left: &str, right: &str| {
                if left.is_empty() { right.to_owned() } else { format!("{left}/{right}") }
            };
            let resource = [&asked.resource, &asked.subresource].map(String::as_str).join("/");
            let text = format!("{} {}", resource.trim_end_matches('/'), join(&asked.namespace, &asked.name));
            assert_eq!(action.verb, "impersonate");
            if self.0.contains(&text.as_str()) {
                Decision::Allow(String::new())
            } else {
                Decision::NoOpinion(String::new())
            }
        }
    }

    /// Headers, what is allowed, and the user it gives as `name groups uid extra`, or the refusal.
    fn check(headers: &[(&str, &str)], allowed: &'static [&'static str], expected: Result<&str, &str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let boss = Arc::new(User::new("boss", &[]));
        let found = impersonate(&boss, &map, &Only(allowed));
        let shown = found.map_err(|status| status.message).map(|user| {
            let extra: Vec<String> =
                user.extra.iter().map(|(key, values)| format!("{key}={}", values.join("+"))).collect();
            format!("{} {} {} {}", user.name, user.groups.join(","), user.uid, extra.join(","))
        });
        assert_eq!(shown.as_deref().map(str::trim_end).map_err(String::as_str), expected, "{headers:?}");
    }

    #[test]
    fn headers_give_the_user_they_may() {
        check(&[], &[], Ok("boss system:authenticated"));
        check(&[("Impersonate-User", "eve")], &["users eve"], Ok("eve system:authenticated"));
        check(
            &[
                ("Impersonate-User", "eve"),
                ("Impersonate-Group", "a"),
                ("Impersonate-Group", "b"),
                ("Impersonate-Uid", "7"),
            ],
            &["users eve", "groups a", "groups b", "uids 7"],
            Ok("eve a,b,system:authenticated 7"),
        );
        check(
            &[("Impersonate-User", "system:serviceaccount:n:bot")],
            &["serviceaccounts n/bot"],
            Ok(
                "system:serviceaccount:n:bot system:serviceaccounts,system:serviceaccounts:n,system:authenticated",
            ),
        );
        check(
            &[("Impersonate-User", "eve"), ("Impersonate-Extra-Example.com%2fscopes", "view")],
            &["users eve", "userextras/example.com/scopes view"],
            Ok("eve system:authenticated  example.com/scopes=view"),
        );
        check(
            &[("Impersonate-User", ANONYMOUS)],
            &["users system:anonymous"],
            Ok("system:anonymous system:unauthenticated"),
        );
        check(
            &[("Impersonate-User", "eve"), ("Impersonate-Group", UNAUTHENTICATED)],
            &["users eve", "groups system:unauthenticated"],
            Ok("eve system:unauthenticated"),
        );
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        let message = r#"users "eve" is forbidden: User "boss" cannot impersonate resource "users" in API group "" at the cluster scope"#;
        check(&[("Impersonate-User", "eve")], &[], Err(message));
        let message = r#"groups "system:masters" is forbidden: User "boss" cannot impersonate resource "groups" in API group "" at the cluster scope"#;
        check(
            &[("Impersonate-User", "eve"), ("Impersonate-Group", "system:masters")],
            &["users eve"],
            Err(message),
        );
        let message = "requested a group, a uid or extras without impersonating a user name";
        check(&[("Impersonate-Group", "a")], &["groups a"], Err(message));
    }
}
