//! Requests and their answers on a whole server: reviews, tokens, impersonation, escalation, pods' accounts.

use serde::Deserialize;
use serde_json::Value;

use crate::authz::cluster::{Cluster, Sent, contains};

#[derive(Deserialize)]
struct Cases {
    objects: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    sent: Sent,
    code: u16,
    /// What the answer contains.
    #[serde(default)]
    answer: Value,
}

async fn check(cluster: &Cluster, case: &Case) {
    let (code, answer) = cluster.send(&case.sent).await;
    let right = code == case.code && (case.answer.is_null() || contains(&answer, &case.answer));
    assert!(right, "{:?}\n{code} {answer:#}\nis not {} {:#}", case.sent, case.code, case.answer);
}

#[tokio::test]
async fn requests_are_answered_as_by_kubernetes() {
    let cases: Cases = serde_saphyr::from_str(include_str!("../../../testdata/authz/requests.yaml")).unwrap();
    let cluster = Cluster::new(&cases.objects).await;
    for case in &cases.cases {
        check(&cluster, case).await;
    }
}

/// A token from a TokenRequest authenticates, and stops to when its account is gone.
#[tokio::test]
async fn a_requested_token_is_good_until_its_account_goes() {
    let cases: Cases = serde_saphyr::from_str(include_str!("../../../testdata/authz/requests.yaml")).unwrap();
    let cluster = Cluster::new(&cases.objects).await;
    let sent = |user: Option<&str>, send: &str, token: &str, body: Value| Sent {
        user: user.map(str::to_owned),
        send: send.to_owned(),
        headers: [("authorization".to_owned(), format!("Bearer {token}"))].into(),
        body,
    };
    let path = "POST /api/v1/namespaces/a/serviceaccounts/bot/token";
    let (code, answer) =
        cluster.send(&sent(Some("root,system:masters"), path, "", serde_json::json!({}))).await;
    assert_eq!(code, 201, "{answer}");
    let token = answer["status"]["token"].as_str().unwrap();
    let whoami = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (code, answer) = cluster.send(&sent(None, whoami, token, serde_json::json!({}))).await;
    assert_eq!(
        (code, &answer["status"]["userInfo"]["username"]),
        (201, &"system:serviceaccount:a:bot".into()),
        "{answer}"
    );
    let (code, _) = cluster.send(&sent(None, whoami, "nonsense", serde_json::json!({}))).await;
    assert_eq!(code, 401);
    let account = cases.objects.iter().find(|object| api::meta::kind(object) == "ServiceAccount").unwrap();
    cluster.delete(account).await;
    let (code, _) = cluster.send(&sent(None, whoami, token, serde_json::json!({}))).await;
    assert_eq!(code, 401);
}
