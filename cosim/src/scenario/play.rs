//! A system on the stage: net kernels on its processors, clients beyond its link, and a recorder beside it.

use std::net::IpAddr;
use std::rc::Rc;

use abi::csr::host::counters;
use soft_cores::kernel::interrupt::Policy;
use soft_cores::kernel::startup;
use soft_cores::net_kernel::{self, NetKernel};

use super::stage::{Recording, SharedCapture, Table};
use super::{Failed, Options};
use crate::CLOCK_HZ;
use crate::capture::writer::{Captured, Interface};
use crate::link;
use crate::native::costs::Costs;
use crate::native::{Native, Setup};
use crate::programs::{self, FRAME_BYTES, NetKernels};
use crate::record::Recorder;
use crate::reference::{self, DispatchConfig};
use crate::root_complex;
use crate::system::{Config, Passing, System, SystemError};

/// Nanoseconds of a second.
const NANOSECONDS: u128 = 1_000_000_000;

/// What is done with a net kernel when it has started, by processor.
pub type Prepare = Rc<dyn Fn(usize, &NetKernel<Native>)>;

/// What a play is set up with; what is not told is as in every run.
#[derive(Clone)]
pub struct Setting {
    /// The link.
    pub link: link::Config,
    /// What software takes of its processor's time.
    pub costs: Costs,
    /// How every kernel serves its sources; `None`: as the user has chosen, at interrupt level.
    pub policy: Option<Policy>,
    /// What is changed of every net kernel's configuration.
    pub program: fn(&mut net_kernel::Config),
    /// What is done with each net kernel when it has started.
    pub prepare: Prepare,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            link: link::Config::default(),
            costs: Costs::ESTIMATE,
            policy: None,
            program: |_| (),
            prepare: Rc::new(|_, _| ()),
        }
    }
}

/// See the module's page.
pub struct Play {
    /// The system.
    pub system: System,
    /// Its net kernels.
    pub kernels: NetKernels,
    /// What it leaves behind, so far.
    pub recording: Recording,
    recorder: Recorder,
    dispatch: DispatchConfig,
    capture: Option<(SharedCapture, Interface)>,
    /// Frames at the card's MAC, if the scenario wants to see them.
    kept: Option<Vec<Passing>>,
    /// Sound frames that came to the card, by the processor that their hash chooses; those that go to all.
    hashed: Vec<u64>,
    flooded: u64,
}

impl Play {
    pub(super) fn new(
        title: &str,
        options: Options,
        setting: Setting,
        capture: Option<SharedCapture>,
    ) -> Result<Self, Failed> {
        let processors = options.params.processors();
        let policy = setting.policy.unwrap_or(Policy { mode: options.mode.of_kernel(), ..Policy::default() });
        let dispatch = DispatchConfig { max_frame: FRAME_BYTES, ..DispatchConfig::reset(processors as u8) };
        let config = Config {
            seed: options.seed,
            link: setting.link.clone(),
            bus: root_complex::Config::default(),
            dispatch: dispatch.clone(),
            processor: Setup { costs: setting.costs, ..Setup::default() },
        };
        let mut program = net_kernel::Config {
            kernel: startup::Config { policy, ..startup::Config::default() },
            ..programs::config(options.seed)
        };
        (setting.program)(&mut program);
        let kernels = NetKernels::default();
        let boot = |number| {
            let prepare = setting.prepare.clone();
            kernels.boot_with(program.clone(), move |net| prepare(number, net))
        };
        let mut system = System::new(options.params, &config, boot)?;
        let recorder = Recorder::new(&mut system);
        // They are kept from the first call on.
        system.take_records();
        let capture = match capture {
            Some(capture) => {
                let name = if title.is_empty() { "mac".to_string() } else { format!("mac: {title}") };
                let interface = capture.borrow_mut().interface(&name)?;
                Some((capture, interface))
            }
            None => None,
        };
        let configuration = configuration(options, &setting, &program);
        let recording = Recording { title: title.to_string(), configuration, ..Recording::default() };
        let hashed = vec![0; processors];
        Ok(Self { system, kernels, recording, recorder, dispatch, capture, kept: None, hashed, flooded: 0 })
    }

