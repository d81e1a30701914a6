//! DefaultStorageClass and DefaultIngressClass: what names no class gets the newest default one.

use api::meta;
use api::status::Status;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::lookup::Lookup;
use super::{Attributes, Operation, Plugin};

/// A resource whose objects get a class when they are created without one.
struct Classed {
    plugin: &'static str,
    group: &'static str,
    plural: &'static str,
    /// The field of `spec` that names the class.
    field: &'static str,
    /// The older form of that field.
    annotation: &'static str,
    classes: &'static str,
    /// Any of these marks a class as default.
    marks: &'static [&'static str],
}

static STORAGE: Classed = Classed {
    plugin: "DefaultStorageClass",
    group: "",
    plural: "persistentvolumeclaims",
    field: "storageClassName",
    annotation: "volume.beta.kubernetes.io/storage-class",
    classes: "storage.k8s.io/storageclasses",
    marks: &[
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ],
};

static INGRESS: Classed = Classed {
    plugin: "DefaultIngressClass",
    group: "networking.k8s.io",
    plural: "ingresses",
    field: "ingressClassName",
    annotation: "kubernetes.io/ingress.class",
    classes: "networking.k8s.io/ingressclasses",
    marks: &["ingressclass.kubernetes.io/is-default-class"],
};

/// The plugin, for one resource.
pub struct DefaultClass {
    lookup: Lookup,
    classed: &'static Classed,
}

impl DefaultClass {
    /// DefaultStorageClass.
    pub fn storage(lookup: Lookup) -> Self {
        Self { lookup, classed: &STORAGE }
    }

    /// DefaultIngressClass.
    pub fn ingress(lookup: Lookup) -> Self {
        Self { lookup, classed: &INGRESS }
    }

    fn fill(&self, object: &mut Value) {
        let Classed { field, annotation, classes, marks, .. } = self.classed;
        // An empty class is a choice, not a gap.
        if !object["spec"][field].is_null() || meta::annotation(object, annotation).is_some() {
            return;
        }
        if let Some(class) = self.lookup.default_class(classes, marks) {
            object["spec"][field] = json!(class);
        }
    }
}

impl Plugin for DefaultClass {
    fn name(&self) -> &'static str {
        self.classed.plugin
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let created = attributes.operation == Operation::Create;
            if created && attributes.is(self.classed.group, self.classed.plural) {
                self.fill(attributes.object);
            }
            Ok(())
        })
    }
}
