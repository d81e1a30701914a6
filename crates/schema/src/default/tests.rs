use proptest::prelude::*;

use super::*;
use crate::cases::{self, trees};

#[test]
fn cases() {
    cases::run("default", 12, |case| {
        let mut value = case["value"].clone();
        default(&mut value, cases::schema_of(case).root());
        (value, case["defaulted"].clone())
    });
}

proptest! {
    #[test]
    fn defaulting_twice_is_defaulting_once(mut value in trees::any_tree()) {
        let schema = crate::crd::schema(&trees::everything(), "", cases::kind()).unwrap();
        default(&mut value, schema.root());
        let once = value.clone();
        default(&mut value, schema.root());
        prop_assert_eq!(value, once);
    }
}
