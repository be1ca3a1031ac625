//! The computer, the verilated card, its processors and the model network, in one clock.

use std::cell::RefCell;
use std::rc::Rc;

use abi::csr::core;
use abi::csr::host as csr;
use abi::receive::EMPTY;
use cosim::host::{Computer, ComputerConfig, ComputerError, Mode, Moderation};
use cosim::link;
use cosim::native::{Boot, Native, Setup as ProcessorSetup};
use cosim::reference::DispatchConfig;
use cosim::root_complex::{self, Faults};
use cosim::system::{Config, System, SystemError};
use soft_cores::ism::kernel_card::KernelCard;
use soft_cores::ism::{self, Ism};
use soft_cores::kernel::{Kernel, startup};
use soft_cores::platform::Platform;

use super::bench::{Bench, MEMORY, SOCKETS_AT};
use super::network::{Below, Network};
pub use super::peer::{Peer, address};

const PROCESSORS: usize = 4;
const FRAME: u32 = 128;
/// Cycles from one look of a processor's socket module at what is below it to the next.
const LOOK: u64 = 256;
/// Cycles between two steps of the model network.
const STEP: u64 = 64;

/// What is drawn, and what is wanted.
#[derive(Clone)]
pub struct Setup {
    pub seed: u64,
    pub mode: Mode,
    /// Inbound frames of each processor.
    pub inbound: u32,
    pub outbound: u32,
    /// Cycles after which processors hand in their inbound frames, one after the other; one that never does is `None`.
    pub late: [Option<u64>; PROCESSORS],
    pub faults: Faults,
    pub patience: u64,
}

impl Setup {
    pub fn new(seed: u64, mode: Mode) -> Self {
        let late = [Some(100); PROCESSORS];
        Self { seed, mode, inbound: 8, outbound: 16, late, faults: Faults::default(), patience: 1_000_000 }
    }
}

/// Both modes of the host, and interrupts that are held back.
pub fn modes() -> [Mode; 3] {
    [
        Mode::Interrupts(Moderation::default()),
        Mode::Interrupts(Moderation { events: 4, time: 5 }),
        Mode::Polling { period: 300 },
    ]
}

pub fn interrupts() -> Mode {
    modes()[0]
}

/// What runs on a processor.
pub struct Module {
    pub ism: Ism,
    card: KernelCard<Native>,
    below: Below,
}

type Slot = Rc<RefCell<Option<Module>>>;

impl Module {
    /// Says how many messages of the host it has taken.
    fn poll(slot: &Slot, budget: u32) -> u32 {
        let mut module = slot.borrow_mut();
        let Some(Module { ism, card, below }) = module.as_mut() else { return 0 };
        let before = ism.counters().messages;
        for _ in 0..4 {
            if !ism.poll(card, below, budget) {
                break;
            }
        }
        (ism.counters().messages - before) as u32
    }
}

pub struct World {
    pub system: System,
    pub network: Network,
    pub computer: Computer,
    pub setup: Setup,
    bench: Bench,
    modules: Vec<Slot>,
    config: ComputerConfig,
    /// Inbound frames that are lost to a host that was switched off.
    pub lost: u32,
    /// What it had asked may be answered yet.
    was_rebooted: bool,
}

/// What the computer is made with, in most tests.
pub fn computer(setup: &Setup) -> ComputerConfig {
    let mut config = ComputerConfig::new(["10.0.0.1".parse().unwrap()]);
    config.osm.frames = setup.outbound;
    config.osm.buffer_bytes = 2048;
    config.osm.buffers = 300;
    config.osm.sessions = 200;
    config.osm.accepts = 2;
    config.mode = setup.mode;
    config.patience = setup.patience;
    config
}

