//! The socket module on this processor's stack, kernel and card (¶69): when it works, and what it has of the memory.
//!
//! It works whenever something may have changed for it: behind what the stack does, behind each report of its copies, behind each parcel.
//! Messages of the host it takes only where the kernel serves that source, as many as the kernel says: so the configuration decides
//! whether they are handled by interrupts or by polling, at interrupt level or in a thread (66.7, 69.5).

use alloc::vec::Vec;

use abi::csr::core as csr;
use abi::limits::BUFFER_ALIGNMENT;

use super::NetKernel;
use crate::ism::kernel_card::KernelCard;
use crate::ism::outbox::SLOT_BYTES;
use crate::ism::sockets::{self, KernelMemory, Share, Sockets};
use crate::ism::{self, Ism};
use crate::kernel::pool::{AllocError, Shape};
use crate::net::Micros;
use crate::platform::Platform;

/// Reports, sessions and requests that the module looks at in a turn.
const TURN: u32 = 16;
/// Turns in a row, before others have theirs.
const TURNS: u32 = 64;

/// What a socket module is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Inbound message frames, of [`SLOT_BYTES`] each.
    pub frames: u32,
    /// Answers that may be on their way to the host.
    pub slots: u32,
    /// Sessions at most.
    pub sessions: usize,
    /// Requests that a session may have under way.
    pub credits: u16,
    /// Lists of copies that the module may have under way: no more than the card's channel takes beside parcels.
    pub copies: usize,
    /// Answers that may wait before no more requests are taken.
    pub answers: usize,
    /// The sockets.
    pub sockets: sockets::Config,
    /// Their memory.
    pub memory: Vec<(Share, Shape)>,
}

/// What a net kernel has of it.
pub(super) struct SocketModule<P: Platform + 'static> {
    ism: Ism,
    sockets: Sockets,
    memory: KernelMemory<P>,
    card: KernelCard<P>,
}

impl<P: Platform + 'static> NetKernel<P> {
    /// Gives the host message frames, and the module to its socket calls.
    pub(super) fn start_module(&self, config: Config) -> Result<(), AllocError> {
        let me = self.me.clone();
        let mut card = KernelCard::new(self.kernel.clone()).telling(move || {
            if let Some(net) = me.upgrade() {
                net.after_report();
            }
        });
        card.allow(0);
        let slots = self.kernel.carve(config.slots * SLOT_BYTES, BUFFER_ALIGNMENT as u32)?;
        let ism = Ism::new(ism::Config {
            processor: self.kernel.found().number,
            sessions: config.sessions,
            credits: config.credits,
            copies: config.copies,
            answers: config.answers,
            slots: slots..slots + config.slots * SLOT_BYTES,
        });
        let memory = KernelMemory::new(self.kernel.clone(), &config.memory)?;
        let module = SocketModule { ism, sockets: Sockets::new(config.sockets), memory, card };
        *self.module.borrow_mut() = Some(module);
        self.hand_in_frames(config.frames)?;
        let me = self.me.clone();
        self.kernel.on_host(move |_, budget| me.upgrade().map_or(0, |net| net.serve_host(budget)));
        Ok(())
    }

    /// The host's frames lie one behind the other (69.4).
    fn hand_in_frames(&self, frames: u32) -> Result<(), AllocError> {
        let base = self.kernel.carve(frames * SLOT_BYTES, BUFFER_ALIGNMENT as u32)?;
        let platform = self.kernel.platform();
        platform.write(csr::IN_BASE.offset, base);
        platform.write(csr::IN_FRAME_SIZE.offset, SLOT_BYTES.ilog2());
        platform.write(csr::IN_FRAMES.offset, frames);
        let mfa = self.card_address(base);
        (0..frames).for_each(|frame| platform.write(csr::IN_FREE.offset, mfa + frame * SLOT_BYTES));
        Ok(())
    }

    /// Takes messages of the host, so many at most; says how many there were.
    fn serve_host(&self, budget: u32) -> u32 {
        let messages = |module: &mut SocketModule<P>| module.ism.counters().messages;
        self.kernel.critical(|| {
            let before = self.with_module(|module| {
                module.card.allow(budget);
                messages(module)
            });
            self.carry_out(self.now());
            let after = self.with_module(|module| {
                module.card.allow(0);
                messages(module)
            });
            after.zip(before).map_or(0, |(after, before)| (after - before) as u32)
        })
    }

    /// A list of the module's was reported, so there is room in the channel.
    fn after_report(&self) {
        self.kernel.critical(|| {
            self.fetch(&mut self.mail.borrow_mut());
            self.carry_out(self.now());
        });
    }

    /// Has the module do what can be done; says whether there may be more. Interrupts are disabled.
    pub(super) fn run_module(&self, now: Micros) -> bool {
        for _ in 0..TURNS {
            let worked = self.with_module(|module| {
                let SocketModule { ism, sockets, memory, card } = module;
                sockets.on(&mut self.state.borrow_mut().stack, memory, now).serve(ism, card, TURN)
            });
            self.act(now);
            if worked != Some(true) {
                return false;
            }
        }
        true
    }

    /// When the module has something to do.
    pub(super) fn module_deadline(&self) -> Option<Micros> {
        self.module.borrow().as_ref().and_then(|module| module.sockets.next_deadline())
    }

    fn with_module<R>(&self, work: impl FnOnce(&mut SocketModule<P>) -> R) -> Option<R> {
        self.module.borrow_mut().as_mut().map(work)
    }

    /// Looks at the socket module, its sockets and their memory; `None` if there is none.
    pub fn look_at_module<R>(&self, look: impl FnOnce(&Ism, &Sockets, &KernelMemory<P>) -> R) -> Option<R> {
        self.kernel.critical(|| self.module.borrow().as_ref().map(|it| look(&it.ism, &it.sockets, &it.memory)))
    }
}
