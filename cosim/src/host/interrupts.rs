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
