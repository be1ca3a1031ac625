//! The whole: the card with a native net kernel on each of its processors, the link with the clients at its other end, and a host. One
//! clock, one seed.
//!
//! Who has nothing to do in a cycle is not looked at: a processor that waits for an interrupt, a link on which nothing arrives, clients
//! and host before the time they gave.

use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;

use abi::csr::host as csr;
use abi::params::NicParams;

use crate::card::dispatch_registers;
use crate::clients::{Client, Clients};
use crate::link::{self, Link};
use crate::native::{Boot, Clock, Fault, Processor, Setup};
use crate::reference::DispatchConfig;
use crate::rig::{REGISTERS, Rig, RigError};
use crate::root_complex::{self, RootComplex};
use crate::sink::{FrameSink, StreamViolation};
use crate::source::{FrameSource, Outgoing, Pace};

/// Shortest frame on the wire, without FCS (IEEE 802.3, 4.2.3.3).
const WIRE_MINIMUM: usize = 60;

/// Cycles after which nothing is left inside the card of what went in.
const SETTLING: u64 = 256;

/// Cycles in which a register of the host is answered, or a probe is reached, at most.
const PATIENCE: u64 = 1_000_000;

/// What a host is told of a run: anything that ends it.
pub type HostError = Box<dyn Error + Send + Sync>;

/// The software on the host. It acts on the [`RootComplex`] as a driver acts on its bus.
pub trait Host {
    /// Called when the cycle has come that it asked for, and in every cycle in which the card has sent something that it has not taken:
    /// an interrupt, an answer. Says when it wants to be called if nothing comes; `None`: never.
    ///
    /// # Errors
    /// The run is over.
    fn tick(&mut self, cycle: u64, bus: &mut RootComplex) -> Result<Option<u64>, HostError>;

    /// Somebody has given it something to do since: it is called in this cycle, whatever it said.
    fn wants_tick(&self) -> bool {
        false
    }
}

/// What a system is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Decides everything that is random on the link; the host's own seed is in its configuration.
    pub seed: u64,
    /// The link.
    pub link: link::Config,
    /// How the host's bus behaves.
    pub bus: root_complex::Config,
    /// What the host writes to the card's dispatch registers before anything else happens.
    pub dispatch: DispatchConfig,
    /// All processors.
    pub processor: Setup,
}

/// A frame on its way, where the card's own streams begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// When it was handed to the card, or came out of it whole.
    pub cycle: u64,
    /// To the card; otherwise from it.
    pub to_card: bool,
    /// Its bytes, without FCS.
    pub bytes: Vec<u8>,
    /// Its FCS is wrong.
    pub bad: bool,
}

/// See the module's page.
pub struct System {
    rig: Rig,
    clock: Clock,
    source: FrameSource,
    sink: FrameSink,
    processors: Vec<Processor>,
    /// The link.
    pub link: Link,
    clients: Clients,
    host: Option<Box<dyn Host>>,
    /// The cycle in which the host wants to be called.
    host_due: u64,
    /// The first cycle in which link or clients have something to do.
    agenda: u64,
    frames: usize,
    /// The cycle in which something last moved at the card's streams, memories or register ports.
    moved: u64,
    records: Option<Vec<Passing>>,
    /// Frames with a wrong FCS that clients dropped.
    bad_at_clients: u64,
}

impl System {
    /// A card that was reset and set up; its processors run what `boot` gives for their numbers from the next cycle on.
    ///
    /// # Errors
    /// The preset is not built in, or the card breaks a law during set-up.
    pub fn new(params: NicParams, config: &Config, boot: impl FnMut(usize) -> Boot) -> Result<Self, SystemError> {
        let clock = Clock::default();
        let mut system = Self {
            rig: Rig::new(params, config.bus.clone())?,
            clock: clock.clone(),
            source: FrameSource::new(params.beat_bytes(), Pace::BackToBack, config.seed),
            sink: FrameSink::new(params.beat_bytes(), 0, config.seed),
            processors: Vec::new(),
            link: Link::new(config.link.clone(), config.seed),
            clients: Clients::default(),
            host: None,
            host_due: u64::MAX,
            agenda: u64::MAX,
            frames: 0,
            moved: 0,
            records: None,
            bad_at_clients: 0,
        };
        system.set_up(config)?;
        clock.set(system.cycles());
        let make = |(number, boot)| Processor::new(number, params.beat_bytes(), &config.processor, &clock, boot);
        let boots = (0..params.processors()).map(boot);
        system.processors = boots.enumerate().map(make).collect::<Result<_, _>>()?;
        Ok(system)
    }