    /// Keeps the frames at the card's MAC from now on, for [`take_frames`](Self::take_frames).
    pub fn keep_frames(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// The frames since the last call.
    pub fn take_frames(&mut self) -> Vec<Passing> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Cycles since reset began.
    pub fn cycles(&self) -> u64 {
        self.system.cycles()
    }

    /// How many processors there are.
    pub fn processors(&self) -> usize {
        self.system.processors().len()
    }

    /// The processors that a frame is for, by the model.
    pub fn hashed(&self, frame: &[u8]) -> Vec<usize> {
        reference::predict(frame, &self.dispatch).processors.iter().map(usize::from).collect()
    }

    /// Frames that each processor has sent.
    pub fn sent(&self) -> Vec<u64> {
        self.system.processors().iter().map(|processor| processor.watch().frames_sent()).collect()
    }

    /// Clock cycles until `done`.
    ///
    /// # Errors
    /// As [`System::tick`], it was not done within `limit` cycles, or the capture cannot be written.
    pub fn run_until(&mut self, limit: u64, mut done: impl FnMut(&mut System) -> bool) -> Result<(), Failed> {
        let end = self.cycles().saturating_add(limit);
        while !done(&mut self.system) {
            if self.cycles() >= end {
                return Err(SystemError::Late { cycle: self.cycles(), limit }.into());
            }
            self.system.tick()?;
            if self.cycles() >= self.recorder.due() {
                self.recorder.sample(&mut self.system);
                self.drain()?;
            }
        }
        self.drain()
    }

    /// So many clock cycles.
    ///
    /// # Errors
    /// As [`run_until`](Self::run_until).
    pub fn run(&mut self, cycles: u64) -> Result<(), Failed> {
        let end = self.cycles() + cycles;
        self.run_until(cycles, |system| system.cycles() >= end)
    }

    /// Looks at the net kernel of a processor, where it would take an interrupt.
    ///
    /// # Errors
    /// As [`System::probe`].
    pub fn look<R: 'static>(
        &mut self,
        processor: usize,
        look: impl FnOnce(&NetKernel<Native>) -> R + 'static,
    ) -> Result<R, Failed> {
        Ok(self.kernels.look(&mut self.system, processor, look)?)
    }

