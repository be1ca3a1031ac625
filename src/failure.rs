//! Everything that ends a command badly, and its exit code.

use std::io;
use std::path::PathBuf;

use ::cosim::capture::CaptureError;
use ::cosim::card::CardError;
use ::cosim::cores::MachineError;
use ::cosim::report::ReportError;
use ::cosim::scenario::Failed;
use ::cosim::vectors::VectorError;
use abi::params::ParamsError;

/// Why a command failed; prints as one line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A check did not hold; the details were printed.
    #[error("{0}")]
    Check(String),
    /// An option's value makes no sense.
    #[error("{option} {value}: {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// Why not, and what instead.
        problem: String,
    },
    /// A capture cannot be used.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A vector file cannot be used.
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// Something cannot be read.
    #[error("{}: {problem}", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// The reason.
        problem: io::Error,
    },
    /// Something cannot be written.
    #[error("{}: cannot be written: {problem}; choose a place that exists and that you may write to", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// The reason.
        problem: io::Error,
    },
    /// The card broke a law in cosimulation.
    #[error("the card failed: {0}")]
    Card(#[from] CardError),
    /// A scenario ended badly.
    #[error("{name}: {problem}")]
    Scenario {
        /// Its name.
        name: &'static str,
        /// How.
        problem: Failed,
    },
    /// A report cannot be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The card broke a law in a measurement.
    #[error("the card failed: {0}")]
    Machine(#[from] MachineError),
    /// The gateware could not be printed.
    #[error("the gateware cannot be printed: {0}")]
    Emit(#[from] hdl::emit::EmitError),
    /// A tool that is not there, or that fails.
    #[error("{0}")]
    Tool(String),
}

impl Failure {
    /// 1 if a check failed, 2 if the command could not do its work.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) | Self::Card(_) | Self::Machine(_) => 1,
            Self::Scenario { problem, .. } => {
                if problem.is_usage() {
                    2
                } else {
                    1
                }
            }
            _ => 2,
        }
    }

    /// A preset that is none.
    pub fn preset(name: &str, problem: ParamsError) -> Self {
        Self::Option { option: "--preset", value: name.to_string(), problem: problem.to_string() }
    }
}
