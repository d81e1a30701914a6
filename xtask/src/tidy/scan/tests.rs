use super::*;

/// `code` writes a blanked byte as `~`.
fn check_code(text: &str, code: &str) {
    let (found, comments) = layers(text);
    assert_eq!(found, code.replace('~', " "), "{text}");
    assert_eq!((found.len(), comments.len()), (text.len(), text.len()), "{text}");
}

#[test]
fn tells_code_from_comments_and_literals() {
    check_code("a(); // b", "a(); ~~~~");
    check_code("a /* x /* y */ z */ b", "a ~~~~~~~~~~~~~~~~~ b");
    check_code("f(\"a // b\")", "f(\"~~~~~~\")");
    check_code("f(\"a \\\" b\", c)", "f(\"~~~~~~\", c)");
    check_code("f(r\"\\\", c)", "f(~~~\", c)");
    check_code("f(r#\"a\"b\"#, c)", "f(~~~~~~~~, c)");
    check_code("f(br\"a\", bar\"b\")", "f(b~~~\", bar\"~\")");
    check_code("let a: &'static str = 'x';", "let a: &'static str = '~';");
    check_code("['\"', '\\'', '{', 'é']", "['~', '~~', '~', '~~']");
    check_code("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check_code("\"unterminated", "\"~~~~~~~~~~~~");
}

#[test]
fn keeps_lines() {
    let text = "/* a\nb */ let s = \"c\nd\";\nlast();";
    let (code, comments) = layers(text);
    assert_eq!(line_of(&code, code.find("last").expect("code stays")), 4);
    assert_eq!(comments.matches('\n').count(), 3);
}

#[test]
fn finds_whole_words() {
    let found = |text: &str, word: &str| words(text, word).count();
    assert_eq!(found("todo!() my_todo!() todo!()", "todo!"), 2);
    assert_eq!(found("fn ffn fns fn", "fn"), 2);
}

#[test]
fn blanks_test_items() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { x(); }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
    let names =
        |path| functions(&Source::new(path, text).product).into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names("crates/a/src/lib.rs"), ["a", "c", "d"]);
    assert!(names("crates/a/src/b/tests.rs").is_empty());
    assert!(names("crates/a/tests/up.rs").is_empty());
}

#[test]
fn measures_functions() {
    let text = "\
fn one() {}
trait T {
    fn declared(&self) -> [u8; 4];
    fn two(f: fn(u8) -> u8) -> [u8; 4]
    where
        Self: Sized,
    {
        fn inner() {
        }
    }
}
";
    let found: Vec<_> = functions(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    let expected = [("one", 1, 1), ("two", 4, 7), ("inner", 8, 2)];
    assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
}

#[test]
fn reads_attributes() {
    let text = "#![a(b)]\n#[expect(\n    c,\n)]\nlet x = y[0]; // #";
    let found: Vec<_> = attributes(text).collect();
    assert_eq!(found, [(0, "a(b)"), (9, "expect(\n    c,\n)")]);
}
