//! Lists of indexes: `1,3-5,7`.

/// How many indexes the list names, all below `completions`.
///
/// # Errors
/// What is wrong with the list, in Kubernetes' words.
pub(super) fn count(list: &str, completions: i64) -> Result<i64, String> {
    intervals(list, completions).map(|all| all.iter().map(|(first, last)| last - first + 1).sum())
}

/// The intervals of the list, both ends included.
fn intervals(list: &str, completions: i64) -> Result<Vec<(i64, i64)>, String> {
    let mut all: Vec<(i64, i64)> = Vec::new();
    for text in list.split(',').filter(|_| !list.is_empty()) {
        let (first, last) = interval(text, completions)?;
        if let Some((_, previous)) = all.last().filter(|(_, previous)| *previous >= first) {
            return Err(format!("non-increasing order, previous: {previous}, current: {first}"));
        }
        all.push((first, last));
    }
    Ok(all)
}

fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let parts: Vec<&str> = text.split('-').collect();
    if parts.len() > 2 {
        return Err(format!(
            "the fragment {text:?} violates the requirement that an index interval can have at most two parts \
             separated by '-'"
        ));
    }
    let index = |text: &str| match text.parse::<i64>() {
        Err(_) => Err(format!("cannot convert string to integer for index: {text:?}")),
        Ok(index) if index >= completions => Err(format!("too large index: {text:?}")),
        Ok(index) => Ok(index),
    };
    let first = index(parts[0])?;
    let last = parts.get(1).map_or(Ok(first), |part| index(part))?;
    if parts.len() == 2 && first >= last {
        return Err(format!("non-increasing order, previous: {first}, current: {last}"));
    }
    Ok((first, last))
}

/// The first index that both lists name.
pub(super) fn overlap(a: &str, b: &str, completions: i64) -> Option<i64> {
    let (a, b) = (intervals(a, completions).ok()?, intervals(b, completions).ok()?);
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    pairs.filter(|(a, b)| a.0 <= b.1 && b.0 <= a.1).map(|(a, b)| a.0.max(b.0)).min()
}
