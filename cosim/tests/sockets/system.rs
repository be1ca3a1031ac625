//! Host, card, processors and network in one clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use abi::csr::host as csr;
use abi::dma::{Completion, DESCRIPTOR_WORDS, Descriptor, control};
use abi::receive::EMPTY;
use cosim::host::{Config, Executor, Osm, Policy, Port, Task};
use soft_cores::ism::{Config as IsmConfig, Ism};

use super::bench::{Bench, FRAME, HOST_BASE, ModelCard, SLOTS, SLOTS_AT, Setup};
use super::network::{Below, Network};
pub use super::peer::{Peer, address};

/// The card's registers as the host reaches them.
struct Registers {
    bench: Bench,
    processors: usize,
    values: RefCell<BTreeMap<u32, u32>>,
    context: Cell<u32>,
}

impl Registers {
    fn value(&self, offset: u32) -> u32 {
        self.values.borrow().get(&offset).copied().unwrap_or(0)
    }

    fn push(&self, context: u32) {
        let words: [u32; DESCRIPTOR_WORDS - 1] = [
            csr::DMA_SOURCE.offset,
            csr::DMA_SOURCE.offset + 4,
            csr::DMA_DESTINATION.offset,
            csr::DMA_DESTINATION.offset + 4,
            csr::DMA_CONTROL.offset,
            csr::DMA_MFA.offset,
        ]
        .map(|offset| self.value(offset));
        let length = words[4] & ((1 << control::LENGTH_BITS) - 1);
        self.bench.host_push(&Descriptor {
            source: u64::from(words[1]) << 32 | u64::from(words[0]),
            destination: u64::from(words[3]) << 32 | u64::from(words[2]),
            length,
            flags: words[4] & !((1 << control::LENGTH_BITS) - 1),
            mfa: words[5],
            context,
        });
    }
}

impl Port for Registers {
    fn read(&self, offset: u32) -> u32 {
        let fixed = [
            (csr::ID.offset, csr::HOST_ID),
            (csr::VERSION.offset, csr::TABLE_VERSION),
            (csr::PARAMETERS.offset, self.processors as u32 | 8 << csr::parameters::MFA_DEPTH.lsb),
            (csr::DMA_PUSH.offset, 16),
        ];
        if let Some((_, value)) = fixed.into_iter().find(|(fixed, _)| *fixed == offset) {
            return value;
        }
        if offset == csr::DMA_DONE.offset {
            let Some((context, outcome)) = self.bench.host_report() else { return EMPTY };
            self.context.set(context);
            let status = outcome.status.map_or(0xF, |status| status as u32);
            return outcome.bytes | status << Completion::STATUS_LSB;
        }
        if offset == csr::DMA_CONTEXT.offset {
            return self.context.get();
        }
        if offset == csr::I2O_OUTBOUND.at(0) {
            return self.bench.take_outbound().unwrap_or(EMPTY);
        }
        if let Some(processor) = (0..self.processors).find(|p| offset == csr::I2O_INBOUND.at(*p)) {
            return self.bench.take_inbound(processor).unwrap_or(EMPTY);
        }
        let table = csr::RETA.offset..csr::RETA.offset + 4 * 128;
        if table.contains(&offset) {
            return (offset - csr::RETA.offset) / 4 % self.processors as u32;
        }
        self.value(offset)
    }

    fn write(&self, offset: u32, value: u32) {
        if offset == csr::I2O_OUTBOUND.at(0) {
            self.bench.give_outbound(value);
        } else if (0..self.processors).any(|p| offset == csr::I2O_INBOUND.at(p)) {
            self.bench.post_inbound(value);
        } else if offset == csr::DMA_PUSH.offset {
            self.push(value);
        } else {
            self.values.borrow_mut().insert(offset, value);
        }
        if offset == csr::OUT_BASE.offset + 4 {
            let base = u64::from(value) << 32 | u64::from(self.value(csr::OUT_BASE.offset));
            self.bench.set_out_base(base);
        }
    }

    fn write_card(&self, address: u32, word: u32) {
        self.bench.poke((address >> 24) as usize, address & 0xFF_FFFF, &word.to_le_bytes());
    }

    fn load(&self, address: u64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.bench.read(address, bytes.len()));
    }

    fn store(&self, address: u64, bytes: &[u8]) {
        self.bench.write(address, bytes);
    }

    fn now(&self) -> u64 {
        self.bench.inside().now
    }
}

