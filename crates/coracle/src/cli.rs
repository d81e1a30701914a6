//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::server;

/// From source code to a safely released service, on a Kubernetes cluster in one binary.
#[derive(Parser)]
#[command(name = "coracle", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server in the foreground, as a service manager does.
    #[command(after_help = "Example:\n  coracle server --data-dir /var/lib/coracle --api-port 6443")]
    Server(ServerArgs),
}

#[derive(clap::Args)]
struct ServerArgs {
    /// Where everything is kept.
    #[arg(long, default_value = "/var/lib/coracle")]
    data_dir: PathBuf,
    /// The port of the Kubernetes API.
    #[arg(long, default_value_t = 6443)]
    api_port: u16,
}

/// Runs the command that the process was given.
pub fn run() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Server(args) => serve(&args),
    }
}

fn serve(args: &ServerArgs) -> Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().ok().context("a TLS provider is installed already")?;
    let config = server::Config { data_dir: args.data_dir.clone(), api_port: args.api_port };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        server::run(&config, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
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
