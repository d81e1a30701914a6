use super::*;
use crate::files::FileError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Files in memory.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, String>,
    stdin: String,
}

impl Files for Memory {
    fn read(&self, path: &str) -> Result<String, FileError> {
        self.files.get(path).cloned().ok_or(FileError::Missing)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, FileError> {
        let prefix = format!("{path}/");
        let names: Vec<String> =
            self.files.keys().filter_map(|k| k.strip_prefix(&prefix)).map(String::from).collect();
        Ok(if names.is_empty() { None } else { Some(names) })
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), FileError> {
        self.files.insert(path.into(), text.into());
        Ok(())
    }

    fn stdin(&mut self) -> Result<String, FileError> {
        Ok(self.stdin.clone())
    }
}

fn memory() -> Memory {
    let files = [
        (
            "a.aml",
            "args: {\n\t// A name\n\tname: \"x\"\n\tcount: 1\n\ton: false\n\ttags: [string]\n\tnums: [number]\n\to: {a: 0}\n}\nprofiles: {\n\t// First\n\tone: name: \"p1\"\n\ttwo: {name: \"p2\", count: 2}\n}\nr: args\n",
        ),
        ("t.txt", "from file"),
        ("o.aml", "a: 1 + 1"),
        ("y.yaml", "a: 7\n"),
        ("dir/b.acorn", "b: 2"),
        ("dir/Acornfile", "a: b - 1"),
        ("dir/ignored.txt", "{{{"),
        ("s.aml", "a: int > 5"),
        ("n.aml", "a: 3"),
        ("bad.aml", "a: nope.b"),
        ("args.acorn", "name: \"fromArgs\""),
        ("ugly.aml", "a:   1\nbcd:2"),
    ];
    Memory { files: files.map(|(k, v)| (k.into(), v.into())).into(), stdin: "z: 1".into() }
}

fn aml(line: &str, files: &mut Memory, terminal: bool) -> Answer {
    let args: Vec<String> = line.split_whitespace().map(String::from).collect();
    let limits = Limits::default();
    run(&args, &mut Surroundings { files, limits: &limits, clock: &|| Duration::ZERO, terminal })
}

#[test]
fn commands_answer() {
    let cases: &[(&str, u8, &str)] = &[
        ("eval n.aml", 0, "{\n  \"a\": 3\n}\n"),
        ("eval -", 0, "{\n  \"z\": 1\n}\n"),
        ("eval dir", 0, "{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
        ("eval y.yaml", 0, "{\n  \"a\": 7\n}\n"),
        ("eval a.aml r.name", 0, "\"x\"\n"),
        ("eval a.aml --name bob r.name", 0, "\"bob\"\n"),
        ("eval a.aml --name=bob r.name r.count", 0, "\"bob\"\n1\n"),
        ("eval a.aml --name @t.txt r.name", 0, "\"from file\"\n"),
        ("eval a.aml --o @{a:5} r.o.a", 0, "5\n"),
        ("eval a.aml --o @o.aml r.o.a", 0, "2\n"),
        ("eval a.aml --on r.on", 0, "true\n"),
        ("eval a.aml --on=false r.on", 0, "false\n"),
        ("eval a.aml --count 1Ki r.count", 0, "1024\n"),
        ("eval a.aml --tags a,b --tags c r.tags", 0, "[\n  \"a\",\n  \"b\",\n  \"c\"\n]\n"),
        ("eval a.aml --nums 1,2 r.nums[1]+1", 0, "3\n"),
        ("eval a.aml --arg name=z r.name", 0, "\"z\"\n"),
        ("eval a.aml --profile one r.name", 0, "\"p1\"\n"),
        ("eval a.aml --profile one,two r.name", 0, "\"p1\"\n"),
        ("eval a.aml --profile one,two r.count", 0, "2\n"),
        ("eval a.aml --profile nope? r.name", 0, "\"x\"\n"),
        ("eval --args-file args.acorn a.aml r.name", 0, "\"fromArgs\"\n"),
        ("eval --args-file args.acorn a.aml --name n r.name", 0, "\"n\"\n"),
        ("eval --schema-file s.aml n.aml", 1, ""),
        ("fmt -", 0, "z: 1\n"),
        ("eval bad.aml", 1, ""),
        ("eval", 2, ""),
        ("nope", 2, ""),
        ("eval missing.aml", 1, ""),
        ("eval a.aml --nmae x", 2, ""),
        ("eval a.aml --name", 2, ""),
        ("eval a.aml --count x", 2, ""),
        ("eval a.aml --profile nope", 1, ""),
    ];
    for (line, code, stdout) in cases {
        let answer = aml(line, &mut memory(), false);
        assert_eq!((answer.exit_code, answer.stdout.as_str()), (*code, *stdout), "{line}: {}", answer.stderr);
        assert_eq!(answer.stderr.is_empty(), *code == 0, "{line}: {}", answer.stderr);
    }
}

#[test]
fn problems_are_plain_unless_a_person_reads_them() {
    let plain = "key not found \"nope\": bad.aml:1:4\n";
    assert_eq!(aml("eval bad.aml", &mut memory(), false).stderr, plain);
    assert_eq!(aml("eval --plain bad.aml", &mut memory(), true).stderr, plain);
    let rendered = aml("eval bad.aml", &mut memory(), true).stderr;
    assert!(rendered.contains("1 | a: nope.b") && rendered.contains("^^^^"), "{rendered}");
    let json = aml("eval --json-errors bad.aml", &mut memory(), true).stderr;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["code"], &value["place"]["line"]), (&"key-not-found".into(), &1.into()));
}

#[test]
fn help_shows_arguments_and_profiles() {
    let expected = "Usage of a.aml:
      --count string
      --name string       A name
      --nums strings
      --o string
      --on
      --profile strings   Available profiles (one: First, two)
      --tags strings
";
    assert_eq!(aml("eval a.aml --help", &mut memory(), false).stdout, expected);
}

#[test]
fn fmt_rewrites_files() {
    let mut files = memory();
    assert_eq!(aml("fmt ugly.aml n.aml", &mut files, false), Answer::default());
    assert_eq!(files.files["ugly.aml"], "a:   1\nbcd: 2\n");
}

#[test]
fn unknown_flags_name_the_nearest() {
    let answer = aml("eval a.aml --nmae x", &mut memory(), true);
    assert!(answer.stderr.contains("did you mean \"name\"?"), "{}", answer.stderr);
}

#[test]
fn args_and_schemas_are_described() {
    let args = aml("eval --print-args a.aml", &mut memory(), false).stdout;
    let value: serde_json::Value = serde_json::from_str(&args).unwrap();
    assert_eq!(value["args"][0]["key"], "name");
    assert_eq!(value["args"][0]["description"], "A name");
    assert_eq!(value["args"][0]["schema"]["kindValue"], "string");
    assert_eq!(value["profileNames"][0]["Name"], "one");
    let schema = aml("eval --print-schema s.aml", &mut memory(), false).stdout;
    let value: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(value["types"]["$"]["object"]["fields"][0]["schema"]["constraints"][1]["op"], ">");
}