pub struct System {
    pub bench: Bench,
    pub network: Network,
    pub modules: Vec<(Ism, ModelCard, Below)>,
    pub osm: Osm,
    pub executor: Executor,
    buffers: usize,
}

/// What the host is made with, in most tests.
pub fn host(setup: &Setup) -> Config {
    Config {
        memory: HOST_BASE,
        frames: setup.outbound,
        buffer_bytes: 2048,
        buffers: 400,
        sessions: 200,
        accepts: 2,
        receives: 2,
        policy: Policy::Replies,
        addresses: vec!["10.0.0.1".parse().unwrap()],
    }
}

pub fn module(processor: usize) -> IsmConfig {
    let slots = SLOTS_AT..SLOTS_AT + SLOTS * FRAME;
    IsmConfig { processor, sessions: 64, credits: 8, copies: 12, answers: 8, slots }
}

impl System {
    pub fn new(setup: Setup) -> Self {
        let config = host(&setup);
        Self::with(setup, config, module)
    }

    pub fn with(setup: Setup, config: Config, module: impl Fn(usize) -> IsmConfig) -> Self {
        let processors = setup.processors;
        let bench = Bench::new(setup);
        let network = Network::new(&bench, processors, 100);
        let modules = (0..processors).map(|p| (Ism::new(module(p)), bench.card(p), network.below(p))).collect();
        let values = RefCell::new(
            [
                (csr::HASH_CONTROL.offset, processors.ilog2() << 8),
                // Source address and source port.
                (csr::HASH_FIELDS.offset, 0b11_0101),
            ]
            .into(),
        );
        let registers = Registers { bench: bench.clone(), processors, values, context: Cell::new(0) };
        let buffers = config.buffers as usize;
        let osm = Osm::on(Rc::new(registers), config).unwrap();
        let executor = Executor::new(&osm);
        Self { bench, network, modules, osm, executor, buffers }
    }

    /// Starts an application; it must not fail before it ends.
    pub fn spawn(&self, body: impl FnOnce(&Task) + 'static) -> usize {
        self.executor.spawn(body)
    }

    pub fn step(&mut self) {
        self.executor.run().unwrap();
        self.osm.service();
        for (module, card, below) in &mut self.modules {
            module.poll(card, below, 8);
        }
        self.bench.tick();
        self.network.tick();
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
    }

    pub fn run_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..60_000 {
            if is_so(self) {
                return;
            }
            self.step();
        }
        panic!("never: {what}");
    }

    /// A connection of a peer, as soon as somebody listens.
    pub fn dial(&mut self, from: &str, to: &str) -> u32 {
        let (from, to) = (address(from), address(to));
        for _ in 0..5000 {
            if let Some(id) = self.network.dial(from, to) {
                return id;
            }
            self.step();
        }
        panic!("nobody listens at {to}");
    }

    /// Runs with peers until each has seen the end.
    pub fn run_peers(&mut self, peers: &mut [Peer]) {
        self.run_until("the end of all peers", |system| {
            peers.iter_mut().for_each(|peer| peer.step(&system.network));
            peers.iter().all(|peer| system.network.peer_end(peer.id).is_some())
        });
        peers.iter_mut().for_each(|peer| peer.step(&self.network));
    }

    /// Runs until an application has ended.
    pub fn run_task(&mut self, task: usize) {
        self.run_until("the end of an application", |system| !system.executor.is_alive(task));
    }

    /// Kills all applications, lets peers go, and looks that every session, frame and buffer is back.
    pub fn assert_nothing_leaks(&mut self, tasks: &[usize], peers: &[Peer]) {
        self.bench.inside().setup.faults = 0;
        for &task in tasks {
            self.executor.kill(task);
        }
        for peer in peers {
            self.network.peer_leaves(peer.id);
        }
        self.run_until("rest", |system| {
            let idle = system.modules.iter().all(|(module, ..)| module.is_idle() && module.sessions() == 0);
            idle && system.executor.alive() == 0
                && system.osm.sessions() == 0
                && system.osm.is_idle()
                && system.network.sockets() == 0
                && system.bench.is_quiet()
        });
        assert_eq!(self.osm.free_buffers(), self.buffers);
        assert_eq!(self.osm.counters().strays, 0);
        self.network.assert_no_buffer_is_missing();
        let in_hand = self.modules.iter().map(|(module, ..)| module.frames_in_hand()).sum();
        self.bench.assert_no_frame_is_missing(in_hand);
    }
}
