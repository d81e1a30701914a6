//! Prints how long evaluation and formatting take and how both grow, and the memory
//! held when a limit is reached. Run with `cargo run --release --example speed`.

#![expect(clippy::print_stdout, reason = "figures are this program's purpose")]

use aml::{Document, Inputs, Limits, formatter};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// An Acornfile-like text of about `lines` lines.
fn generate(lines: usize) -> String {
    let mut text = String::from(
        "args: {\n\t// Number of replicas\n\treplicas: 2\n\tdev: false\n}\nprofiles: small: replicas: 1\n\
         let base: {image: \"nginx\", memory: 512Mi}\n",
    );
    let mut written = 7;
    let mut index = 0;
    while written < lines {
        let _ = write!(
            text,
            "containers: web{index}: {{\n\tbase\n\t// listens\n\tports: publish: \"\\(8000 + {index}):80/http\"\n\
             \tscale: args.replicas\n\tenv: {{\n\t\tNAME: \"web-{index}\"\n\t\tPEER: \"web-\\({index} + 1)\"\n\
             \t\tif args.dev {{ DEBUG: \"true\" }} else {{ DEBUG: \"false\" }}\n\t}}\n\
             \tfiles: {{\n\t\tfor f in [\"a\", \"b\"] {{ \"/etc/\\(f)\": std.toUpper(f) }}\n\t}}\n\
             \tdirs: \"/data\": \"volume://data{index}?size=10G\"\n}}\nvolumes: data{index}: size: 10\n\n"
        );
        written += 16;
        index += 1;
    }
    text
}

/// The best of several runs, which disturbs least.
fn best<T>(runs: u32, mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        std::hint::black_box(work());
        best = best.min(start.elapsed());
    }
    best
}

fn main() {
    let limits = Limits::default();
    let start = Instant::now();
    let clock = || start.elapsed();
    println!(
        "{:>7} {:>12} {:>12} {:>12} {:>12} {:>10}",
        "lines", "parse", "evaluate", "both", "format", "memory"
    );
    for lines in [1_000, 2_000, 5_000, 10_000] {
        let text = generate(lines);
        let parse = || Document::parse_text("Acornfile", &text, &limits).expect("generated text parses");
        let document = parse();
        let evaluate = |document: &Document| {
            document.evaluate(&Inputs::default(), &limits, &clock).expect("generated text evaluates")
        };
        let memory = evaluate(&document).usage.memory_bytes;
        println!(
            "{:>7} {:>12?} {:>12?} {:>12?} {:>12?} {:>7} kB",
            text.lines().count(),
            best(20, parse),
            best(20, || evaluate(&document)),
            best(20, || evaluate(&parse())),
            best(20, || formatter::format(&document)),
            memory / 1024,
        );
    }
    memory_at_limits(&limits, &clock);
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or("0");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn memory_at_limits(limits: &Limits, clock: aml::Clock<'_>) {
    println!("\npeak of the process, and what ended each evaluation:");
    let doubling: String =
        (1..60).fold("a0: \"x\"\n".to_owned(), |text, i| text + &format!("a{i}: a{} + a{}\n", i - 1, i - 1));
    let texts = [
        ("endless range", "a: std.range(0, 1000000000000)".to_owned()),
        ("doubling text", doubling),
        ("endless recursion", "f: lambda n: f(n + 1)\na: f(0)".to_owned()),
        ("nested loops", "a: [for i in std.range(10000) {[for j in std.range(10000) {i}]}]".to_owned()),
    ];
    for (name, text) in texts {
        let start = Instant::now();
        let document = Document::parse_text(name, &text, limits).expect("parses");
        let ended = document.evaluate(&Inputs::default(), limits, clock);
        let why = ended.map_or_else(|d| d.message, |_| "a value".into());
        println!("{:>10} kB {:>10.0?}  {name}: {why}", resident_kilobytes(), start.elapsed());
    }
}
