//! The card's interrupts (MSI-X): which vectors the host wants, and what each of them says.

use abi::csr::host as csr;

use super::osm::Osm;

/// The outbound post queue is not empty.
const REPLIES: u32 = 0;
/// The host's DMA channel has reported.
const REPORTS: u32 = 2;
/// The inbound free queue of processor i is not empty: this and 2 i.
const FRAMES: u32 = 5;
const MASKED: u32 = 1;

/// Holds interrupts back until there are so many events, or so much time has passed. Both 0: they come at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moderation {
    /// Events; 0: only time counts.
    pub events: u8,
    /// Time in units of 64 cycles. Not 0 if events count: else what is too little for an interrupt would never be heard of.
    pub time: u16,
}

/// Where the host has to look: something has happened there since it looked last.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    pub replies: bool,
    pub reports: bool,
    /// Of each processor: there may be inbound frames.
    pub frames: Vec<bool>,
}

impl Signals {
    /// There may be something anywhere.
    pub fn begin(&mut self, processors: usize) {
        self.frames = vec![true; processors];
        self.all();
    }

    /// Everything is looked at.
    pub fn all(&mut self) {
        (self.replies, self.reports) = (true, true);
        self.frames.fill(true);
    }
}

impl Osm {
    /// Has the card write vector v's number v to this address when there is something. Returns whether that makes sense; nothing is
    /// changed if it does not.
    pub fn enable_interrupts(&self, address: u64, moderation: Moderation) -> bool {
        if moderation.events > 0 && moderation.time == 0 || !address.is_multiple_of(4) {
            return false;
        }
        let port = self.port();
        port.write(csr::MSIX_CONTROL.offset, 0);
        let processors = self.state().processors as u32;
        for vector in 0..4 + 2 * processors {
            let is_wanted = matches!(vector, REPLIES | REPORTS) || vector >= FRAMES && vector % 2 == FRAMES % 2;
            let entry = [address as u32, (address >> 32) as u32, vector, if is_wanted { 0 } else { MASKED }];
            for (word, value) in entry.into_iter().enumerate() {
                port.write(csr::MSIX_TABLE.at(4 * vector as usize + word), value);
            }
        }
        let hold =
            csr::moderation::TIME.put(moderation.time.into()) | csr::moderation::COUNT.put(moderation.events.into());
        port.write(csr::MODERATION.offset, hold);
        port.write(csr::MSIX_CONTROL.offset, csr::msix_control::ENABLE.put(1));
        true
    }

    /// The card has written this number: [`serve`](Self::serve) looks there. Says whether it is one of those that the host wants.
    pub fn interrupted(&self, vector: u32) -> bool {
        let mut state = self.state();
        state.counters.interrupts += 1;
        match vector {
            REPLIES => state.signals.replies = true,
            REPORTS => state.signals.reports = true,
            _ => {
                let processor = vector.checked_sub(FRAMES).filter(|behind| behind % 2 == 0).map(|behind| behind / 2);
                let signal = processor.and_then(|processor| state.signals.frames.get_mut(processor as usize));
                let Some(signal) = signal else { return false };
                *signal = true;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::osm::Config;
    use super::super::port::Port;
    use super::super::steering::Policy;
    use super::*;

    #[derive(Default)]
    struct Registers(RefCell<Vec<(u32, u32)>>);

    impl Port for Registers {
        fn read(&self, _: u32) -> u32 {
            u32::MAX
        }

        fn write(&self, offset: u32, value: u32) {
            self.0.borrow_mut().push((offset, value));
        }

        fn write_card(&self, _: u32, _: u32) {}

        fn load(&self, _: u64, _: &mut [u8]) {}

        fn store(&self, _: u64, _: &[u8]) {}

        fn now(&self) -> u64 {
            0
        }
    }

    #[test]
    fn the_table_has_the_vectors_that_are_wanted() {
        let registers = Rc::new(Registers::default());
        let config = Config {
            memory: 0,
            frames: 1,
            buffer_bytes: 1,
            buffers: 1,
            sessions: 1,
            accepts: 1,
            receives: 1,
            policy: Policy::Replies,
            addresses: Vec::new(),
        };
        let osm = Osm::new(registers.clone(), config);
        osm.state().processors = 2;
        osm.state().signals.begin(2);
        assert!(!osm.enable_interrupts(0x1_FEE0_0000, Moderation { events: 1, time: 0 }));
        assert!(!osm.enable_interrupts(0x1_FEE0_0002, Moderation::default()));
        assert!(registers.0.borrow().is_empty());
        assert!(osm.enable_interrupts(0x1_FEE0_0000, Moderation { events: 3, time: 4 }));
        // By hand: vectors 0, 2, 5 and 7 of eight are not masked; then moderation, then MSI-X on.
        let mut expected = vec![(0x1_00F0, 0)];
        for (vector, masked) in [0, 1, 0, 1, 1, 0, 1, 0].into_iter().enumerate() {
            let at = 0x1_4000 + 16 * vector as u32;
            expected.extend([(at, 0xFEE0_0000), (at + 4, 1), (at + 8, vector as u32), (at + 12, masked)]);
        }
        expected.extend([(0x1_00F4, 0x0003_0004), (0x1_00F0, 1)]);
        assert_eq!(*registers.0.borrow(), expected);
        let known: Vec<_> = (0..10).filter(|vector| osm.interrupted(*vector)).collect();
        assert_eq!((known, osm.counters().interrupts), (vec![0, 2, 5, 7], 10));
    }
}
