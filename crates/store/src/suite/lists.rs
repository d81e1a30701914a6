//! Cases: prefixes and pages.

use bytes::Bytes;

use super::{Bench, table, text};
use crate::{Op, limits};

table![
    a_prefix_ends_where_it_ends,
    pages_join_without_gap_or_repetition,
    after_is_exclusive_and_may_be_absent,
    a_page_ends_by_bytes,
    a_page_is_as_new_as_what_was_acknowledged,
];

/// The names listed under a prefix within the case.
async fn names(bench: &Bench, prefix: &str, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
    let after = after.map(|after| bench.key(after));
    let page = bench.store.list(bench.key(prefix), after, limit).await.expect("the engine works");
    (page.items.iter().map(|kv| bench.name(&kv.key)).collect(), page.more)
}

async fn put_names(bench: &Bench, names: &[&str]) {
    bench.apply(names.iter().map(|name| bench.put(name, name)).collect()).await;
}

async fn a_prefix_ends_where_it_ends(bench: Bench) {
    put_names(&bench, &["a", "a/", "a/b", "a/b/c", "a/c", "a0", "a!", "b", "A"]).await;
    let table: [(&str, &[&str]); 6] = [
        ("a/", &["a/", "a/b", "a/b/c", "a/c"]),
        ("a/b", &["a/b", "a/b/c"]),
        ("a/b/c", &["a/b/c"]),
        ("a/b/c/d", &[]),
        ("b", &["b"]),
        ("", &["A", "a", "a!", "a/", "a/b", "a/b/c", "a/c", "a0", "b"]),
    ];
    for (prefix, expected) in table {
        assert_eq!(names(&bench, prefix, None, 0).await, (to_strings(expected), false), "prefix {prefix:?}");
    }
}

fn to_strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn pages_join_without_gap_or_repetition(bench: Bench) {
    let expected: Vec<String> = (0..25).map(|n| format!("{n:03}")).collect();
    bench.apply(expected.iter().map(|name| bench.put(name, name)).collect()).await;
    for limit in [1, 2, 7, 24, 25, 26, 0] {
        let values: Vec<_> = bench.all(limit).await.iter().map(|kv| text(&kv.value)).collect();
        assert_eq!(values, expected, "limit {limit}");
    }
    assert!(!names(&bench, "", None, 25).await.1, "`more` only when there is more");
    assert!(names(&bench, "", None, 24).await.1);
}

async fn after_is_exclusive_and_may_be_absent(bench: Bench) {
    put_names(&bench, &["p/a", "p/c", "q"]).await;
    let table: [(Option<&str>, &[&str]); 7] = [
        (None, &["p/a", "p/c"]),
        (Some("a"), &["p/a", "p/c"]),
        (Some("p/"), &["p/a", "p/c"]),
        (Some("p/a"), &["p/c"]),
        (Some("p/b"), &["p/c"]),
        (Some("p/c"), &[]),
        (Some("z"), &[]),
    ];
    for (after, expected) in table {
        assert_eq!(names(&bench, "p/", after, 9).await, (to_strings(expected), false), "after {after:?}");
    }
}

async fn a_page_ends_by_bytes(bench: Bench) {
    let value = Bytes::from(vec![1; limits::PAGE_BYTES / 4]);
    for n in 0..6 {
        bench.apply(vec![Op::Put { key: bench.key(&n.to_string()), value: value.clone() }]).await;
    }
    let (first, more) = names(&bench, "", None, 0).await;
    assert!(more && !first.is_empty(), "six values of a quarter page are more than a page");
    assert_eq!(bench.all(0).await.len(), 6);
}

async fn a_page_is_as_new_as_what_was_acknowledged(bench: Bench) {
    for n in 0..20 {
        let at = bench.apply(vec![bench.put("n", &n.to_string())]).await;
        let page = bench.store.list(bench.prefix(), None, 1).await.expect("the engine works");
        assert!(page.revision >= at);
        assert_eq!(text(&page.items[0].value), n.to_string());
        assert!(bench.revision().await >= at);
    }
}
