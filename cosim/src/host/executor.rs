//! Applications as coroutines. They run in the order of their numbers, whenever something that they wait for has happened or its time
//! is over; nothing depends on anything but that.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::osm::Osm;
use crate::CLOCK_HZ;

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
type Body = Box<dyn FnOnce(&Task<'_>)>;
type Stack = Coroutine<(), Until, ()>;

/// What runs: the way of an application to wait, and to reach the card.
pub struct Task<'y> {
    yielder: &'y Yielder<(), Until>,
    number: usize,
    osm: Osm,
    born: Rc<Born>,
}

impl Task<'_> {
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

    /// Waits for one of the keys; `false`: the time is over.
    pub fn wait(&self, keys: &[Key], until: Until) -> bool {
        if until.is_some_and(|until| self.now() >= until) {
            return false;
        }
        let waiters = self.osm.waiters();
        waiters.add(keys, self.number);
        let _waiting = Waiting { waiters, keys, task: self.number };
        self.yielder.suspend(until);
        until.is_none_or(|until| self.now() < until)
    }

    /// Lets time pass.
    pub fn sleep(&self, duration: Duration) {
        let until = self.after(duration);
        while self.wait(&[], Some(until)) {}
    }

    /// Starts another application.
    pub fn spawn(&self, body: impl FnOnce(&Task<'_>) + 'static) -> usize {
        self.born.add(Box::new(body))
    }
}

/// Cycles of the card's clock.
pub fn cycles(duration: Duration) -> u64 {
    (duration.as_nanos() * u128::from(CLOCK_HZ) / 1_000_000_000).min(u64::MAX.into()) as u64
}

#[derive(Default)]
struct Born {
    bodies: RefCell<Vec<(usize, Body)>>,
    count: Cell<usize>,
}

impl Born {
    fn add(&self, body: Body) -> usize {
        let number = self.count.replace(self.count.get() + 1);
        self.bodies.borrow_mut().push((number, body));
        number
    }
}

/// See the module's page.
pub struct Executor {
    osm: Osm,
    born: Rc<Born>,
    tasks: BTreeMap<usize, (Stack, Until)>,
}

impl Executor {
    /// An executor without applications.
    pub fn new(osm: &Osm) -> Self {
        Self { osm: osm.clone(), born: Rc::default(), tasks: BTreeMap::new() }
    }

    /// Starts an application; its number.
    pub fn spawn(&self, body: impl FnOnce(&Task<'_>) + 'static) -> usize {
        self.born.add(Box::new(body))
    }

    /// Ends an application where it stands: what it has is dropped.
    pub fn kill(&mut self, number: usize) {
        self.born.bodies.borrow_mut().retain(|(born, _)| *born != number);
        self.tasks.remove(&number);
        self.osm.waiters().wake(Key::Task(number));
    }

    /// It has not ended.
    pub fn is_alive(&self, number: usize) -> bool {
        self.tasks.contains_key(&number) || self.born.bodies.borrow().iter().any(|(born, _)| *born == number)
    }

    /// Applications that have not ended.
    pub fn alive(&self) -> usize {
        self.tasks.len() + self.born.bodies.borrow().len()
    }

    /// When the next one is to run, if nothing happens before.
    pub fn next_due(&self) -> Option<u64> {
        self.tasks.values().filter_map(|(_, until)| *until).min()
    }

    /// Runs each that has something to do once; says whether there was one.
    pub fn run(&mut self) -> bool {
        let now = self.osm.port().now();
        let born = std::mem::take(&mut *self.born.bodies.borrow_mut());
        let mut due: BTreeSet<usize> = std::mem::take(&mut *self.osm.waiters().woken.borrow_mut());
        for (number, body) in born {
            let (osm, born) = (self.osm.clone(), Rc::clone(&self.born));
            let stack = Stack::new(move |yielder, ()| body(&Task { yielder, number, osm, born }));
            self.tasks.insert(number, (stack, None));
            due.insert(number);
        }
        due.extend(self.tasks.iter().filter(|(_, (_, until))| until.is_some_and(|t| t <= now)).map(|(n, _)| *n));
        let mut ran = false;
        for number in due {
            let Some((stack, until)) = self.tasks.get_mut(&number) else { continue };
            ran = true;
            match stack.resume(()) {
                CoroutineResult::Yield(next) => *until = next,
                CoroutineResult::Return(()) => {
                    self.tasks.remove(&number);
                    self.osm.waiters().wake(Key::Task(number));
                }
            }
        }
        ran
    }
}
