use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cases::{self, trees};

#[test]
fn cases() {
    cases::run("prune", 12, |case| {
        let mut value = case["value"].clone();
        let dropped = prune(&mut value, cases::schema_of(case).root());
        let unknown = case.get("unknown").cloned().unwrap_or(json!([]));
        (json!([value, dropped]), json!([case["pruned"], unknown]))
    });
}

proptest! {
    #[test]
    fn pruning_twice_is_pruning_once(mut value in trees::any_tree()) {
        let schema = crate::crd::schema(&trees::everything(), "", cases::kind()).unwrap();
        prune(&mut value, schema.root());
        let once = value.clone();
        prop_assert!(prune(&mut value, schema.root()).is_empty());
        prop_assert_eq!(value, once);
    }
}
