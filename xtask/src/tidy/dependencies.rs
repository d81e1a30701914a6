//! What Coracle may be built from: one provider of cryptography, and no licence of the GPL family, since
//! the binary is Apache-2.0 as a whole.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::workspace::Package;

const LOCK: &str = "Cargo.lock";

/// Checks every package that is built; `built` holds them as `NAME vVERSION`.
pub(super) fn check(packages: &[Package], built: &BTreeSet<String>) -> Vec<Finding> {
    let outside = packages.iter().filter(|package| !package.member);
    let outside =
        outside.filter(|Package { name, version, .. }| built.contains(&format!("{name} v{version}")));
    outside.flat_map(|package| [provider(package), licence(package)]).flatten().collect()
}

fn provider(package: &Package) -> Option<Finding> {
    let instead = "aws-lc-rs is the one provider: turn off the feature that asks for it (`cargo tree --invert ring -e features --target all`)";
    (package.name == "ring").then(|| Finding::error(LOCK, 1, "ring", instead))
}

fn licence(package: &Package) -> Option<Finding> {
    let Package { name, version, licence, .. } = package;
    match licence {
        None => {
            let instead =
                format!("{name} {version} states no licence: read its licence file before relying on it");
            Some(Finding::warning(LOCK, 1, "licence", instead))
        }
        Some(licence) if !satisfiable(licence) => {
            let instead =
                format!("{name} {version} is {licence}: use another crate (`cargo tree --invert {name}`)");
            Some(Finding::error(LOCK, 1, "licence", instead))
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

    /// The rules and levels of what is found about packages built as `NAME v1`.
    fn check_rules(name: &str, licence: Option<&str>, member: bool, expected: &[(&str, Level)]) {
        let (name, version, licence) = (name.to_owned(), "1".to_owned(), licence.map(str::to_owned));
        let package = Package { name, version, licence, member, ..Package::default() };
        let built = ["a v1", "ring v1", "b v2"].map(str::to_owned).into();
        let found = check(std::slice::from_ref(&package), &built);
        let found: Vec<_> = found.iter().map(|finding| (finding.rule, finding.level)).collect();
        assert_eq!(found, expected, "{package:?}");
    }

    #[test]
    fn packages() {
        check_rules("a", Some("MIT"), false, &[]);
        check_rules("a", Some("GPL-3.0"), false, &[("licence", Level::Error)]);
        check_rules("a", None, false, &[("licence", Level::Warning)]);
        check_rules("a", None, true, &[]);
        check_rules("ring", Some("Apache-2.0 AND ISC"), false, &[("ring", Level::Error)]);
        // In the lock file, but never built, or only in another version.
        check_rules("b", Some("GPL-3.0"), false, &[]);
    }
}