    /// Looks at the net kernels of all processors.
    ///
    /// # Errors
    /// As [`System::probe`].
    pub fn look_at_all<R: 'static>(
        &mut self,
        look: impl Fn(&NetKernel<Native>) -> R + Clone + 'static,
    ) -> Result<Vec<R>, Failed> {
        (0..self.processors()).map(|processor| self.look(processor, look.clone())).collect()
    }

    /// Takes the frames that have passed.
    fn drain(&mut self) -> Result<(), Failed> {
        for passing in self.system.take_records() {
            if passing.to_card && !passing.bad {
                match self.hashed(&passing.bytes)[..] {
                    [one] => self.hashed[one] += 1,
                    _ => self.flooded += 1,
                }
            }
            if let Some((capture, interface)) = &self.capture {
                let nanoseconds = (u128::from(passing.cycle) * NANOSECONDS / u128::from(CLOCK_HZ)) as u64;
                let Passing { to_card: inbound, bad, ref bytes, .. } = passing;
                capture.borrow_mut().frame(*interface, Captured { nanoseconds, inbound, bad, bytes })?;
            }
            if let Some(kept) = &mut self.kept {
                kept.push(passing);
            }
        }
        Ok(())
    }

    /// What it leaves behind, its cycles, and the bytes that went over the link.
    pub(super) fn finish(mut self) -> Result<(Recording, u64, u64), Failed> {
        self.recorder.sample(&mut self.system);
        self.drain()?;
        let cycles = self.cycles();
        let [to_card, from_card] = [&self.system.link.to_card, &self.system.link.from_card].map(|way| way.counters());
        let mut recording = std::mem::take(&mut self.recording);
        recording.tables.insert(0, self.processor_table()?);
        recording.counters.extend(self.card_counters()?);
        for (name, counters) in [("to the card", to_card), ("from the card", from_card)] {
            let counted = [
                ("offered", counters.offered),
                ("delivered", counters.delivered),
                ("lost", counters.lost),
                ("overflowed", counters.overflowed),
                ("duplicated", counters.duplicated),
                ("made late", counters.reordered),
                ("corrupted", counters.corrupted + counters.garbled),
            ];
            let named = counted.map(|(what, count)| (format!("link {name}: frames {what}"), count));
            recording.counters.extend(named);
        }
        recording.counters.push(("frames flooded to all processors".into(), self.flooded));
        recording.samples = self.recorder.finish();
        Ok((recording, cycles, to_card.bytes + from_card.bytes))
    }

    fn processor_table(&mut self) -> Result<Table, Failed> {
        let columns = [
            "processor",
            "hashed here",
            "frames taken",
            "frames sent",
            "forwarded (67.5)",
            "rerouted (68.3)",
            "interrupts",
            "context switches",
            "load %",
        ];
        let mut table = Table::new("Processors", columns);
        let kernels = self.look_at_all(|net| net.kernel().counters())?;
        for (number, counters) in kernels.into_iter().enumerate() {
            let processor = &self.system.processors()[number];
            let busy = self.cycles() - processor.idle_cycles();
            let watch = processor.watch();
            table.row([
                &number,
                &self.hashed[number],
                &watch.frames_taken(),
                &watch.frames_sent(),
                &watch.sent(soft_cores::kernel::message::Kind::Transport),
                &watch.sent(soft_cores::kernel::message::Kind::Packet),
                &counters.interrupts,
                &counters.context_switches,
                &format_args!("{:.1}", 100.0 * busy as f64 / self.cycles().max(1) as f64),
            ]);
        }
        Ok(table)
    }

    fn card_counters(&mut self) -> Result<Vec<(String, u64)>, Failed> {
        let mut names = vec![
            ("card: frames arrived".to_string(), counters::FRAMES),
            ("card: bytes arrived".to_string(), counters::BYTES),
            ("card: frames delivered".to_string(), counters::DELIVERED),
        ];
        let drops = counters::DROP_NAMES.iter().enumerate();
        names.extend(drops.map(|(place, cause)| (format!("card: dropped, {cause}"), counters::FIRST_DROP + place)));
        names.extend([
            ("card: DMA descriptors failed".to_string(), counters::DMA_FAILED),
            ("card: MFAs refused".to_string(), counters::MFA_REFUSED),
            ("card: interrupts to the host".to_string(), counters::INTERRUPTS),
        ]);
        let mut counted = Vec::new();
        for (name, index) in names {
            counted.push((name, self.system.counter(index)?));
        }
        Ok(counted)
    }
}

fn configuration(options: Options, setting: &Setting, program: &net_kernel::Config) -> Vec<(String, String)> {
    let costs = match setting.costs {
        Costs::FREE => "none: software takes no time",
        Costs::ESTIMATE => "estimate for an in-order RV32IMC",
        _ => "the scenario's own",
    };
    let way = |conditions: &link::Conditions| {
        let chances = [
            ("lost", conditions.loss),
            ("twice", conditions.duplication),
            ("late", conditions.reordering),
            ("corrupted", conditions.corruption),
            ("garbled", conditions.garbling),
        ];
        let faults = chances.iter().filter(|(_, chance)| *chance > 0);
        let percent = |chance: u32| 100.0 * f64::from(chance) / f64::from(link::CHANCES);
        let faults: String = faults.map(|(name, chance)| format!(", {} % {name}", percent(*chance))).collect();
        format!("{} Mb/s, {} cycles{faults}", conditions.megabits, conditions.delay)
    };
    let Policy { mode, budget, place } = program.kernel.policy;
    let entry = |name: &str, value: String| (name.to_string(), value);
    vec![
        entry("card", options.params.to_string()),
        entry("processors", options.params.processors().to_string()),
        entry("stream", format!("{} bits at {} MHz", options.params.width(), CLOCK_HZ / 1_000_000)),
        entry("seed", options.seed.to_string()),
        entry("kernels", format!("{mode:?}, budget {budget}, work at level {place:?}")),
        entry("software's time", costs.to_string()),
        entry("a kernel's microsecond", format!("{} cycles", program.cycles_per_micro)),
        entry("link to the card", way(&setting.link.to_card)),
        entry("link from the card", way(&setting.link.from_card)),
        entry("card's address", IpAddr::V4(programs::CARD_IPV4).to_string()),
    ]
}
