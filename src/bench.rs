//! `pointsman bench`: what the README quotes, as ratios within one run.

use clap::Args;

use crate::failure::Failure;

/// Options of `pointsman bench`.
#[derive(Args)]
pub struct Arguments {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Measures.
pub fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Ok(())
}
