//! Parcels to other processors.

use super::NetKernel;
use super::mail::{Cause, Counters, Mail};
use crate::kernel::message::{Incoming, Kind, Message};
use crate::kernel::pool::PoolId;
use crate::net::Micros;
use crate::net::parcel::{Encoded, Parcel};
use crate::platform::{Event as Charge, Platform};

impl<P: Platform + 'static> NetKernel<P> {
    /// Parcels, counted.
    pub fn mail_counters(&self) -> Counters {
        self.kernel.critical(|| self.mail.borrow().counters.clone())
    }

    /// The pools of blocks that parcels are sent from, and copied into.
    pub fn mail_pools(&self) -> (PoolId, PoolId) {
        self.kernel.critical(|| {
            let mail = self.mail.borrow();
            (mail.blocks, mail.landing)
        })
    }

    /// Parcels that wait to be sent, that others have not done with, and that have come and are not done with here.
    pub fn mail_under_way(&self) -> (usize, usize, usize) {
        self.kernel.critical(|| {
            let mail = self.mail.borrow();
            let sum = |count: fn(&super::mail::Peer) -> usize| mail.peers.iter().map(count).sum();
            (sum(|peer| peer.line.len()), sum(|peer| peer.outstanding), sum(|peer| peer.arrivals.len()))
        })
    }

    /// Sends a parcel, or has it wait in its line. A datagram that can do neither is handled here; what else cannot is dropped, and
    /// counted. Interrupts are disabled.
    pub(super) fn send_parcel(&self, now: Micros, to: usize, parcel: Parcel) {
        let Err(cause) = self.offer(to, parcel.encode(), parcel.is_vital()) else { return };
        let counters = &mut self.mail.borrow_mut().counters;
        counters.dropped.count(cause);
        if let Parcel::Datagram(_) = parcel {
            counters.kept += 1;
            self.state.borrow_mut().stack.message(now, self.kernel.found().number, parcel);
        }
    }

    fn offer(&self, to: usize, parcel: Encoded, is_vital: bool) -> Result<(), Cause> {
        let found = self.kernel.found();
        if to >= found.processors || to == found.number {
            return Err(Cause::NoProcessor);
        }
        let mut mail = self.mail.borrow_mut();
        if parcel.body.len() > mail.config.block_bytes as usize {
            return Err(Cause::TooLong);
        }
        if mail.peers[to].line.is_empty() && self.try_send(&mut mail, to, &parcel) {
            return Ok(());
        }
        let (room, full) = match is_vital {
            true => (mail.config.vital, Cause::Vital),
            false => (mail.config.packets, Cause::Line),
        };
        if mail.peers[to].line.len() >= room {
            return Err(full);
        }
        mail.peers[to].line.push_back(parcel);
        mail.counters.waited += 1;
        Ok(())
    }

    /// Sends a parcel if its receiver takes another one, and there are a block and room in the card's queue.
    fn try_send(&self, mail: &mut Mail, to: usize, parcel: &Encoded) -> bool {
        if mail.peers[to].outstanding >= mail.config.window || !self.kernel.has_room(to) {
            return false;
        }
        let Some(address) = self.put_down(mail, to, parcel) else { return false };
        let length = parcel.body.len() as u32;
        let message = Message { kind: parcel.kind, address, length, context: parcel.context };
        if self.kernel.send(to, message).is_err() {
            self.take_block_back(mail, address, to);
            return false;
        }
        mail.peers[to].outstanding += 1;
        mail.counters.sent += 1;
        true
    }

    /// Puts a parcel's body into a block; says where. 0 if it has none.
    fn put_down(&self, mail: &mut Mail, to: usize, parcel: &Encoded) -> Option<u32> {
        if parcel.body.is_empty() {
            return Some(0);
        }
        if !mail.may_take_block(parcel.kind == Kind::Notice) {
            return None;
        }
        let address = self.kernel.alloc(mail.blocks).ok()?;
        let platform = self.kernel.platform();
        platform.charge(Charge::Copy(parcel.body.len()));
        if platform.store(address, &parcel.body).is_err() {
            // It has just been taken from there.
            let _ = self.kernel.free(address);
            return None;
        }
        mail.lent.insert(address, to);
        Some(address)
    }

    /// Says whether `from` had this block.
    fn take_block_back(&self, mail: &mut Mail, address: u32, from: usize) -> bool {
        let had_it = mail.lent.get(&address) == Some(&from);
        if had_it {
            mail.lent.remove(&address);
            // It was taken from its pool when it was lent.
            let _ = self.kernel.free(address);
        }
        had_it
    }

    /// Another processor has done with a parcel.
    pub(super) fn take_answer(&self, incoming: Incoming) {
        self.kernel.critical(|| {
            let Incoming { from, message } = incoming;
            let mut mail = self.mail.borrow_mut();
            let is_known = message.length == 0 || self.take_block_back(&mut mail, message.address, from);
            if !is_known || mail.peers[from].outstanding == 0 {
                mail.counters.foreign += 1;
                return;
            }
            mail.peers[from].outstanding -= 1;
            mail.counters.returned += 1;
            // The line to whom it was sent goes first, for its window is what has opened.
            self.send_line(&mut mail, from);
            self.send_lines(&mut mail);
        });
    }

    pub(super) fn send_lines(&self, mail: &mut Mail) {
        for to in 0..self.kernel.found().processors {
            self.send_line(mail, to);
        }
    }

    fn send_line(&self, mail: &mut Mail, to: usize) {
        while let Some(parcel) = mail.peers[to].line.pop_front() {
            if !self.try_send(mail, to, &parcel) {
                mail.peers[to].line.push_front(parcel);
                return;
            }
        }
    }

    /// Has the timer look after what waits, if anything does: the card does not say when there is room.
    pub(super) fn see_to_retry(&self) {
        let mut mail = self.mail.borrow_mut();
        if mail.retry.is_some() || !mail.has_waiting() {
            return;
        }
        let cycle = self.kernel.platform().now().saturating_add(mail.config.retry);
        let me = self.me.clone();
        let timer = self.kernel.call_at(cycle, move |_, _| {
            if let Some(net) = me.upgrade() {
                net.try_again();
            }
        });
        mail.retry = timer.ok();
        self.state.borrow_mut().counters.no_timer += u64::from(timer.is_err());
    }

    fn try_again(&self) {
        {
            let mut mail = self.mail.borrow_mut();
            mail.retry = None;
            self.send_lines(&mut mail);
            self.fetch(&mut mail);
        }
        self.see_to_retry();
    }
}
