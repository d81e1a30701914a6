//! What `cargo metadata` says about the workspace and its dependencies, cut to what tidy reads.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A package of the dependency graph, a member of the workspace or not.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The licence expression of its manifest.
    pub(crate) licence: Option<String>,
    pub(crate) member: bool,
    /// Path of the manifest, from the workspace's folder if it lies there.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Kinds of its build targets: `lib`, `bin`, `test` and so on, one entry per target.
    pub(crate) targets: Vec<String>,
}

/// An edge of the graph, by package name.
#[derive(Debug, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Compiled only for tests and examples.
    pub(crate) dev: bool,
}

/// Asks `cargo` about the workspace.
pub(crate) fn load() -> Result<Vec<Package>> {
    let metadata = ask(&["metadata", "--format-version", "1"])?;
    packages(&serde_json::from_str(&metadata).context("cargo metadata printed no JSON")?)
}

/// Asks `cargo` which packages are built on any platform, each as `NAME vVERSION`. The lock file and the
/// metadata hold more: whatever an optional feature could pull in.
pub(crate) fn built() -> Result<BTreeSet<String>> {
    let tree = ask(&["tree", "--workspace", "--target", "all", "--prefix", "none", "--format", "{p}"])?;
    Ok(names_and_versions(&tree))
}

fn ask(args: &[&str]) -> Result<String> {
    let output = crate::cargo().args(args).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed: {}", args[0], String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("cargo {} printed no UTF-8", args[0]))
}

/// Cuts lines such as `libc v0.2.1 (proc-macro) (*)` to name and version.
fn names_and_versions(tree: &str) -> BTreeSet<String> {
    let words = tree.lines().map(|line| line.split(' '));
    words.map(|words| words.take(2).collect::<Vec<_>>().join(" ")).filter(|id| !id.is_empty()).collect()
}

/// Reads the answer of `cargo metadata`, format version 1.
pub(crate) fn packages(metadata: &Value) -> Result<Vec<Package>> {
    let root = metadata["workspace_root"].as_str().context("cargo metadata: no workspace_root")?;
    let members = metadata["workspace_members"].as_array().context("cargo metadata: no workspace_members")?;
    let packages = metadata["packages"].as_array().context("cargo metadata: no packages")?;
    packages.iter().map(|package| read(package, root, members)).collect()
}

fn read(package: &Value, root: &str, members: &[Value]) -> Result<Package> {
    let text =
        |key: &str| package[key].as_str().with_context(|| format!("cargo metadata: a package without {key}"));
    let manifest = text("manifest_path")?;
    let local = manifest.strip_prefix(root).map(|path| path.trim_start_matches('/'));
    Ok(Package {
        name: text("name")?.to_owned(),
        version: text("version")?.to_owned(),
        licence: package["license"].as_str().map(str::to_owned),
        member: members.contains(&package["id"]),
        manifest: local.unwrap_or(manifest).to_owned(),
        dependencies: list(&package["dependencies"]).filter_map(dependency).collect(),
        targets: list(&package["targets"])
            .flat_map(|t| list(&t["kind"]).filter_map(Value::as_str))
            .map(str::to_owned)
            .collect(),
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn dependency(dependency: &Value) -> Option<Dependency> {
    let dev = dependency["kind"].as_str() == Some("dev");
    Some(Dependency { name: dependency["name"].as_str()?.to_owned(), dev })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_members_edges_and_licences() {
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "workspace_members": ["path+file:///w/crates/app#0.1.0"],
            "packages": [
                {"id": "path+file:///w/crates/app#0.1.0", "name": "app", "version": "0.1.0", "license": "Apache-2.0",
                 "manifest_path": "/w/crates/app/Cargo.toml",
                 "dependencies": [{"name": "aml", "kind": null}, {"name": "store", "kind": "dev"}, {"name": "cc", "kind": "build"}],
                 "targets": [{"kind": ["lib"]}, {"kind": ["test"]}]},
                {"id": "x", "name": "x", "version": "2.0.0", "license": null, "manifest_path": "/home/x/Cargo.toml",
                 "dependencies": [], "targets": []},
            ],
        });
        let edge = |name: &str, dev| Dependency { name: name.to_owned(), dev };
        let app = Package {
            name: "app".to_owned(),
            version: "0.1.0".to_owned(),
            licence: Some("Apache-2.0".to_owned()),
            member: true,
            manifest: "crates/app/Cargo.toml".to_owned(),
            dependencies: vec![edge("aml", false), edge("store", true), edge("cc", false)],
            targets: vec!["lib".to_owned(), "test".to_owned()],
        };
        let packages = packages(&metadata).expect("valid metadata");
        assert_eq!(packages[0], app);
        assert_eq!((packages[1].member, packages[1].manifest.as_str()), (false, "/home/x/Cargo.toml"));
    }

    #[test]
    fn reads_the_tree_of_built_packages() {
        let tree = "app v0.1.0 (/w/crates/app)\nserde v1.0.2 (proc-macro) (*)\n\nserde v1.0.2\n";
        assert_eq!(names_and_versions(tree).into_iter().collect::<Vec<_>>(), ["app v0.1.0", "serde v1.0.2"]);
    }

    #[test]
    fn refuses_what_is_not_metadata() {
        assert!(packages(&serde_json::json!({})).is_err());
        let nameless = serde_json::json!({"workspace_root": "/", "workspace_members": [], "packages": [{}]});
        assert!(packages(&nameless).is_err());
    }
}
