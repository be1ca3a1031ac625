//! Applications as coroutines. They run in the order of their numbers, whenever something that they wait for has happened or its time
//! is over; nothing depends on anything but that.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::osm::Osm;
use crate::CLOCK_HZ;
use crate::fiber::{Fiber, Handle, Panicked, Progress, Stacks};

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Something happened to a session.
    Session(u16),
    /// Something happened to a socket that has a session on every processor.
    Group(u32),
    /// A request was answered.
    Reply(u32),
    /// A buffer is free again.
    Buffer,
    /// An application has ended.
    Task(usize),
}

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Waiters {
    by_key: RefCell<BTreeMap<Key, BTreeSet<usize>>>,
    woken: RefCell<BTreeSet<usize>>,
}

impl Waiters {
    /// Wakes all who wait for it.
    pub fn wake(&self, key: Key) {
        if let Some(tasks) = self.by_key.borrow().get(&key) {
            self.woken.borrow_mut().extend(tasks);
        }
    }

    fn add(&self, keys: &[Key], task: usize) {
        for key in keys {
            self.by_key.borrow_mut().entry(*key).or_default().insert(task);
        }
    }

    fn remove(&self, keys: &[Key], task: usize) {
        let mut by_key = self.by_key.borrow_mut();
        for key in keys {
            if let Some(tasks) = by_key.get_mut(key) {
                tasks.remove(&task);
                if tasks.is_empty() {
                    by_key.remove(key);
                }
            }
        }
    }

    /// Those who were woken and have not run.
    fn take_woken(&self) -> BTreeSet<usize> {
        self.woken.take()
    }

    fn wake_again(&self, tasks: BTreeSet<usize>) {
        self.woken.borrow_mut().extend(tasks);
    }

    /// Somebody was woken and has not run.
    pub fn has_woken(&self) -> bool {
        !self.woken.borrow().is_empty()
    }

    /// Nobody waits for anything.
    pub fn is_empty(&self) -> bool {
        self.by_key.borrow().is_empty()
    }
}

/// Takes its keys back however the wait ends, also when the application is killed.
struct Waiting<'a> {
    waiters: &'a Waiters,
    keys: &'a [Key],
    task: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiters.remove(self.keys, self.task);
    }
}

/// Until when, if nothing happens.
type Until = Option<u64>;
type Body = Box<dyn FnOnce(&Task)>;
type Stack = Fiber<Until, ()>;

/// What runs: the way of an application to wait, and to reach the card.
pub struct Task {
    handle: Handle<Until>,
    number: usize,
    /// The application that it is of: the number of the first of its tasks.
    application: usize,
    osm: Osm,
    spawner: Spawner,
}

impl Task {
    /// The host's socket module.
    pub fn osm(&self) -> &Osm {
        &self.osm
    }

    /// Cycles.
    pub fn now(&self) -> u64 {
        self.osm.port().now()
    }

    /// The cycle that is so much later.
    pub fn after(&self, duration: Duration) -> u64 {
        self.now().saturating_add(cycles(duration))
    }

    /// Waits for one of the keys; `false`: the time is over, or it is being killed.
    pub fn wait(&self, keys: &[Key], until: Until) -> bool {
        if until.is_some_and(|until| self.now() >= until) {
            return false;
        }
        let waiters = self.osm.waiters();
        waiters.add(keys, self.number);
        let _waiting = Waiting { waiters, keys, task: self.number };
        let ran = self.handle.suspend(until).is_ok();
        ran && until.is_none_or(|until| self.now() < until)
    }

    /// Lets time pass.
    pub fn sleep(&self, duration: Duration) {
        let until = self.after(duration);
        while self.wait(&[], Some(until)) {}
    }

    /// Starts another task of the same application.
    pub fn spawn(&self, body: impl FnOnce(&Task) + 'static) -> usize {
        self.spawner.add(Some(self.application), Box::new(body))
    }
}

/// Cycles of the card's clock.
pub fn cycles(duration: Duration) -> u64 {
    (duration.as_nanos() * u128::from(CLOCK_HZ) / 1_000_000_000).min(u64::MAX.into()) as u64
}

/// A task that has not run yet.
struct Born {
    number: usize,
    application: usize,
    body: Body,
}

#[derive(Default)]
struct Tasks {
    born: RefCell<Vec<Born>>,
    /// Those that have not ended.
    alive: RefCell<BTreeSet<usize>>,
    count: Cell<usize>,
}

/// Starts applications, from anywhere; its copies are the same.
#[derive(Clone, Default)]
pub struct Spawner(Rc<Tasks>);

impl Spawner {
    fn add(&self, application: Option<usize>, body: Body) -> usize {
        let number = self.0.count.replace(self.0.count.get() + 1);
        self.0.alive.borrow_mut().insert(number);
        let application = application.unwrap_or(number);
        self.0.born.borrow_mut().push(Born { number, application, body });
        number
    }

