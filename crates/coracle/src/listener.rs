//! The HTTPS listener: TLS, HTTP/1.1 and HTTP/2, limits, and a drain at the end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use apiserver::ApiServer;
use apiserver::authn::Peer;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::pki::Pair;

/// Connections served at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16_384;
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const HEADERS_MAX: Duration = Duration::from_secs(30);
/// A peer that takes nothing for this long is cut off.
const STALL_MAX: Duration = Duration::from_secs(60);
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// HTTP/2 streams of one connection: informers and kubectl share connections.
const STREAMS_MAX: u32 = 1000;

/// TLS for the API: our serving certificate, and client certificates of the cluster's CA.
pub fn tls(serving: &Pair, client_ca: &str) -> Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(
        CertificateDer::from_pem_slice(client_ca.as_bytes()).context("the CA certificate is damaged")?,
    )?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(serving.cert.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(serving.key.as_bytes())?;
    let mut config =
        ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves `api` until `stop`, then lets open requests finish for a few seconds.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, api: ApiServer, stop: CancellationToken) {
    let acceptor = TlsAcceptor::from(tls);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let drain = Arc::new(GracefulShutdown::new());
    while let Some((stream, peer)) = next(&listener, &slots, &stop).await {
        let (acceptor, api, drain) = (acceptor.clone(), api.clone(), Arc::clone(&drain));
        let slot = Arc::clone(&slots).try_acquire_owned();
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection(stream, &acceptor, api, &drain).await {
                tracing::debug!(%peer, error = &*error, "connection ended");
            }
        });
    }
    if let Ok(drain) = Arc::try_unwrap(drain) {
        let _ = tokio::time::timeout(DRAIN_MAX, drain.shutdown()).await;
    }
}

/// The next connection, once there is a slot for it; `None` at the end.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = async {
            let slot = slots.acquire().await;
            drop(slot);
            listener.accept().await
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok(connection) => return Some(connection),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    api: ApiServer,
    drain: &GracefulShutdown,
) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(Patient::new(stream))).await??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = Peer::Tls(certificate.map(|certificate| certificate.as_ref().into()));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (api, peer) = (api.clone(), peer.clone());
        async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            Ok::<_, std::convert::Infallible>(api.handle(&peer, request).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    drain.watch(connection).await
}

/// A stream that fails when its peer takes no byte for [`STALL_MAX`], so that a stalled client frees
/// what is held for it.
struct Patient {
    inner: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(inner: TcpStream) -> Self {
        Self { inner, stalled: None }
    }

    fn judge<T>(&mut self, cx: &mut TaskContext<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let until = || Box::pin(tokio::time::sleep_until(Instant::now() + STALL_MAX));
        let timer = self.stalled.get_or_insert_with(until);
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
