//! What the accesses to the card tell of its queues. Whoever stands at a port notes them here; nothing is asked of the card, so a run
//! that is watched is the same run.
//!
//! A frame counts as waiting from its first byte in the processor's memory on; one that turned out bad is forgotten with the next frame or
//! the next look into the queue. An access of the host counts when it is queued towards the card, some ten cycles before it gets there;
//! an MFA that the DMA engine posts, when its report is taken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use abi::csr::{core, host};
use abi::limits::{BUFFER_ALIGNMENT, MAX_PROCESSORS};
use abi::receive::EMPTY;
use soft_cores::kernel::message::Kind;

use crate::root_complex::Ticket;

/// Posts of a DMA channel: one for each descriptor that will be reported, the oldest first.
#[derive(Clone, Debug, Default)]
struct Channel {
    control: u32,
    mfa: u32,
    pushed: VecDeque<Option<u32>>,
}

impl Channel {
    /// A descriptor is pushed. Of a list only the last element is reported.
    fn push(&mut self) {
        if core::dma_control::MORE.get(self.control) == 0 {
            let posts = core::dma_control::POST.get(self.control) == 1;
            self.pushed.push_back(posts.then_some(self.mfa));
        }
    }

    /// A report is taken: the MFA that was posted, if one was. It is not if the copy failed.
    fn report(&mut self, word: u32) -> Option<u32> {
        let posted = self.pushed.pop_front().flatten();
        posted.filter(|_| core::dma_done::STATUS.get(word) == 0)
    }
}

/// One processor's port.
#[derive(Clone, Debug, Default)]
pub struct CoreWatch {
    /// Receive buffers that the card has.
    given: BTreeSet<u32>,
    /// Those that hold a frame, the oldest first.
    filled: VecDeque<u32>,
    most_filled: usize,
    frames_taken: u64,
    frames_sent: u64,
    sent: [[u64; Kind::ALL.len()]; MAX_PROCESSORS],
    taken: [u64; MAX_PROCESSORS],
    inbound_given: u64,
    inbound_taken: u64,
    outbound_taken: u64,
    outbound_posted: u64,
    channel: Channel,
}

impl CoreWatch {
    /// The processor has written a register.
    pub fn wrote(&mut self, offset: u32, value: u32) {
        match offset {
            _ if offset == core::RX_FREE.offset => {
                self.given.insert(value & !(BUFFER_ALIGNMENT as u32 - 1));
            }
            _ if offset == core::TX_POST.offset => self.frames_sent += 1,
            _ if offset == core::IN_FREE.offset => self.inbound_given += 1,
            _ if offset == core::OUT_POST.offset => self.outbound_posted += 1,
            _ if offset == core::DMA_CONTROL.offset => self.channel.control = value,
            _ if offset == core::DMA_MFA.offset => self.channel.mfa = value,
            _ if offset == core::DMA_PUSH.offset => self.channel.push(),
            _ => {
                let kind = Kind::ALL.iter().position(|&kind| kind as u32 == value);
                if let (Some(to), Some(kind)) = (peer(offset, core::MESSAGE_SEND.at(0)), kind) {
                    self.sent[to][kind] += 1;
                }
            }
        }
    }

    /// The processor has read a register.
    pub fn read(&mut self, offset: u32, value: u32) {
        let found = u64::from(value != EMPTY);
        match offset {
            _ if offset == core::RX_POST.offset => self.frame_taken(value),
            _ if offset == core::IN_POST.offset => self.inbound_taken += found,
            _ if offset == core::OUT_FREE.offset => self.outbound_taken += found,
            _ if offset == core::DMA_DONE.offset && value != EMPTY => {
                self.outbound_posted += u64::from(self.channel.report(value).is_some());
            }
            _ => {
                if let Some(from) = peer(offset, core::MESSAGE_TAKE.at(0)) {
                    self.taken[from] += found;
                }
            }
        }
    }

