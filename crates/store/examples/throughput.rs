//! Measures durable one-key writes: `cargo run --release -p store --example throughput -- [DIR] [WRITERS] [SECONDS] [CACHE_MIB]`.
//!
//! Every writer puts a value of 1 KiB under one of 100 keys of its own and waits for the answer. The
//! directory decides which disk is measured; without one it is made below the current directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::{Durability, Embedded, Op, Options, Revision, Store, StoreError, Txn};

const VALUE_BYTES: usize = 1024;
const KEYS_PER_WRITER: u64 = 100;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut args = std::env::args().skip(1);
    let directory = args.next().unwrap_or_else(|| "throughput.store".into());
    let writers = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(64);
    let seconds = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(5);

    let mut options = Options::default();
    if let Some(mib) = args.next().and_then(|arg| arg.parse::<usize>().ok()) {
        options.cache_bytes = mib << 20;
    }

    let store = Arc::new(Embedded::open(&directory, options)?);
    let first = store.revision().await?;
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..writers).map(|n| tokio::spawn(write(store.clone(), n, until))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a writer does not panic")?);
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    report(&latencies, elapsed, writers);
    compact(&store, first).await
}

async fn write(store: Arc<Embedded>, writer: u64, until: Instant) -> Result<Vec<Duration>, StoreError> {
    let value = Bytes::from(vec![b'v'; VALUE_BYTES]);
    let mut latencies = Vec::new();
    for n in 0.. {
        let start = Instant::now();
        if start >= until {
            break;
        }
        let key = Bytes::from(format!("/throughput/{writer:04}/{:04}", n % KEYS_PER_WRITER));
        let ops = vec![Op::Put { key, value: value.clone() }];
        store.txn(Txn { compare: Vec::new(), ops, durability: Durability::Now }).await?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn report(latencies: &[Duration], elapsed: Duration, writers: u64) {
    let count = latencies.len();
    let at = |share: f64| latencies[((count - 1) as f64 * share) as usize];
    println!(
        "{:.0} writes/s, p50 {:.2?}, p99 {:.2?}, max {:.2?} ({count} writes of {VALUE_BYTES} bytes, {writers} writers)",
        count as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
async fn compact(store: &Embedded, first: Revision) -> Result<(), StoreError> {
    let (before, last) = (store.size().await?, store.revision().await?);
    let began = Instant::now();
    store.compact(last).await?;
    println!(
        "compacted {} revisions in {:.2?}; {} MiB on disk, {} MiB before",
        last.0 - first.0,
        began.elapsed(),
        store.size().await? >> 20,
        before >> 20,
    );
    Ok(())
}
