//! Where the bytes of copies lie: nobody else uses them, or the guard bytes beside them, while a copy is under way.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::core_memory::UNTOUCHED;
use crate::cores::Machine;

/// Bytes on each side of a place that must stay as they are.
pub const GUARD: u64 = 16;

/// Whose memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The host's.
    Host,
    /// That of this processor.
    Core(usize),
}

/// Bytes of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose memory.
    pub side: Side,
    /// First byte.
    pub address: u64,
    /// How many.
    pub length: usize,
    /// The bytes beside it are guards; otherwise only the memory's own check is made.
    pub guarded: bool,
}

impl Place {
    /// The address as a descriptor has it.
    pub fn endpoint(&self) -> u64 {
        match self.side {
            Side::Host => self.address,
            Side::Core(core) => (core as u64) << 24 | self.address,
        }
    }

    /// What is there.
    pub fn bytes(&self, machine: &Machine) -> Vec<u8> {
        match self.side {
            Side::Host => machine.rig.host.memory().bytes(self.address, self.length),
            Side::Core(core) => machine.cores[core].memory.bytes()[self.address as usize..][..self.length].to_vec(),
        }
    }

    /// Writes there.
    pub fn put(&self, machine: &mut Machine, bytes: &[u8]) {
        match self.side {
            Side::Host => machine.rig.host.memory_mut().write(self.address, bytes),
            Side::Core(core) => {
                machine.cores[core].memory.bytes_mut()[self.address as usize..][..bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// Lets the card write here, and nowhere beside it; nothing is there yet.
    pub fn open(&self, machine: &mut Machine) {
        let whole = self.with_guards(machine);
        whole.put(machine, &vec![UNTOUCHED; whole.length]);
        match self.side {
            Side::Host => {
                machine.rig.host.memory_mut().open(self.address..self.address + self.length as u64);
            }
            Side::Core(core) => machine.cores[core].memory.open(self.address as u32, self.length),
        }
    }

    /// The card may no longer write here.
    pub fn close(&self, machine: &mut Machine) {
        match self.side {
            Side::Host => {
                machine.rig.host.memory_mut().close(self.address..self.address + self.length as u64);
            }
            Side::Core(core) => machine.cores[core].memory.close(self.address as u32),
        }
    }

    /// The first guard byte that is not as it was.
    pub fn spoiled_guard(&self, machine: &Machine) -> Option<u64> {
        let whole = self.with_guards(machine);
        let inside = self.address - whole.address;
        let inside = inside..inside + self.length as u64;
        let bytes = whole.bytes(machine);
        let spoiled = (0u64..).zip(bytes).find(|(b, byte)| !inside.contains(b) && *byte != UNTOUCHED);
        spoiled.map(|(b, _)| whole.address + b)
    }

    fn with_guards(&self, machine: &Machine) -> Self {
        if !self.guarded {
            return *self;
        }
        let end = match self.side {
            Side::Host => u64::MAX,
            Side::Core(core) => machine.cores[core].memory.bytes().len() as u64,
        };
        let start = self.address.saturating_sub(GUARD);
        let end = (self.address + self.length as u64).saturating_add(GUARD).min(end);
        Self { address: start, length: (end - start) as usize, ..*self }
    }
}

/// What is in use.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// First byte and first byte behind, guards included, and how many use it.
    used: BTreeMap<(Side, u64), (u64, usize)>,
}

impl Places {
    /// Takes a place, if nobody has any of it.
    pub fn reserve(&mut self, place: &Place) -> bool {
        let start = place.address.saturating_sub(GUARD);
        let end = (place.address + place.length as u64).saturating_add(GUARD);
        let before = self.used.range(..(place.side, end)).next_back();
        if before.is_some_and(|((side, _), (used, _))| *side == place.side && *used > start) {
            return false;
        }
        self.used.insert((place.side, start), (end, 1));
        true
    }

    /// One more uses a place that is taken.
    pub fn share(&mut self, place: &Place) {
        if let Some((_, users)) = self.used.get_mut(&(place.side, place.address.saturating_sub(GUARD))) {
            *users += 1;
        }
    }

    /// One uses it no longer.
    pub fn release(&mut self, place: &Place) {
        let key = (place.side, place.address.saturating_sub(GUARD));
        if let Some((_, users)) = self.used.get_mut(&key) {
            *users -= 1;
            if *users == 0 {
                self.used.remove(&key);
            }
        }
    }
}

/// Whatever is random, out of one seed.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Of that seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// True with a chance of `chance` in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Any 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
