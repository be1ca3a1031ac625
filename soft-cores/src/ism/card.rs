//! The socket module's side of the card: message frames and copies.
//!
//! It is made for the registers of a processor's port: `IN_POST`, `IN_FREE`, `OUT_FREE`, and its DMA channel with POST. So
//! [`Card::push`] is [`crate::kernel::Kernel::push`], and [`Card::report`] what that calls when the list is reported.

use crate::kernel::dma::{Copy, Outcome};
use crate::platform::OutsideMemory;

/// See the module's page.
pub trait Card {
    /// Takes the oldest message of the host: its MFA without kind bits.
    fn take_request(&mut self) -> Option<u32>;

    /// Reads the beginning of an inbound frame.
    ///
    /// # Errors
    /// The card named a frame that is not in the processor's memory.
    fn read_request(&mut self, mfa: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory>;

    /// Gives an inbound frame back, empty.
    fn return_request(&mut self, mfa: u32);

    /// Takes an empty outbound frame, which has at least [`abi::socket::MAX_WORDS`] words.
    fn take_frame(&mut self) -> Option<u32>;

    /// Where an outbound frame is in the host's memory.
    fn frame_address(&self, mfa: u32) -> u64;

    /// Writes into the processor's own memory.
    ///
    /// # Errors
    /// Some of it does not exist.
    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory>;

    /// Pushes a list of copies, and the outbound frame to post behind them. It is reported once, under its context. `false`: there is
    /// no room for it now.
    fn push(&mut self, list: &[Copy], post: Option<u32>, context: u32) -> bool;

    /// The next report of a list that was pushed: its context and how it ended. Lists may be reported in any order.
    fn report(&mut self) -> Option<(u32, Outcome)>;
}
