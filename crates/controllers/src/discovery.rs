//! What the API server serves, for controllers that act on every kind.

use kube::discovery::{ApiGroup, Discovery, Scope};
use kube::{Client, api::DynamicObject, core::ApiResource, core::Resource};

use crate::Error;
use crate::plan::Collection;

/// One served resource, in its best version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) api: ApiResource,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<String>,
}

impl Served {
    pub(crate) fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The resource's collection in a namespace; of cluster-scoped ones the only one.
    pub(crate) fn collection(&self, namespace: &str) -> Collection {
        let namespace = if self.namespaced { namespace } else { "" };
        let scope = (!namespace.is_empty()).then_some(namespace);
        let path = DynamicObject::url_path(&self.api, scope);
        Collection { resource: self.api.plural.clone(), path, namespace: namespace.to_owned() }
    }

    /// Such as `deployments.apps`.
    pub(crate) fn full_name(&self) -> String {
        let Self { api, .. } = self;
        if api.group.is_empty() { api.plural.clone() } else { format!("{}.{}", api.plural, api.group) }
    }
}

/// All served resources. Asks for the aggregated document and, where the server has none, for each
/// group.
///
/// # Errors
/// Neither could be read.
pub(crate) async fn discover(client: &Client) -> Result<Vec<Served>, Error> {
    let found = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(found) => found,
        Err(_) => Discovery::new(client.clone()).run().await?,
    };
    let resources = found.groups().flat_map(ApiGroup::resources_by_stability);
    let served = resources.map(|(api, capabilities)| Served {
        api,
        namespaced: capabilities.scope == Scope::Namespaced,
        verbs: capabilities.operations,
    });
    Ok(served.collect())
}
