use std::time::Duration;

use tokio::time::Instant;

use super::{Queue, backoff};
use crate::Error;

fn failed() -> Result<Option<Duration>, Error> {
    Err(Error::Deleting { target: crate::Key::new("a", "b") })
}

#[test]
fn backoff_doubles_up_to_its_limit() {
    for (failures, millis) in [(0, 5), (1, 10), (5, 160), (17, 655_360), (18, 1_000_000), (400, 1_000_000)] {
        assert_eq!(backoff(failures), Duration::from_millis(millis), "after {failures}");
    }
}

#[test]
fn a_key_waits_once_however_often_it_is_added() {
    let queue = Queue::default();
    let now = Instant::now();
    for key in ["a", "b", "a"] {
        queue.add(key);
    }
    let mut state = queue.state();
    assert_eq!([state.take(now), state.take(now), state.take(now)], [Some("a"), Some("b"), None]);
}

#[test]
fn a_key_added_while_active_comes_again_afterwards() {
    let queue = Queue::default();
    let now = Instant::now();
    queue.add("a");
    assert_eq!(queue.state().take(now), Some("a"));
    queue.add("a");
    assert_eq!(queue.state().take(now), None, "never twice at once");
    queue.state().done("a", &Ok(None), now);
    assert_eq!(queue.state().take(now), Some("a"));
}

#[test]
fn the_earlier_timer_stands() {
    let queue = Queue::default();
    let now = Instant::now();
    let mut state = queue.state();
    for seconds in [20, 10, 30] {
        state.add_at("a", now + Duration::from_secs(seconds));
    }
    assert_eq!(state.take(now + Duration::from_secs(9)), None);
    assert_eq!(state.take(now + Duration::from_secs(10)), Some("a"));
    state.done("a", &Ok(None), now);
    assert_eq!(state.take(now + Duration::from_secs(60)), None, "one timer, not three");
}

#[test]
fn failures_back_off_and_success_forgets_them() {
    let queue = Queue::default();
    let mut now = Instant::now();
    for wait in [5, 10, 20] {
        queue.add("a");
        queue.state().take(now);
        queue.state().done("a", &failed(), now);
        assert_eq!(queue.state().take(now), None);
        now += Duration::from_millis(wait);
        assert_eq!(queue.state().take(now), Some("a"), "after {wait} ms");
        queue.state().active.clear();
    }
    queue.state().active.insert("a", false);
    queue.state().done("a", &Ok(None), now);
    assert!(queue.state().failures.is_empty());
}

#[tokio::test]
async fn the_runner_reconciles_each_key_until_shutdown_and_waits_for_what_runs() {
    let queue = Queue::default();
    for key in [1, 2, 3] {
        queue.add(key);
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (seen, mut keys) = tokio::sync::mpsc::unbounded_channel();
    let shutdown = crate::shutdown(async move {
        let _ = stopped.await;
    });
    let runner = queue.clone();
    let running = tokio::spawn(async move {
        let reconcile = move |key: i32| {
            let seen = seen.clone();
            async move {
                seen.send(key).unwrap();
                Ok(None)
            }
        };
        runner.run(2, shutdown, reconcile).await;
    });
    let mut first = [keys.recv().await.unwrap(), keys.recv().await.unwrap(), keys.recv().await.unwrap()];
    first.sort_unstable();
    assert_eq!(first, [1, 2, 3]);
    queue.add(4);
    assert_eq!(keys.recv().await, Some(4), "a key added later wakes the runner");
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(keys.recv().await, None);
}
