//! Frames from and to the MAC's driver.

use abi::transmit::Send;

use super::NetKernel;
use crate::kernel::mac;
use crate::platform::{Event as Charge, Platform};

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsent {
    /// All send buffers are with the card.
    Buffers,
    /// The card's send queue is full.
    Queue,
    /// It is longer than a buffer, or than the card takes.
    Length,
}

impl<P: Platform + 'static> NetKernel<P> {
    /// Gives the card buffers, and takes what it receives in them.
    pub(super) fn take_frames(&self) {
        let weak = self.me.clone();
        self.kernel.on_frame(move |kernel, frame| match weak.upgrade() {
            Some(net) => net.take_frame(frame),
            // It was given out from its pool.
            None => drop(kernel.release(frame.address)),
        });
        let buffers = self.kernel.usage(self.receive).map_or(0, |usage| usage.blocks);
        self.kernel.receive_into(self.receive, buffers as usize);
    }

    fn take_frame(&self, frame: mac::Frame) {
        let platform = self.kernel.platform();
        let mut bytes = alloc::vec![0; frame.status.length()];
        platform.charge(Charge::Copy(bytes.len()));
        let loaded = platform.load(frame.address, &mut bytes);
        // It was given out from its pool, and lies in the memory.
        let _ = self.kernel.release(frame.address);
        if loaded.is_err() {
            return;
        }
        platform.charge(Charge::Packet(bytes.len()));
        self.kernel.critical(|| {
            let is_busy = self.note_load();
            self.with_stack(|stack, now| stack.receive(now, &bytes, frame.status, &mut || self.help(is_busy)));
        });
    }

    /// Sends a whole Ethernet frame; one that is not sent is counted.
    pub fn transmit(&self, frame: &[u8]) {
        let sent = self.try_transmit(frame);
        self.kernel.critical(|| {
            let counters = &mut self.state.borrow_mut().counters;
            match sent {
                Ok(()) => counters.sent += 1,
                Err(cause) => counters.unsent.count(cause),
            }
        });
    }

    fn try_transmit(&self, frame: &[u8]) -> Result<(), Unsent> {
        let length = u16::try_from(frame.len()).map_err(|_| Unsent::Length)?;
        if u32::from(length) > self.frame_bytes {
            return Err(Unsent::Length);
        }
        let platform = self.kernel.platform();
        let address = self.kernel.alloc(self.send).map_err(|_| Unsent::Buffers)?;
        platform.charge(Charge::Copy(frame.len()));
        let stored = platform.store(address, frame).map_err(|_| Unsent::Length);
        let given = stored.and_then(|()| {
            let frame = Send { address, length, ip: None, transport: None };
            self.kernel.transmit(frame, 0).map_err(|error| match error {
                mac::TransmitError::Full => Unsent::Queue,
                mac::TransmitError::Invalid => Unsent::Length,
            })
        });
        if given.is_err() {
            // It has just been taken from there.
            let _ = self.kernel.free(address);
        }
        given
    }
}
