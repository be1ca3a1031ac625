//! Carries the messages of all processors to their receivers, one a cycle: the senders go round.
//!
//! | port        | dir | width | meaning                                                                    |
//! |-------------|-----|-------|----------------------------------------------------------------------------|
//! | `send_i`    | in  | 1     | processor i sends `message_of_i` to `target_i`; all stay until it is done      |
//! | `target_i`  | in  | 16    | bit j: to processor j; one bit                                              |
//! | `message_of_i` | in | 128  | {kind, address, length, context}, 32 bits each, kind lowest                |
//! | `done_i`    | out | 1     | it is handed over, or refused; reset value 0                               |
//! | `refused`   | out | 1     | a cycle later: it was refused; reset value 0                               |
//! | `put`       | out | 16    | bit j: processor j gets `message`; reset value 0                           |
//! | `sender`    | out | 4     | from whom                                                                  |
//! | `message`   | out | 128   | the message                                                                |
//! | `full_j`    | in  | 1     | in the cycle of its `put`: processor j's ring of that sender is full       |
//!
//! Latency: a message is handed over a cycle or more behind `send_i`. Throughput: one message per cycle, one per sender every second cycle.
//! Implements: ¶66.2 (messages from other processors).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MessageBus {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub send: Vec<Signal<In, Bit>>,
    pub target: Vec<Signal<In, Bits<16>>>,
    pub message_of: Vec<Signal<In, Bits<128>>>,
    pub done: Vec<Signal<Out, Bit>>,
    pub refused: Signal<Out, Bit>,
    pub put: Signal<Out, Bits<16>>,
    pub sender: Signal<Out, Bits<4>>,
    pub message: Signal<Out, Bits<128>>,
    pub full: Vec<Signal<In, Bit>>,
    // A grant is registered, so who sees it is still asking.
    arbiter: Arbiter,
    granted: Vec<DFF<Bit>>,
    granted_target: Vec<Signal<Local, Bits<16>>>,
    granted_message: Vec<Signal<Local, Bits<128>>>,
    any_full: Signal<Local, Bit>,
    was_full: DFF<Bit>,
    _processors: usize,
}

impl MessageBus {
    /// Between `processors` processors.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                send: many(processors),
                target: many(processors),
                message_of: many(processors),
                done: many(processors),
                full: many(processors),
                arbiter: Arbiter::new(processors),
                granted: many(processors),
                granted_target: many(processors),
                granted_message: many(processors),
                _processors: processors,
            },
            clock, reset, refused, put, sender, message, any_full, was_full
        }
    }
}

impl Logic for MessageBus {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, was_full);
        self.arbiter.clock.next = self.clock.val();
        self.arbiter.reset.next = self.reset.val();
        self.arbiter.advance.next = self.arbiter.any.val();
        self.put.next = 0.into();
        self.sender.next = 0.into();
        self.message.next = 0.into();
        self.any_full.next = false;
        for i in 0..self._processors {
            self.arbiter.request[i].next = self.send[i].val() & !self.granted[i].q.val();
            self.granted[i].clock.next = self.clock.val();
            self.granted[i].d.next = self.arbiter.grant[i].val() & !self.reset.val();
            self.done[i].next = self.granted[i].q.val();
            self.granted_target[i].next = 0.into();
            self.granted_message[i].next = 0.into();
            if self.granted[i].q.val() {
                self.granted_target[i].next = self.target[i].val();
                self.granted_message[i].next = self.message_of[i].val();
                self.sender.next = i.to_bits();
            }
            self.put.next = self.put.val() | self.granted_target[i].val();
            self.message.next = self.message.val() | self.granted_message[i].val();
            self.any_full.next = self.any_full.val() | self.full[i].val();
        }
        self.was_full.d.next = self.any_full.val() & !self.reset.val();
        self.refused.next = self.was_full.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    const N: usize = 5;

    #[test]
    fn every_message_goes_once_to_its_receiver_and_nobody_waits_for_more_than_the_others() {
        let mut dut = MessageBus::new(N);
        dut.connect_all();
        let mut random = Random::seeded(11);
        // Target and number of what each sends, and since when.
        let mut sending: [Option<(u64, u64, u64)>; N] = [None; N];
        let (mut sent, mut refused, mut was_full) = ([0; N], 0, false);
        for cycle in 0..4000u64 {
            dut.reset.next = cycle == 0;
            for (i, sending) in sending.iter_mut().enumerate() {
                // At first all of them always.
                if cycle > 0 && sending.is_none() && (cycle < 500 || random.below(4) == 0) {
                    *sending = Some((random.below(N as u64), random.below(1 << 60), cycle));
                }
                dut.send[i].next = sending.is_some();
                let (target, number, _) = sending.unwrap_or_default();
                dut.target[i].next = (1u64 << target).to_bits();
                let low = bit_cast::<128, 64>(number.to_bits());
                dut.message_of[i].next = low | (low << 64);
            }
            let full = random.below(4) == 0;
            for (j, port) in dut.full.iter_mut().enumerate() {
                port.next = full && dut.put.val().get_bit(j);
            }
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 10));
            // A cycle ago a ring was full.
            assert_eq!(dut.refused.val(), was_full);
            was_full = (0..N).any(|j| dut.full[j].val());
            refused += u64::from(dut.refused.val());
            let done: Vec<usize> = (0..N).filter(|i| dut.done[*i].val()).collect();
            assert!(done.len() < 2);
            assert_eq!(done.is_empty(), dut.put.val() == 0);
            for i in done {
                let (target, number, since) = sending[i].take().expect("a sender that asks");
                assert_eq!((dut.put.val().to_u64(), dut.sender.val().index()), (1 << target, i));
                let low = bit_cast::<128, 64>(number.to_bits());
                assert_eq!(dut.message.val(), low | (low << 64));
                assert!(cycle - since <= N as u64, "{i} waited {} cycles", cycle - since);
                sent[i] += 1;
            }
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 10));
        }
        assert!(sent.iter().all(|sent| *sent > 400) && refused > 200, "{sent:?} {refused}");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut MessageBus::new(16), "message_bus").expect("printed");
    }
}
