//! `coracle up`, `down` and `status`: a server in the background, found again by its data directory.
//!
//! `DATA_DIR/server.pid` holds the pid and the start time of the process, so that a pid that was used
//! again is never mistaken for ours.

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::kubeconfig;
use crate::notify::Receiver;
use crate::pki::{private_dir, write_private};
use crate::server::Config;

const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(20);

/// A running server.
struct Running {
    pid: i32,
    api_port: u16,
}

/// `coracle up`: starts a server unless one runs, and waits until it is ready.
pub fn up(config: &Config, user_kubeconfig: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    private_dir(&config.data_dir)?;
    let started = Instant::now();
    if let Some(running) = running(&config.data_dir) {
        writeln!(out, "coracle is already up (pid {}, API on port {})", running.pid, running.api_port)?;
        return Ok(());
    }
    let pid = start(config)?;
    let admin = config.data_dir.join("admin.kubeconfig");
    if let Some(path) = user_kubeconfig {
        kubeconfig::merge_into(path, &admin)?;
    }
    writeln!(out, "coracle is up after {} ms (pid {pid})", started.elapsed().as_millis())?;
    writeln!(out, "  API         https://127.0.0.1:{}", config.api_port)?;
    writeln!(out, "  kubeconfig  {}", admin.display())?;
    if let Some(path) = user_kubeconfig {
        writeln!(out, "  context     coracle, in {}", path.display())?;
    }
    Ok(())
}

fn start(config: &Config) -> Result<i32> {
    let logs = config.data_dir.join("logs");
    private_dir(&logs)?;
    let log_path = logs.join("server.log");
    let socket = config.data_dir.join("notify.sock");
    let receiver =
        Receiver::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
    let mut child = spawn(config, &log_path, &socket)?;
    let ready = wait_ready(&mut child, &receiver, &log_path);
    let _ = fs::remove_file(&socket);
    ready?;
    Ok(child.id().cast_signed())
}

fn spawn(config: &Config, log_path: &Path, socket: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log_path);
    let log = log.with_context(|| format!("cannot write {}", log_path.display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("server")
        .arg("--data-dir")
        .arg(&config.data_dir)
        .args(["--api-port", &config.api_port.to_string()])
        .env("NOTIFY_SOCKET", socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Its own group: an interrupt at the terminal is not for the server.
        .process_group(0);
    command.spawn().context("the server cannot be started")
}

fn wait_ready(child: &mut Child, receiver: &Receiver, log_path: &Path) -> Result<()> {
    let deadline = Instant::now() + START_MAX;
    let mut progress = Progress::new("starting");
    while Instant::now() < deadline {
        if receiver.wait(TICK)? {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server ended at its start ({status}):\n{}", last_error(log_path));
        }
        progress.tick();
    }
    let _ = child.kill();
    bail!("the server was not ready after {} s: see {}", START_MAX.as_secs(), log_path.display())
}

/// The last words of a server that could not start.
fn last_error(log_path: &Path) -> String {
    let log = fs::read_to_string(log_path).unwrap_or_default();
    let from = log.rfind("error: ").unwrap_or(log.len().saturating_sub(500));
    log.get(from..).unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

/// `coracle down`: stops the server; `purge` removes all that it kept.
pub fn down(data_dir: &Path, purge: bool, out: &mut dyn Write) -> Result<()> {
    match running(data_dir) {
        Some(running) => {
            stop(running.pid)?;
            writeln!(out, "coracle is down (pid {} ended)", running.pid)?;
        }
        None => writeln!(out, "coracle is not running")?,
    }
    let _ = fs::remove_file(pid_file(data_dir));
    if purge {
        remove(data_dir)?;
        writeln!(out, "removed {}", data_dir.display())?;
    }
    Ok(())
}

/// Removes a data directory, and nothing that is none.
fn remove(data_dir: &Path) -> Result<()> {
    if !data_dir.exists() {
        return Ok(());
    }
    if !data_dir.join("pki").exists() && fs::read_dir(data_dir)?.next().is_some() {
        bail!("{} does not look like a data directory of coracle: nothing was removed", data_dir.display());
    }
    fs::remove_dir_all(data_dir).with_context(|| format!("cannot remove {}", data_dir.display()))
}

fn stop(pid: i32) -> Result<()> {
    let Some(target) = Pid::from_raw(pid) else { return Ok(()) };
    let _ = kill_process(target, Signal::TERM);
    let mut progress = Progress::new("stopping");
    if gone(pid, STOP_MAX, &mut progress) {
        return Ok(());
    }
    let _ = kill_process(target, Signal::KILL);
    if gone(pid, STOP_MAX, &mut progress) { Ok(()) } else { bail!("process {pid} does not end") }
}

fn gone(pid: i32, patience: Duration, progress: &mut Progress) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if !alive(pid) {
            return true;
        }
        progress.tick();
        // Nothing announces the end of a process that is not our child: look again soon.
        std::thread::park_timeout(TICK);
    }
    false
}

/// `coracle status`: what runs. True when a server does.
pub fn status(data_dir: &Path, out: &mut dyn Write) -> Result<bool> {
    let Some(running) = running(data_dir) else {
        writeln!(out, "coracle is not running (data directory {})", data_dir.display())?;
        return Ok(false);
    };
    let memory =
        memory_kib(running.pid).map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024));
    writeln!(out, "coracle is running")?;
    writeln!(out, "  pid         {}", running.pid)?;
    writeln!(out, "  API         https://127.0.0.1:{}", running.api_port)?;
    writeln!(out, "  kubeconfig  {}", data_dir.join("admin.kubeconfig").display())?;
    writeln!(out, "  memory      {memory}")?;
    Ok(true)
}

/// Resident memory, from /proc.
fn memory_kib(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("server.pid")
}

/// Writes down this process as the server of the data directory.
pub fn record(config: &Config) -> Result<()> {
    let pid = std::process::id().cast_signed();
    let start = start_time(pid).context("/proc does not know this process")?;
    write_private(&pid_file(&config.data_dir), &format!("{pid} {start} {}\n", config.api_port))
}

fn running(data_dir: &Path) -> Option<Running> {
    let text = fs::read_to_string(pid_file(data_dir)).ok()?;
    let mut words = text.split_whitespace();
    let pid: i32 = words.next()?.parse().ok()?;
    let start: u64 = words.next()?.parse().ok()?;
    let api_port = words.next()?.parse().ok()?;
    (alive(pid) && start_time(pid) == Some(start)).then_some(Running { pid, api_port })
}

/// When a process started, in clock ticks after boot: field 22 of `/proc/PID/stat` (proc(5)).
fn start_time(pid: i32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// Whether a process exists and is no zombie.
fn alive(pid: i32) -> bool {
    stat_field(pid, 3).is_some_and(|state| state != "Z" && state != "X")
}

fn stat_field(pid: i32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything, also parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_whitespace().nth(number - 3).map(str::to_owned)
}

/// A spinner on a terminal, for what takes over a second; silence elsewhere.
struct Progress {
    what: &'static str,
    since: Instant,
    shown: bool,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self { what, since: Instant::now(), shown: false }
    }

    fn tick(&mut self) {
        const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
        let passed = self.since.elapsed();
        if passed > Duration::from_secs(1) && std::io::stderr().is_terminal() {
            let frame = FRAMES
                [usize::from(passed.subsec_millis() / 250 != 0) + usize::from(passed.subsec_millis() >= 500)];
            let _ = write!(std::io::stderr(), "\r{frame} {} … {} s", self.what, passed.as_secs());
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
