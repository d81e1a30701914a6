//! `coracle server`: the order in which the parts of a server start, and stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use api::kinds::Registry;
use apiserver::admission::escalation::Escalation;
use apiserver::admission::serviceaccount::ServiceAccount;
use apiserver::aggregate::{ClientIdentity, Outside, Watched};
use apiserver::allocation::{self, Ranges};
use apiserver::authn::tokens::ServiceAccountTokens;
use apiserver::authn::{Authenticator, Peer, User};
use apiserver::authz::rbac::Rbac;
use apiserver::cache::{self, WatchCache};
use apiserver::custom::Catalog;
use apiserver::seal::{AesGcm, KeyRing};
use apiserver::storage::Storage;
use apiserver::{ApiServer, Environment, Parts, Version, admission, authz};
use store::{Embedded, Options, Store};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::components::Material;
use crate::kubeconfig::kubeconfig;
use crate::pki::{Pki, Subject, private_dir, write_private};
use crate::{bootstrap, components, lifecycle, listener, notify, ports};

/// The Kubernetes version whose API we serve.
pub const KUBERNETES_VERSION: &str = "v1.36.2";

/// What a server is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The API's port on all addresses.
    pub api_port: u16,
}

/// Runs a server until `stop`.
pub async fn run(config: &Config, stop: CancellationToken) -> Result<()> {
    private_dir(&config.data_dir)?;
    let now = OffsetDateTime::now_utc();
    let pki = Pki::load_or_create(&config.data_dir.join("pki"), now)?;
    let store = open_store(&config.data_dir)?;
    let socket = bind(config.api_port).await?;
    let address = format!("127.0.0.1:{}", config.api_port);
    let (server, cache, storage) = assemble(store, &pki, config, &address)?;
    // Until a node routes cluster IPs, a backend is reached at the address of its pod.
    let resolver = Watched { cache: Arc::clone(&cache), cluster_ip: false };
    let proxy = pki.front_proxy_ca.client(&Subject { user: "front-proxy-client", groups: &[] }, now)?;
    let identity = Some(ClientIdentity { certificate: proxy.cert, key: proxy.key });
    server.reach(Outside { resolver: Some(Arc::new(resolver)), identity });
    let feeding = Arc::clone(&cache);
    let mut feeder = tokio::spawn(async move { feeding.run().await });
    let reactors = tokio::spawn(server.clone().run());
    prepare(&storage, &cache, config.api_port).await?;
    tokio::select! {
        fed = &mut feeder => fed.context("the watch cache panicked")?.context("the watch cache stopped")?,
        () = server.served() => {}
    }
    let tls = listener::tls(&serving(&pki, now)?, &pki.ca.pair.cert)?;
    write_admin(&pki, &config.data_dir, &address, now)?;
    let component = Peer::Component(Arc::new(User::new("system:apiserver", &["system:masters"])));
    let serving = tokio::spawn(listener::serve(socket, tls, server.clone(), stop.clone()));
    bootstrap::run(&server, &component).await?;
    let material = Material { ca: pki.ca.pair.clone(), volumes_dir: config.data_dir.join("volumes") };
    let _components = components::start(&server, &material, &stop)?;
    lifecycle::record(config)?;
    notify::ready();
    tracing::info!(address, "ready");
    tokio::select! {
        fed = feeder => fed.context("the watch cache panicked")?.context("the watch cache stopped")?,
        ended = reactors => ended.context("the reactors of the API panicked")?,
        () = stop.cancelled() => {}
    }
    serving.await.context("the listener panicked")
}

