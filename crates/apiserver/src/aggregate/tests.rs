//! A backend behind TLS, and one in this process.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Outside, Resolver, ServicePort, Unresolved};
use crate::ApiServer;
use crate::authn::User;
use crate::respond::{self, Body};
use crate::tests::{read, send, server};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

struct Fixed(SocketAddr);

impl Resolver for Fixed {
    fn resolve(&self, service: &ServicePort) -> Result<SocketAddr, Unresolved> {
        assert_eq!((service.namespace.as_str(), service.name.as_str(), service.port), ("n", "s", 443));
        Ok(self.0)
    }
}

/// What any backend of these tests answers: its documents, or what it was asked.
fn answer<B>(request: &Request<B>) -> Response<Body> {
    respond::value(&match request.uri().path() {
        "/apis/a.example.com/v1" => json!({"kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": "a.example.com/v1", "resources": [{"name": "things", "singularName": "thing",
            "kind": "Thing", "namespaced": true, "verbs": ["get", "watch"]}]}),
        "/openapi/v3" => json!({"paths": {"apis/a.example.com/v1": {"serverRelativeURL": "/x?hash=ABC"}}}),
        path => {
            let header = |name: &str| {
                let all = request.headers().get_all(name).iter();
                all.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
            };
            json!({"path": path, "query": request.uri().query(), "user": header("x-remote-user"),
                "groups": header("x-remote-group"), "authorization": header("authorization"), "host": header("host")})
        }
    })
}

/// A TLS server on a free port; gives its address and certificate.
async fn backend() -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["s.n.svc".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
                let connection = hyper::server::conn::http1::Builder::new();
                drop(connection.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    (address, pem)
}

async fn get(server: &ApiServer, path: &str, accept: &str) -> (u16, Value) {
    read(send(server, "GET", path, &[("accept", accept), ("x-remote-user", "forged")], "").await).await
}

/// Asks until the answer has this code.
async fn eventually(server: &ApiServer, path: &str, code: u16) -> Value {
    let asked = async {
        loop {
            let (found, answer) = get(server, path, "application/json").await;
            if found == code {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), asked).await.expect("the answer never came")
}

async fn check_documents(server: &ApiServer) {
    let (_, groups) = get(server, "/apis", AGGREGATED).await;
    let ours = groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|g| g["metadata"]["name"] == "a.example.com")
        .unwrap();
    assert_eq!(ours.pointer("/versions/0/freshness"), Some(&json!("Current")), "{ours:#}");
    assert_eq!(ours.pointer("/versions/0/resources/0/resource"), Some(&json!("things")));
    let (_, index) = get(server, "/openapi/v3", "application/json").await;
    let url = &index["paths"]["apis/a.example.com/v1"]["serverRelativeURL"];
    assert_eq!(url, "/openapi/v3/apis/a.example.com/v1?hash=ABC");
}

#[tokio::test]
async fn a_remote_backend_is_proxied() {
    let (address, pem) = backend().await;
    let server = server().await;
    server.reach(Outside { resolver: Some(Arc::new(Fixed(address))), identity: None });
    let object = json!({"metadata": {"name": "v1.a.example.com"}, "spec": {"group": "a.example.com",
        "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "caBundle": STANDARD.encode(pem),
        "service": {"namespace": "n", "name": "s"}}});
    let path = "/apis/apiregistration.k8s.io/v1/apiservices";
    let (code, made) = read(send(&server, "POST", path, &JSON, &object.to_string()).await).await;
    assert_eq!(code, 201, "{made}");
    let echoed = eventually(&server, "/apis/a.example.com/v1/namespaces/x/things?watch=1", 200).await;
    assert_eq!(echoed["user"], json!(["admin"]));
    assert_eq!(echoed["groups"], json!(["system:masters", "system:authenticated"]));
    assert_eq!(echoed["host"], json!(["s.n.svc"]));
    assert_eq!(
        (&echoed["path"], &echoed["query"]),
        (&json!("/apis/a.example.com/v1/namespaces/x/things"), &json!("watch=1"))
    );
    check_documents(&server).await;
    let (_, object) = get(&server, &format!("{path}/v1.a.example.com"), "application/json").await;
    let condition = &object["status"]["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("True"), &json!("Passed")),
        "{object:#}"
    );
}

#[tokio::test]
async fn a_local_backend_is_asked_directly() {
    let server = server().await;
    let handler =
        |user: Arc<User>, request: Request<Body>| -> futures::future::BoxFuture<'static, Response<Body>> {
            Box::pin(async move {
                let mut answer = answer(&request);
                let name = http::HeaderValue::from_str(&user.name).unwrap();
                answer.headers_mut().insert("asked-by", name);
                drop(request.into_body().collect().await);
                answer
            })
        };
    server.register("a.example.com", "v1", Arc::new(handler));
    let found =
        eventually(&server, "/apis/apiregistration.k8s.io/v1/apiservices/v1.a.example.com", 200).await;
    assert_eq!(found.pointer("/status/conditions/0/reason"), Some(&json!("Local")));
    let response = send(&server, "GET", "/apis/a.example.com/v1/things", &[], "").await;
    assert_eq!(response.headers()["asked-by"], "admin");
    let listed = async {
        while !get(&server, "/openapi/v3", "application/json").await.1.to_string().contains("a.example.com") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), listed).await.unwrap();
    check_documents(&server).await;
}
