//! Writes the committed table of schema facts from Kubernetes' OpenAPI description.
//!
//! The grammar of the table is told in `crates/schema/src/facts.rs`, which reads it. The
//! description (`../shared/reference/openapi`, next to the repository) is needed only here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

mod gotypes;
mod prost;
mod protobuf;

const SWAGGER: &str = "../shared/reference/openapi/kubernetes-1.36-swagger.json";
const TABLE: &str = "crates/schema/facts/builtin.txt";
const HEADER: &str = "# Schema facts of the built-in kinds of Kubernetes 1.36, without descriptions.\n\
    # Written by `cargo run -p xtask -- codegen`; the grammar is told in src/facts.rs.\n";

/// Definitions that marshal themselves, so that their `type` in the description tells too little.
const SPECIAL: &[(&str, &str)] = &[
    ("io.k8s.apimachinery.pkg.api.resource.Quantity", "quantity"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", "any"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "microtime"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Patch", "any"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", "time"),
    ("io.k8s.apimachinery.pkg.runtime.RawExtension", "any"),
    ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "intstr"),
];

/// Defaults that Kubernetes declares in its types (`+default=`) and OpenAPI v2 leaves out. Among
/// them are the defaulted list keys, which server-side apply needs.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("io.k8s.api.core.v1.AzureDiskVolumeSource", "cachingMode", "\"ReadWrite\""),
    ("io.k8s.api.core.v1.AzureDiskVolumeSource", "fsType", "\"ext4\""),
    ("io.k8s.api.core.v1.AzureDiskVolumeSource", "kind", "\"Shared\""),
    ("io.k8s.api.core.v1.AzureDiskVolumeSource", "readOnly", "false"),
    ("io.k8s.api.core.v1.ContainerPort", "protocol", "\"TCP\""),
    ("io.k8s.api.core.v1.GRPCAction", "service", "\"\""),
    ("io.k8s.api.core.v1.ISCSIPersistentVolumeSource", "iscsiInterface", "\"default\""),
    ("io.k8s.api.core.v1.ISCSIVolumeSource", "iscsiInterface", "\"default\""),
    ("io.k8s.api.core.v1.RBDPersistentVolumeSource", "keyring", "\"/etc/ceph/keyring\""),
    ("io.k8s.api.core.v1.RBDPersistentVolumeSource", "pool", "\"rbd\""),
    ("io.k8s.api.core.v1.RBDPersistentVolumeSource", "user", "\"admin\""),
    ("io.k8s.api.core.v1.RBDVolumeSource", "keyring", "\"/etc/ceph/keyring\""),
    ("io.k8s.api.core.v1.RBDVolumeSource", "pool", "\"rbd\""),
    ("io.k8s.api.core.v1.RBDVolumeSource", "user", "\"admin\""),
    ("io.k8s.api.core.v1.ScaleIOPersistentVolumeSource", "fsType", "\"xfs\""),
    ("io.k8s.api.core.v1.ScaleIOPersistentVolumeSource", "storageMode", "\"ThinProvisioned\""),
    ("io.k8s.api.core.v1.ScaleIOVolumeSource", "fsType", "\"xfs\""),
    ("io.k8s.api.core.v1.ScaleIOVolumeSource", "storageMode", "\"ThinProvisioned\""),
    ("io.k8s.api.core.v1.ServicePort", "protocol", "\"TCP\""),
    ("io.k8s.api.resource.v1.DeviceToleration", "operator", "\"Equal\""),
    ("io.k8s.api.resource.v1beta1.DeviceToleration", "operator", "\"Equal\""),
    ("io.k8s.api.resource.v1beta2.DeviceToleration", "operator", "\"Equal\""),
];

/// Writes the table, or with `check` only says whether the committed one is fresh.
pub(crate) fn run(check: bool) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    let fresh = table(&read_swagger(root)?)?;
    let path = root.join(TABLE);
    if check {
        let committed = fs::read_to_string(&path).with_context(|| format!("cannot read {TABLE}"))?;
        ensure!(committed == fresh, "{TABLE} is stale: run `cargo run -p xtask -- codegen`");
        return Ok(format!("{TABLE} is fresh"));
    }
    fs::write(&path, &fresh).with_context(|| format!("cannot write {TABLE}"))?;
    Ok(format!("wrote {TABLE}: {} bytes", fresh.len()))
}

/// Writes the table of protobuf field numbers from the source of the crate `k8s-pb` and a kubectl.
pub(crate) fn protobuf(source: &str, kubectl: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    protobuf::run(root, &read_swagger(root)?, Path::new(source), Path::new(kubectl))
}