/// The program of a processor: a kernel, and the socket module on it at interrupt level.
fn boot(processor: usize, setup: &Setup, bench: &Bench, network: &Network, slot: &Slot) -> Boot {
    let (inbound, late) = (setup.inbound, setup.late[processor]);
    let (bench, below, slot) = (bench.clone(), network.below(processor), slot.clone());
    Box::new(move |native| {
        bench.attach(processor, Some(native.clone()));
        let kernel = match Kernel::start(native, startup::Config::default()) {
            Ok(kernel) => kernel,
            Err(error) => return format!("{error:?}"),
        };
        let frames = kernel.carve(inbound * FRAME, 64).unwrap();
        let slots = kernel.carve(8 * FRAME, 64).unwrap();
        assert!(slots + 8 * FRAME <= SOCKETS_AT && kernel.found().memory_end as usize == MEMORY);
        let config = ism::Config {
            processor,
            sessions: 64,
            credits: 8,
            copies: 12,
            answers: 8,
            slots: slots..slots + 8 * FRAME,
        };
        let card = KernelCard::new(kernel.clone());
        *slot.borrow_mut() = Some(Module { ism: Ism::new(config), card, below });
        let now = kernel.platform().now();
        if let Some(late) = late {
            let hand_in = move |kernel: &Kernel<Native>, _| {
                let platform = kernel.platform();
                platform.write(core::IN_BASE.offset, frames);
                platform.write(core::IN_FRAME_SIZE.offset, FRAME.ilog2());
                platform.write(core::IN_FRAMES.offset, inbound);
                for frame in 0..inbound {
                    platform.write(core::IN_FREE.offset, (processor as u32) << 24 | (frames + frame * FRAME));
                }
            };
            kernel.call_at(now + late, hand_in).unwrap();
        }
        let (at_message, at_time) = (slot.clone(), slot.clone());
        kernel.on_host(move |_, budget| Module::poll(&at_message, budget));
        kernel.call_every(now + LOOK, LOOK, move |_, _| drop(Module::poll(&at_time, 16))).unwrap();
        kernel.run()
    })
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let config = computer(&setup);
        Self::with(setup, config)
    }

    pub fn with(setup: Setup, config: ComputerConfig) -> Self {
        let seed = setup.seed;
        let bench = Bench::new(seed, PROCESSORS);
        let network = Network::new(&bench, PROCESSORS, 40);
        let modules: Vec<Slot> = (0..PROCESSORS).map(|_| Slot::default()).collect();
        let bus = root_complex::Config {
            seed,
            latency: 20..=20 + seed % 4 * 60,
            reorder: seed % 2 == 1,
            split: (seed % 3 * 20) as u32,
            faults: setup.faults.clone(),
            ..root_complex::Config::default()
        };
        let whole = Config {
            seed,
            link: link::Config::default(),
            bus,
            dispatch: DispatchConfig::reset(PROCESSORS as u8),
            processor: ProcessorSetup::default(),
        };
        let boots = |processor| boot(processor, &setup, &bench, &network, &modules[processor]);
        let mut system = System::new("n4w64".parse().unwrap(), &whole, boots).unwrap();
        // A read of the card that is not answered is given up after this.
        system.host_write(csr::DMA_TIMEOUT.offset, 5000);
        let computer = Computer::new(config.clone());
        system.set_host(computer.host());
        Self { system, network, computer, setup, bench, modules, config, lost: 0, was_rebooted: false }
    }

    /// The host is switched off in the middle of what it does, and on again: applications are gone.
    pub fn reboot(&mut self) {
        self.computer = Computer::new(self.config.clone());
        self.system.set_host(self.computer.host());
        self.was_rebooted = true;
    }

    /// Some cycles, then a step of the network.
    pub fn step(&mut self) -> Result<(), SystemError> {
        self.system.run(STEP)?;
        self.network.tick();
        Ok(())
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step().unwrap();
        }
    }

    pub fn run_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..20_000 {
            if is_so(self) {
                return;
            }
            self.step().unwrap();
        }
        panic!("seed {}, {:?}: never: {what}", self.setup.seed, self.setup.mode);
    }

    /// Runs until it ends with an error of the computer.
    pub fn error(&mut self) -> ComputerError {
        for _ in 0..20_000 {
            match self.step() {
                Ok(()) => {}
                Err(SystemError::Host { error, .. }) => return error.downcast_ref::<ComputerError>().unwrap().clone(),
                Err(other) => panic!("{other}"),
            }
        }
        panic!("no error");
    }

    /// A connection of a peer, as soon as somebody listens.
    pub fn dial(&mut self, from: &str, to: &str) -> u32 {
        let (from, to) = (address(from), address(to));
        let mut id = None;
        self.run_until("somebody listens", |world| {
            id = world.network.dial(from, to);
            id.is_some()
        });
        id.unwrap()
    }

    /// Runs with peers until each has seen the end.
    pub fn run_peers(&mut self, peers: &mut [Peer]) {
        self.run_until("the end of all peers", |world| {
            peers.iter_mut().for_each(|peer| peer.step(&world.network));
            peers.iter().all(|peer| world.network.peer_end(peer.id).is_some())
        });
        peers.iter_mut().for_each(|peer| peer.step(&self.network));
    }

    /// Looks at a processor's socket module.
    pub fn look<R: 'static>(&mut self, processor: usize, look: impl FnOnce(&Ism) -> R + 'static) -> R {
        let slot = self.modules[processor].clone();
        self.system.probe(processor, move || look(&slot.borrow().as_ref().unwrap().ism)).unwrap()
    }

    /// Kills applications, lets peers go, and looks that every session, message frame and buffer is back.
    pub fn assert_nothing_leaks(&mut self, tasks: &[usize], peers: &[Peer]) {
        self.system.bus().config_mut().faults = Faults::default();
        tasks.iter().for_each(|task| self.computer.kill(*task));
        peers.iter().for_each(|peer| self.network.peer_leaves(peer.id));
        self.run_until("rest", |world| {
            world.computer.is_at_rest()
                && world.network.sockets() == 0
                && (0..PROCESSORS).all(|p| world.look(p, |ism| ism.is_idle() && ism.sessions() == 0))
        });
        self.network.assert_no_buffer_is_missing();
        let osm = self.computer.osm().counters();
        assert_eq!(osm.requests, osm.replies, "seed {}", self.setup.seed);
        assert!(osm.strays == 0 || self.was_rebooted, "seed {}: {} strays", self.setup.seed, osm.strays);
        let in_hand: usize = (0..PROCESSORS).map(|p| self.look(p, Ism::frames_in_hand)).sum();
        // In both queues: how many are free, and that none is posted.
        let outbound = self.read(csr::OUT_LEVELS.offset);
        assert_eq!(outbound, self.setup.outbound - in_hand as u32, "outbound frames: {outbound:#x}");
        let inbound: u32 = (0..PROCESSORS).map(|p| self.read(csr::IN_LEVELS.at(p))).sum();
        assert_eq!(inbound, PROCESSORS as u32 * self.setup.inbound - self.lost, "inbound frames: {inbound:#x}");
        assert_eq!((self.read(csr::DMA_DONE.offset), self.read(csr::DMA_PUSH.offset)), (EMPTY, 16));
        let interrupts = self.system.counter(csr::counters::INTERRUPTS).unwrap();
        match self.setup.mode {
            Mode::Interrupts(_) => assert!(osm.interrupts > 0),
            Mode::Polling { .. } => assert_eq!((osm.interrupts, interrupts), (0, 0)),
        }
    }

    pub fn read(&mut self, offset: u32) -> u32 {
        self.system.host_read(offset).unwrap()
    }
}

impl Drop for World {
    /// Each kernel holds its module, and the module holds its kernel.
    fn drop(&mut self) {
        for (processor, slot) in self.modules.iter().enumerate() {
            self.bench.attach(processor, None);
            if let Ok(mut module) = slot.try_borrow_mut() {
                drop(module.take());
            }
        }
    }
}