    /// The card has written to the processor's memory.
    pub fn stored(&mut self, address: u32) {
        let is_start = (address as usize).is_multiple_of(BUFFER_ALIGNMENT) && self.given.contains(&address);
        if is_start && self.filled.back() != Some(&address) {
            self.filled.push_back(address);
            self.most_filled = self.most_filled.max(self.filled.len());
        }
    }

    fn frame_taken(&mut self, address: u32) {
        if address == EMPTY {
            // The youngest may still be on its way.
            let settled = self.filled.len().saturating_sub(1);
            self.filled.drain(..settled);
            return;
        }
        self.frames_taken += 1;
        self.given.remove(&address);
        if let Some(place) = self.filled.iter().position(|&filled| filled == address) {
            self.filled.drain(..=place);
        }
    }

    /// Frames that wait in its receive post queue.
    pub fn waiting(&self) -> usize {
        self.filled.len()
    }

    /// The most that waited since the last call.
    pub fn take_most_waiting(&mut self) -> usize {
        std::mem::replace(&mut self.most_filled, self.filled.len())
    }

    /// Frames taken from its receive post queue.
    pub fn frames_taken(&self) -> u64 {
        self.frames_taken
    }

    /// Frames that it gave the card to send.
    pub fn frames_sent(&self) -> u64 {
        self.frames_sent
    }

    /// Messages of a kind that it sent, to all others: [`Kind::Transport`] are packets forwarded to the owner of their session (67.5),
    /// [`Kind::Packet`] packets rerouted because it was busy (68.3).
    pub fn sent(&self, kind: Kind) -> u64 {
        (0..MAX_PROCESSORS).map(|to| self.sent_to(to, kind)).sum()
    }

    /// Messages of a kind that it sent to one other.
    pub fn sent_to(&self, to: usize, kind: Kind) -> u64 {
        Kind::ALL.iter().position(|&one| one == kind).map_or(0, |place| self.sent[to][place])
    }
}

/// Which of the registers from `first` on this is, if it is one of those towards each processor.
fn peer(offset: u32, first: u32) -> Option<usize> {
    let distance = core::MESSAGE_SEND.at(1) - core::MESSAGE_SEND.at(0);
    let behind = offset.checked_sub(first)?;
    let number = (behind / distance) as usize;
    (behind.is_multiple_of(distance) && number < MAX_PROCESSORS).then_some(number)
}

/// The host's end of the bus.
#[derive(Clone, Debug, Default)]
pub struct HostWatch {
    asked: BTreeMap<Ticket, u32>,
    inbound_taken: [u64; MAX_PROCESSORS],
    inbound_posted: [u64; MAX_PROCESSORS],
    outbound_given: u64,
    outbound_taken: u64,
    channel: Channel,
}

/// A register of BAR0 that tells something of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Inbound(usize),
    Outbound,
    Control,
    Mfa,
    Push,
    Done,
}

impl Told {
    fn of(offset: u32) -> Option<Self> {
        let (page, place) = ((offset / host::PAGE) as usize, offset % host::PAGE);
        Some(match offset {
            _ if page < MAX_PROCESSORS && place == host::I2O_INBOUND.at(0) => Self::Inbound(page),
            _ if page < MAX_PROCESSORS && place == host::I2O_OUTBOUND.at(0) => Self::Outbound,
            _ if offset == host::DMA_CONTROL.offset => Self::Control,
            _ if offset == host::DMA_MFA.offset => Self::Mfa,
            _ if offset == host::DMA_PUSH.offset => Self::Push,
            _ if offset == host::DMA_DONE.offset => Self::Done,
            _ => return None,
        })
    }
}

impl HostWatch {
    /// The host writes a register of BAR0.
    pub fn wrote(&mut self, offset: u32, value: u32) {
        match Told::of(offset) {
            Some(Told::Inbound(processor)) => self.inbound_posted[processor] += 1,
            Some(Told::Outbound) => self.outbound_given += 1,
            Some(Told::Control) => self.channel.control = value,
            Some(Told::Mfa) => self.channel.mfa = value,
            Some(Told::Push) => self.channel.push(),
            Some(Told::Done) | None => {}
        }
    }

