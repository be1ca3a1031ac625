//! Code that stops in the middle of what it does and goes on later, each on a stack of its own.
//!
//! A [`Fiber`] runs until its code calls [`Handle::suspend`], however deep in it; [`Fiber::resume`] goes on there. Handles may be
//! anywhere: one that is not of the fiber which runs on this thread refuses. A fiber that is dropped unwinds its stack. What
//! overflows a stack hits a guard page, which ends the program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

thread_local! {
    /// The fiber that runs on this thread; 0: none.
    static RUNNING: Cell<u64> = const { Cell::new(0) };
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Bytes of a stack. Memory is taken as it is touched.
const STACK_BYTES: usize = 1 << 20;

/// Stacks, to be used again.
#[derive(Default)]
pub struct Stacks {
    free: Vec<DefaultStack>,
    made: usize,
}

impl Stacks {
    /// Stacks that were made so far.
    pub fn made(&self) -> usize {
        self.made
    }

    fn take(&mut self) -> std::io::Result<DefaultStack> {
        if let Some(stack) = self.free.pop() {
            return Ok(stack);
        }
        self.made += 1;
        DefaultStack::new(STACK_BYTES)
    }

    /// Takes back the stack of a fiber that is over.
    pub fn give_back<Y: 'static, R: 'static>(&mut self, fiber: Fiber<Y, R>) {
        if fiber.coroutine.done() {
            self.free.push(fiber.coroutine.into_stack());
        }
    }
}

/// What a fiber did last.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<Y, R> {
    /// It waits.
    Suspended(Y),
    /// It is over.
    Done(R),
}

/// The code on a fiber's stack panicked, and said this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(pub String);

/// A fiber was to be suspended that does not run: somebody else calls, or its stack is being unwound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning;

/// Suspends a fiber from within.
pub struct Handle<Y>(Rc<Place<Y>>);

struct Place<Y> {
    id: u64,
    yielder: Cell<Option<*const Yielder<(), Y>>>,
}

impl<Y> Clone for Handle<Y> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Y> Handle<Y> {
    /// Stops here until the fiber is resumed.
    ///
    /// # Errors
    /// It does not run.
    pub fn suspend(&self, value: Y) -> Result<(), NotRunning> {
        let yielder = self.0.yielder.get().filter(|_| RUNNING.get() == self.0.id).ok_or(NotRunning)?;
        // SAFETY: the yielder lives as long as the fiber's code, which takes it out of its place when it ends; and RUNNING says that
        // this is called by that code, on its own stack: a handle does not leave its thread, and `resume` keeps RUNNING.
        unsafe { (*yielder).suspend(value) };
        Ok(())
    }
}

/// See the module's page.
pub struct Fiber<Y: 'static, R: 'static> {
    coroutine: Coroutine<(), Y, R>,
    handle: Handle<Y>,
}

impl<Y: 'static, R: 'static> Fiber<Y, R> {
    /// A fiber that is to run `code`.
    ///
    /// # Errors
    /// There is no memory for another stack.
    pub fn new(stacks: &mut Stacks, code: impl FnOnce() -> R + 'static) -> std::io::Result<Self> {
        Self::with_handle(stacks, |_| code())
    }

    /// As [`new`](Self::new); the code gets its own handle.
    ///
    /// # Errors
    /// Likewise.
    pub fn with_handle(stacks: &mut Stacks, code: impl FnOnce(&Handle<Y>) -> R + 'static) -> std::io::Result<Self> {
        let id = MADE.get() + 1;
        MADE.set(id);
        let handle = Handle(Rc::new(Place { id, yielder: Cell::new(None) }));
        let place = Leaves(handle.clone());
        let coroutine = Coroutine::with_stack(stacks.take()?, move |yielder, ()| {
            let place = place;
            place.0.0.yielder.set(Some(yielder));
            code(&place.0)
        });
        Ok(Self { coroutine, handle })
    }

    /// What suspends it.
    pub fn handle(&self) -> &Handle<Y> {
        &self.handle
    }

