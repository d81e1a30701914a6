//! In which order free numbers are looked for.
//!
//! The lower part of a range is for numbers that users choose; drawing begins at a random place above it
//! and comes there last. Source: KEP-3070 (addresses), KEP-3668 (node ports).

/// The size of the lower part: a share of the range, between `min` and `max`; none of a small range.
pub(super) fn reserved(size: u32, share: u32, min: u32, max: u32) -> u32 {
    if size <= min { 0 } else { (size / share).clamp(min, max) }
}

/// Every number below `size` once: from `reserved` on, turned by `random`, then those below it.
pub(super) fn order(size: u32, reserved: u32, random: u32) -> impl Iterator<Item = u32> + Send {
    let (upper, lower) = (size.saturating_sub(reserved), reserved.min(size));
    let turn = |count: u32, from: u32| {
        let start = random.checked_rem(count).unwrap_or(0);
        (start..count).chain(0..start).map(move |n| from + n)
    };
    turn(upper, lower).chain(turn(lower, 0))
}