    /// Starts an application; its number.
    pub fn spawn(&self, body: impl FnOnce(&Task) + 'static) -> usize {
        self.add(None, Box::new(body))
    }

    /// It has not ended.
    pub fn is_alive(&self, number: usize) -> bool {
        self.0.alive.borrow().contains(&number)
    }

    /// Applications, and what they have started, that have not ended.
    pub fn alive(&self) -> usize {
        self.0.alive.borrow().len()
    }

    /// Some have not run yet.
    pub fn has_born(&self) -> bool {
        !self.0.born.borrow().is_empty()
    }
}

/// Why an executor cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// An application panicked; it is over.
    #[error("application {number} panicked: {what}")]
    Panicked {
        /// Its number.
        number: usize,
        /// What it said.
        what: Panicked,
    },
    /// There is no memory for a stack.
    #[error("no memory for the stack of an application")]
    NoStack,
}

struct Running {
    stack: Stack,
    until: Until,
    application: usize,
}

/// See the module's page.
pub struct Executor {
    osm: Osm,
    spawner: Spawner,
    stacks: Stacks,
    tasks: BTreeMap<usize, Running>,
}

impl Executor {
    /// An executor without applications.
    pub fn new(osm: &Osm) -> Self {
        Self { osm: osm.clone(), spawner: Spawner::default(), stacks: Stacks::default(), tasks: BTreeMap::new() }
    }

    /// Starts applications.
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Starts an application; its number.
    pub fn spawn(&self, body: impl FnOnce(&Task) + 'static) -> usize {
        self.spawner.spawn(body)
    }

    /// Ends an application where it stands, with all that it has started: what they have is dropped. The number of a task that another one
    /// has started ends that one alone.
    pub fn kill(&mut self, number: usize) {
        let is_of = |task: usize, application: usize| task == number || application == number;
        let (killed, born): (Vec<_>, _) =
            self.spawner.0.born.take().into_iter().partition(|born| is_of(born.number, born.application));
        *self.spawner.0.born.borrow_mut() = born;
        let mut numbers: Vec<_> = killed.iter().map(|born| born.number).collect();
        drop(killed);
        let running = self.tasks.extract_if(.., |task, running| is_of(*task, running.application));
        let running: Vec<_> = running.collect();
        for (task, running) in running {
            // What it has is dropped here, and may start nothing.
            drop(running);
            numbers.push(task);
        }
        numbers.into_iter().for_each(|task| self.ended(task));
    }

    fn ended(&self, number: usize) {
        self.spawner.0.alive.borrow_mut().remove(&number);
        self.osm.waiters().wake(Key::Task(number));
    }

    /// It has not ended.
    pub fn is_alive(&self, number: usize) -> bool {
        self.spawner.is_alive(number)
    }

    /// Applications, and what they have started, that have not ended.
    pub fn alive(&self) -> usize {
        self.spawner.alive()
    }

    /// When the next one is to run, if nothing happens before.
    pub fn next_due(&self) -> Option<u64> {
        self.tasks.values().filter_map(|running| running.until).min()
    }

    /// Runs each that has something to do once; says whether there was one.
    ///
    /// # Errors
    /// One panicked, or could not be started. The others go on with the next call.
    pub fn run(&mut self) -> Result<bool, ExecutorError> {
        let now = self.osm.port().now();
        let mut due = self.osm.waiters().take_woken();
        let born = self.spawner.0.born.take();
        for Born { number, application, body } in born {
            let (osm, spawner) = (self.osm.clone(), self.spawner.clone());
            let code = move |handle: &Handle<Until>| {
                body(&Task { handle: handle.clone(), number, application, osm, spawner });
            };
            let stack = Stack::with_handle(&mut self.stacks, code).map_err(|_| ExecutorError::NoStack)?;
            self.tasks.insert(number, Running { stack, until: None, application });
            due.insert(number);
        }
        let is_due = |running: &Running| running.until.is_some_and(|until| until <= now);
        due.extend(self.tasks.iter().filter(|(_, running)| is_due(running)).map(|(number, _)| *number));
        let mut ran = false;
        while let Some(number) = due.pop_first() {
            let Some(running) = self.tasks.get_mut(&number) else { continue };
            ran = true;
            let over = match running.stack.resume() {
                Ok(Progress::Suspended(until)) => {
                    running.until = until;
                    continue;
                }
                Ok(Progress::Done(())) => Ok(()),
                Err(what) => Err(ExecutorError::Panicked { number, what }),
            };
            if let Some(running) = self.tasks.remove(&number) {
                self.stacks.give_back(running.stack);
            }
            self.ended(number);
            if over.is_err() {
                self.osm.waiters().wake_again(due);
                return over.map(|()| ran);
            }
        }
        Ok(ran)
    }
}
