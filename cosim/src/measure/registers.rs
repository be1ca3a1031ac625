//! How fast registers are read, and what the MFA queues behind them carry.

use abi::csr::{core, host};
use abi::params::NicParams;
use abi::receive::EMPTY;

use crate::cores::{Frames, Machine, MachineError};
use crate::rig::REGISTERS;
use crate::root_complex::Config;

/// Outbound frames: fewer than the queues hold.
const FRAMES: Frames = Frames { base: 0x2000_0000, log2: 6, count: 240 };

/// Entries in a queue before they are taken, so that nobody finds it empty.
const LEAD: u64 = 64;

/// Cycles that a read takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// From the beat of the host's request to that of the completion.
    pub host: u64,
    /// From the cycle that takes a processor's request to that of the answer.
    pub core: u64,
}

/// Operations per cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// The host hands in empty frames.
    pub host_push: f64,
    /// The processors together take them.
    pub core_pop: f64,
    /// The processors together post them.
    pub core_push: f64,
    /// The host takes posted frames.
    pub host_pop: f64,
}

/// Events, and the cycles of the first and the last of them.
#[derive(Clone, Copy, Default)]
struct Span {
    count: u64,
    first: u64,
    last: u64,
}

impl Span {
    fn add(&mut self, cycle: u64, count: usize) {
        if count > 0 {
            if self.count == 0 {
                self.first = cycle;
            }
            self.last = cycle;
            self.count += count as u64;
        }
    }

    fn rate(&self) -> f64 {
        self.count as f64 / (self.last + 1 - self.first) as f64
    }
}

/// Measures a read of a register by the host and by a processor.
///
/// # Errors
/// The card broke a law.
pub fn read_latency(params: NicParams) -> Result<Latency, MachineError> {
    let mut machine = Machine::new(params, Config::default(), 1 << 12)?;
    let now = machine.rig.cycles();
    machine.rig.host.read(now, REGISTERS, host::VERSION.offset.into(), 4);
    machine.until(|machine| machine.rig.inputs.tlp_rx_tvalid && machine.rig.outputs.tlp_rx_tready)?;
    let asked = machine.rig.cycles();
    machine.until(|machine| machine.rig.outputs.tlp_tx_tvalid)?;
    let host = machine.rig.cycles() - asked;
    machine.ticks(10)?;
    machine.cores[0].port.read(core::ID.offset);
    machine.until(|machine| machine.cores[0].port.waiting() == 0)?;
    let asked = machine.rig.cycles();
    machine.until(|machine| !machine.cores[0].answers.is_empty())?;
    Ok(Latency { host, core: machine.rig.cycles() - asked })
}

/// Measures the outbound queues: the host hands in empty frames while the processors take them, then the processors post them while the host
/// takes them.
///
/// # Errors
/// The card broke a law.
pub fn queue_rates(params: NicParams) -> Result<Rates, MachineError> {
    let config = Config { host_tags: 256, ..Config::default() };
    let mut machine = Machine::new(params, config, 1 << 12)?;
    machine.set_outbound(FRAMES)?;
    let processors = machine.cores.len();

    let (mut push, mut pop) = (Span::default(), Span::default());
    for k in 0..FRAMES.count {
        machine.rig.host.write_word(REGISTERS, host::I2O_OUTBOUND.offset.into(), FRAMES.mfa(None, k));
    }
    let mut taken = Vec::new();
    let mut asked = false;
    while taken.len() < FRAMES.count {
        if !asked && push.count == LEAD {
            (0..FRAMES.count).for_each(|k| _ = machine.cores[k % processors].port.read(core::OUT_FREE.offset));
            asked = true;
        }
        let cycle = machine.rig.cycles();
        machine.tick()?;
        let moved = machine.rig.inputs.tlp_rx_tvalid && machine.rig.outputs.tlp_rx_tready;
        push.add(cycle, moved.into());
        let answers = machine.cores.iter_mut().flat_map(|core| core.answers.drain(..));
        let before = taken.len();
        taken.extend(answers.map(|answer| answer.value).filter(|value| *value != EMPTY));
        pop.add(cycle, taken.len() - before);
        late(&machine, push)?;
    }
    let (host_push, core_pop) = (push.rate(), pop.rate());

    let (mut push, mut pop) = (Span::default(), Span::default());
    for (k, mfa) in taken.iter().enumerate() {
        machine.cores[k % processors].port.write(core::OUT_POST.offset, *mfa);
    }
    let waiting = |machine: &Machine| machine.cores.iter().map(|core| core.port.waiting()).sum::<usize>();
    let mut asked = 0;
    while pop.count < FRAMES.count as u64 {
        let cycle = machine.rig.cycles();
        if push.count >= LEAD && asked < FRAMES.count {
            machine.rig.host.read(cycle, REGISTERS, host::I2O_OUTBOUND.offset.into(), 4);
            asked += 1;
        }
        let before = waiting(&machine);
        machine.tick()?;
        push.add(cycle, before - waiting(&machine));
        let empty = EMPTY.to_le_bytes();
        pop.add(
            cycle,
            machine.answers.drain(..).filter(|answer| answer.result.as_deref().is_ok_and(|mfa| mfa != empty)).count(),
        );
        late(&machine, push)?;
    }
    Ok(Rates { host_push, core_pop, core_push: push.rate(), host_pop: pop.rate() })
}

/// An error when a burst should long be over.
fn late(machine: &Machine, push: Span) -> Result<(), MachineError> {
    let cycle = machine.rig.cycles();
    if push.count > 0 && cycle > push.first + 100 * FRAMES.count as u64 {
        Err(MachineError::Late { cycle })
    } else {
        Ok(())
    }
}
