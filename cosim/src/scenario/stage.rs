//! What a scenario tells, checks and leaves behind.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::rc::Rc;

use serde::Serialize;

use super::{Failed, Options, Play, Setting};
use crate::capture::writer::CaptureWriter;
use crate::record::{Distribution, Samples};

/// A table of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it is about.
    pub title: String,
    /// What stands in each column.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<const N: usize>(title: &str, columns: [&str; N]) -> Self {
        Self { title: title.to_string(), columns: columns.map(str::to_string).into(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [&dyn Display; N]) {
        self.rows.push(cells.iter().map(|cell| cell.to_string()).collect());
    }
}

/// What one play leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recording {
    /// Which play it was.
    pub title: String,
    /// What it was played with, and what that was set to.
    pub configuration: Vec<(String, String)>,
    /// Processors and queues over time.
    pub samples: Samples,
    /// What the latencies are of.
    pub latency_of: String,
    /// Latencies, in cycles.
    pub latency: Distribution,
    /// What was counted.
    pub counters: Vec<(String, u64)>,
    /// Connections, processors, and what else there is to list.
    pub tables: Vec<Table>,
}

/// What a scenario leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What happened, line by line.
    pub story: Vec<String>,
    /// What was checked and held.
    pub held: Vec<String>,
    /// What did not hold, or went wrong.
    pub failure: Option<String>,
    /// Cycles of all plays.
    pub cycles: u64,
    /// Bytes that went over the link in both directions.
    pub bytes: u64,
    /// What compares the plays.
    pub tables: Vec<Table>,
    /// The plays.
    pub recordings: Vec<Recording>,
}

/// Where frames are captured to.
pub type SharedCapture = Rc<RefCell<CaptureWriter<Box<dyn Write>>>>;

/// Where a scenario is played.
pub struct Stage<'a> {
    options: Options,
    teller: Box<dyn FnMut(&str) + 'a>,
    capture: Option<SharedCapture>,
    outcome: Outcome,
}

impl<'a> Stage<'a> {
    /// A stage whose lines go to `teller` at once, and the frames at the card's MAC to `capture`.
    pub fn new(options: Options, teller: impl FnMut(&str) + 'a, capture: Option<SharedCapture>) -> Self {
        Self { options, teller: Box::new(teller), capture, outcome: Outcome::default() }
    }

    /// What the scenario is played with.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Says something.
    pub fn say(&mut self, line: impl Display) {
        let line = line.to_string();
        (self.teller)(&line);
        self.outcome.story.push(line);
    }

    /// Says what happened in a play just now.
    pub fn tell(&mut self, play: &Play, what: impl Display) {
        self.say(format!("cycle {:>8}  {what}", play.cycles()));
    }

    /// Checks something.
    ///
    /// # Errors
    /// It does not hold.
    pub fn check(&mut self, holds: bool, what: impl Display) -> Result<(), Failed> {
        let what = what.to_string();
        if !holds {
            return Err(Failed::Check(what));
        }
        self.outcome.held.push(what);
        Ok(())
    }

    /// Opens a play: a system set up as told, with a net kernel on each processor.
    ///
    /// # Errors
    /// There is no such card, or the capture cannot be written.
    pub fn open(&mut self, title: &str, setting: Setting) -> Result<Play, Failed> {
        Play::new(title, self.options, setting, self.capture.clone())
    }

    /// Closes a play and keeps what was recorded of it.
    ///
    /// # Errors
    /// Its counters cannot be read.
    pub fn close(&mut self, play: Play) -> Result<(), Failed> {
        let (recording, cycles, bytes) = play.finish()?;
        self.outcome.cycles += cycles;
        self.outcome.bytes += bytes;
        self.outcome.recordings.push(recording);
        Ok(())
    }

    /// Keeps a table about all plays.
    pub fn compare(&mut self, table: Table) {
        self.outcome.tables.push(table);
    }

    /// Everything, and how it ended.
    pub fn finish(mut self, result: &Result<(), Failed>) -> Outcome {
        self.outcome.failure = result.as_ref().err().map(Failed::to_string);
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;
    use abi::params::NicParams;

    #[test]
    fn what_is_told_is_heard_at_once_and_what_does_not_hold_ends_it() {
        let options = Options { params: NicParams::new(4, 64).unwrap(), seed: 1, mode: Mode::Interrupt };
        let mut heard = Vec::new();
        let mut stage = Stage::new(options, |line| heard.push(line.to_string()), None);
        stage.say("the curtain rises");
        stage.check(true, "one is one").unwrap();
        let result = stage.check(false, "one is two");
        let outcome = stage.finish(&result);
        assert_eq!((&heard, &outcome.held), (&vec!["the curtain rises".to_string()], &vec!["one is one".to_string()]));
        assert_eq!(outcome.story, heard);
        assert_eq!(outcome.failure.as_deref(), Some("it does not hold that one is two"));
    }
}
