//! Service accounts as users.

const USER: &str = "system:serviceaccount:";
/// Every service account is in this group.
pub const ALL: &str = "system:serviceaccounts";

/// The user that a service account is.
pub fn user_name(namespace: &str, name: &str) -> String {
    format!("{USER}{namespace}:{name}")
}

/// Namespace and name of the service account that a user is, if it is one.
pub fn split(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(USER)?.split_once(':')?;
    let valid = api::meta::name::dns1123_label(namespace).is_empty()
        && api::meta::name::dns1123_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

/// The groups of the service accounts of a namespace.
pub fn groups(namespace: &str) -> Vec<String> {
    vec![ALL.to_owned(), format!("{ALL}:{namespace}")]
}
