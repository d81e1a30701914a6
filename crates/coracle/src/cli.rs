//! The command line.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{hollow, language, lifecycle, notify, server};

/// From source code to a safely released service, on a Kubernetes cluster in one binary.
#[derive(Parser)]
#[command(name = "coracle", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster in the background and wait until it is ready.
    #[command(
        after_help = "Examples:\n  coracle up\n  coracle up --data-dir /tmp/try --api-port 16443 --no-kubeconfig"
    )]
    Up(UpArgs),
    /// Stop the cluster; with --purge also remove all that it kept.
    #[command(after_help = "Examples:\n  coracle down\n  coracle down --purge")]
    Down(DownArgs),
    /// Show whether the cluster runs, where, and what it uses.
    Status(DataDir),
    /// Run a server in the foreground, as a service manager does.
    #[command(after_help = "Example:\n  coracle server --data-dir /var/lib/coracle --api-port 6443")]
    Server(ServerArgs),
    /// Run nodes; with --hollow, nodes that run nothing and say that they do.
    #[command(
        after_help = "Example:\n  coracle agent --hollow 1000 --kubeconfig /var/lib/coracle/admin.kubeconfig"
    )]
    Agent(AgentArgs),
    /// Evaluate and format AML, the language of Acornfiles; `coracle aml --help` tells its flags.
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  coracle aml eval Acornfile\n  coracle aml fmt Acornfile"
    )]
    Aml {
        /// `eval` or `fmt`, and their flags and files.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Print the versions of coracle and of the Kubernetes API it serves.
    Version,
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  coracle completion bash > /etc/bash_completion.d/coracle")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(clap::Args)]
struct DataDir {
    /// Where everything is kept.
    #[arg(long, default_value = "/var/lib/coracle")]
    data_dir: PathBuf,
}

#[derive(clap::Args)]
struct ServerArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// The port of the Kubernetes API.
    #[arg(long, default_value_t = 6443)]
    api_port: u16,
}

#[derive(clap::Args)]
struct AgentArgs {
    /// How many hollow nodes to run, for benches and tests.
    #[arg(long, value_name = "N")]
    hollow: usize,
    /// How to reach the API.
    #[arg(long, default_value = "/var/lib/coracle/admin.kubeconfig")]
    kubeconfig: PathBuf,
}

#[derive(clap::Args)]
struct UpArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The kubeconfig that gets the context `coracle` [default: the first of $KUBECONFIG, or ~/.kube/config].
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Leave the user's kubeconfig alone.
    #[arg(long, conflicts_with = "kubeconfig")]
    no_kubeconfig: bool,
}

#[derive(clap::Args)]
struct DownArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// Remove the data directory too.
    #[arg(long)]
    purge: bool,
}

impl ServerArgs {
    fn config(&self) -> server::Config {
        server::Config { data_dir: self.data_dir.data_dir.clone(), api_port: self.api_port }
    }
}

impl UpArgs {
    fn user_kubeconfig(&self) -> Option<PathBuf> {
        if self.no_kubeconfig {
            return None;
        }
        self.kubeconfig.clone().or_else(default_kubeconfig)
    }
}

/// The user's kubeconfig; under sudo that of who called it.
fn default_kubeconfig() -> Option<PathBuf> {
    if let Some(list) = std::env::var_os("KUBECONFIG") {
        return std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty());
    }
    let home = match std::env::var("SUDO_USER") {
        Ok(user) => home_of(&user, &std::fs::read_to_string("/etc/passwd").ok()?)?,
        Err(_) => PathBuf::from(std::env::var_os("HOME")?),
    };
    Some(home.join(".kube/config"))
}

/// The home directory in a line of passwd(5).
fn home_of(user: &str, passwd: &str) -> Option<PathBuf> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    line.split(':').nth(5).map(PathBuf::from)
}

/// Runs the command that the process was given.
pub fn run() -> Result<ExitCode> {
    let mut out = std::io::stdout();
    match Cli::parse().command {
        Command::Up(args) => {
            lifecycle::up(&args.server.config(), args.user_kubeconfig().as_deref(), &mut out)?;
        }
        Command::Down(args) => lifecycle::down(&args.data_dir.data_dir, args.purge, &mut out)?,
        Command::Status(args) => {
            let runs = lifecycle::status(&args.data_dir, &mut out)?;
            return Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Server(args) => return serve(&args),
        Command::Agent(args) => return agent(&args),
        Command::Aml { args } => return language::main(&args),
        Command::Version => {
            let (own, kubernetes) = (env!("CARGO_PKG_VERSION"), server::KUBERNETES_VERSION);
            writeln!(out, "coracle {own}, serving the API of Kubernetes {kubernetes}")?;
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "coracle", &mut out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Logging, TLS and a runtime for the commands that serve; runs `work` until it ends or a signal comes.
fn in_service<F>(work: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<()>>,
{
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let color = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(color).with_writer(std::io::stderr).init();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().ok().context("a TLS provider is installed already")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        work(stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn serve(args: &ServerArgs) -> Result<ExitCode> {
    let config = args.config();
    in_service(async |stop| server::run(&config, stop).await)
}

fn agent(args: &AgentArgs) -> Result<ExitCode> {
    in_service(async |stop| {
        let file = &args.kubeconfig;
        let config = kube::config::Kubeconfig::read_from(file).with_context(|| {
            format!("{} cannot be read\nhint: name another with --kubeconfig", file.display())
        })?;
        let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
        let client = kube::Client::try_from(config)?;
        hollow::run(client, args.hollow, notify::ready, stop).await
    })
}

/// Cancels `stop` at the first SIGTERM or SIGINT.
fn stop_on_signal(stop: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
