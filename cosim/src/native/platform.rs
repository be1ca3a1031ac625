//! The platform, as the kernel sees it.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use abi::csr::core as csr;
use soft_cores::platform::{Context, Event, OutsideMemory, Platform};

use super::{Clock, Setup};
use crate::bridge::RegisterRequest;
use crate::core_memory::CoreMemory;
use crate::fiber::Handle;

/// Calls that a kernel may make without letting time pass.
const MOST_CALLS: u32 = 1_000_000;

/// What the kernel's code waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The end of a bus cycle.
    Access(RegisterRequest),
    /// A cycle, or if it is so an interrupt.
    Until(u64, bool),
    /// An interrupt.
    Interrupt,
    /// Another context has the processor.
    Switch(Context),
    /// Nothing: it has made too many calls in one cycle.
    Livelock,
}

/// What runs on a context.
pub(super) type Entry = Box<dyn FnOnce() -> Context>;

/// Both sides of a processor.
pub(super) struct Shared {
    setup: Setup,
    clock: Clock,
    pub memory: RefCell<CoreMemory>,
    /// The fiber that runs, or ran last.
    pub running: RefCell<Option<Handle<Step>>>,
    /// What the last read was answered with.
    pub answer: Cell<u32>,
    /// The interrupt line.
    pub line: Cell<bool>,
    enabled: Cell<bool>,
    handler: RefCell<Option<Rc<dyn Fn()>>>,
    /// The cycle in which TIME was 0.
    zero: Cell<u64>,
    /// When interrupts were last enabled, or nobody wanted one.
    pub heard: Cell<u64>,
    calls: Cell<(u64, u32)>,
    /// Contexts that were made and have no stack yet.
    pub born: RefCell<Vec<(Context, Entry)>>,
    made: Cell<u32>,
    /// Contexts that are not over.
    pub alive: Cell<usize>,
    pub probe: RefCell<Option<Box<dyn FnOnce()>>>,
}

/// See the module's page. A clone is the same processor.
#[derive(Clone)]
pub struct Native(pub(super) Rc<Shared>);

impl Native {
    pub(super) fn new(setup: Setup, clock: Clock, memory: CoreMemory) -> Self {
        Self(Rc::new(Shared {
            setup,
            clock,
            memory: RefCell::new(memory),
            running: RefCell::default(),
            answer: Cell::new(0),
            line: Cell::new(false),
            enabled: Cell::new(false),
            handler: RefCell::default(),
            zero: Cell::new(0),
            heard: Cell::new(0),
            calls: Cell::new((0, 0)),
            born: RefCell::default(),
            made: Cell::new(0),
            alive: Cell::new(0),
            probe: RefCell::default(),
        }))
    }

    /// Learns from the card what time it is.
    pub(super) fn set_time(&self) {
        let low = self.read(csr::TIME.offset);
        let cycle = self.0.clock.cycle();
        let high = self.read(csr::TIME.offset + 4);
        self.0.zero.set(cycle.wrapping_sub(u64::from(high) << 32 | u64::from(low)));
    }

    /// Suspends the code that runs.
    fn wait(&self, step: Step) {
        let handle = self.0.running.borrow().clone();
        let suspended = handle.is_some_and(|handle| handle.suspend(step).is_ok());
        // What is dropped with its stack may call whatever it likes; nobody waits for the answer.
        assert!(suspended || std::thread::panicking(), "the kernel was called from outside its processor");
    }

    /// Notes another call.
    fn count(&self) {
        let (cycle, calls) = self.0.calls.get();
        let now = self.0.clock.cycle();
        if cycle != now {
            return self.0.calls.set((now, 1));
        }
        self.0.calls.set((now, calls + 1));
        if calls > MOST_CALLS {
            self.wait(Step::Livelock);
        }
    }

    /// Takes some time; what interrupts lengthen it.
    fn spend(&self, cycles: u64) {
        let mut left = cycles;
        while left > 0 {
            let start = self.0.clock.cycle();
            self.wait(Step::Until(start + left, self.0.enabled.get()));
            if std::thread::panicking() {
                return;
            }
            left = left.saturating_sub(self.0.clock.cycle() - start);
            self.take_interrupts();
        }
    }