/// Objects that must be there before the first request: default roles, address ranges, priorities.
async fn prepare(storage: &Storage, cache: &WatchCache, api_port: u16) -> Result<()> {
    cache.ready().await;
    apiserver::bootstrap::reconcile(storage, &ENVIRONMENT).await?;
    let range = Ranges::default().services;
    allocation::ensure_service_cidr(storage, &ENVIRONMENT, range).await?;
    allocation::ensure_kubernetes_service(storage, &ENVIRONMENT, range, api_port).await?;
    admission::priority::ensure_system_classes(storage, &ENVIRONMENT).await?;
    cache.catch_up().await?;
    let repaired = allocation::repair(storage, cache, &ENVIRONMENT, Duration::ZERO).await?;
    tracing::debug!(?repaired, "service addresses checked");
    Ok(())
}

fn open_store(data_dir: &Path) -> Result<Arc<dyn Store>> {
    let dir = data_dir.join("store");
    let store = Embedded::open(&dir, Options::default()).context("the store cannot be opened")?;
    Ok(Arc::new(store))
}

async fn bind(port: u16) -> Result<TcpListener> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    TcpListener::bind(any).await.map_err(|error| ports::explain(&error, port, "--api-port"))
}

/// Time and randomness of a real server.
const ENVIRONMENT: Environment = Environment { now: SystemTime::now, random };

fn assemble(
    store: Arc<dyn Store>,
    pki: &Pki,
    config: &Config,
    address: &str,
) -> Result<(ApiServer, Arc<WatchCache>, Storage)> {
    let kinds = Catalog::new(Registry::builtin());
    let keys = KeyRing::load_or_create(&config.data_dir.join("keys"), random)?;
    let seal = Arc::new(AesGcm::new(keys, &["core/secrets"], random));
    let cache = Arc::new(WatchCache::new(Arc::clone(&store), seal.clone(), kinds.selectable(), cache::RING));
    let storage = Storage::new(store, seal);
    let tokens = ServiceAccountTokens::new(&pki.service_account_key, Arc::clone(&cache), ENVIRONMENT)
        .context("pki/service-account.key is damaged")?;
    let rbac = Arc::new(Rbac::new(&cache));
    let node = authz::node::Node::new(Arc::clone(&cache));
    let authorizer: Arc<dyn authz::Authorizer> =
        Arc::new(authz::Chain(vec![Box::new(authz::Masters), Box::new(node), Box::new(Arc::clone(&rbac))]));
    let deps = admission::Deps { cache: Arc::clone(&cache), storage: storage.clone() };
    let mut plugins = admission::default_plugins(&deps);
    plugins.push(Box::new(ServiceAccount::new(Arc::clone(&cache), random)));
    // Last: it judges what the others have made of a role.
    plugins.push(Box::new(Escalation::new(rbac, Arc::clone(&authorizer))));
    let server = ApiServer::new(Parts {
        kinds,
        storage: storage.clone(),
        cache: Arc::clone(&cache),
        authenticator: Authenticator::new(Arc::new(tokens)),
        authorizer: Box::new(authorizer),
        admission: admission::Chain::new(plugins),
        ranges: Ranges::default(),
        environment: ENVIRONMENT,
        address: address.to_owned(),
        version: Version {
            kubernetes: KUBERNETES_VERSION.to_owned(),
            coracle: format!("coracle.{}", env!("CARGO_PKG_VERSION")),
        },
    });
    Ok((server, cache, storage))
}

/// Fills a buffer with randomness fit for keys.
pub fn random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness");
}

fn serving(pki: &Pki, now: OffsetDateTime) -> Result<crate::pki::Pair> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        &host,
    ];
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)),
    ];
    let pair = pki.ca.serving("kube-apiserver", &names, &addresses, now)?;
    pki.save("apiserver", &pair)?;
    Ok(pair)
}

fn write_admin(pki: &Pki, data_dir: &Path, address: &str, now: OffsetDateTime) -> Result<()> {
    let subject = Subject { user: "kubernetes-admin", groups: &["system:masters"] };
    let pair = pki.ca.client(&subject, now)?;
    pki.save("admin", &pair)?;
    let text = kubeconfig(&format!("https://{address}"), &pki.ca.pair.cert, &pair);
    write_private(&data_dir.join("admin.kubeconfig"), &text)
}