/// The description lies beside the repository; a worktree may lie one directory deeper.
fn read_swagger(root: &Path) -> Result<Value> {
    let beside: Vec<PathBuf> = vec![root.join(SWAGGER), root.join("..").join(SWAGGER)];
    let path = beside.iter().find(|path| path.exists()).with_context(|| format!("{SWAGGER} is not there"))?;
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn table(swagger: &Value) -> Result<String> {
    let definitions = swagger["definitions"].as_object().context("no definitions")?;
    for (name, field, _) in DEFAULTS {
        ensure!(
            definitions.get(*name).is_some_and(|d| d["properties"].get(field).is_some()),
            "no {name}.{field}"
        );
    }
    for (name, _) in SPECIAL {
        ensure!(definitions.contains_key(*name), "no {name}");
    }
    let mut packages: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
    for (name, definition) in definitions {
        let (package, short) = split(name)?;
        packages.entry(package).or_default().push((short, definition));
    }
    let mut out = HEADER.to_owned();
    for package in packages.keys() {
        writeln!(out, "p {} {package}", alias(package))?;
    }
    for (package, members) in &packages {
        writeln!(out, "\nin {}", alias(package))?;
        for (short, definition) in members {
            write_definition(&mut out, package, short, definition)
                .with_context(|| format!("{package}.{short}"))?;
        }
    }
    Ok(out)
}

fn split(name: &str) -> Result<(&str, &str)> {
    name.rsplit_once('.').with_context(|| format!("{name} has no package"))
}

/// The last two segments, which are unique among the packages of the description.
fn alias(package: &str) -> &str {
    let dot = package.rmatch_indices('.').nth(1);
    dot.map_or(package, |(at, _)| &package[at + 1..])
}

fn write_definition(out: &mut String, package: &str, short: &str, schema: &Value) -> Result<()> {
    write!(out, "d {short}")?;
    let full = format!("{package}.{short}");
    let special = SPECIAL.iter().find(|(name, _)| *name == full).map(|(_, ty)| (*ty).to_owned());
    let object = schema["type"] == "object" && schema.get("additionalProperties").is_none();
    match special {
        Some(ty) => write!(out, " {ty}")?,
        None if object => {}
        None => write!(out, " {}", type_of(package, schema)?)?,
    }
    write!(out, "{}", facts_of(schema)?)?;
    for kind in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
        write!(out, " ={}/{}/{}", text(kind, "group")?, text(kind, "version")?, text(kind, "kind")?)?;
    }
    out.push('\n');
    write_fields(out, package, &full, schema)
}

fn write_fields(out: &mut String, package: &str, full: &str, schema: &Value) -> Result<()> {
    let required = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let bang = if required.is_some_and(|names| names.iter().any(|n| n == name)) { "!" } else { "" };
        let ty = type_of(package, field).with_context(|| name.clone())?;
        write!(out, " {name}{bang} {ty}{}", facts_of(field)?)?;
        if let Some((_, _, default)) = DEFAULTS.iter().find(|(def, f, _)| *def == full && f == name) {
            write!(out, " default={default}")?;
        }
        out.push('\n');
    }
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no {key}"))
}

fn type_of(package: &str, schema: &Value) -> Result<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let (home, short) = split(reference.trim_start_matches("#/definitions/"))?;
        let near = home == package;
        return Ok(if near { format!("@{short}") } else { format!("@{}:{short}", alias(home)) });
    }
    let ty = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), None) => return Ok(format!("[{}]", inner(package, &schema["items"])?)),
        (Some("object"), None) => {
            return Ok(format!("{{{}}}", inner(package, &schema["additionalProperties"])?));
        }
        (Some("string"), None) => "str",
        (Some("string"), Some("byte")) => "bytes",
        (Some("string"), Some("date-time")) => "time",
        (Some("integer"), Some("int32")) => "i32",
        (Some("integer"), Some("int64")) => "i64",
        (Some("number"), Some("double")) => "dbl",
        (Some("boolean"), None) => "bool",
        (None, None) => "any",
        other => bail!("unknown type {other:?}"),
    };
    Ok(ty.to_owned())
}

fn inner(package: &str, schema: &Value) -> Result<String> {
    ensure!(schema.is_object(), "no schema of the elements");
    ensure!(facts_of(schema)?.is_empty(), "facts of a nested element have no place in the table");
    type_of(package, schema)
}

fn facts_of(schema: &Value) -> Result<String> {
    let mut out = String::new();
    let fact = |key: &str| schema[key].as_str();
    if let Some(list) = fact("x-kubernetes-list-type") {
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let colon = if keys.is_empty() { "" } else { ":" };
        write!(out, " list={list}{colon}{}", keys.join(","))?;
    }
    if let Some(map) = fact("x-kubernetes-map-type") {
        write!(out, " map={map}")?;
    }
    if let Some(strategy) = fact("x-kubernetes-patch-strategy") {
        write!(out, " patch={strategy}")?;
    }
    if let Some(key) = fact("x-kubernetes-patch-merge-key") {
        write!(out, " key={key}")?;
    }
    Ok(out)
}
