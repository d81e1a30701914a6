//! Tokens that are valid, and every way in which one is not.

use serde_json::{Value, json};

use super::claims::Reference;
use super::*;
use crate::authz::cluster::{Cluster, ENVIRONMENT, KEY, NOW};

fn object(kind: &str, name: &str) -> Value {
    let namespaced = kind != "Node";
    let mut object =
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": format!("{kind}-uid")}});
    if namespaced {
        object["metadata"]["namespace"] = "a".into();
    }
    object
}

fn everything() -> [Value; 4] {
    [object("ServiceAccount", "bot"), object("Pod", "p"), object("Secret", "s"), object("Node", "n")]
}

fn bound(kinds: &[&str]) -> Bound {
    let mut bound =
        Bound { namespace: "a".into(), serviceaccount: Reference::to(&everything()[0]), ..Bound::default() };
    let [_, pod, secret, node] = everything();
    for kind in kinds {
        match *kind {
            "pod" => bound.pod = Some(Reference::to(&pod)),
            "secret" => bound.secret = Some(Reference::to(&secret)),
            _ => bound.node = Some(Reference::to(&node)),
        }
    }
    bound
}

fn claims(kinds: &[&str]) -> Claims {
    Claims {
        aud: vec![ISSUER.into()],
        exp: NOW + 600,
        iat: NOW,
        iss: ISSUER.into(),
        jti: "id".into(),
        bound: bound(kinds),
        nbf: NOW,
        sub: "system:serviceaccount:a:bot".into(),
    }
}

/// Validates claims bound to `kinds`, `after` seconds later, after the objects were changed.
fn check(kinds: &[&str], after: i64, change: impl Fn(&mut Vec<Value>), expected: Result<(), &str>) {
    let mut objects = everything().to_vec();
    change(&mut objects);
    let lookup = |prefix: &str, key: &str| {
        let name = key.split('/').next_back().unwrap();
        let kind = prefix.trim_start_matches("core/").trim_end_matches('s');
        let same = |object: &&Value| meta_kind(object) == kind && api::meta::name(object) == name;
        objects.iter().find(same).cloned()
    };
    let found = claims(kinds).validate(NOW + after, lookup).map_err(|why| why.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{kinds:?} {after}");
}

fn meta_kind(object: &Value) -> String {
    api::meta::kind(object).to_lowercase()
}

#[test]
fn claims_hold_while_their_objects_live() {
    let keep = |_: &mut Vec<Value>| {};
    for kinds in [&[][..], &["pod"], &["pod", "node"], &["secret"], &["node"]] {
        check(kinds, 0, keep, Ok(()));
        check(kinds, 660, keep, Ok(()));
        check(kinds, 661, keep, Err("service account token has expired"));
        check(kinds, -60, keep, Ok(()));
        check(kinds, -61, keep, Err("service account token is not valid yet"));
    }
    let without = |at: usize| move |objects: &mut Vec<Value>| drop(objects.remove(at));
    check(&[], 0, without(0), Err("serviceaccounts \"bot\" not found"));
    check(&["pod"], 0, without(1), Err("service account token has been invalidated"));
    check(&["secret"], 0, without(2), Err("service account token has been invalidated"));
    check(&["node"], 0, without(3), Err("service account token has been invalidated"));
    check(&["pod", "node"], 0, without(3), Ok(()));
    check(&[], 0, without(1), Ok(()));
}

#[test]
fn other_objects_of_the_same_name_do_not_count() {
    let other = |at: usize| move |objects: &mut Vec<Value>| objects[at]["metadata"]["uid"] = "new".into();
    check(&[], 0, other(0), Err("service account UID (new) does not match claim (ServiceAccount-uid)"));
    check(&["pod"], 0, other(1), Err("pod UID (new) does not match service account pod ref claim (Pod-uid)"));
    check(
        &["secret"],
        0,
        other(2),
        Err("secret UID (new) does not match service account secret ref claim (Secret-uid)"),
    );
    check(
        &["node"],
        0,
        other(3),
        Err("node UID (new) does not match service account node ref claim (Node-uid)"),
    );
}

#[test]
fn objects_that_are_long_deleted_do_not_count() {
    let deleted = |at: usize, ago: i64| {
        move |objects: &mut Vec<Value>| {
            api::meta::set_deletion(&mut objects[at], Time::from_unix(NOW - ago), 0);
        }
    };
    check(&[], 0, deleted(0, 60), Ok(()));
    check(&[], 0, deleted(0, 61), Err("service account a/bot has been deleted"));
    check(&["pod"], 0, deleted(1, 60), Ok(()));
    check(&["pod"], 0, deleted(1, 61), Err("service account token has been invalidated"));
    check(&["pod"], 0, deleted(1, -30), Ok(()));
}

fn payload(token: &str) -> Value {
    let middle = token.split('.').nth(1).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, middle).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn issuer() -> (Cluster, ServiceAccountTokens) {
    let cluster = Cluster::new(&everything()).await;
    let tokens = ServiceAccountTokens::new(&KEY, Arc::clone(&cluster.cache), ENVIRONMENT).unwrap();
    (cluster, tokens)
}

#[tokio::test]
async fn tokens_say_what_kubernetes_tokens_say() {
    let (_cluster, tokens) = issuer().await;
    let issued = tokens.issue(bound(&["pod", "node"]), &["vault".into()], 1200).unwrap();
    assert_eq!(issued.expires, Time::from_unix(NOW + 1200));
    let id = "07070707-0707-4707-8707-070707070707";
    assert_eq!(
        payload(&issued.token),
        json!({
            "aud": ["vault"], "exp": NOW + 1200, "iat": NOW, "nbf": NOW, "iss": ISSUER, "jti": id,
            "sub": "system:serviceaccount:a:bot",
            "kubernetes.io": {
                "namespace": "a", "serviceaccount": {"name": "bot", "uid": "ServiceAccount-uid"},
                "pod": {"name": "p", "uid": "Pod-uid"}, "node": {"name": "n", "uid": "Node-uid"},
            },
        })
    );
    let reviewed = tokens.check(&issued.token, &["vault".into(), "other".into()]).await.unwrap();
    assert_eq!(reviewed.audiences, ["vault"]);
    let user = reviewed.user;
    assert_eq!(
        (user.name.as_str(), user.uid.as_str()),
        ("system:serviceaccount:a:bot", "ServiceAccount-uid")
    );
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]);
    let extra = |key: &str| user.extra[&format!("authentication.kubernetes.io/{key}")].concat();
    let found = ["credential-id", "pod-name", "pod-uid", "node-name", "node-uid"].map(extra);
    assert_eq!(found, [&format!("JTI={id}"), "p", "Pod-uid", "n", "Node-uid"]);
    let refused = tokens.check(&issued.token, &[]).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        format!("token audiences [\"vault\"] is invalid for the target audiences [{ISSUER:?}]")
    );
}

