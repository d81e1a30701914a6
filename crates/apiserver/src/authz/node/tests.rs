//! What kubelets may do, as data, on a live cluster.

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::authz::cluster::{Cluster, Question};

#[derive(Deserialize)]
struct Cases {
    objects: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    ask: String,
    no: Option<String>,
}

fn cases() -> Cases {
    serde_saphyr::from_str(include_str!("../../../testdata/authz/node.yaml")).unwrap()
}

fn check(node: &Node, ask: &str, no: Option<&str>) {
    let question = Question::parse(ask);
    let expected = no.map_or_else(yes, super::no);
    assert_eq!(node.authorize(&question.user, &question.action()), expected, "{ask}");
}

#[tokio::test]
async fn nodes_may_what_their_pods_need() {
    let Cases { objects, cases } = cases();
    let cluster = Cluster::new(&objects).await;
    let node = Node::new(Arc::clone(&cluster.cache));
    for case in &cases {
        check(&node, &case.ask, case.no.as_deref());
    }
}

#[tokio::test]
async fn the_graph_follows_pods_as_they_come_and_go() {
    let Cases { objects, .. } = cases();
    let cluster = Cluster::new(&objects).await;
    let node = Node::new(Arc::clone(&cluster.cache));
    let asked = "system:node:n1,system:nodes get core/secrets in a named volume-secret";
    let refused = Some("no relationship found between node 'n1' and this object");
    let pod = objects.iter().find(|object| api::meta::name(object) == "web").unwrap();
    check(&node, asked, None);
    cluster.delete(pod).await;
    check(&node, asked, refused);
    let mut unbound = pod.clone();
    unbound["spec"]["nodeName"] = "".into();
    cluster.put(&unbound).await;
    cluster.cache.catch_up().await.unwrap();
    check(&node, asked, refused);
    cluster.put(pod).await;
    cluster.cache.catch_up().await.unwrap();
    check(&node, asked, None);
    // More changes than the shard remembers: the graph begins anew.
    for turn in 0..5000 {
        unbound["metadata"]["annotations"] = serde_json::json!({"turn": turn.to_string()});
        cluster.put(&unbound).await;
    }
    cluster.cache.catch_up().await.unwrap();
    check(&node, asked, refused);
}
