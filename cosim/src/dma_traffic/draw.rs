//! Random descriptors, and the host's memory as it is open to the processors.

use std::collections::BTreeSet;
use std::ops::Range;

use abi::dma::{DEPTH, Descriptor, MAX_LENGTH, Status, Window, control};

use super::places::{Dice, GUARD, Place, Places, Side};
use super::score::{Element, List, Queue, Scoreboard};
use crate::cores::Machine;

/// Bytes of a page of host memory, as windows count.
const PAGE: u64 = 4096;

/// Where nothing may ever be read or written.
const NOWHERE: u64 = 0xdead_0000_0000_0000;

/// Message frames of each pair of queues.
pub const FRAMES: u64 = 16;

/// log2 of the bytes of a frame.
pub const FRAME_BITS: u32 = 8;

/// Where the outbound message frames lie.
pub const OUTBOUND: u64 = 0x0000_0012_8000_0000;

/// Where the inbound message frames lie, in each processor's memory.
pub const INBOUND: u64 = 0x4000;

/// Draws descriptors.
#[derive(Debug)]
pub struct Draw {
    /// What is random.
    pub dice: Dice,
    /// What is in use.
    pub places: Places,
    /// Of each processor.
    pub windows: Vec<[Window; 4]>,
    /// Bytes of each processor's memory.
    sizes: Vec<u64>,
    /// The latest destination of each channel, and whose.
    latest: Vec<Option<(u64, Place)>>,
    /// Of 100 descriptors, so many make no sense or are not allowed.
    pub bad: u64,
    serials: u64,
}

impl Draw {
    /// For the machine's memories.
    pub fn new(machine: &Machine, seed: u64, bad: u64) -> Self {
        let mut dice = Dice::new(seed);
        let sizes: Vec<u64> = machine.cores.iter().map(|core| core.memory.bytes().len() as u64).collect();
        let windows = (0..sizes.len()).map(|core| windows(&mut dice, core)).collect();
        let mut places = Places::default();
        let frames = FRAMES << FRAME_BITS;
        let region = |side, address| Place { side, address, length: frames as usize, guarded: false };
        places.reserve(&region(Side::Host, OUTBOUND));
        for core in 0..sizes.len() {
            places.reserve(&region(Side::Core(core), INBOUND));
        }
        Self { dice, places, windows, latest: vec![None; sizes.len() + 1], sizes, bad, serials: 0 }
    }

    /// A list for a channel, of at most `room` elements; `mfa` is one that it may post.
    pub fn list(
        &mut self,
        machine: &mut Machine,
        score: &Scoreboard,
        channel: usize,
        room: usize,
        mfa: Option<(Queue, u32)>,
    ) -> List {
        let most = if self.dice.percent(85) { 1 } else { 1 + self.dice.below(room.min(DEPTH) as u64) as usize };
        let mut elements = Vec::new();
        for _ in 1..most {
            let mut element = self.element(machine, score, channel, false);
            element.descriptor.flags |= control::MORE;
            elements.push(element);
        }
        let (mut posts, mut frame, mut refused_mfa) = (None, 0, false);
        let mut last = match mfa {
            Some((queue, mfa)) if self.dice.percent(90) => {
                let mut element = self.posting(machine, channel, queue, mfa);
                element.descriptor.flags |= control::POST;
                element.descriptor.mfa = match queue {
                    Queue::Inbound(_) => mfa | self.dice.below(4) as u32,
                    Queue::Outbound => mfa,
                };
                if self.dice.percent(5) {
                    // Not aligned, or of a frame that does not exist.
                    element.descriptor.mfa ^= self.dice.pick(&[0x10, 0x20, 0x0080_0000]);
                    refused_mfa = true;
                }
                (posts, frame) = (Some((queue, element.descriptor.mfa)), mfa);
                element
            }
            _ => self.element(machine, score, channel, true),
        };
        last.descriptor.context = (self.serials as u32) << 8 ^ self.dice.below(256) as u32;
        elements.push(last);
        List { elements, posts, frame, refused_mfa, checked: false }
    }

