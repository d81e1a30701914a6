//! What a pod refers to, read from its JSON without building its tree.

use serde::Deserialize;

/// A kind of object that a node may have to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A pod bound to the node.
    Pod,
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A PersistentVolumeClaim.
    Claim,
    /// A PersistentVolume.
    Volume,
    /// A ServiceAccount.
    Account,
    /// A ResourceClaim.
    ResourceClaim,
    /// A VolumeAttachment.
    Attachment,
    /// A ResourceSlice.
    Slice,
}

/// The part of a pod that refers to other objects.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodReferences {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    service_account_name: String,
    image_pull_secrets: Option<Vec<Named>>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
    resource_claims: Option<Vec<ResourceClaim>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    resource_claim_statuses: Option<Vec<ResourceClaim>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceClaim {
    resource_claim_name: Option<String>,
}

/// A reference by name, whatever its field is called.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    name: String,
    secret_name: String,
    claim_name: String,
    secret_ref: Option<Inner>,
    node_publish_secret_ref: Option<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inner {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    env: Option<Vec<Variable>>,
    env_from: Option<Vec<Source>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Variable {
    value_from: Option<Source>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    secret_key_ref: Option<Inner>,
    config_map_key_ref: Option<Inner>,
    secret_ref: Option<Inner>,
    config_map_ref: Option<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    name: String,
    secret: Option<Named>,
    config_map: Option<Named>,
    projected: Option<Projected>,
    persistent_volume_claim: Option<Named>,
    ephemeral: Option<serde::de::IgnoredAny>,
    azure_file: Option<Named>,
    cephfs: Option<Named>,
    cinder: Option<Named>,
    flex_volume: Option<Named>,
    iscsi: Option<Named>,
    rbd: Option<Named>,
    #[serde(rename = "scaleIO")]
    scale_io: Option<Named>,
    storageos: Option<Named>,
    csi: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Projected {
    sources: Option<Vec<ProjectedSource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProjectedSource {
    secret: Option<Inner>,
    config_map: Option<Inner>,
    service_account_token: Option<serde::de::IgnoredAny>,
}

/// Names that are set.
fn set<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    names.filter(|name| !name.is_empty())
}

impl PodReferences {
    /// The node the pod is bound to, or empty.
    pub fn node(&self) -> &str {
        &self.spec.node_name
    }

    /// Whether a kubelet only mirrors it from a file.
    pub fn is_mirror(&self) -> bool {
        self.metadata.annotations.iter().flatten().any(|(key, _)| key == "kubernetes.io/config.mirror")
    }

    /// Everything the pod refers to in its namespace.
    pub fn targets(&self) -> Vec<(Target, &str)> {
        let secrets = self.secrets().map(|name| (Target::Secret, name));
        let maps = self.config_maps().map(|name| (Target::ConfigMap, name));
        let claims = self.resource_claims().map(|name| (Target::ResourceClaim, name));
        let account = set(std::iter::once(self.spec.service_account_name.as_str()));
        let account = account.map(|name| (Target::Account, name));
        secrets.chain(maps).chain(claims).chain(account).collect()
    }

    /// The PersistentVolumeClaims the pod mounts; those of ephemeral volumes are named after it.
    pub fn claims(&self) -> Vec<String> {
        let claim = |volume: &Volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => Some(claim.claim_name.clone()),
            (None, Some(_)) => Some(format!("{}-{}", self.metadata.name, volume.name)),
            _ => None,
        };
        self.volumes().filter_map(claim).collect()
    }

    /// The names of the Secrets the pod refers to, in any way.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let pull = self.spec.image_pull_secrets.iter().flatten().map(|secret| secret.name.as_str());
        let env = self.sources().flat_map(|source| [&source.secret_key_ref, &source.secret_ref]).flatten();
        let projected = self.projected().filter_map(|source| source.secret.as_ref());
        let inner = env.chain(projected).map(|secret| secret.name.as_str());
        set(pull.chain(inner).chain(self.volumes().flat_map(Volume::secrets)))
    }

    fn config_maps(&self) -> impl Iterator<Item = &str> {
        let env =
            self.sources().flat_map(|source| [&source.config_map_key_ref, &source.config_map_ref]).flatten();
        let projected = self.projected().filter_map(|source| source.config_map.as_ref());
        let inner = env.chain(projected).map(|map| map.name.as_str());
        let volumes =
            self.volumes().filter_map(|volume| volume.config_map.as_ref()).map(|map| map.name.as_str());
        set(inner.chain(volumes))
    }

    /// Whether a volume projects a service-account token.
    pub fn projects_tokens(&self) -> bool {
        self.projected().any(|source| source.service_account_token.is_some())
    }

    fn resource_claims(&self) -> impl Iterator<Item = &str> {
        let own = self.spec.resource_claims.iter().flatten();
        let generated = self.status.resource_claim_statuses.iter().flatten();
        set(own.chain(generated).filter_map(|claim| claim.resource_claim_name.as_deref()))
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let spec = &self.spec;
        let containers = [&spec.containers, &spec.init_containers, &spec.ephemeral_containers];
        containers.into_iter().flatten().flatten().flat_map(|container| {
            let variables =
                container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref());
            variables.chain(container.env_from.iter().flatten())
        })
    }

    fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.spec.volumes.iter().flatten()
    }

    fn projected(&self) -> impl Iterator<Item = &ProjectedSource> {
        self.volumes()
            .filter_map(|volume| volume.projected.as_ref())
            .flat_map(|all| all.sources.iter().flatten())
    }
}

impl Volume {
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let direct =
            [&self.secret, &self.azure_file].into_iter().flatten().map(|source| source.secret_name.as_str());
        let sources = [
            &self.cephfs,
            &self.cinder,
            &self.flex_volume,
            &self.iscsi,
            &self.rbd,
            &self.scale_io,
            &self.storageos,
            &self.csi,
        ];
        let inner = sources.into_iter().flatten();
        let inner = inner.flat_map(|source| [&source.secret_ref, &source.node_publish_secret_ref]).flatten();
        direct.chain(inner.map(|secret| secret.name.as_str()))
    }
}
