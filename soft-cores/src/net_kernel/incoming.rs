//! Parcels from other processors.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::mail::{Arrival, Mail, Stage};
use super::{NetKernel, PROCESSOR};
use crate::kernel::dma::{Copy, Endpoint, Outcome, Then};
use crate::kernel::message::{Incoming, Kind, Message};
use crate::kernel::pool::PoolId;
use crate::net::parcel::Parcel;
use crate::platform::{Event as Charge, Platform};

/// Bytes of a memory.
const BYTES: u32 = 1 << PROCESSOR;

impl<P: Platform + 'static> NetKernel<P> {
    /// Takes the messages of other processors.
    pub(super) fn take_messages(&self) {
        for kind in [Kind::Packet, Kind::Transport, Kind::Notice] {
            self.on_message(kind, Self::take_parcel);
        }
        for kind in [Kind::Returned, Kind::Read] {
            self.on_message(kind, |net, incoming| {
                net.take_answer(incoming);
                net.kernel.critical(|| net.see_to_retry());
            });
        }
    }

    fn on_message(&self, kind: Kind, function: fn(&Self, Incoming)) {
        let me = self.me.clone();
        self.kernel.on_message(kind, move |_, incoming| {
            if let Some(net) = me.upgrade() {
                function(&net, incoming);
            }
        });
    }

    fn take_parcel(&self, incoming: Incoming) {
        self.kernel.critical(|| {
            let Incoming { from, message } = incoming;
            {
                let mut mail = self.mail.borrow_mut();
                if mail.peers[from].arrivals.len() >= mail.config.window {
                    mail.counters.foreign += 1;
                    drop(mail);
                    return self.answer(from, message);
                }
                let end = message.address.checked_add(message.length).filter(|&end| end <= BYTES);
                let stage = match message.length {
                    0 => Stage::Here(Some(Vec::new())),
                    length if end.is_some() && length <= mail.config.block_bytes => Stage::Waiting,
                    _ => {
                        mail.counters.unfetched += 1;
                        Stage::Here(None)
                    }
                };
                let serial = mail.serial;
                mail.serial += 1;
                mail.peers[from].arrivals.push_back(Arrival { serial, message, stage });
                self.fetch(&mut mail);
            }
            self.deliver(from);
            self.see_to_retry();
        });
    }

    /// Has the DMA copy what is to be copied, as far as there are blocks and room in its channel. Senders take turns.
    pub(super) fn fetch(&self, mail: &mut Mail) {
        while let Some((from, serial, message)) = mail.next_to_copy() {
            if !self.begin_copy(from, serial, message, mail.landing) {
                return;
            }
            mail.turn = from + 1;
            if let Some(arrival) = mail.arrival(from, serial) {
                arrival.stage = Stage::Fetching;
            }
        }
    }

    fn begin_copy(&self, from: usize, serial: u64, message: Message, landing: PoolId) -> bool {
        let Ok(block) = self.kernel.alloc(landing) else { return false };
        let copy = Copy {
            source: Endpoint::Card((from as u32) << PROCESSOR | message.address),
            destination: Endpoint::Card(self.card_address(block)),
            length: message.length,
            fence: false,
        };
        let me = self.me.clone();
        let then = Then::Call(Box::new(move |_, outcome| {
            if let Some(net) = me.upgrade() {
                net.end_copy(from, serial, block, outcome);
            }
        }));
        let is_pushed = self.kernel.push(&[copy], None, then).is_ok();
        if !is_pushed {
            // It has just been taken from there.
            let _ = self.kernel.free(block);
        }
        is_pushed
    }

    fn end_copy(&self, from: usize, serial: u64, block: u32, outcome: Outcome) {
        self.kernel.critical(|| {
            {
                let mut mail = self.mail.borrow_mut();
                let length = mail.arrival(from, serial).map_or(0, |arrival| arrival.message.length);
                let body = outcome.is_ok().then(|| self.pick_up(block, length)).flatten();
                mail.counters.unfetched += u64::from(body.is_none());
                if let Some(arrival) = mail.arrival(from, serial) {
                    arrival.stage = Stage::Here(body);
                }
                // It was taken from its pool when the copy began.
                let _ = self.kernel.free(block);
                self.fetch(&mut mail);
            }
            self.deliver(from);
            // The socket module may have waited for room in the channel.
            self.carry_out(self.now());
        });
    }

    fn pick_up(&self, block: u32, length: u32) -> Option<Vec<u8>> {
        let platform = self.kernel.platform();
        let mut body = alloc::vec![0; length as usize];
        platform.charge(Charge::Copy(body.len()));
        platform.load(block, &mut body).ok().map(|()| body)
    }

    /// Hands the stack what has come from there, in order, and answers each when it is done with.
    fn deliver(&self, from: usize) {
        loop {
            let next = self.mail.borrow_mut().take_arrival(from);
            let Some((message, body)) = next else { return };
            self.note_load();
            if let Some(body) = body {
                if message.kind != Kind::Notice {
                    self.kernel.platform().charge(Charge::Packet(body.len()));
                }
                match Parcel::decode(message.kind, message.context, body) {
                    Some(parcel) => {
                        self.mail.borrow_mut().counters.received += 1;
                        self.with_stack(|stack, now| stack.message(now, from, parcel));
                    }
                    None => self.mail.borrow_mut().counters.unreadable += 1,
                }
            }
            self.answer(from, message);
        }
    }

    /// The block is its owner's again. Work that is done with counts no more (68.3).
    fn answer(&self, to: usize, message: Message) {
        let kind = if message.kind == Kind::Notice { Kind::Read } else { Kind::Returned };
        if self.kernel.post(to, Message { kind, ..message }).is_err() {
            self.mail.borrow_mut().counters.unanswered += 1;
        }
    }
}