    /// Runs it until it suspends itself or is over. One that is over panics.
    ///
    /// # Errors
    /// Its code panicked; it is over.
    pub fn resume(&mut self) -> Result<Progress<Y, R>, Panicked> {
        let before = RUNNING.replace(self.handle.0.id);
        let result = catch_unwind(AssertUnwindSafe(|| self.coroutine.resume(())));
        RUNNING.set(before);
        match result {
            Ok(CoroutineResult::Yield(value)) => Ok(Progress::Suspended(value)),
            Ok(CoroutineResult::Return(value)) => Ok(Progress::Done(value)),
            Err(payload) => Err(Panicked(message(payload.as_ref()))),
        }
    }
}

/// Takes the yielder out of its place when the code ends, however it ends.
struct Leaves<Y>(Handle<Y>);

impl<Y> Drop for Leaves<Y> {
    fn drop(&mut self) {
        self.0.0.yielder.set(None);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    type Slot = Rc<RefCell<Option<Handle<u32>>>>;

    fn counting(stacks: &mut Stacks, end: u32) -> Fiber<u32, &'static str> {
        let slot = Slot::default();
        let inside = slot.clone();
        let fiber = Fiber::new(stacks, move || {
            let handle = inside.borrow().clone().unwrap();
            for count in 0..end {
                handle.suspend(count).unwrap();
            }
            "over"
        })
        .unwrap();
        *slot.borrow_mut() = Some(fiber.handle().clone());
        fiber
    }

    #[test]
    fn code_goes_on_where_it_stopped_and_stacks_are_used_again() {
        let mut stacks = Stacks::default();
        for round in 0..3 {
            let (mut a, mut b) = (counting(&mut stacks, 2), counting(&mut stacks, 1));
            assert_eq!(a.resume(), Ok(Progress::Suspended(0)));
            assert_eq!(b.resume(), Ok(Progress::Suspended(0)));
            assert_eq!(a.resume(), Ok(Progress::Suspended(1)));
            assert_eq!((a.resume(), b.resume()), (Ok(Progress::Done("over")), Ok(Progress::Done("over"))));
            stacks.give_back(a);
            stacks.give_back(b);
            assert_eq!(stacks.made(), 2, "round {round}");
        }
    }

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let mut fiber: Fiber<(), ()> = Fiber::new(&mut Stacks::default(), || panic!("{} and {}", 1, 2)).unwrap();
        assert_eq!(fiber.resume(), Err(Panicked("1 and 2".into())));
    }

    #[test]
    fn nobody_else_suspends_a_fiber() {
        let mut stacks = Stacks::default();
        let mut outer = counting(&mut stacks, 2);
        assert_eq!(outer.handle().suspend(7), Err(NotRunning));
        assert_eq!(outer.resume(), Ok(Progress::Suspended(0)));
        assert_eq!(outer.handle().suspend(7), Err(NotRunning));
        // Nor one that runs within it, or that it runs within.
        let handle = outer.handle().clone();
        let mut inner: Fiber<u32, _> = Fiber::new(&mut stacks, move || {
            assert_eq!(handle.suspend(7), Err(NotRunning));
            let progress = outer.resume();
            (progress, handle.suspend(7))
        })
        .unwrap();
        assert_eq!(inner.resume(), Ok(Progress::Done((Ok(Progress::Suspended(1)), Err(NotRunning)))));
    }

    #[test]
    fn a_fiber_that_is_dropped_unwinds_and_what_is_dropped_there_cannot_suspend_it() {
        struct Suspends(Slot, Rc<Cell<Option<Result<(), NotRunning>>>>);
        impl Drop for Suspends {
            fn drop(&mut self) {
                let handle = self.0.borrow().clone().unwrap();
                self.1.set(Some(handle.suspend(9)));
            }
        }
        let (slot, result) = (Slot::default(), Rc::new(Cell::new(None)));
        let guard = Suspends(slot.clone(), result.clone());
        let mut fiber: Fiber<u32, ()> = Fiber::new(&mut Stacks::default(), move || {
            let guard = guard;
            let handle = guard.0.borrow().clone().unwrap();
            let _ = handle.suspend(1);
        })
        .unwrap();
        *slot.borrow_mut() = Some(fiber.handle().clone());
        assert_eq!(fiber.resume(), Ok(Progress::Suspended(1)));
        drop(fiber);
        assert_eq!(result.get(), Some(Err(NotRunning)));
    }
}