    fn take_interrupts(&self) {
        while self.0.enabled.get() {
            self.0.heard.set(self.0.clock.cycle());
            self.0.enabled.set(false);
            self.look();
            let handler = self.0.handler.borrow().clone().filter(|_| self.0.line.get());
            let Some(handler) = handler else {
                self.0.enabled.set(true);
                return;
            };
            self.count();
            handler();
            self.0.enabled.set(true);
        }
    }

    /// Does what somebody outside wants done where an interrupt might come.
    fn look(&self) {
        let probe = self.0.probe.borrow_mut().take();
        if let Some(probe) = probe {
            probe();
        }
    }

    fn access(&self, request: RegisterRequest) -> u32 {
        self.count();
        self.spend(self.0.setup.costs.access);
        self.wait(Step::Access(request));
        let answer = self.0.answer.get();
        self.take_interrupts();
        answer
    }
}

impl Platform for Native {
    fn read(&self, offset: u32) -> u32 {
        self.access(RegisterRequest { write: false, address: offset, data: 0 })
    }

    fn write(&self, offset: u32, value: u32) {
        self.access(RegisterRequest { write: true, address: offset, data: value });
    }

    fn memory(&self) -> Range<u32> {
        self.0.setup.memory.clone()
    }

    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        self.count();
        let memory = self.0.memory.borrow();
        let from =
            memory.bytes().get(address as usize..).and_then(|rest| rest.get(..bytes.len())).ok_or(OutsideMemory)?;
        bytes.copy_from_slice(from);
        Ok(())
    }

    fn store(&self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        self.count();
        let mut memory = self.0.memory.borrow_mut();
        let to = memory
            .bytes_mut()
            .get_mut(address as usize..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
            .ok_or(OutsideMemory)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn now(&self) -> u64 {
        self.count();
        self.spend(self.0.setup.costs.time);
        let now = self.0.clock.cycle().wrapping_sub(self.0.zero.get());
        self.take_interrupts();
        now
    }

    fn wait_for_interrupt(&self) {
        self.count();
        while !self.0.line.get() && !std::thread::panicking() {
            self.wait(Step::Interrupt);
            self.0.heard.set(self.0.clock.cycle());
            let were_enabled = self.0.enabled.replace(false);
            self.look();
            self.0.enabled.set(were_enabled);
        }
        self.take_interrupts();
    }

    fn interrupts(&self, enabled: bool) -> bool {
        self.count();
        let were_enabled = self.0.enabled.get();
        // The instruction itself is over before anything is taken.
        if were_enabled != enabled {
            self.0.enabled.set(false);
            self.spend(self.0.setup.costs.interrupts);
        }
        self.0.enabled.set(enabled);
        self.take_interrupts();
        were_enabled
    }

    fn on_interrupt(&self, handler: Box<dyn Fn()>) {
        *self.0.handler.borrow_mut() = Some(handler.into());
    }

    fn charge(&self, event: Event) {
        self.count();
        self.spend(self.0.setup.costs.of(event));
    }

    fn spawn(&self, entry: Entry) -> Option<Context> {
        self.count();
        if self.0.alive.get() >= self.0.setup.stacks {
            return None;
        }
        self.0.alive.set(self.0.alive.get() + 1);
        self.0.made.set(self.0.made.get().checked_add(1)?);
        let context = Context(self.0.made.get());
        self.0.born.borrow_mut().push((context, entry));
        Some(context)
    }

    fn switch(&self, to: Context) {
        self.count();
        assert!(!self.0.enabled.get() || std::thread::panicking(), "a switch with interrupts enabled");
        self.wait(Step::Switch(to));
    }
}

impl Shared {
    /// Forgets the kernel, of which the handler may hold a part.
    pub fn forget(&self) {
        let (handler, probe) = (self.handler.take(), self.probe.take());
        drop((handler, probe, self.born.take()));
    }
}
