//! Scenarios: situations of the source, each played on the whole system, told in its words, and checked.
//!
//! A scenario is a file with a [`Scenario`] and its name in [`ALL`]. Its function opens one or more [`Play`]s (a system with net kernels on
//! its processors), runs them, [tells](Stage::tell) what happened, [checks](Stage::check) it, and closes them; what was recorded on the way
//! becomes a page by [`crate::report`].

mod echo;
mod fragments;
mod igmp;
mod interrupt_versus_polling;
mod play;
mod stage;

use std::fmt;
use std::io;
use std::str::FromStr;

use abi::params::NicParams;
use soft_cores::kernel::interrupt;

use crate::bridge::BridgeError;
use crate::rig::RigError;
use crate::system::SystemError;

pub use play::{Play, Setting};
pub use stage::{Outcome, Recording, SharedCapture, Stage, Table};

/// See the module's page.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// Whether it is up to the user how kernels learn of their work.
    pub takes_mode: bool,
    /// Plays it.
    pub run: fn(&mut Stage) -> Result<(), Failed>,
}

/// All scenarios, by name.
pub const ALL: &[Scenario] = &[fragments::SCENARIO, igmp::SCENARIO, interrupt_versus_polling::SCENARIO];

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// How kernels learn of their work (66.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The card interrupts.
    #[default]
    Interrupt,
    /// They look.
    Polling,
    /// The one at low load, the other at high load.
    Adaptive,
}

impl Mode {
    const NAMES: [(Mode, &'static str); 3] =
        [(Mode::Interrupt, "interrupt"), (Mode::Polling, "polling"), (Mode::Adaptive, "adaptive")];

    /// The kernel's word for it.
    pub fn of_kernel(self) -> interrupt::Mode {
        match self {
            Self::Interrupt => interrupt::Mode::Interrupt,
            Self::Polling => interrupt::Mode::Poll,
            // Two full rounds in a row are a load, four empty ones are none.
            Self::Adaptive => interrupt::Mode::Adaptive { full: 2, empty: 4 },
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

/// A mode that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose interrupt, polling or adaptive")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(mode, _)| *mode).ok_or(UnknownMode)
    }
}

/// What a scenario is played with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The card.
    pub params: NicParams,
    /// Decides everything that is random.
    pub seed: u64,
    /// How kernels learn of their work.
    pub mode: Mode,
}

/// Why a scenario ended badly.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Something that should have been so was not.
    #[error("it does not hold that {0}")]
    Check(String),
    /// The card, a kernel or the host did what it must not, or something did not come in time.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The capture cannot be written.
    #[error(transparent)]
    Capture(#[from] io::Error),
}

impl Failed {
    /// Whether the user asked for what there is not, or for a file that cannot be written: then nothing is said of the card.
    pub fn is_usage(&self) -> bool {
        let is_missing = |error: &BridgeError| matches!(error, BridgeError::UnknownPreset { .. });
        match self {
            Self::System(SystemError::Rig(RigError::Bridge(error))) => is_missing(error),
            Self::Capture(_) => true,
            Self::Check(_) | Self::System(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_names_of_their_own_in_order_and_a_sentence() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        for scenario in ALL {
            assert!(scenario.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", scenario.name);
            assert!(scenario.about.ends_with('.') && !scenario.about.contains('\n'), "{}", scenario.about);
            assert_eq!(named(scenario.name).map(|found| found.name), Some(scenario.name));
        }
        assert!(named("dance").is_none());
    }

    #[test]
    fn modes_are_called_what_they_are_printed_as() {
        for (mode, name) in Mode::NAMES {
            assert_eq!((name.parse(), mode.to_string().as_str()), (Ok(mode), name));
        }
        assert_eq!("Polling".parse::<Mode>(), Err(UnknownMode));
    }
}
