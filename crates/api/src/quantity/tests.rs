use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn quantities_have_a_canonical_form() {
    let cases = include_str!("../../testdata/quantities.txt").lines().filter(|l| !l.starts_with('#'));
    let mut count = 0;
    for line in cases {
        let (text, expected) = line.split_once(" => ").unwrap();
        let actual = match text.parse::<Quantity>() {
            Ok(quantity) => quantity.to_string(),
            Err(error) => format!("error: {error:?}"),
        };
        assert_eq!(actual, expected, "{text:?}");
        count += 1;
    }
    assert!(count > 75);
}

#[test]
fn quantities_compare_and_add_exactly() {
    for (a, b, order) in [
        ("1000m", "1", Ordering::Equal),
        ("1Ki", "1024", Ordering::Equal),
        ("1Ki", "1k", Ordering::Greater),
        ("-1", "1n", Ordering::Less),
        ("0", "1n", Ordering::Less),
        ("1e100", "9e99", Ordering::Greater),
        ("-1e100", "-1n", Ordering::Less),
        ("-1n", "-1e100", Ordering::Greater),
    ] {
        assert_eq!(q(a).cmp(&q(b)), order, "{a} {b}");
    }
    for (a, b, sum, difference) in [
        ("1", "1m", "1001m", "999m"),
        ("0", "1Ki", "1Ki", "-1Ki"),
        ("1Gi", "1Mi", "1025Mi", "1023Mi"),
        ("1Ki", "1", "1025", "1023"),
        ("1e3", "1", "1001", "999"),
        ("1e100", "1n", "10e99", "10e99"),
    ] {
        assert_eq!((q(a) + q(b)).to_string(), sum, "{a} + {b}");
        assert_eq!((q(a) - q(b)).to_string(), difference, "{a} - {b}");
    }
    let total: Quantity = ["100m", "200m", "1"].into_iter().map(q).sum();
    assert_eq!(total.to_string(), "1300m");
    assert_eq!(HashSet::from([q("1000m"), q("1"), q("1e0")]).len(), 1);
}

#[test]
fn quantities_convert_to_whole_numbers() {
    for (text, units, milli) in [
        ("0", 0, 0),
        ("1m", 1, 1),
        ("1500m", 2, 1500),
        ("-1500m", -2, -1500),
        ("1n", 1, 1),
        ("1Ki", 1024, 1_024_000),
        ("9E", 9_000_000_000_000_000_000, i64::MAX),
        ("1e100", i64::MAX, i64::MAX),
        ("-1e100", i64::MIN, i64::MIN),
    ] {
        assert_eq!((q(text).value(), q(text).milli_value()), (units, milli), "{text}");
    }
    assert_eq!(Quantity::milli(1500, Format::DecimalSi).to_string(), "1500m");
    assert_eq!(Quantity::units(1 << 30, Format::BinarySi).to_string(), "1Gi");
    assert_eq!(q("1.0001").round_up(MILLI).to_string(), "1001m");
    assert!((q("1.5").as_f64() - 1.5).abs() < f64::EPSILON);
    assert_eq!(Quantity::from_value(&json!(2)).unwrap().to_string(), "2");
    assert_eq!(Quantity::from_value(&json!("2Gi")).unwrap().to_string(), "2Gi");
    assert_eq!(Quantity::from_value(&json!(null)), Err(QuantityError::Format));
    assert_eq!(q("-1m").signum(), -1);
}

proptest! {
    #[test]
    fn canonical_forms_keep_the_amount(mantissa in -(1_i64 << 40)..(1_i64 << 40), point in 0_usize..6, unit in 0_usize..19) {
        let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "e-4", "E7"];
        let digits = format!("{:07}", mantissa.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - point);
        let sign = if mantissa < 0 { "-" } else { "" };
        let quantity: Quantity = format!("{sign}{whole}.{fraction}{}", units[unit]).parse().unwrap();
        let written: Quantity = quantity.to_string().parse().unwrap();
        prop_assert_eq!(written, quantity);
        prop_assert_eq!(written.to_string(), quantity.to_string());
        prop_assert_eq!(quantity - quantity, Quantity::default());
        prop_assert_eq!(quantity + written - written, quantity);
    }

    #[test]
    fn reading_never_panics(text in "[-+]?[0-9.]{0,44}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,11}|\\PC{0,8}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            let _ = (quantity.value(), quantity.milli_value(), quantity.as_f64(), quantity + quantity);
            prop_assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
        }
    }
}