    /// The host reads a register of BAR0.
    pub fn asked(&mut self, ticket: Ticket, offset: u32) {
        if matches!(Told::of(offset), Some(Told::Inbound(_) | Told::Outbound | Told::Done)) {
            self.asked.insert(ticket, offset);
        }
    }

    /// What it read; `None` if that was no word.
    pub fn answered(&mut self, ticket: Ticket, value: Option<u32>) {
        let Some(offset) = self.asked.remove(&ticket) else { return };
        let Some(value) = value.filter(|&value| value != EMPTY) else { return };
        match Told::of(offset) {
            Some(Told::Inbound(processor)) => self.inbound_taken[processor] += 1,
            Some(Told::Outbound) => self.outbound_taken += 1,
            Some(Told::Done) => {
                // An MFA of the inbound side names its processor.
                let processor = self.channel.report(value).map(|mfa| (mfa >> 24) as usize);
                if let Some(posted) = processor.and_then(|processor| self.inbound_posted.get_mut(processor)) {
                    *posted += 1;
                }
            }
            _ => {}
        }
    }
}

/// A free queue and its post queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Empty frames.
    pub free: u64,
    /// Messages that wait.
    pub posted: u64,
}

/// Messages that wait for `processor`, from all others together.
pub fn messages_for(processor: usize, cores: &[&CoreWatch]) -> u64 {
    let waiting = |(from, sender): (usize, &&CoreWatch)| {
        let sent: u64 = Kind::ALL.iter().map(|&kind| sender.sent_to(processor, kind)).sum();
        sent.saturating_sub(cores[processor].taken[from])
    };
    cores.iter().enumerate().map(waiting).sum()
}

/// The MFAs in the inbound pair of a processor.
pub fn inbound(processor: usize, core: &CoreWatch, host: &HostWatch) -> Pair {
    Pair {
        free: core.inbound_given.saturating_sub(host.inbound_taken[processor]),
        posted: host.inbound_posted[processor].saturating_sub(core.inbound_taken),
    }
}

