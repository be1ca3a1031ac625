//! `pointsman`: runs, checks, prints and measures the card.
//!
//! Exit codes: 0 fine, 1 a check failed, 2 wrong usage or input.

mod bench;
mod cosim;
mod emit;
mod failure;
mod generate;
mod hash;
mod output;
mod requirements;

use std::process::ExitCode;

use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
use clap::{Parser, Subcommand};

use failure::Failure;

/// An FPGA network card that runs TCP/IP for its host: run it, check it, print it, measure it.
#[derive(Parser)]
#[command(name = "pointsman", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a capture through the verilated card and compare every frame with the reference model; or play a scenario on the whole system.
    Cosim(cosim::Arguments),
    /// The dispatch hash: check it against golden vectors, or compute one.
    #[command(subcommand)]
    Hash(hash::Command),
    /// Write the card's Verilog, its file list and its register map.
    Emit(emit::Arguments),
    /// Measure what the README quotes: latency, throughput, simulation speed.
    Bench(bench::Arguments),
    /// Print what the specification asks for, with the tests that show it and how they ended.
    Requirements(requirements::Arguments),
    /// Print shell completions.
    Completions(generate::Completions),
    /// Print the manual page.
    Man,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come this way too, and help for want of a command.
        Err(error) if !error.use_stderr() || error.kind() == DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        Err(error) => return refuse(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pointsman: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A command line that is none, in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let reason: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    eprintln!("pointsman: {}; see `pointsman --help`", reason.join(" ").trim_start_matches("error: "));
    ExitCode::from(2)
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Cosim(arguments) => cosim::run(&arguments),
        Command::Hash(command) => hash::run(&command),
        Command::Emit(arguments) => emit::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Requirements(arguments) => requirements::run(&arguments),
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Man => generate::man(),
    }
}