    /// An element of a list; the last one if it may not have `MORE`.
    fn element(&mut self, machine: &mut Machine, score: &Scoreboard, channel: usize, last: bool) -> Element {
        let host = channel == self.sizes.len();
        if self.dice.percent(self.bad) {
            return self.unsound(channel, last);
        }
        let mut flags = if self.dice.percent(5) { control::FENCE } else { 0 };
        let (from_host, to_host) =
            self.dice.pick(&[(true, false), (true, false), (false, true), (false, true), (false, false)]);
        let own = (!host).then_some(channel);
        // What an earlier descriptor brings, once it has ended.
        if let Some((serial, place)) = self.latest[channel].filter(|_| self.dice.percent(5)) {
            let readable =
                own.is_none_or(|core| place.side != Side::Host || self.windows[core][0].contains(place.address));
            if readable && score.is_live(channel, serial) {
                let skipped = self.dice.below(place.length as u64);
                let length = 1 + self.dice.below(place.length as u64 - skipped) as usize;
                let source = Place { address: place.address + skipped, length, guarded: false, ..place };
                let to_host = place.side != Side::Host && to_host;
                if let Some(destination) = self.reserve(channel, to_host, length, true) {
                    self.places.share(&place);
                    flags |= control::FENCE;
                    return self.sound(channel, source, destination, flags, vec![place, destination]);
                }
            }
        }
        let mut most = MAX_LENGTH as u64;
        loop {
            let length = self.length().min(most) as usize;
            most = most / 2 + 1;
            let Some(source) = self.reserve(channel, from_host, length, false) else { continue };
            let Some(destination) = self.reserve(channel, to_host, length, true) else {
                self.places.release(&source);
                continue;
            };
            let bytes = self.dice.bytes(length);
            source.put(machine, &bytes);
            return self.sound(channel, source, destination, flags, vec![source, destination]);
        }
    }

    /// A copy that goes with an MFA, into the frame or elsewhere in the same memory.
    fn posting(&mut self, machine: &mut Machine, channel: usize, queue: Queue, mfa: u32) -> Element {
        let (from_host, to_host) = (queue != Queue::Outbound, queue == Queue::Outbound);
        loop {
            let length = 1 + self.dice.below(1 << FRAME_BITS) as usize;
            let Some(source) = self.reserve(channel, from_host, length, false) else { continue };
            let frame = match queue {
                Queue::Inbound(core) => (Side::Core(core), u64::from(mfa & 0xff_ffff)),
                Queue::Outbound => (Side::Host, OUTBOUND & !0xffff_ffff | u64::from(mfa)),
            };
            let destination = Place { side: frame.0, address: frame.1, length, guarded: false };
            let bytes = self.dice.bytes(length);
            source.put(machine, &bytes);
            let mut element = self.sound(channel, source, destination, 0, vec![source]);
            element.descriptor.flags |= if to_host { control::DESTINATION_HOST } else { control::SOURCE_HOST };
            self.latest[channel] = None;
            return element;
        }
    }

    fn sound(&mut self, channel: usize, source: Place, destination: Place, flags: u32, keeps: Vec<Place>) -> Element {
        let host = |place: &Place, flag| if place.side == Side::Host { flag } else { 0 };
        let flags = flags | host(&source, control::SOURCE_HOST) | host(&destination, control::DESTINATION_HOST);
        // The register does not store the bits without a meaning.
        let unused = if self.dice.percent(3) { 1 << self.dice.pick(&[17, 18, 19, 25, 28, 31]) } else { 0 };
        let flags = flags | unused;
        self.serials += 1;
        self.latest[channel] = Some((self.serials, destination));
        let descriptor = Descriptor {
            source: source.endpoint(),
            destination: destination.endpoint(),
            length: source.length as u32,
            flags,
            mfa: self.dice.word() as u32,
            context: self.dice.word() as u32,
        };
        Element {
            descriptor,
            verdict: Status::Ok,
            source: Some(source),
            destination: Some(destination),
            keeps,
            fates: BTreeSet::new(),
            read: 0,
            serial: self.serials,
        }
    }

    fn length(&mut self) -> u64 {
        match self.dice.below(400) {
            0 => 1 + self.dice.below(MAX_LENGTH as u64),
            1 => MAX_LENGTH as u64 - self.dice.below(2),
            2..18 => 1 + self.dice.below(8192),
            18..120 => 1 + self.dice.below(600),
            _ => 1 + self.dice.below(70),
        }
    }

    /// A place that the channel may use.
    fn reserve(&mut self, channel: usize, host: bool, length: usize, write: bool) -> Option<Place> {
        for _ in 0..10 {
            let range = if host { self.open_range(channel, write) } else { 0..0 };
            let (side, range) = match host {
                true => (Side::Host, range),
                false => {
                    let core = self.dice.below(self.sizes.len() as u64) as usize;
                    (Side::Core(core), 0..self.sizes[core])
                }
            };
            let Some(room) = (range.end - range.start).checked_sub(length as u64) else { continue };
            let mut address = range.start + self.dice.below(room + 1);
            match self.dice.below(10) {
                // At the ends, and aligned.
                0 => address = range.start,
                1 => address = range.start + room,
                2..5 => address = (address & !63).max(range.start),
                _ => {}
            }
            let place = Place { side, address, length, guarded: true };
            if self.places.reserve(&place) {
                return Some(place);
            }
        }
        None
    }

    /// Host memory that the channel may touch.
    fn open_range(&mut self, channel: usize, write: bool) -> Range<u64> {
        let Some(windows) = self.windows.get(channel) else {
            // The host's: anywhere, around a multiple of 4 GiB, at the end.
            let start = match self.dice.below(4) {
                0 => 0x7000_0000,
                1 => 0x3_fff8_0000,
                2 => u64::MAX - 0x10_0000 - 2 * GUARD,
                _ => 0x00ab_0000_0000_0000 | self.dice.below(256) << 36,
            };
            return start..start + 0x10_0000;
        };
        let window = if write { self.dice.pick(&[windows[0], windows[2]]) } else { self.dice.pick(&windows[..2]) };
        // The guards may lie beyond it; the last byte of the address space has none.
        window.first_page..(window.last_page + (PAGE - 1)).min(u64::MAX - 2 * GUARD)
    }