/// The MFAs in the outbound pair that all processors share.
pub fn outbound(cores: &[&CoreWatch], host: &HostWatch) -> Pair {
    let sum = |count: fn(&CoreWatch) -> u64| cores.iter().map(|core| count(core)).sum::<u64>();
    Pair {
        free: host.outbound_given.saturating_sub(sum(|core| core.outbound_taken)),
        posted: sum(|core| core.outbound_posted).saturating_sub(host.outbound_taken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT_TO_2: u32 = 0x160;
    const TAKEN_FROM_0: u32 = 0x144;

    #[test]
    fn row_68_3_frames_wait_from_their_first_byte_until_they_are_taken() {
        let mut watch = CoreWatch::default();
        for buffer in [0x1000, 0x1600, 0x1C00] {
            watch.wrote(0x010, buffer);
        }
        // A frame of three lines, one that is bad and comes again in the same buffer, and bytes that are nobody's.
        for address in [0x1000, 0x1008, 0x1010, 0x1600, 0x1608, 0x1600, 0x4000] {
            watch.stored(address);
        }
        assert_eq!((watch.waiting(), watch.take_most_waiting()), (2, 2));
        watch.read(0x014, 0x1000);
        assert_eq!((watch.waiting(), watch.frames_taken()), (1, 1));
        // Its first bytes are there, and it is not posted yet.
        watch.read(0x014, EMPTY);
        assert_eq!(watch.waiting(), 1);
        watch.stored(0x1C00);
        assert_eq!(watch.waiting(), 2);
        watch.read(0x014, 0x1600);
        watch.read(0x014, 0x1C00);
        assert_eq!((watch.waiting(), watch.take_most_waiting(), watch.take_most_waiting()), (0, 2, 0));
        // The card has none of them now.
        watch.stored(0x1000);
        assert_eq!(watch.waiting(), 0);
    }

    #[test]
    fn row_68_4_messages_wait_from_send_to_take_and_their_kind_says_what_they_are() {
        let [mut zero, mut two] = [CoreWatch::default(), CoreWatch::default()];
        let one = CoreWatch::default();
        for kind in [1, 2, 2, 4, 9] {
            zero.wrote(SENT_TO_2, kind);
        }
        assert_eq!((zero.sent(Kind::Packet), zero.sent(Kind::Transport), zero.sent(Kind::Returned)), (1, 2, 0));
        assert_eq!((zero.sent_to(2, Kind::Transport), zero.sent_to(1, Kind::Transport)), (2, 0));
        for value in [1, EMPTY, 2] {
            two.read(TAKEN_FROM_0, value);
        }
        let cores = [&zero, &one, &two];
        assert_eq!([0, 1, 2].map(|processor| messages_for(processor, &cores)), [0, 0, 2]);
    }

    #[test]
    fn row_69_2_mfas_move_from_queue_to_queue_as_both_sides_take_and_post_them() {
        let (mut core, mut host) = (CoreWatch::default(), HostWatch::default());
        (0..4).for_each(|frame| core.wrote(0x08C, 0x0100_0000 + 64 * frame));
        (0..3).for_each(|frame| host.wrote(0x1044, 64 * frame));
        assert_eq!(inbound(1, &core, &host), Pair { free: 4, posted: 0 });
        assert_eq!(outbound(&[&core], &host), Pair { free: 3, posted: 0 });
        // The host takes two, finds a third queue empty, posts one itself and has the other one posted by a copy.
        for (ticket, offset, value) in [(7, 0x1040, 0x0100_0000), (8, 0x1040, 0x0100_0040), (9, 0x2040, EMPTY)] {
            host.asked(Ticket(ticket), offset);
            host.answered(Ticket(ticket), Some(value));
        }
        host.wrote(0x1040, 0x0100_0001);
        for (offset, value) in [(0x1_00D0, 1 << 23 | 64), (0x1_00D4, 0x0100_0041), (0x1_00D8, 5)] {
            host.wrote(offset, value);
        }
        assert_eq!(inbound(1, &core, &host), Pair { free: 2, posted: 1 });
        host.asked(Ticket(10), 0x1_00DC);
        host.answered(Ticket(10), Some(64));
        assert_eq!(inbound(1, &core, &host), Pair { free: 2, posted: 2 });
        core.read(0x090, 0x0100_0001);
        core.read(0x090, EMPTY);
        assert_eq!(inbound(1, &core, &host), Pair { free: 2, posted: 1 });
        // The processor answers by a list of two elements, the last of which posts; another copy fails and posts nothing.
        core.read(0x0A0, 0);
        for (control, context) in [(1 << 22 | 8, 1), (1 << 23 | 8, 1), (1 << 23 | 8, 2)] {
            core.wrote(0x0D0, control);
            core.wrote(0x0D8, context);
        }
        core.read(0x0DC, 16);
        core.read(0x0DC, 1 << 20);
        core.wrote(0x0A4, 64);
        assert_eq!(outbound(&[&core], &host), Pair { free: 2, posted: 2 });
        host.asked(Ticket(11), 0x3044);
        host.answered(Ticket(11), Some(0));
        assert_eq!(outbound(&[&core], &host), Pair { free: 2, posted: 1 });
    }

    #[test]
    fn a_read_that_was_refused_takes_nothing() {
        let mut host = HostWatch::default();
        host.asked(Ticket(1), 0x1040);
        host.answered(Ticket(1), None);
        host.answered(Ticket(2), Some(5));
        assert_eq!(host.inbound_taken, [0; MAX_PROCESSORS]);
        assert!(host.asked.is_empty());
    }
}
