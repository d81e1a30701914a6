//! A backend behind a Service: HTTPS with the caller's identity in headers, as a front proxy sends it.
//!
//! Every request has a connection of its own: no backend can hold up another's, and a stream that is
//! cut off takes nothing with it. Source: "Configure the Aggregation Layer" of Kubernetes' documentation.

use std::sync::Arc;
use std::time::Duration;

use api::meta;
use api::status::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::resolve::{Resolver, ServicePort, Unresolved};
use super::{Backend, UNAVAILABLE};
use crate::authn::User;
use crate::respond::{self, Body};

/// Connecting, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Headers that are about one connection (RFC 9110 section 7.6.1), or that only we may set.
const DROPPED: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "authorization",
    "host",
];

/// The certificate and key by which backends know us, as PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// A remote backend cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    /// It states no way to trust it.
    #[error("spec.caBundle is needed, or spec.insecureSkipTLSVerify")]
    NoTrust,
    /// The bundle holds no certificates.
    #[error("spec.caBundle holds no usable certificate")]
    Bundle,
    /// TLS does not take what it was given.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The front-proxy identity is damaged.
    #[error("the front-proxy client certificate is damaged")]
    Identity,
    /// The Service's name makes no host name.
    #[error("the Service's name makes no host name")]
    Name,
}

/// Why a request did not reach a backend.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReachError {
    /// The Service has no address.
    #[error("{0}")]
    Unresolved(Unresolved),
    /// No connection in time.
    #[error("connecting to the backend timed out")]
    Timeout,
    /// No connection.
    #[error("cannot connect to the backend: {0}")]
    Connect(std::io::Error),
    /// No answer.
    #[error("the backend broke the connection: {0}")]
    Http(hyper::Error),
}

/// A backend behind a Service.
pub(super) struct Remote {
    service: ServicePort,
    resolver: Option<Arc<dyn Resolver>>,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Remote {
    /// The backend that the spec of an APIService describes.
    pub(super) fn new(
        spec: &Value,
        resolver: Option<Arc<dyn Resolver>>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, SetupError> {
        let port =
            spec.pointer("/service/port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let service = ServicePort {
            namespace: meta::text(spec, "service.namespace").to_owned(),
            name: meta::text(spec, "service.name").to_owned(),
            port: port.unwrap_or(443),
        };
        let host = format!("{}.{}.svc", service.name, service.namespace);
        let name = ServerName::try_from(host).map_err(|_| SetupError::Name)?;
        Ok(Self { service, resolver, tls: Arc::new(tls(spec, identity)?), name })
    }

    /// Sends one request and gives the head of the answer; its body streams.
    pub(super) async fn send(
        &self,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, ReachError> {
        let resolver = self.resolver.as_ref().ok_or(ReachError::Unresolved(Unresolved::NoResolver))?;
        let address = resolver.resolve(&self.service).map_err(ReachError::Unresolved)?;
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), stream).await
        };
        let stream = tokio::time::timeout(CONNECT_MAX, connect).await.map_err(|_| ReachError::Timeout)?;
        let stream = TokioIo::new(stream.map_err(ReachError::Connect)?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(ReachError::Http)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a backend ended");
            }
        });
        let response = sender.send_request(self.forward(user, request)).await.map_err(ReachError::Http)?;
        let (mut parts, body) = response.into_parts();
        strip(&mut parts.headers);
        // The body keeps the connection; the sender may go.
        Ok(Response::from_parts(
            parts,
            body.map_err(|error| Box::new(error) as respond::BoxError).boxed_unsync(),
        ))
    }

    fn forward(&self, user: &User, request: Request<Body>) -> Request<Body> {
        let (mut parts, body) = request.into_parts();
        strip(&mut parts.headers);
        identify(&mut parts.headers, user);
        if let ServerName::DnsName(name) = &self.name
            && let Ok(host) = HeaderValue::from_str(name.as_ref())
        {
            parts.headers.insert(header::HOST, host);
        }
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map_or_else(|| http::Uri::from_static("/"), http::Uri::from);
        parts.version = http::Version::HTTP_11;
        Request::from_parts(parts, body)
    }
}

impl Backend for Arc<Remote> {
    fn handle(&self, user: Arc<User>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let remote = Arc::clone(self);
        async move {
            remote.send(&user, request).await.unwrap_or_else(|error| {
                tracing::warn!(service = ?remote.service, error = &error as &dyn std::error::Error, "a backend cannot be reached");
                respond::status(&Status::service_unavailable(UNAVAILABLE))
            })
        }
        .boxed()
    }
}

/// Drops what is about one connection, what names a user, and our own credentials.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-remote-")).cloned().collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    DROPPED.iter().for_each(|name| drop(headers.remove(*name)));
}

/// Says on whose behalf the request is sent.
fn identify(headers: &mut HeaderMap, user: &User) {
    let mut add = |name: String, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    };
    add("x-remote-user".into(), &user.name);
    if !user.uid.is_empty() {
        add("x-remote-uid".into(), &user.uid);
    }
    user.groups.iter().for_each(|group| add("x-remote-group".into(), group));
    for (key, values) in &user.extra {
        let key = utf8_percent_encode(&key.to_lowercase(), NON_ALPHANUMERIC).to_string().to_lowercase();
        values.iter().for_each(|value| add(format!("x-remote-extra-{key}"), value));
    }
}

fn tls(spec: &Value, identity: Option<&ClientIdentity>) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?;
    let builder = if spec.get("insecureSkipTLSVerify") == Some(&Value::Bool(true)) {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
    } else {
        builder.with_root_certificates(roots(meta::text(spec, "caBundle"))?)
    };
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain =
        CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
    let (Ok(chain), Ok(key)) = (chain, key) else { return Err(SetupError::Identity) };
    builder.with_client_auth_cert(chain, key).map_err(SetupError::Tls)
}

fn roots(bundle: &str) -> Result<RootCertStore, SetupError> {
    if bundle.is_empty() {
        return Err(SetupError::NoTrust);
    }
    let pem = STANDARD.decode(bundle).map_err(|_| SetupError::Bundle)?;
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if added == 0 { Err(SetupError::Bundle) } else { Ok(roots) }
}

/// Takes any certificate: what `insecureSkipTLSVerify` asks for.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
