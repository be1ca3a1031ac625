//! Shell completions and the manual page, from the command line's own description.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::{Cli, output};

/// Which shell.
#[derive(Args)]
pub struct Completions {
    /// The shell to complete for.
    shell: Shell,
}

/// Prints the completions.
pub fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "pointsman", &mut text);
    output::print(&String::from_utf8_lossy(&text));
    Ok(())
}

/// Prints the manual page, in roff.
pub fn man() -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|problem| Failure::Tool(format!("the manual page cannot be printed: {problem}")))?;
    output::print(&String::from_utf8_lossy(&text));
    Ok(())
}
