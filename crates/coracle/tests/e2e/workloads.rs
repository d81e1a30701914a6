//! Controllers and the scheduler on hollow nodes, through kubectl.

use std::process::{Child, Command, Stdio};

use crate::cluster::{Cluster, coracle, has_kubectl};

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'web:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

/// Hollow nodes for one test.
struct Hollow(Child);

impl Hollow {
    fn start(cluster: &Cluster, count: usize) -> Self {
        let mut command: Command = coracle();
        command.args(["agent", "--hollow", &count.to_string(), "--kubeconfig"]).arg(cluster.kubeconfig());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the agent starts"))
    }
}

impl Drop for Hollow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_deployment_rolls_out_and_back_on_hollow_nodes() {
    if !has_kubectl(concat!(module_path!(), "::a_deployment_rolls_out_and_back_on_hollow_nodes")) {
        return;
    }
    let mut cluster = Cluster::start();
    let _nodes = Hollow::start(&cluster, 3);
    cluster.run_with("apply --server-side -f -", DEPLOYMENT);
    cluster.run("rollout status deployment/web --timeout=60s");
    cluster.run("set image deployment/web c=web:2");
    cluster.run("rollout status deployment/web --timeout=60s");
    let images = "get pods -l app=web --field-selector=status.phase=Running -o jsonpath={.items[*].spec.containers[0].image}";
    cluster.run("rollout undo deployment/web");
    cluster.run("rollout status deployment/web --timeout=60s");
    cluster.run("wait pod -l app=web --for=jsonpath={.spec.containers[0].image}=web:1 --timeout=60s");
    assert_eq!(cluster.run(images), ["web:1"; 5].join(" "));
    cluster.run("wait endpointslice -l kubernetes.io/service-name=web --for=jsonpath={.endpoints[4].conditions.ready}=true --timeout=60s");
    assert!(cluster.run("get service web -o jsonpath={.spec.clusterIP}").starts_with("10.96."));
    // The rollout goes on where it was after a kill -9.
    cluster.kill();
    cluster.restart();
    cluster.run("scale deployment/web --replicas=2");
    cluster.run("rollout status deployment/web --timeout=60s");
    cluster.run("delete deployment/web --cascade=foreground --timeout=60s");
    assert_eq!(cluster.run("get pods -l app=web -o name"), "");
}

#[test]
fn a_namespace_goes_with_all_its_content() {
    if !has_kubectl(concat!(module_path!(), "::a_namespace_goes_with_all_its_content")) {
        return;
    }
    let cluster = Cluster::start();
    cluster.run("create namespace shop");
    cluster.run("wait serviceaccount/default -n shop --for=create --timeout=60s");
    cluster.run("create configmap a -n shop --from-literal=x=y");
    cluster.run("create deployment web -n shop --image=web --replicas=2");
    cluster.run("delete namespace shop --timeout=60s");
    assert!(!cluster.output("get namespace shop", "").status.success());
}

#[test]
fn a_user_may_do_what_roles_say_and_no_more() {
    if !has_kubectl(concat!(module_path!(), "::a_user_may_do_what_roles_say_and_no_more")) {
        return;
    }
    let cluster = Cluster::start();
    cluster.run("create serviceaccount reader");
    cluster.run("create rolebinding reader --clusterrole=view --serviceaccount=default:reader");
    let token = cluster.run("create token reader");
    let kubectl = |line: &str| {
        let server = format!("https://127.0.0.1:{}", cluster.port());
        let ca = cluster.data_dir().join("pki/ca.crt");
        let output = Command::new("kubectl")
            .args([
                "--kubeconfig",
                "/dev/null",
                "--server",
                &server,
                "--token",
                token.trim(),
                "--certificate-authority",
            ])
            .arg(ca)
            .args(line.split_whitespace())
            .output()
            .expect("kubectl runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(kubectl("get configmaps -n default").0);
    let (allowed, said) = kubectl("get secrets -n default");
    let refusal = "User \"system:serviceaccount:default:reader\" cannot list resource \"secrets\" in API group \"\" in the namespace \"default\"";
    assert!(!allowed && said.contains(refusal), "{said}");
    assert!(!kubectl("get configmaps -n kube-system").0);
}
