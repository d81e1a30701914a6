//! Cases: compaction.

use futures::stream::StreamExt;

use super::{Bench, table};
use crate::{Batch, Result, Revision, StoreError};

table![
    compaction_keeps_what_exists_and_forgets_the_rest,
    compaction_of_the_future_is_refused,
    compaction_again_does_nothing,
    a_live_watch_outlives_compaction,
    writers_go_on_during_compaction,
];

async fn first(bench: &Bench, from: Revision) -> Result<Batch> {
    bench.watch(from).next().await.expect("a watch begins with a batch or an error")
}

async fn compacts(bench: &Bench, at: Revision) {
    bench.store.compact(at).await.expect("the revision exists");
}

async fn compaction_keeps_what_exists_and_forgets_the_rest(bench: Bench) {
    let old = bench.apply(vec![bench.put("kept", "1"), bench.put("deleted", "1")]).await;
    let kept = bench.apply(vec![bench.put("updated", "1")]).await;
    let at = bench.apply(vec![bench.delete("deleted"), bench.put("updated", "2")]).await;
    let next = bench.apply(vec![bench.put("updated", "3")]).await;
    compacts(&bench, at).await;
    for from in [Revision(0), Revision(1), old, kept, at] {
        let error = first(&bench, from).await.expect_err("the log is gone");
        assert!(matches!(error, StoreError::Compacted { compacted, .. } if compacted >= at), "{error}");
    }
    let told = bench.told(&bench.events(next, next).await);
    assert_eq!(told, [("updated".into(), Some("3".into()), next)]);
    assert_eq!(bench.named().await, [("kept".into(), "1".into()), ("updated".into(), "3".into())]);
    assert_eq!(bench.get("kept").await.map(|kv| kv.modified), Some(old));
    assert_eq!(bench.get("deleted").await, None);
}

async fn compaction_of_the_future_is_refused(bench: Bench) {
    let far = Revision(bench.revision().await.0 + 1_000_000);
    let error = bench.store.compact(far).await.expect_err("the revision does not exist");
    assert!(matches!(error, StoreError::Future { requested, .. } if requested == far), "{error}");
}

async fn compaction_again_does_nothing(bench: Bench) {
    let first = bench.apply(vec![bench.put("a", "1")]).await;
    let second = bench.apply(vec![bench.put("a", "2")]).await;
    for at in [second, second, first, Revision(0)] {
        compacts(&bench, at).await;
        assert_eq!(bench.named().await, [("a".into(), "2".into())]);
    }
}

async fn a_live_watch_outlives_compaction(bench: Bench) {
    let before = bench.apply(vec![bench.put("a", "1")]).await;
    let mut watch = bench.watch(before.next());
    let caught_up = watch.next().await.expect("a watch says that it has caught up");
    assert_eq!(caught_up.expect("the watch goes on").events, []);
    let second = bench.apply(vec![bench.put("a", "2")]).await;
    compacts(&bench, second).await;
    let third = bench.apply(vec![bench.put("a", "3")]).await;
    let events = super::collect(&mut watch, third).await;
    assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), [second, third]);
}

async fn writers_go_on_during_compaction(bench: Bench) {
    for round in 0..10 {
        let ops = (0..100).map(|n| bench.put(&format!("{n:02}"), &round.to_string())).collect();
        bench.apply(ops).await;
    }
    let at = bench.revision().await;
    let (compacted, last) = tokio::join!(bench.store.compact(at), async {
        let mut last = Revision(0);
        for n in 0..50 {
            last = bench.apply(vec![bench.put("00", &format!("new {n}"))]).await;
        }
        last
    });
    compacted.expect("the revision exists");
    assert_eq!(bench.get("00").await.map(|kv| kv.modified), Some(last));
    assert_eq!(bench.all(0).await.len(), 100);
    assert_eq!(bench.events(at.next(), last).await.len(), 50);
}