#[tokio::test]
async fn automatic_tokens_outlive_their_time_beside_their_pod() {
    let (cluster, tokens) = issuer().await;
    let issued = tokens.issue(bound(&["pod"]), &[], 3607).unwrap();
    assert_eq!(issued.expires, Time::from_unix(NOW + 3607));
    let claims = payload(&issued.token);
    assert_eq!(
        (&claims["exp"], &claims["kubernetes.io"]["warnafter"]),
        (&json!(NOW + 31_536_000), &json!(NOW + 3607))
    );
    assert!(tokens.authenticate(&issued.token).await.is_some());
    cluster.delete(&everything()[1]).await;
    assert_eq!(
        tokens.review(&issued.token, &[]).await,
        Err("[invalid bearer token, service account token has been invalidated]".into())
    );
}

#[tokio::test]
async fn nothing_else_is_a_token() {
    let (_cluster, tokens) = issuer().await;
    let good = tokens.issue(bound(&[]), &[], 600).unwrap().token;
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: Value| {
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string())
    };
    let none = encode(json!({"alg": "none"}));
    let mut claims = payload(&good);
    claims["sub"] = "system:serviceaccount:kube-system:boss".into();
    let foreign = tokens.key.sign(&json!({"iss": "https://elsewhere", "aud": [ISSUER], "sub": "x"})).unwrap();
    let bad = [
        String::new(),
        "x".into(),
        "a.b.c".into(),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], encode(claims), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{good}A"),
        foreign,
    ];
    assert!(tokens.check(&good, &[]).await.is_ok());
    for token in bad {
        assert_eq!(tokens.check(&token, &[]).await, Err(Invalid::Foreign), "{token}");
    }
}

#[tokio::test]
async fn documents_let_others_verify() {
    let (_cluster, tokens) = issuer().await;
    assert_eq!(tokens.openid_configuration("h:1")["jwks_uri"], "https://h:1/openid/v1/jwks");
    let key = &tokens.jwks()["keys"][0];
    let decode = |text: &Value| {
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text.as_str().unwrap())
            .unwrap()
    };
    let point = [&[4][..], &decode(&key["x"]), &decode(&key["y"])].concat();
    let token = tokens.issue(bound(&[]), &[], 600).unwrap().token;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public =
        aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED, point);
    assert!(public.verify(signed.as_bytes(), &decode(&signature.into())).is_ok());
    assert!(matches!(Key::from_pem("nothing"), Err(KeyError::Pem)));
}
