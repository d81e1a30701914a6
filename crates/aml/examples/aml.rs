//! The `aml` command on real files: `cargo run --example aml -- eval FILE`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

use aml::cli::{Surroundings, run};
use aml::files::{FileError, Files};
use std::io::{ErrorKind, IsTerminal, Read};
use std::process::ExitCode;
use std::time::Instant;

struct Disk;

fn failed(error: &std::io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound => FileError::Missing,
        _ => FileError::Failed(error.to_string()),
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<String, FileError> {
        std::fs::read_to_string(path).map_err(|e| failed(&e))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, FileError> {
        if !std::path::Path::new(path).is_dir() {
            return Ok(None);
        }
        let entries = std::fs::read_dir(path).map_err(|e| failed(&e))?;
        let files = entries.flatten().filter(|e| !e.path().is_dir());
        Ok(Some(files.map(|e| e.file_name().to_string_lossy().into_owned()).collect()))
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), FileError> {
        std::fs::write(path, text).map_err(|e| failed(&e))
    }

    fn stdin(&mut self) -> Result<String, FileError> {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|e| failed(&e))
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let mut surroundings = Surroundings {
        files: &mut Disk,
        limits: &aml::Limits::default(),
        clock: &|| start.elapsed(),
        terminal: std::io::stderr().is_terminal(),
    };
    let answer = run(&args, &mut surroundings);
    print!("{}", answer.stdout);
    eprint!("{}", answer.stderr);
    ExitCode::from(answer.exit_code)
}
