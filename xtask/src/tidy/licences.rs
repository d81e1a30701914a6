//! No dependency whose licence can only be met by the GPL family: Coracle is Apache-2.0 as a whole.

use super::finding::Finding;
use crate::workspace::Package;

/// Checks every package of the graph.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().filter(|package| !package.member).filter_map(judge).collect()
}

fn judge(package: &Package) -> Option<Finding> {
    let Package { name, version, licence, .. } = package;
    match licence {
        None => {
            let instead =
                format!("{name} {version} states no licence: read its licence file before relying on it");
            Some(Finding::warning("Cargo.lock", 1, "licence", instead))
        }
        Some(licence) if !satisfiable(licence) => {
            let instead =
                format!("{name} {version} is {licence}: use another crate (`cargo tree --invert {name}`)");
            Some(Finding::error("Cargo.lock", 1, "licence", instead))
        }
        Some(_) => None,
    }
}

/// Whether an SPDX expression (annex D of the specification) can be met without the GPL family.
/// The older form `MIT/Apache-2.0` means `OR`.
fn satisfiable(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    any_of(&mut tokens.into_iter().peekable())
}

type Tokens<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

/// `A OR B OR …`: every alternative is read, so that the tokens are used up.
fn any_of(tokens: &mut Tokens<'_>) -> bool {
    let mut satisfied = all_of(tokens);
    while tokens.next_if_eq(&"OR").is_some() {
        satisfied |= all_of(tokens);
    }
    satisfied
}

/// `A AND B AND …`, which binds closer than `OR`.
fn all_of(tokens: &mut Tokens<'_>) -> bool {
    let mut satisfied = term(tokens);
    while tokens.next_if_eq(&"AND").is_some() {
        satisfied &= term(tokens);
    }
    satisfied
}

/// A licence, one with an exception, or an expression in parentheses.
fn term(tokens: &mut Tokens<'_>) -> bool {
    let satisfied = match tokens.next() {
        Some("(") => {
            let inner = any_of(tokens);
            tokens.next_if_eq(&")");
            inner
        }
        Some(licence) => !["GPL", "AGPL", "LGPL"].iter().any(|family| licence.starts_with(family)),
        None => false,
    };
    if tokens.next_if_eq(&"WITH").is_some() {
        tokens.next();
    }
    satisfied
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn expressions() {
        let cases = [
            ("MIT", true),
            ("GPL-3.0-or-later", false),
            ("AGPL-3.0", false),
            ("MIT OR GPL-2.0-only", true),
            ("LGPL-2.1-only OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-2.0/LGPL-2.1", false),
            ("MIT AND LGPL-2.1", false),
            ("MIT AND (GPL-2.0 OR Apache-2.0)", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND BSD-3-Clause", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(satisfiable(expression), expected, "{expression}");
        }
    }

    #[test]
    fn members_are_not_judged_and_silence_is_a_warning() {
        let package = |licence: Option<&str>, member| Package {
            licence: licence.map(str::to_owned),
            member,
            ..Package::default()
        };
        let levels = |packages: &[Package]| {
            check(packages).into_iter().map(|finding| finding.level).collect::<Vec<_>>()
        };
        let packages = [
            package(Some("GPL-3.0"), false),
            package(None, false),
            package(Some("MIT"), false),
            package(None, true),
        ];
        assert_eq!(levels(&packages), [Level::Error, Level::Warning]);
    }
}
