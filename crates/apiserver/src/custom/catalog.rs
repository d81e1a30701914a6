//! The kinds that are served, with the schemas of custom ones: one pointer, replaced as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::gvk::GroupVersion;
use api::kinds::{Registry, Resource};
use arc_swap::ArcSwap;
use schema::openapi::CustomKind;

use super::{Custom, kind};
use crate::cache::Selectable;

/// What is served at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The table of kinds.
    pub kinds: Registry,
    /// The custom ones among them, by group and plural.
    customs: BTreeMap<(String, String), Arc<Custom>>,
}

/// The current [`Snapshot`]; cloning shares it.
#[derive(Debug, Clone)]
pub struct Catalog {
    current: Arc<ArcSwap<Snapshot>>,
    builtin: Registry,
}

impl Snapshot {
    /// The custom kind of a group and plural.
    pub fn custom(&self, group: &str, plural: &str) -> Option<&Arc<Custom>> {
        self.customs.get(&(group.to_owned(), plural.to_owned()))
    }

    /// All custom kinds.
    pub fn customs(&self) -> impl Iterator<Item = &Arc<Custom>> {
        self.customs.values()
    }

    /// The row as one version shows it: versions of custom kinds may differ in their subresources.
    pub(crate) fn row<'a>(&'a self, row: &'a Resource, version: &str) -> &'a Resource {
        let custom = self.custom(&row.group, &row.plural).and_then(|custom| custom.version(version));
        custom.map_or(row, |custom| &custom.row)
    }

    /// The custom kinds of a group version, or of all, as OpenAPI publishes them.
    pub(crate) fn published(&self, of: Option<&GroupVersion>) -> Vec<CustomKind<'_>> {
        let mut published = Vec::new();
        for custom in self.customs().filter(|custom| of.is_none_or(|of| of.group == custom.row.group)) {
            for version in custom.versions.iter().filter(|v| of.is_none_or(|of| of.version == v.name)) {
                if custom.row.served_version(&version.name).is_some() {
                    published.push(CustomKind {
                        kind: kind(&custom.row, &version.name),
                        list_kind: custom.row.list_kind.to_string(),
                        schema: version.raw(),
                    });
                }
            }
        }
        published
    }
}

impl Catalog {
    /// A catalog of these kinds, to which definitions add theirs.
    pub fn new(builtin: Registry) -> Self {
        let snapshot = Snapshot { kinds: builtin.clone(), ..Snapshot::default() };
        Self { current: Arc::new(ArcSwap::from_pointee(snapshot)), builtin }
    }

    /// What is served now.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The kinds that are there without any definition.
    pub fn builtin(&self) -> &Registry {
        &self.builtin
    }

    /// The fields that the watch cache must index, by resource prefix.
    pub fn selectable(&self) -> Selectable {
        let catalog = self.clone();
        Arc::new(move |prefix| {
            let snapshot = catalog.load();
            let row = snapshot.kinds.iter().find(|row| row.storage.0 == prefix);
            row.map(|row| row.selectable.to_vec()).unwrap_or_default()
        })
    }

    /// Serves exactly these custom kinds from now on. One that the table refuses is left out.
    pub(crate) fn publish(&self, customs: Vec<Arc<Custom>>) {
        let mut kinds = self.builtin.clone();
        let mut published = BTreeMap::new();
        for custom in customs {
            match kinds.with(custom.row.clone()) {
                Ok(with) => kinds = with,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a definition is not served");
                    continue;
                }
            }
            published.insert((custom.row.group.to_string(), custom.row.plural.to_string()), custom);
        }
        self.current.store(Arc::new(Snapshot { kinds, customs: published }));
    }
}

impl From<Registry> for Catalog {
    fn from(builtin: Registry) -> Self {
        Self::new(builtin)
    }
}
