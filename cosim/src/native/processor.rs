//! The processor, as the card sees it.

use std::collections::BTreeMap;

use soft_cores::platform::Context;

use super::platform::{Native, Step};
use super::{Boot, Clock, Fault, FaultKind, Setup, Wedge};
use crate::bridge::{Inputs, Outputs};
use crate::core_memory::{Access, CoreMemory};
use crate::fiber::{Fiber, Progress, Stacks};
use crate::register_port::RegisterPort;
use crate::watch::CoreWatch;

/// Cycles from when the card takes a write to when it shows at the interrupt line: a core's store on a bus with acknowledge is not over
/// before.
const WRITE_SETTLES: u64 = 3;

/// A context's stack: how it ended, or where the processor goes on.
type Stack = Fiber<Step, Result<Context, String>>;

/// What the kernel's code waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The answer to a read, or that a write is taken, of this register; since this cycle.
    Bus { offset: u32, write: bool, since: u64 },
    /// A cycle, or if it is so an interrupt.
    Until(u64, bool),
    /// An interrupt.
    Interrupt,
}

/// See the module's page.
pub struct Processor {
    number: usize,
    native: Native,
    clock: Clock,
    patience: u64,
    port: RegisterPort,
    stacks: Stacks,
    contexts: BTreeMap<Context, Stack>,
    running: Context,
    waiting: Waiting,
    /// Cycles in which it waited for an interrupt and for nothing else.
    idle: u64,
    idle_since: u64,
    watch: CoreWatch,
}

impl Processor {
    /// Processor `number`, which runs `boot` from the next cycle on.
    ///
    /// # Errors
    /// There is no memory for a stack.
    pub fn new(number: usize, beat_bytes: usize, setup: &Setup, clock: &Clock, boot: Boot) -> Result<Self, Fault> {
        let mut memory = CoreMemory::new(number, beat_bytes, setup.memory_bytes);
        let open = setup.memory.clone();
        memory.open(open.start, (open.end as usize).min(setup.memory_bytes).saturating_sub(open.start as usize));
        let native = Native::new(setup.clone(), clock.clone(), memory);
        let mut processor = Self {
            number,
            native: native.clone(),
            clock: clock.clone(),
            patience: setup.patience,
            port: RegisterPort::new(number),
            stacks: Stacks::default(),
            contexts: BTreeMap::new(),
            running: Context::BOOT,
            waiting: Waiting::Until(0, false),
            idle: 0,
            idle_since: 0,
            watch: CoreWatch::default(),
        };
        let first = move || {
            native.set_time();
            Err(boot(native))
        };
        let stack = Stack::new(&mut processor.stacks, first);
        processor.enter(Context::BOOT, stack)?;
        processor.choose(Context::BOOT)?;
        Ok(processor)
    }

    /// Its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Whether it waits for an interrupt, and none is there.
    pub fn is_idle(&self) -> bool {
        self.waiting == Waiting::Interrupt && !self.native.0.line.get() && self.native.0.probe.borrow().is_none()
    }

    /// Cycles in which it was [idle](Self::is_idle).
    pub fn idle_cycles(&self) -> u64 {
        let now = if self.is_idle() { self.clock.cycle() - self.idle_since } else { 0 };
        self.idle + now
    }

    /// What its accesses tell of its queues.
    pub fn watch(&self) -> &CoreWatch {
        &self.watch
    }

    /// The same, to take what is counted from one look to the next.
    pub fn watch_mut(&mut self) -> &mut CoreWatch {
        &mut self.watch
    }

    /// Stacks that were made so far; those that are free again are used first.
    pub fn stacks_made(&self) -> usize {
        self.stacks.made()
    }

    /// Has `work` done by the processor where its kernel would take an interrupt, with interrupts disabled. One that is not done yet is
    /// replaced.
    pub fn probe(&mut self, work: Box<dyn FnOnce()>) {
        *self.native.0.probe.borrow_mut() = Some(work);
    }

    /// Whether [`drive`](Self::drive) has anything to do in this cycle.
    pub fn wants_drive(&self, inputs: &Inputs) -> bool {
        // What stood at the ports in the last cycle is taken away in this one.
        (inputs.core_valid | inputs.mem_rvalid) >> self.number & 1 == 1
            || !self.port.idle()
            || self.native.0.memory.borrow().is_pending()
    }

