//! How much this processor has to do, and who helps it (68.3, 68.5).
//!
//! The load is what waits in the card's queues for this processor, frames and messages, and the parcels that it has not done with. Two
//! thresholds lie between busy and not busy ([`kernel::busy`](crate::kernel::busy)).

use abi::csr::core as csr;
use abi::limits::{MESSAGE_QUEUE_DEPTH, RECEIVE_QUEUE_DEPTH};

use super::NetKernel;
use crate::net::steering::Help;
use crate::platform::Platform;

impl<P: Platform + 'static> NetKernel<P> {
    /// Looks at the queues, and tells the others if this processor has become busy or is not any more. Says whether it is.
    pub(super) fn note_load(&self) -> bool {
        self.kernel.critical(|| {
            let load = self.load();
            self.kernel.set_load(load)
        })
    }

    /// What waits for this processor.
    pub fn load(&self) -> u32 {
        let platform = self.kernel.platform();
        let frames = platform.read(csr::RX_LEVEL.offset).min(RECEIVE_QUEUE_DEPTH as u32);
        let senders = platform.read(csr::MESSAGE_PENDING.offset);
        let level = |sender| platform.read(csr::MESSAGE_LEVEL.at(sender)).min(MESSAGE_QUEUE_DEPTH as u32);
        let processors = self.kernel.found().processors;
        let messages: u32 = (0..processors).filter(|sender| senders >> sender & 1 == 1).map(level).sum();
        frames + messages + self.mail.borrow().waiting_here()
    }

    /// Who is to take a datagram instead of this processor.
    pub(super) fn help(&self, is_busy: bool) -> Help {
        if !is_busy {
            return Help::NotNeeded;
        }
        let candidates = self.mail.borrow().takes_packets();
        self.kernel.least_busy_of(candidates).map_or(Help::Nobody, Help::From)
    }
}
