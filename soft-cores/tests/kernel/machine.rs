//! A processor to test the kernel on: its stacks, its clock, its memory, and the register port's model.
//!
//! Each call of the kernel's platform takes a few cycles, drawn from a seed, and at the end of each an interrupt may be taken;
//! so where the interrupts fall is random, and the seed decides it. When nothing will ever happen again, the run is over.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use corosensei::{Coroutine, CoroutineResult, Yielder};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::kernel::Kernel;
use soft_cores::kernel::startup::{Config, StartError};
use soft_cores::platform::{Context, Event, OutsideMemory, Platform};

use crate::card::Card;

/// Why a stack lets another one go on.
enum Step {
    Switch(Context),
    Over(End),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The processor sleeps, and nothing will wake it.
    Asleep,
    /// The cycles are used up.
    OutOfTime,
    /// Twice the cycles are used up, and interrupts have not been enabled for as long.
    Wedged,
}

/// Cycles that things take.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// A register access takes 1 to this many.
    pub access: u64,
    pub interrupt: u64,
    pub switch: u64,
}

/// Software and time stand still but for what is charged.
pub const FREE: Costs = Costs { access: 0, interrupt: 0, switch: 0 };
/// As on a real processor, more or less.
pub const REAL: Costs = Costs { access: 4, interrupt: 30, switch: 40 };

type Stack = Coroutine<(), Step, Context>;
type Entry = Box<dyn FnOnce() -> Context>;

struct Inside {
    card: RefCell<Card>,
    memory: RefCell<Vec<u8>>,
    memory_range: Range<u32>,
    costs: Costs,
    limit: u64,
    rng: RefCell<ChaCha8Rng>,
    enabled: Cell<bool>,
    handler: RefCell<Option<Rc<dyn Fn()>>>,
    yielders: RefCell<BTreeMap<Context, *const Yielder<(), Step>>>,
    born: RefCell<Vec<(Context, Entry)>>,
    made: Cell<u32>,
    stacks: u32,
    running: Cell<Context>,
    /// A stack runs, and is not being taken apart.
    inside: Cell<bool>,
    /// Calls of `switch`, and of `charge` for one.
    switches: Cell<u64>,
    charged: Cell<u64>,
}

/// The platform, as the kernel sees it.
#[derive(Clone)]
pub struct Native(Rc<Inside>);

/// What the machine is made of.
pub struct Setup {
    pub seed: u64,
    pub costs: Costs,
    pub limit: u64,
    pub memory: Range<u32>,
    /// Bytes that are really there.
    pub bytes: usize,
    pub stacks: u32,
}

impl Setup {
    pub fn new(seed: u64) -> Self {
        Self { seed, costs: REAL, limit: 20_000_000, memory: 0x1000..0x10_0000, bytes: 0x10_0000, stacks: 64 }
    }
}

impl Native {
    pub fn new(card: Card, setup: Setup) -> Self {
        Self(Rc::new(Inside {
            card: RefCell::new(card),
            memory: RefCell::new(vec![0; setup.bytes]),
            memory_range: setup.memory,
            costs: setup.costs,
            limit: setup.limit,
            rng: RefCell::new(ChaCha8Rng::seed_from_u64(setup.seed)),
            enabled: Cell::new(false),
            handler: RefCell::default(),
            yielders: RefCell::default(),
            born: RefCell::default(),
            made: Cell::new(0),
            stacks: setup.stacks,
            running: Cell::new(Context::BOOT),
            inside: Cell::new(false),
            switches: Cell::new(0),
            charged: Cell::new(0),
        }))
    }

    pub fn card<R>(&self, look: impl FnOnce(&mut Card) -> R) -> R {
        look(&mut self.0.card.borrow_mut())
    }

    /// Draws a number below `below`.
    pub fn draw(&self, below: u64) -> u64 {
        u64::from(self.0.rng.borrow_mut().next_u32()) % below
    }

    pub fn switches(&self) -> (u64, u64) {
        (self.0.switches.get(), self.0.charged.get())
    }

    /// Works for some cycles. Interrupts are taken in between.
    pub fn work(&self, cycles: u64) {
        for _ in 0..cycles {
            self.pass(1);
        }
    }

    fn pass(&self, cycles: u64) {
        let time = self.card(|card| {
            card.advance(cycles);
            card.time()
        });
        if time / 2 > self.0.limit {
            self.suspend(Step::Over(End::Wedged));
        }
        self.end_in_time();
        self.take_interrupts();
    }

    /// Ends the run where the kernel is in no critical section, so that it can be looked at.
    fn end_in_time(&self) {
        if self.0.enabled.get() && self.card(|card| card.time()) > self.0.limit {
            self.suspend(Step::Over(End::OutOfTime));
        }
    }

    fn access(&self) {
        if self.0.costs.access > 0 {
            self.pass(1 + self.draw(self.0.costs.access));
        } else {
            self.take_interrupts();
        }
    }

    fn take_interrupts(&self) {
        while self.0.enabled.get() && self.card(|card| card.line()) {
            let handler = self.0.handler.borrow().clone();
            let Some(handler) = handler else { return };
            self.0.enabled.set(false);
            handler();
            assert!(!self.0.enabled.get(), "the handler came back with interrupts enabled");
            self.0.enabled.set(true);
        }
    }

