use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use api::kinds::Registry;
use futures::future::join_all;
use proptest::prelude::*;
use serde_json::json;
use store::{Memory, Store};

use super::claim::{ADDRESSES, PORTS};
use super::*;
use crate::endpoint::as_map;
use crate::storage::Place;
use crate::value::Plain;

const START: Duration = Duration::from_secs(1_767_225_600);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + START
}

fn random(bytes: &mut [u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let state = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (byte, from) in bytes.iter_mut().zip(state.to_be_bytes().iter().cycle()) {
        *byte = *from;
    }
}

const ENVIRONMENT: Environment = Environment { now, random };

/// An allocator over an empty store, with its cache running.
async fn allocation(ranges: Ranges) -> Arc<Allocation> {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let selectable = Arc::new(|_: &str| Vec::new());
    let cache = Arc::new(WatchCache::new(Arc::clone(&store), Arc::new(Plain), selectable, 64));
    let feeder = Arc::clone(&cache);
    tokio::spawn(async move { feeder.run().await });
    cache.ready().await;
    Arc::new(Allocation::new(Storage::new(store, Arc::new(Plain)), cache, ENVIRONMENT, ranges))
}

fn services() -> Resource {
    Registry::builtin().resource("", "v1", "services").expect("a built-in resource").resource.as_ref().clone()
}

fn service(name: &str, spec: Value) -> Value {
    let mut service = json!({"kind": "Service", "metadata": {"name": name, "namespace": "default"}});
    service["spec"] = spec;
    service
}

impl Allocation {
    async fn store_service(&self, service: &Value) {
        let key = Owner::of(service).key();
        let place = Place { prefix: repair::SERVICES, key: &key };
        self.storage.create(place, as_map(service).unwrap()).await.unwrap();
    }

    async fn held(&self, prefix: &str) -> Vec<(String, String)> {
        self.cache.catch_up().await.unwrap();
        let (objects, _) = self.cache.shard(prefix).snapshot();
        let whose = |json: &[u8]| Owner::recorded(&serde_json::from_slice(json).unwrap()).key();
        objects.values().map(|held| (held.key.to_string(), whose(held.versioned.json()))).collect()
    }

    async fn repair(&self, grace: Duration) -> Repaired {
        self.cache.catch_up().await.unwrap();
        repair(&self.storage, &self.cache, &ENVIRONMENT, grace).await.unwrap()
    }
}

#[test]
fn ranges_are_read_and_refused() {
    let check = |text: &str, expected: Result<(u32, &str, &str), ()>| {
        let found = text.parse::<Cidr>().map_err(drop).map(|cidr| {
            assert_eq!(cidr.to_string(), text);
            (cidr.usable(), cidr.first().to_string(), cidr.nth(cidr.usable() - 1).to_string())
        });
        assert_eq!(found, expected.map(|(n, a, b)| (n, a.to_owned(), b.to_owned())), "{text}");
    };
    check("10.96.0.0/16", Ok((65_534, "10.96.0.1", "10.96.255.254")));
    check("10.96.0.8/30", Ok((2, "10.96.0.9", "10.96.0.10")));
    check("0.0.0.0/0", Ok((u32::MAX - 1, "0.0.0.1", "255.255.255.254")));
    for wrong in ["10.96.0.0", "10.96.0.1/16", "10.96.0.0/31", "10.96.0.0/33", "fd00::/64", "x/8", ""] {
        check(wrong, Err(()));
    }
    assert_eq!(Cidr::DEFAULT, "10.96.0.0/16".parse().unwrap());
}

#[test]
fn small_ranges_reserve_nothing_and_large_ones_a_part() {
    for (size, share, min, max, expected) in [
        (14, 16, 16, 256, 0),
        (254, 16, 16, 256, 16),
        (4094, 16, 16, 256, 255),
        (65_534, 16, 16, 256, 256),
        (2768, 32, 16, 128, 86),
    ] {
        assert_eq!(draw::reserved(size, share, min, max), expected, "{size}");
    }
}

proptest! {
    /// Drawing comes to every number once, and to the reserved ones last.
    #[test]
    fn every_number_is_drawn_once(size in 0_u32..300, reserved in 0_u32..300, random: u32) {
        let drawn: Vec<u32> = draw::order(size, reserved, random).collect();
        let upper = size.saturating_sub(reserved) as usize;
        prop_assert!(drawn[..upper].iter().all(|n| *n >= reserved));
        let sorted: BTreeSet<u32> = drawn.iter().copied().collect();
        prop_assert_eq!(drawn.len(), sorted.len());
        prop_assert_eq!(sorted, (0..size).collect::<BTreeSet<u32>>());
    }

    /// However many ask at once, what is held is held by one each, and as many get something as there is.
    #[test]
    fn nothing_is_given_twice(tasks in 1_usize..24, refused in 0_usize..6) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
        runtime.block_on(crowd(tasks, refused));
    }
}