    /// What a driver does first.
    fn set_up(&mut self, config: &Config) -> Result<(), SystemError> {
        // Both count from 128 bytes in powers of two.
        let steps = |bytes: usize| (bytes / 128).trailing_zeros();
        let control = csr::pcie_control::MAX_PAYLOAD.put(steps(config.bus.max_payload))
            | csr::pcie_control::MAX_READ.put(steps(config.bus.max_read));
        self.host_write(csr::PCIE_ID.offset, config.bus.card_id.into());
        self.host_write(csr::PCIE_CONTROL.offset, control);
        for (offset, value) in dispatch_registers(&config.dispatch) {
            self.host_write(offset, value);
        }
        self.run_until(PATIENCE, |system| system.rig.host.quiet())
    }

    /// The card's parameters.
    pub fn params(&self) -> NicParams {
        self.rig.params()
    }

    /// Cycles since reset began.
    pub fn cycles(&self) -> u64 {
        self.rig.cycles()
    }

    /// The host's end of the bus.
    pub fn bus(&mut self) -> &mut RootComplex {
        &mut self.rig.host
    }

    /// The processors.
    pub fn processors(&self) -> &[Processor] {
        &self.processors
    }

    /// Puts software on the host; it is called first in the next cycle.
    pub fn set_host(&mut self, host: Box<dyn Host>) {
        self.host = Some(host);
        self.host_due = 0;
    }

    /// Puts somebody else on the link. Gives its number.
    pub fn add_client(&mut self, client: impl Client + 'static) -> usize {
        self.agenda = 0;
        self.clients.add(Box::new(client))
    }

    /// Has a client called that was given something to do.
    pub fn wake_client(&mut self, number: usize) {
        self.clients.wake(number);
        self.agenda = 0;
    }

    /// Frames that clients got for nobody, and with a wrong FCS.
    pub fn lost_at_clients(&self) -> (u64, u64) {
        (self.clients.astray(), self.bad_at_clients)
    }

    /// Frames since the last call; they are kept from the first call on.
    pub fn take_records(&mut self) -> Vec<Passing> {
        self.records.replace(Vec::new()).unwrap_or_default()
    }