    /// Sets this cycle's inputs.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        self.native.0.memory.borrow_mut().drive(inputs);
        self.port.drive(inputs);
    }

    /// Whether [`sample`](Self::sample) has anything to do in this cycle.
    pub fn wants_sample(&self, cycle: u64, outputs: &Outputs) -> bool {
        let bit = 1u16 << self.number;
        if outputs.mem_valid & bit != 0 || self.native.0.probe.borrow().is_some() {
            return true;
        }
        match self.waiting {
            Waiting::Bus { .. } => true,
            Waiting::Until(due, or_interrupt) => cycle >= due || or_interrupt && outputs.core_irq & bit != 0,
            Waiting::Interrupt => outputs.core_irq & bit != 0,
        }
    }

    /// Takes this cycle's outputs, and runs the kernel as far as it comes.
    ///
    /// # Errors
    /// The card or the kernel did what it must not.
    pub fn sample(&mut self, cycle: u64, outputs: &Outputs) -> Result<(), Fault> {
        let line = outputs.core_irq >> self.number & 1 == 1;
        let shared = self.native.0.clone();
        shared.line.set(line);
        if !line {
            shared.heard.set(cycle);
        }
        let written = shared.memory.borrow_mut().sample(outputs);
        if let Some(Access::Write(address)) = written.map_err(|stray| self.fault(FaultKind::Stray(stray)))? {
            self.watch.stored(address);
        }
        let answer = self.port.sample(outputs);
        if let Some(answer) = answer {
            self.watch.read(answer.offset, answer.value);
        }
        let over = match self.waiting {
            Waiting::Bus { write: false, .. } => answer.is_some_and(|answer| {
                shared.answer.set(answer.value);
                true
            }),
            Waiting::Bus { write: true, .. } if self.port.idle() => {
                self.waiting = Waiting::Until(cycle + WRITE_SETTLES, false);
                return Ok(());
            }
            Waiting::Bus { .. } => false,
            Waiting::Until(due, or_interrupt) => cycle >= due || or_interrupt && line,
            Waiting::Interrupt => line || shared.probe.borrow().is_some(),
        };
        if over {
            if self.waiting == Waiting::Interrupt {
                self.idle += cycle - self.idle_since;
                shared.heard.set(cycle);
            }
            return self.run(cycle);
        }
        match self.waiting {
            Waiting::Bus { offset, since, .. } if cycle - since > self.patience => {
                Err(self.fault(FaultKind::Wedged(Wedge::Bus(offset))))
            }
            _ => Ok(()),
        }
    }

    /// Runs the kernel until it waits.
    fn run(&mut self, cycle: u64) -> Result<(), Fault> {
        if cycle - self.native.0.heard.get() > self.patience {
            return Err(self.fault(FaultKind::Wedged(Wedge::Deaf)));
        }
        loop {
            let Some(stack) = self.contexts.get_mut(&self.running) else {
                return Err(self.fault(FaultKind::NoContext(self.running.0)));
            };
            let progress = stack.resume().map_err(|panic| self.fault(FaultKind::Panic(panic.0)))?;
            self.settle_in()?;
            match progress {
                Progress::Suspended(Step::Switch(to)) => self.choose(to)?,
                Progress::Done(Ok(next)) => {
                    self.end_context();
                    self.choose(next)?;
                }
                Progress::Done(Err(reason)) => return Err(self.fault(FaultKind::Refused(reason))),
                Progress::Suspended(Step::Livelock) => return Err(self.fault(FaultKind::Wedged(Wedge::Livelock))),
                Progress::Suspended(Step::Access(request)) => {
                    if request.write {
                        self.port.write(request.address, request.data);
                        self.watch.wrote(request.address, request.data);
                    } else {
                        self.port.read(request.address);
                    }
                    self.waiting = Waiting::Bus { offset: request.address, write: request.write, since: cycle };
                    return Ok(());
                }
                Progress::Suspended(Step::Until(due, or_interrupt)) => {
                    self.waiting = Waiting::Until(due, or_interrupt);
                    return Ok(());
                }
                Progress::Suspended(Step::Interrupt) => {
                    self.waiting = Waiting::Interrupt;
                    self.idle_since = cycle;
                    return Ok(());
                }
            }
        }
    }

    /// Gives stacks to the contexts that the kernel has made.
    fn settle_in(&mut self) -> Result<(), Fault> {
        let born = self.native.0.born.take();
        for (context, entry) in born {
            let stack = Stack::new(&mut self.stacks, move || Ok(entry()));
            self.enter(context, stack)?;
        }
        Ok(())
    }

    fn enter(&mut self, context: Context, stack: std::io::Result<Stack>) -> Result<(), Fault> {
        let stack = stack.map_err(|_| self.fault(FaultKind::NoStack))?;
        self.contexts.insert(context, stack);
        Ok(())
    }

    fn choose(&mut self, context: Context) -> Result<(), Fault> {
        let Some(stack) = self.contexts.get(&context) else {
            return Err(self.fault(FaultKind::NoContext(context.0)));
        };
        self.running = context;
        *self.native.0.running.borrow_mut() = Some(stack.handle().clone());
        Ok(())
    }

    fn end_context(&mut self) {
        if let Some(stack) = self.contexts.remove(&self.running) {
            self.stacks.give_back(stack);
            let alive = &self.native.0.alive;
            alive.set(alive.get().saturating_sub(1));
        }
    }

    fn fault(&self, what: FaultKind) -> Fault {
        Fault { processor: self.number, cycle: self.clock.cycle(), what }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.contexts.clear();
        self.native.0.forget();
        self.native.0.running.take();
    }
}
