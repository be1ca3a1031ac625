//! The manager of a processor's register port: requests go out one per cycle and are held until they are taken, answers come back in
//! order.

use std::collections::VecDeque;

use crate::bridge::{Inputs, Outputs, RegisterRequest};

/// An answer to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number that [`RegisterPort::read`] gave.
    pub ticket: u64,
    /// The register's offset.
    pub offset: u32,
    /// What it read.
    pub value: u32,
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct RegisterPort {
    number: usize,
    waiting: VecDeque<RegisterRequest>,
    /// Reads that were taken: ticket and offset.
    asked: VecDeque<(u64, u32)>,
    tickets: u64,
    tickets_taken: u64,
    offered: bool,
}

impl RegisterPort {
    /// Processor `number`'s.
    pub fn new(number: usize) -> Self {
        Self { number, waiting: VecDeque::new(), asked: VecDeque::new(), tickets: 0, tickets_taken: 0, offered: false }
    }

    /// Queues a write.
    pub fn write(&mut self, offset: u32, value: u32) {
        self.waiting.push_back(RegisterRequest { write: true, address: offset, data: value });
    }

    /// Queues a read; its answer bears the number that is returned.
    pub fn read(&mut self, offset: u32) -> u64 {
        self.waiting.push_back(RegisterRequest { write: false, address: offset, data: 0 });
        self.tickets += 1;
        self.tickets - 1
    }

    /// Whether nothing waits and no answer is outstanding.
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty()
    }

    /// Requests not yet taken.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Sets this cycle's request.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        let bit = 1u16 << self.number;
        inputs.core_valid &= !bit;
        self.offered = false;
        if let Some(request) = self.waiting.front() {
            inputs.core_valid |= bit;
            inputs.core[self.number] = *request;
            self.offered = true;
        }
    }

    /// Sees whether it was taken, and what is answered.
    pub fn sample(&mut self, outputs: &Outputs) -> Option<Answer> {
        if self.offered
            && outputs.core_ready >> self.number & 1 == 1
            && let Some(request) = self.waiting.pop_front()
            && !request.write
        {
            self.asked.push_back((self.tickets_taken, request.address));
            self.tickets_taken += 1;
        }
        if outputs.core_rvalid >> self.number & 1 == 0 {
            return None;
        }
        let (ticket, offset) = self.asked.pop_front()?;
        Some(Answer { ticket, offset, value: outputs.core_rdata[self.number] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_held_until_it_is_taken_and_answers_bear_their_numbers() {
        let mut port = RegisterPort::new(3);
        let (mut inputs, mut outputs) = (Inputs::default(), Outputs::default());
        port.write(0x10, 7);
        assert_eq!((port.read(0x14), port.read(0x18)), (0, 1));
        for _ in 0..2 {
            port.drive(&mut inputs);
            assert_eq!((inputs.core_valid, inputs.core[3].data), (8, 7));
            assert_eq!(port.sample(&outputs), None);
        }
        outputs.core_ready = 8;
        for offset in [0x10, 0x14, 0x18] {
            port.drive(&mut inputs);
            assert_eq!(inputs.core[3].address, offset);
            assert_eq!(port.sample(&outputs), None);
        }
        port.drive(&mut inputs);
        assert_eq!(inputs.core_valid, 0);
        outputs.core_rvalid = 8;
        outputs.core_rdata[3] = 99;
        assert_eq!(port.sample(&outputs), Some(Answer { ticket: 0, offset: 0x14, value: 99 }));
        assert_eq!(port.sample(&outputs), Some(Answer { ticket: 1, offset: 0x18, value: 99 }));
        assert!(port.idle());
    }
}