    /// Writes a waveform from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn trace_to(&mut self, file: &Path) -> Result<(), SystemError> {
        Ok(self.rig.trace_to(file)?)
    }

    /// Whether nothing is under way on the link, in the card or on the host's bus, and all processors wait for interrupts.
    pub fn is_quiet(&self) -> bool {
        let settled = self.cycles() > self.moved + SETTLING;
        settled
            && self.link.to_card.under_way() + self.link.from_card.under_way() + self.source.waiting() == 0
            && self.rig.host.quiet()
            && self.processors.iter().all(Processor::is_idle)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// Card, kernel or host did what it must not.
    pub fn tick(&mut self) -> Result<(), SystemError> {
        let cycle = self.rig.cycles();
        self.clock.set(cycle);
        if cycle >= self.agenda {
            self.let_the_world_turn(cycle);
        }
        if let Some(host) = &mut self.host
            && (cycle >= self.host_due || self.rig.host.has_news() || host.wants_tick())
        {
            let due = host.tick(cycle, &mut self.rig.host).map_err(|error| SystemError::Host { cycle, error })?;
            self.host_due = due.map_or(u64::MAX, |due| due.max(cycle + 1));
        }
        let inputs = &mut self.rig.inputs;
        self.source.drive(cycle, inputs);
        self.sink.drive(inputs);
        for processor in &mut self.processors {
            if processor.wants_drive(inputs) {
                processor.drive(inputs);
            }
        }
        self.rig.tick()?;
        let (inputs, outputs) = (&self.rig.inputs, &self.rig.outputs);
        if inputs.rx_tvalid || outputs.tx_tvalid || outputs.mem_valid | inputs.core_valid != 0 {
            self.moved = cycle;
        }
        if let Some(bytes) = self.sink.sample(cycle, outputs)? {
            if let Some(records) = &mut self.records {
                records.push(Passing { cycle, to_card: false, bytes: bytes.clone(), bad: false });
            }
            self.link.from_card.send(cycle, bytes);
            self.agenda = self.agenda.min(self.link.from_card.next().unwrap_or(u64::MAX));
        }
        for processor in &mut self.processors {
            if processor.wants_sample(cycle, outputs) {
                processor.sample(cycle, outputs)?;
            }
        }
        Ok(())
    }

    /// Moves what has arrived, and has clients do what is due.
    fn let_the_world_turn(&mut self, cycle: u64) {
        while let Some(arrival) = self.link.from_card.arrive(cycle) {
            if arrival.bad {
                self.bad_at_clients += 1;
            } else {
                self.clients.receive(cycle, &arrival.bytes);
            }
        }
        for mut frame in self.clients.poll(cycle) {
            frame.resize(frame.len().max(WIRE_MINIMUM), 0);
            self.link.to_card.send(cycle, frame);
        }
        while let Some(arrival) = self.link.to_card.arrive(cycle) {
            let (bytes, bad) = (arrival.bytes, arrival.bad);
            if let Some(records) = &mut self.records {
                records.push(Passing { cycle, to_card: true, bytes: bytes.clone(), bad });
            }
            self.source.push(Outgoing { index: self.frames, bytes, bad });
            self.frames += 1;
        }
        let next = [self.link.to_card.next(), self.link.from_card.next(), self.clients.next()];
        self.agenda = next.into_iter().flatten().min().unwrap_or(u64::MAX).max(cycle + 1);
    }

    /// So many clock cycles.
    ///
    /// # Errors
    /// As [`System::tick`].
    pub fn run(&mut self, cycles: u64) -> Result<(), SystemError> {
        (0..cycles).try_for_each(|_| self.tick())
    }

    /// Clock cycles until `done`.
    ///
    /// # Errors
    /// As [`System::tick`], or it was not done within `limit` cycles.
    pub fn run_until(&mut self, limit: u64, mut done: impl FnMut(&mut Self) -> bool) -> Result<(), SystemError> {
        let end = self.cycles().saturating_add(limit);
        while !done(self) {
            if self.cycles() >= end {
                return Err(SystemError::Late { cycle: self.cycles(), limit });
            }
            self.tick()?;
        }
        Ok(())
    }

    /// Has `work` done by a processor where its kernel would take an interrupt, with interrupts disabled, and waits for it.
    ///
    /// # Errors
    /// As [`System::tick`], or the processor does not come to such a place.
    pub fn probe<R: 'static>(
        &mut self,
        processor: usize,
        work: impl FnOnce() -> R + 'static,
    ) -> Result<R, SystemError> {
        let slot = Rc::new(RefCell::new(None));
        let inside = slot.clone();
        self.processors[processor].probe(Box::new(move || {
            let result = work();
            *inside.borrow_mut() = Some(result);
        }));
        self.run_until(PATIENCE, |_| slot.borrow().is_some())?;
        let result = slot.borrow_mut().take();
        result.ok_or(SystemError::Late { cycle: self.cycles(), limit: PATIENCE })
    }

    /// Writes a register as the host.
    pub fn host_write(&mut self, offset: u32, value: u32) {
        self.rig.host.write_word(REGISTERS, offset.into(), value);
    }

    /// Reads a register as the host, in place of the host's own software, and waits for the answer.
    ///
    /// # Errors
    /// As [`System::tick`], or the card did not answer with a word.
    pub fn host_read(&mut self, offset: u32) -> Result<u32, SystemError> {
        let away = self.host.take();
        let result = self.read_alone(offset);
        self.host = away;
        result
    }

    fn read_alone(&mut self, offset: u32) -> Result<u32, SystemError> {
        let ticket = self.rig.host.read(self.cycles(), REGISTERS, offset.into(), 4);
        let mut answer = None;
        self.run_until(PATIENCE, |system| {
            answer = system.rig.host.take_answer(ticket);
            answer.is_some()
        })?;
        let word = answer.and_then(|answer| answer.result.ok()).and_then(|bytes| bytes.try_into().ok());
        word.map(u32::from_le_bytes).ok_or(SystemError::NoAnswer { offset, cycle: self.cycles() })
    }

    /// Reads a 64-bit counter of the card, low word first.
    ///
    /// # Errors
    /// As [`System::host_read`].
    pub fn counter(&mut self, index: usize) -> Result<u64, SystemError> {
        let offset = csr::counters::offset(index);
        let low = self.host_read(offset)?;
        let high = self.host_read(offset + 4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The model, or the card towards the host.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// The card broke a rule of its transmit stream.
    #[error(transparent)]
    Stream(#[from] StreamViolation),
    /// A processor.
    #[error(transparent)]
    Processor(#[from] Fault),
    /// The host's software.
    #[error("cycle {cycle}: the host: {error}")]
    Host {
        /// When.
        cycle: u64,
        /// What it says.
        error: HostError,
    },
    /// Something that was waited for did not come.
    #[error("cycle {cycle}: waited {limit} cycles in vain")]
    Late {
        /// When.
        cycle: u64,
        /// How long.
        limit: u64,
    },
    /// A read of a register was not answered with a word.
    #[error("cycle {cycle}: the read of host register {offset:#07x} was refused")]
    NoAnswer {
        /// The register.
        offset: u32,
        /// When.
        cycle: u64,
    },
}
