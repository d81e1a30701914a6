use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Map, Value, json};
use store::{Memory, Store};
use tempfile::TempDir;

use super::*;
use crate::storage::{Place, Storage};
use crate::value::{Encoded, Plain, sealed_by};

const SECRET: &str = "/registry/core/secrets/default/s";

/// Different at every call, and no two tests may use the same bytes as key.
fn random(bytes: &mut [u8]) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
}

fn ring(dir: &TempDir) -> KeyRing {
    KeyRing::load_or_create(&dir.path().join("keys"), random).unwrap()
}

fn sealer(ring: KeyRing) -> AesGcm {
    AesGcm::new(ring, &["core/secrets"], random)
}

#[test]
fn what_is_sealed_opens_only_where_and_as_it_was() {
    let dir = TempDir::new().unwrap();
    let seal = sealer(ring(&dir));
    let (id, sealed) = seal.seal(SECRET, b"hunter2").unwrap().unwrap();
    assert!(!sealed.windows(7).any(|bytes| bytes == b"hunter2"));
    assert_ne!(seal.seal(SECRET, b"hunter2").unwrap().unwrap().1, sealed, "a nonce was used twice");
    assert_eq!(seal.open(SECRET, id, &sealed).unwrap(), b"hunter2");
    assert!(seal.open("/registry/core/secrets/default/t", id, &sealed).is_err(), "moved to another key");
    assert!(seal.open(SECRET, id + 1, &sealed).is_err(), "unknown key id");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(seal.open(SECRET, id, &changed).is_err(), "byte {at} was changed");
        assert!(seal.open(SECRET, id, &sealed[..at]).is_err(), "cut at {at}");
    }
    let elsewhere = TempDir::new().unwrap();
    assert!(sealer(ring(&elsewhere)).open(SECRET, id, &sealed).is_err(), "another ring's key of that id");
}

#[test]
fn only_chosen_resources_are_sealed_and_plain_values_stay_readable() {
    let dir = TempDir::new().unwrap();
    let seal = sealer(ring(&dir));
    for (key, expected) in [
        (SECRET, true),
        ("/registry/core/secretsandmore/default/s", false),
        ("/registry/core/configmaps/default/s", false),
        ("/registry/other/core/secrets/s", false),
    ] {
        assert_eq!(seal.seal(key, b"x").unwrap().is_some(), expected, "{key}");
        assert_eq!(seal.current(key).is_some(), expected, "{key}");
    }
    let plain = Encoded::of(&object("s")).to_value(SECRET, &Plain).unwrap();
    assert_eq!(sealed_by(&plain), None);
    assert!(Encoded::from_value(SECRET, &plain, &seal).is_ok());
    let sealed = Encoded::of(&object("s")).to_value(SECRET, &seal).unwrap();
    assert_eq!(sealed_by(&sealed), Some(1));
    let read = Encoded::from_value(SECRET, &sealed, &seal).unwrap().at(5);
    assert_eq!(serde_json::from_slice::<Value>(read.json()).unwrap()["metadata"]["resourceVersion"], "5");
    assert!(Encoded::from_value(SECRET, &sealed, &Plain).is_err());
}

#[test]
fn keys_survive_a_restart_and_are_private() {
    let dir = TempDir::new().unwrap();
    let first = sealer(ring(&dir));
    let (id, sealed) = first.seal(SECRET, b"x").unwrap().unwrap();
    let keys = dir.path().join("keys");
    let rotated = ring(&dir).rotated(&keys, random).unwrap();
    assert_eq!((id, rotated.newest()), (1, Some(2)));
    let second = sealer(ring(&dir));
    assert_eq!(second.open(SECRET, id, &sealed).unwrap(), b"x");
    assert_eq!(second.seal(SECRET, b"x").unwrap().unwrap().0, 2);
    first.adopt(rotated);
    assert_eq!(first.current(SECRET), Some(2));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    let mut names: Vec<_> = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names, [keys.join("seal-1.key"), keys.join("seal-2.key")]);
    assert!(names.iter().all(|name| mode(name) == 0o600));
}

#[test]
fn damaged_key_files_are_refused_by_name() {
    let good = STANDARD.encode([7; KEY_BYTES]);
    for text in [
        String::new(),
        format!("{HEADER} 2 {good}"),
        format!("{HEADER} 1 {}", &good[4..]),
        format!("other {HEADER} 1 {good}"),
        format!("{HEADER} 1 ???"),
    ] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("seal-1.key"), &text).unwrap();
        match KeyRing::load_or_create(dir.path(), random) {
            Err(SealError::Damaged(path)) => assert!(path.ends_with("seal-1.key")),
            other => panic!("{text:?}: {:?}", other.map(|ring| ring.newest())),
        }
    }
}

fn object(name: &str) -> Map<String, Value> {
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "eA=="}});
    object.as_object().unwrap().clone()
}

async fn reseal_all(storage: &Storage) -> usize {
    let (mut after, mut resealed) = (None, 0);
    loop {
        let step = storage.reseal("core/secrets", after, 3).await.unwrap();
        resealed += step.resealed;
        after = step.next;
        if after.is_none() {
            return resealed;
        }
    }
}

#[tokio::test]
async fn resealing_goes_through_all_values_once() {
    let dir = TempDir::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let keys: Vec<String> = (0..10).map(|n| format!("default/s{n}")).collect();
    let place = |key| Place { prefix: "core/secrets", key };
    let plain = Storage::new(Arc::clone(&store), Arc::new(Plain));
    for key in &keys {
        plain.create(place(key), &object(key)).await.unwrap();
    }
    let seal = Arc::new(sealer(ring(&dir)));
    let storage = Storage::new(Arc::clone(&store), seal.clone());
    assert_eq!(reseal_all(&storage).await, 10, "plain values");
    assert_eq!(reseal_all(&storage).await, 0, "all are sealed");
    seal.adopt(ring(&dir).rotated(&dir.path().join("keys"), random).unwrap());
    storage.create(place("default/new"), &object("new")).await.unwrap();
    assert_eq!(reseal_all(&storage).await, 10, "all but the new one are sealed with the old key");
    for key in &keys {
        assert_eq!(storage.read(place(key)).await.unwrap().unwrap().object["metadata"]["name"], json!(key));
        assert!(plain.read(place(key)).await.is_err());
    }
}
