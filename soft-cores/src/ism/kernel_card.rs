//! The card as a processor's kernel offers it: the registers of the message frames, and the kernel's DMA channel.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;

use abi::csr::core as csr;
use abi::receive::EMPTY;

use super::card::Card;
use super::outbox::SLOT_BYTES;
use crate::kernel::Kernel;
use crate::kernel::dma::{Copy, Outcome, Then};
use crate::platform::{OutsideMemory, Platform};

/// The kind bits that the card adds to an inbound MFA.
const KIND_BITS: u32 = 3;
/// A byte address within a card address.
const BYTE: u32 = 0x00FF_FFFF;

/// Reports that the kernel has brought and the module has not looked at.
type Reports = Rc<RefCell<VecDeque<(u32, Outcome)>>>;

/// See the module's page.
pub struct KernelCard<P: Platform + 'static> {
    kernel: Rc<Kernel<P>>,
    reports: Reports,
    /// Called behind each report.
    tell: Option<Rc<dyn Fn()>>,
    /// Messages of the host that may be taken.
    allowance: u32,
}

impl<P: Platform + 'static> KernelCard<P> {
    /// The card of this kernel. The processor's inbound frames are the caller's to hand in.
    pub fn new(kernel: Rc<Kernel<P>>) -> Self {
        Self { kernel, reports: Reports::default(), tell: None, allowance: u32::MAX }
    }

    /// `tell` is called when the kernel has brought a report, where it serves its DMA channel.
    pub fn telling(self, tell: impl Fn() + 'static) -> Self {
        Self { tell: Some(Rc::new(tell)), ..self }
    }

    /// So many messages of the host may be taken from now on.
    pub const fn allow(&mut self, messages: u32) {
        self.allowance = messages;
    }
}

impl<P: Platform + 'static> Card for KernelCard<P> {
    fn take_request(&mut self) -> Option<u32> {
        self.allowance = self.allowance.checked_sub(1)?;
        let mfa = self.kernel.platform().read(csr::IN_POST.offset);
        (mfa != EMPTY).then_some(mfa & !KIND_BITS)
    }

    fn read_request(&mut self, mfa: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        self.kernel.platform().load(mfa & BYTE, bytes)
    }

    fn return_request(&mut self, mfa: u32) {
        self.kernel.platform().write(csr::IN_FREE.offset, mfa);
    }

    fn take_frame(&mut self) -> Option<u32> {
        let platform = self.kernel.platform();
        // A host that has not set its frames up, or made them too small, is not answered.
        if csr::out_frame_size::LOG2.get(platform.read(csr::OUT_FRAME_SIZE.offset)) < SLOT_BYTES.ilog2() {
            return None;
        }
        let mfa = platform.read(csr::OUT_FREE.offset);
        (mfa != EMPTY).then_some(mfa)
    }

    fn frame_address(&self, mfa: u32) -> u64 {
        let high = self.kernel.platform().read(csr::OUT_BASE_HIGH.offset);
        u64::from(high) << 32 | u64::from(mfa)
    }

    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        self.kernel.platform().store(address, bytes)
    }

    fn push(&mut self, list: &[Copy], post: Option<u32>, context: u32) -> bool {
        let (reports, tell) = (Rc::clone(&self.reports), self.tell.clone());
        let then = Then::Call(alloc::boxed::Box::new(move |_, outcome| {
            reports.borrow_mut().push_back((context, outcome));
            if let Some(tell) = tell {
                tell();
            }
        }));
        self.kernel.push(list, post, then).is_ok()
    }

    fn report(&mut self) -> Option<(u32, Outcome)> {
        self.kernel.critical(|| self.reports.borrow_mut().pop_front())
    }
}