/// `tasks` Services ask for one of 14 addresses and 5 ports at once; the first `refused` give theirs back,
/// and then as many as there is room for ask again.
async fn crowd(tasks: usize, refused: usize) {
    let services = services();
    let ranges = Ranges { services: "10.0.0.0/28".parse().unwrap(), node_ports: 30000..=30004 };
    let allocation = allocation(ranges).await;
    let ask = |name: String| {
        let (allocation, services) = (Arc::clone(&allocation), services.clone());
        tokio::spawn(async move {
            let mut object = service(&name, json!({"type": "NodePort", "ports": [{"port": 80}]}));
            let claims = allocation.claim(&services, &mut object, None, false).await.ok()?;
            Some((object, claims))
        })
    };
    let asked = join_all((0..tasks).map(|n| ask(format!("s{n}")))).await;
    let mut got: Vec<_> = asked.into_iter().filter_map(|task| task.unwrap()).collect();
    assert_eq!(got.len(), tasks.min(5), "ports are what is scarce");
    let given_up = refused.min(got.len());
    for (_, claims) in got.drain(..given_up) {
        allocation.settle(claims, Fate::Refused).await;
    }
    let again = join_all((0..given_up).map(|n| ask(format!("t{n}")))).await;
    got.extend(again.into_iter().filter_map(|task| task.unwrap()));
    assert_eq!(got.len(), tasks.min(5), "what was given back can be had again");
    let of = |pointer: &str| -> BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let whose = |object: &Value| (text(object.pointer(pointer).unwrap()), Owner::of(object).key());
        got.iter().map(|(object, _)| whose(object)).collect()
    };
    let (addresses, ports) = (of("/spec/clusterIP"), of("/spec/ports/0/nodePort"));
    assert_eq!(allocation.held(ADDRESSES).await.into_iter().collect::<BTreeSet<_>>(), addresses);
    assert_eq!(allocation.held(PORTS).await.into_iter().collect::<BTreeSet<_>>(), ports);
    for (_, claims) in got {
        allocation.settle(claims, Fate::Kept).await;
    }
}

#[tokio::test]
async fn a_full_range_is_a_fault_of_the_server() {
    let ranges = Ranges { services: "10.0.0.0/30".parse().unwrap(), ..Ranges::default() };
    let allocation = allocation(ranges).await;
    let mut codes = Vec::new();
    for name in ["a", "b", "c"] {
        let mut object = service(name, json!({"type": "ClusterIP", "ports": [{"port": 80}]}));
        let claimed = allocation.claim(&services(), &mut object, None, false).await;
        codes.push(claimed.as_ref().map_err(|status| status.message.clone()).map(|_| ()));
        if let Ok(claims) = claimed {
            allocation.settle(claims, Fate::Kept).await;
        }
    }
    let full = "Internal error occurred: failed to allocate a serviceIP: range is full";
    assert_eq!(codes, [Ok(()), Ok(()), Err(full.to_owned())]);
}

#[tokio::test]
async fn claims_of_unknown_fate_stay_until_repaired() {
    let allocation = allocation(Ranges::default()).await;
    let mut object = service("lost", json!({"type": "NodePort", "ports": [{"port": 80}]}));
    let claims = allocation.claim(&services(), &mut object, None, false).await.unwrap();
    allocation.settle(claims, Fate::Unknown).await;
    let counts = |freed, made, disputed| Repaired { freed, made, disputed };
    assert_eq!(allocation.repair(Duration::from_secs(60)).await, counts(0, 0, 0), "too young");
    assert_eq!(allocation.repair(Duration::ZERO).await, counts(2, 0, 0));
    assert_eq!(allocation.held(ADDRESSES).await, []);
    assert_eq!(allocation.held(PORTS).await, []);
}

#[tokio::test]
async fn repair_makes_up_what_services_lack_and_tells_disputes() {
    let allocation = allocation(Ranges::default()).await;
    let spec = |ip: &str, port: u16| json!({"type": "NodePort", "clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80, "nodePort": port}]});
    let aged = |name: &str, created: &str, spec: Value| {
        let mut service = service(name, spec);
        service["metadata"]["creationTimestamp"] = json!(created);
        service
    };
    allocation.store_service(&aged("old", "2025-01-01T00:00:00Z", spec("10.96.0.5", 30005))).await;
    allocation.store_service(&aged("new", "2025-01-02T00:00:00Z", spec("10.96.0.5", 30006))).await;
    let claimed = |ip: &str| Claim::parse(ADDRESSES, ip).unwrap();
    let gone = Owner { namespace: "default".into(), name: "gone".into() };
    claimed("10.96.0.5").make(&allocation.storage, &ENVIRONMENT, &gone).await.unwrap();
    let repaired = allocation.repair(Duration::ZERO).await;
    assert_eq!(repaired, Repaired { freed: 1, made: 3, disputed: 1 });
    let pair = |key: &str, name: &str| (key.to_owned(), format!("default/{name}"));
    assert_eq!(allocation.held(ADDRESSES).await, [pair("10.96.0.5", "old")]);
    assert_eq!(allocation.held(PORTS).await, [pair("30005", "old"), pair("30006", "new")]);
    let again = allocation.repair(Duration::ZERO).await;
    assert_eq!(again, Repaired { freed: 0, made: 0, disputed: 1 });
}

#[tokio::test]
async fn the_defaults_are_made_once() {
    let allocation = allocation(Ranges::default()).await;
    for _ in 0..2 {
        ensure_service_cidr(&allocation.storage, &ENVIRONMENT, Cidr::DEFAULT).await.unwrap();
        ensure_kubernetes_service(&allocation.storage, &ENVIRONMENT, Cidr::DEFAULT, 6443).await.unwrap();
    }
    let pair = ("10.96.0.1".to_owned(), "default/kubernetes".to_owned());
    assert_eq!(allocation.held(ADDRESSES).await, [pair]);
    assert_eq!(allocation.repair(Duration::ZERO).await, Repaired::default());
    let place = Place { prefix: repair::SERVICES, key: "default/kubernetes" };
    let service = allocation.storage.read(place).await.unwrap().unwrap();
    assert_eq!(service.object["spec"]["clusterIP"], "10.96.0.1");
    let place = Place { prefix: address::CIDRS, key: "kubernetes" };
    let range = allocation.storage.read(place).await.unwrap().unwrap();
    assert_eq!(range.object["spec"]["cidrs"], json!(["10.96.0.0/16"]));
}
