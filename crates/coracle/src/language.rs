//! `coracle aml`: the language tool on real files. All of its logic is in crate `aml`.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use aml::cli::{Surroundings, run};
use aml::files::{FileError, Files};
use anyhow::Result;

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

/// Runs `coracle aml` with the words after it.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let start = Instant::now();
    let mut surroundings = Surroundings {
        files: &mut Disk,
        limits: &aml::Limits::default(),
        clock: &|| start.elapsed(),
        terminal: io::stderr().is_terminal(),
    };
    let answer = run(args, &mut surroundings);
    io::stderr().write_all(answer.stderr.as_bytes())?;
    match io::stdout().write_all(answer.stdout.as_bytes()) {
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(ExitCode::from(answer.exit_code)),
    }
}
