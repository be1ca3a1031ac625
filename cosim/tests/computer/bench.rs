//! The memories of the card's processors, as the model network needs them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cosim::native::Native;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::platform::Platform;

/// A processor's memory: what the kernel and the socket module need, then what sockets use.
pub const SOCKETS_AT: u32 = 0x2_0000;
pub const MEMORY: usize = 0x8_0000;

struct Inside {
    rng: ChaCha8Rng,
    processors: Vec<Option<Native>>,
    /// Buffers of sockets in use: processor and start, to length.
    live: BTreeMap<(usize, u32), u32>,
}

#[derive(Clone)]
pub struct Bench(Rc<RefCell<Inside>>);

impl Bench {
    pub fn new(seed: u64, processors: usize) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self(Rc::new(RefCell::new(Inside { rng, processors: vec![None; processors], live: BTreeMap::new() })))
    }

    /// A processor has started; `None`: it is over.
    pub fn attach(&self, processor: usize, native: Option<Native>) {
        self.0.borrow_mut().processors[processor] = native;
    }

    fn native(&self, processor: usize) -> Native {
        self.0.borrow().processors[processor].clone().expect("a processor that has started")
    }

    pub fn draw(&self, below: u64) -> u64 {
        self.0.borrow_mut().rng.next_u64() % below.max(1)
    }

    pub fn poke(&self, processor: usize, address: u32, bytes: &[u8]) {
        self.native(processor).store(address, bytes).expect("memory");
    }

    pub fn peek(&self, processor: usize, address: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.native(processor).load(address, &mut bytes).expect("memory");
        bytes
    }

    /// Copies may touch this from now on, or no more.
    pub fn set_live(&self, processor: usize, address: u32, length: u32, is_live: bool) {
        let live = &mut self.0.borrow_mut().live;
        if is_live {
            assert!(live.insert((processor, address), length).is_none());
        } else {
            assert_eq!(live.remove(&(processor, address)), Some(length));
        }
    }
}