    fn suspend(&self, step: Step) {
        if !self.0.inside.get() {
            return;
        }
        let me = self.0.running.get();
        let yielder = self.0.yielders.borrow()[&me];
        // SAFETY: this runs inside a stack, the stack of this context, and its yielder lives as long as it does.
        unsafe { (*yielder).suspend(step) };
        self.0.running.set(me);
    }

    /// The stack of a context, which runs `entry` when it is first resumed.
    fn stack(&self, context: Context, entry: Entry) -> Stack {
        let native = self.clone();
        Coroutine::new(move |yielder, ()| {
            native.0.running.set(context);
            native.0.yielders.borrow_mut().insert(context, yielder);
            entry()
        })
    }
}

impl Platform for Native {
    fn read(&self, offset: u32) -> u32 {
        self.access();
        let value = self.card(|card| card.read(offset));
        self.take_interrupts();
        value
    }

    fn write(&self, offset: u32, value: u32) {
        self.access();
        self.card(|card| card.write(offset, value));
        self.take_interrupts();
    }

    fn memory(&self) -> Range<u32> {
        self.0.memory_range.clone()
    }

    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        let memory = self.0.memory.borrow();
        let from = memory.get(address as usize..).and_then(|rest| rest.get(..bytes.len())).ok_or(OutsideMemory)?;
        bytes.copy_from_slice(from);
        Ok(())
    }

    fn store(&self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        let mut memory = self.0.memory.borrow_mut();
        let to =
            memory.get_mut(address as usize..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or(OutsideMemory)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn now(&self) -> u64 {
        self.card(|card| card.now())
    }

    fn wait_for_interrupt(&self) {
        loop {
            match self.card(|card| card.sleep()) {
                None => self.suspend(Step::Over(End::Asleep)),
                Some(time) if time > self.0.limit => self.suspend(Step::Over(End::OutOfTime)),
                Some(_) if self.card(|card| card.line()) => return,
                Some(_) => {}
            }
        }
    }

    fn interrupts(&self, enabled: bool) -> bool {
        let were_enabled = self.0.enabled.replace(enabled);
        self.end_in_time();
        self.take_interrupts();
        were_enabled
    }

    fn on_interrupt(&self, handler: Box<dyn Fn()>) {
        *self.0.handler.borrow_mut() = Some(handler.into());
    }

    fn charge(&self, event: Event) {
        let cycles = match event {
            Event::Interrupt => self.0.costs.interrupt,
            Event::ContextSwitch => {
                self.0.charged.set(self.0.charged.get() + 1);
                self.0.costs.switch
            }
            Event::Copy(bytes) | Event::Checksum(bytes) => bytes as u64 / 4,
            Event::Packet(_) => 100,
        };
        if cycles > 0 {
            self.pass(cycles);
        }
    }

    fn spawn(&self, entry: Entry) -> Option<Context> {
        if self.0.made.get() == self.0.stacks {
            return None;
        }
        self.0.made.set(self.0.made.get() + 1);
        let context = Context(self.0.made.get());
        self.0.born.borrow_mut().push((context, entry));
        Some(context)
    }

    fn switch(&self, to: Context) {
        assert!(!self.0.enabled.get(), "a switch with interrupts enabled");
        assert_ne!(to, self.0.running.get(), "a switch to the context that runs");
        self.0.switches.set(self.0.switches.get() + 1);
        self.suspend(Step::Switch(to));
        assert!(!self.0.enabled.get() || !self.0.inside.get(), "switched back with interrupts enabled");
    }
}

/// A kernel on its processor.
pub struct Machine {
    pub native: Native,
    pub kernel: Rc<Kernel<Native>>,
    stacks: BTreeMap<Context, Stack>,
    next: Context,
}

impl Machine {
    pub fn new(card: Card, setup: Setup, config: Config) -> Result<Self, StartError> {
        let native = Native::new(card, setup);
        let kernel = Kernel::start(native.clone(), config)?;
        let boot = kernel.clone();
        let stack = native.stack(Context::BOOT, Box::new(move || boot.run()));
        Ok(Self { native, kernel, stacks: [(Context::BOOT, stack)].into(), next: Context::BOOT })
    }

    /// Runs until nothing will ever happen again, or the time is up.
    pub fn run(&mut self) -> End {
        loop {
            for (context, entry) in self.native.0.born.take() {
                let stack = self.native.stack(context, entry);
                self.stacks.insert(context, stack);
            }
            let running = self.next;
            self.native.0.running.set(running);
            let stack = self.stacks.get_mut(&running).expect("a context that was made and is not over");
            self.native.0.inside.set(true);
            let result = stack.resume(());
            self.native.0.inside.set(false);
            match result {
                CoroutineResult::Yield(Step::Switch(to)) => self.next = to,
                CoroutineResult::Yield(Step::Over(end)) => return end,
                CoroutineResult::Return(next) => {
                    self.stacks.remove(&running);
                    self.next = next;
                }
            }
        }
    }

    pub fn time(&self) -> u64 {
        self.native.card(|card| card.time())
    }

    /// Stacks that are not over, the first one included.
    pub fn stacks(&self) -> usize {
        self.stacks.len() + self.native.0.born.borrow().len()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What unwinds the stacks must not go on with another one.
        self.native.0.inside.set(false);
        self.stacks.clear();
        self.native.0.born.borrow_mut().clear();
        self.native.0.handler.borrow_mut().take();
    }
}
