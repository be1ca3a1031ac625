//! A place for somebody's function that the kernel calls.

use alloc::boxed::Box;
use core::cell::RefCell;

use super::Kernel;
use crate::platform::Platform;

/// A function that is handed the kernel.
pub(super) type Function<P, A, R> = Box<dyn FnMut(&Kernel<P>, A) -> R>;

/// See the module's page.
pub(super) struct Handler<P: Platform, A, R = ()>(RefCell<Option<Function<P, A, R>>>);

impl<P: Platform, A, R> Default for Handler<P, A, R> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<P: Platform + 'static, A, R> Handler<P, A, R> {
    pub fn set(&self, kernel: &Kernel<P>, function: Function<P, A, R>) {
        let before = kernel.critical(|| self.0.borrow_mut().replace(function));
        drop(before);
    }

    /// Calls the function, at the level of the caller.
    ///
    /// # Errors
    /// There is none, or it is being called: the argument.
    pub fn call(&self, kernel: &Kernel<P>, argument: A) -> Result<R, A> {
        // It is out of its place while it runs, so that nothing is borrowed and it may put another in its place.
        let Some(mut function) = kernel.critical(|| self.0.borrow_mut().take()) else { return Err(argument) };
        let result = function(kernel, argument);
        kernel.critical(|| {
            let mut place = self.0.borrow_mut();
            if place.is_none() {
                *place = Some(function);
            }
        });
        Ok(result)
    }
}