    /// A descriptor that must be refused, or makes no sense.
    fn unsound(&mut self, channel: usize, last: bool) -> Element {
        let cores = self.sizes.len() as u64;
        let length = self.length().min(4096);
        let near = self.dice.below(cores) << 24 | self.dice.below(0x1000);
        let reads = self.dice.percent(50);
        let flags = if reads { control::SOURCE_HOST } else { control::DESTINATION_HOST };
        let mut element = Descriptor {
            source: if reads { NOWHERE } else { near },
            destination: if reads { near } else { NOWHERE },
            length: length as u32,
            flags,
            mfa: 0,
            context: self.dice.word() as u32,
        };
        let refused = (channel as u64) < cores && self.dice.percent(50);
        if refused {
            let windows = self.windows[channel];
            let behind = self.dice.below(length) + 1;
            let far = match self.dice.below(4) {
                0 => NOWHERE | self.dice.below(1 << 40),
                // It begins before the window, or ends behind it.
                1 => windows[0].first_page - behind,
                2 => windows[0].last_page + PAGE - length + behind,
                // The wrong way.
                _ if reads => windows[2].first_page + self.dice.below(PAGE - 1),
                _ => windows[1].first_page,
            };
            if reads { element.source = far } else { element.destination = far }
        } else {
            self.spoil(&mut element, last);
        }
        self.serials += 1;
        Element {
            descriptor: element,
            verdict: if refused { Status::Refused } else { Status::Invalid },
            source: None,
            destination: None,
            keeps: Vec::new(),
            fates: BTreeSet::new(),
            read: 0,
            serial: self.serials,
        }
    }

    /// Makes it senseless.
    fn spoil(&mut self, element: &mut Descriptor, last: bool) {
        let cores = self.sizes.len() as u64;
        let reads = element.flags & control::SOURCE_HOST != 0;
        let near = |element: &mut Descriptor, card: u64| {
            if reads { element.destination = card } else { element.source = card }
        };
        let both = control::SOURCE_HOST | control::DESTINATION_HOST;
        match self.dice.below(10) {
            0 => element.length = 0,
            1 => element.length = MAX_LENGTH + 1 + self.dice.below(MAX_LENGTH as u64 - 1) as u32,
            2 => element.flags |= both,
            3 if cores < 16 => near(element, cores << 24),
            3 | 4 => near(element, 1 << (28 + self.dice.below(36))),
            5 => {
                element.length = element.length.max(2);
                near(element, 0x100_0000 - self.dice.below(element.length as u64 - 1) - 1);
            }
            6 => {
                // From core to core, over the end.
                element.flags &= !both;
                element.length = element.length.max(2);
                (element.source, element.destination) =
                    (0, 0x100_0000 - self.dice.below(element.length as u64 - 1) - 1);
            }
            7 => {
                // Beyond the host's last address.
                element.length = element.length.max(2);
                let far = u64::MAX - self.dice.below(element.length as u64 - 1);
                if reads { element.source = far } else { element.destination = far }
            }
            8 if !last => element.flags |= control::POST,
            _ if last => {
                // Posts go with no copy from core to core.
                element.flags = element.flags & !both | control::POST;
                (element.source, element.destination) = (0, 0);
            }
            _ => element.flags |= both,
        }
    }
}

trait Contains {
    fn contains(&self, address: u64) -> bool;
}

impl Contains for Window {
    fn contains(&self, address: u64) -> bool {
        (self.first_page..=self.last_page | (PAGE - 1)).contains(&address)
    }
}

/// One to read and write, one to read, one to write, and the outbound frames to write.
fn windows(dice: &mut Dice, core: usize) -> [Window; 4] {
    // Across 4 GiB, or low.
    let first = if core == 1 { 0x1_fff8_0000 } else { 0x1000_0000 + ((core as u64) << 24) };
    let far = |dice: &mut Dice| 0x0001_0000_0000_0000 | (dice.word() & 0x0000_ffff_ffff_f000);
    let (reading, writing) = (far(dice), far(dice));
    let top = 0u64.wrapping_sub(0x40 * PAGE);
    let reading = if core == 0 { top } else { reading };
    let window = |first_page, pages: u64, readable, writable| Window {
        first_page,
        last_page: first_page + (pages - 1) * PAGE,
        readable,
        writable,
    };
    [
        window(first, 0x100, true, true),
        window(reading, 0x40, true, false),
        window(writing, 1 + dice.below(0x40), false, true),
        window(OUTBOUND, FRAMES << FRAME_BITS >> 12, false, true),
    ]
}
