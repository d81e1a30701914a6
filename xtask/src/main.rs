//! Development tasks, run as `cargo run -p xtask -- COMMAND`.
//!
//! A command is a row of [`COMMANDS`]: it gets the arguments after its name and answers whether all
//! was well. Findings are printed by the command; an error means that the command could not do its work.
//!
//! It never knows: how the product works. It reads the tree, `cargo` and `git`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool for developers")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

mod codegen;
mod suite;
mod tidy;
mod workspace;

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<bool>,
}

const COMMANDS: &[Command] = &[
    Command { name: "test", about: "every check and every test, with a summary", run: suite::run },
    Command { name: "codegen", about: "the schema facts; --check says whether they are fresh", run: codegen },
    Command { name: "tidy", about: "the rules of this tree; --sizes adds a table", run: tidy::run },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some(command) = args.first().and_then(|name| COMMANDS.iter().find(|c| c.name == name)) else {
        usage();
        return ExitCode::from(2);
    };
    match (command.run)(&args[1..]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn codegen(args: &[String]) -> Result<bool> {
    let done = match args {
        [table, source, kubectl] if table == "protobuf" => codegen::protobuf(source, kubectl)?,
        _ => codegen::run(args.iter().any(|arg| arg == "--check"))?,
    };
    println!("{done}");
    Ok(true)
}

fn usage() {
    eprintln!("usage: cargo run -p xtask -- COMMAND\n");
    for command in COMMANDS {
        eprintln!("  {:8} {}", command.name, command.about);
    }
}

/// The folder that holds the workspace's `Cargo.toml`.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in the workspace's folder").to_path_buf()
}

/// The `cargo` that runs this program, or the first on the path, started in the workspace's folder.
fn cargo() -> std::process::Command {
    let mut command = std::process::Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
