//! What every copy must do, held against what the card does. Shares no code with the card.
//!
//! A destination is open to the card from the push of its descriptor to the report, so a write elsewhere, early or late is noticed by the
//! memories. At the report the bytes are compared with the source, which nobody changes meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use abi::dma::{Completion, Descriptor, Status};

use super::places::{Place, Places, Side};
use crate::core_memory::UNTOUCHED;
use crate::cores::Machine;
use crate::root_complex::{Fated, Fault};
use crate::tlp::Request;

/// The card did not do what it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cycle {cycle}: {what}")]
pub struct Wrong {
    /// When.
    pub cycle: u64,
    /// What.
    pub what: String,
}

/// An element of a list, or a descriptor of its own.
#[derive(Clone, Debug)]
pub struct Element {
    /// As it is pushed.
    pub descriptor: Descriptor,
    /// What the card must say of it before it copies anything: [`Status::Ok`], [`Status::Refused`] or [`Status::Invalid`].
    pub verdict: Status,
    /// From where, if it is sound.
    pub source: Option<Place>,
    /// To where, if it is sound.
    pub destination: Option<Place>,
    /// Places to release when it is reported.
    pub keeps: Vec<Place>,
    /// What may be reported because of faults.
    pub fates: BTreeSet<u8>,
    /// Bytes that were read from the host.
    pub read: usize,
    /// Its number, over all channels.
    pub serial: u64,
}

/// A queue to which a descriptor may post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// The inbound post queue of this processor.
    Inbound(usize),
    /// The outbound one.
    Outbound,
}

/// Elements that are reported together.
#[derive(Clone, Debug)]
pub struct List {
    /// The elements.
    pub elements: Vec<Element>,
    /// What the last one posts, and where.
    pub posts: Option<(Queue, u32)>,
    /// The frame that goes with it.
    pub frame: u32,
    /// The MFA is one that is not the poster's.
    pub refused_mfa: bool,
    /// The copies were compared, and their destinations closed.
    pub checked: bool,
}

impl List {
    /// The statuses that may be reported, and the bytes.
    fn expected(&self) -> (BTreeSet<u8>, u32) {
        let (mut statuses, mut sound, mut bytes) = (BTreeSet::new(), true, 0);
        for element in &self.elements {
            if element.fails() {
                if sound {
                    statuses.extend(&element.fates);
                    if element.verdict != Status::Ok {
                        statuses.insert(element.verdict as u8);
                    }
                }
                sound = false;
            } else {
                bytes += element.descriptor.length;
            }
        }
        if sound {
            statuses.insert(if self.refused_mfa { Status::MfaRefused } else { Status::Ok } as u8);
        }
        (statuses, bytes.min(Completion::MAX_BYTES))
    }

    /// Whether some element must fail.
    fn fails(&self) -> bool {
        self.elements.iter().any(Element::fails)
    }
}

impl Element {
    /// Whether it must fail.
    pub fn fails(&self) -> bool {
        self.verdict != Status::Ok || !self.fates.is_empty()
    }
}

/// How far a posting has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Neither seen nor reported.
    Pending,
    /// A later one was seen: it must fail.
    Skipped,
    /// Seen, not reported.
    Seen,
    /// Reported: it must be in its queue.
    Due,
}

#[derive(Clone, Debug)]
struct Posting {
    mfa: u32,
    serial: u64,
    step: Step,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Descriptors reported, list elements too.
    pub descriptors: u64,
    /// Reports.
    pub reports: u64,
    /// Bytes that were copied and compared.
    pub bytes: u64,
    /// Guard bytes compared.
    pub guards: u64,
    /// Reports by status.
    pub statuses: BTreeMap<u8, u64>,
    /// Descriptors by where from and where to: host, core.
    pub directions: BTreeMap<(bool, bool), u64>,
    /// MFAs seen in their queues.
    pub posted: u64,
    /// Reads that went wrong on purpose.
    pub faults: BTreeMap<Fault, u64>,
    /// Descriptors that failed.
    pub failed: u64,
    /// Descriptors that copied what an earlier one had brought.
    pub chained: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.descriptors += other.descriptors;
        self.reports += other.reports;
        self.bytes += other.bytes;
        self.guards += other.guards;
        self.posted += other.posted;
        self.failed += other.failed;
        self.chained += other.chained;
        other.statuses.iter().for_each(|(k, v)| *self.statuses.entry(*k).or_default() += v);
        other.directions.iter().for_each(|(k, v)| *self.directions.entry(*k).or_default() += v);
        other.faults.iter().for_each(|(k, v)| *self.faults.entry(*k).or_default() += v);
    }
}

/// See the module's page.
#[derive(Debug)]
pub struct Scoreboard {
    /// What was pushed and not reported, by channel.
    lists: Vec<VecDeque<List>>,
    /// Where the card may read the host's memory: first byte to length, channel and element.
    reading: BTreeMap<u64, (usize, usize, u64)>,
    /// By queue and channel.
    postings: BTreeMap<(Queue, usize), VecDeque<Posting>>,
    /// Reads that take longer than this are given up.
    pub timeout: u64,
    /// How much longer those do that [`Fault::Delayed`] delays.
    pub delay: u64,
    /// What was counted.
    pub tally: Tally,
}

impl Scoreboard {
    /// For so many channels.
    pub fn new(channels: usize, timeout: u64, delay: u64) -> Self {
        Self {
            lists: vec![VecDeque::new(); channels],
            reading: BTreeMap::new(),
            postings: BTreeMap::new(),
            timeout,
            delay,
            tally: Tally::default(),
        }
    }

    /// Lists of the channel that were not reported.
    pub fn outstanding(&self, channel: usize) -> usize {
        self.lists[channel].len()
    }

    /// Descriptors of the channel that were not reported.
    pub fn credit_used(&self, channel: usize) -> usize {
        self.lists[channel].iter().map(|list| list.elements.len()).sum()
    }

    /// Whether an element was not reported yet.
    pub fn is_live(&self, channel: usize, serial: u64) -> bool {
        self.lists[channel].iter().flat_map(|list| &list.elements).any(|element| element.serial == serial)
    }

    /// MFAs that were reported as posted and must be found in the queue.
    pub fn due(&self, queue: Queue) -> usize {
        let range = (queue, 0)..=(queue, usize::MAX);
        self.postings.range(range).flat_map(|(_, list)| list).filter(|posting| posting.step == Step::Due).count()
    }

    /// Whether MFAs may be on their way into the queue.
    pub fn awaits(&self, queue: Queue) -> bool {
        self.postings.range((queue, 0)..=(queue, usize::MAX)).any(|(_, list)| !list.is_empty())
    }

    /// A list is handed in.
    pub fn push(&mut self, machine: &mut Machine, channel: usize, list: List) {
        for element in &list.elements {
            if let Some(place) = &element.destination {
                place.open(machine);
            }
            if let Some(place) = element.source.filter(|place| place.side == Side::Host) {
                self.reading.insert(place.address, (place.length, channel, element.serial));
            }
        }
        if let (Some((queue, mfa)), Some(last), false) = (list.posts, list.elements.last(), list.refused_mfa) {
            let posting = Posting { mfa, serial: last.serial, step: Step::Pending };
            self.postings.entry((queue, channel)).or_default().push_back(posting);
        }
        self.lists[channel].push_back(list);
    }

    /// The card read the host's memory.
    pub fn read(&mut self, cycle: u64, request: &Request) -> Result<(), Wrong> {
        let (first, length) = (request.address + request.skipped() as u64, request.bytes());
        let element = self.element_at(first).filter(|(start, whole, _)| first + length as u64 <= start + *whole as u64);
        let Some((_, _, element)) = element else {
            return Err(Wrong { cycle, what: format!("read {length} bytes at {first:#x}, which no copy asks for") });
        };
        element.read += length;
        if element.read > element.descriptor.length as usize {
            return Err(Wrong { cycle, what: format!("read bytes at {first:#x} twice") });
        }
        Ok(())
    }

    /// Something goes wrong with a read on purpose.
    pub fn fated(&mut self, fated: &Fated) {
        *self.tally.faults.entry(fated.fault).or_default() += 1;
        let gives_up = self.delay > self.timeout;
        let fates: &[Status] = match fated.fault {
            Fault::Unsupported => &[Status::UnsupportedRequest],
            Fault::Aborted => &[Status::CompleterAbort],
            Fault::Poisoned => &[Status::Poisoned],
            // What lacks at the end may be waited for.
            Fault::WrongLength | Fault::WrongCount => &[Status::Length, Status::Timeout],
            Fault::Dropped => &[Status::Timeout],
            Fault::Delayed if gives_up => &[Status::Timeout],
            Fault::Delayed | Fault::Stray | Fault::Duplicated => &[],
        };
        let first = fated.request.address + fated.request.skipped() as u64;
        if let Some((_, _, element)) = self.element_at(first) {
            element.fates.extend(fates.iter().map(|status| *status as u8));
        }
    }

    fn element_at(&mut self, address: u64) -> Option<(u64, usize, &mut Element)> {
        let (start, (length, channel, serial)) = self.reading.range(..=address).next_back()?;
        let (start, length, channel, serial) = (*start, *length, *channel, *serial);
        if address >= start + length as u64 {
            return None;
        }
        let mut elements = self.lists[channel].iter_mut().flat_map(|list| &mut list.elements);
        elements.find(|element| element.serial == serial).map(|element| (start, length, element))
    }

    /// An MFA was taken from a queue.
    pub fn arrived(&mut self, machine: &mut Machine, cycle: u64, queue: Queue, mfa: u32) -> Result<(), Wrong> {
        let wrong = |what: &str| Wrong { cycle, what: format!("{queue:?}, MFA {mfa:#010x}: {what}") };
        let all = self.postings.range_mut((queue, 0)..=(queue, usize::MAX));
        let awaited = |posting: &Posting| posting.mfa == mfa && matches!(posting.step, Step::Pending | Step::Due);
        let mut found = all.filter_map(|((_, c), list)| list.iter().position(awaited).map(|at| (*c, list, at)));
        let Some((channel, postings, at)) = found.next() else { return Err(wrong("nobody posted it")) };
        for earlier in postings.range_mut(..at) {
            match earlier.step {
                Step::Due => return Err(wrong("came before one that was reported earlier")),
                Step::Pending => earlier.step = Step::Skipped,
                Step::Skipped | Step::Seen => {}
            }
        }
        self.tally.posted += 1;
        if postings[at].step == Step::Due {
            postings.remove(at);
            return Ok(());
        }
        postings[at].step = Step::Seen;
        let serial = postings[at].serial;
        let is_it = |list: &&mut List| list.elements.last().is_some_and(|last| last.serial == serial);
        let list = self.lists[channel].iter_mut().find(is_it).expect("pending lists are not reported");
        if list.fails() {
            return Err(wrong("posted though its copy failed"));
        }
        check(machine, cycle, list, &mut self.tally)
    }

    /// A queue that MFAs are posted to was empty for somebody who asked when `due` were due.
    pub fn was_empty(&self, cycle: u64, queue: Queue, due: usize) -> Result<(), Wrong> {
        if due > 0 {
            return Err(Wrong { cycle, what: format!("{queue:?} is empty, but {due} posts were reported") });
        }
        Ok(())
    }

    /// A report was taken. Gives the list that it ends.
    pub fn reported(
        &mut self,
        machine: &mut Machine,
        places: &mut Places,
        cycle: u64,
        channel: usize,
        report: Completion,
    ) -> Result<List, Wrong> {
        let wrong = |what: String| Wrong { cycle, what: format!("channel {channel}: {what}") };
        let list = self.lists[channel].pop_front();
        let mut list = list.ok_or_else(|| wrong(format!("a report, {report:x?}, of nothing")))?;
        let last = &list.elements[list.elements.len() - 1];
        let (statuses, bytes) = list.expected();
        let found = (report.context(), report.bytes(), report.status().map_or(u8::MAX, |status| status as u8));
        if (found.0, found.1) != (last.descriptor.context, bytes) || !statuses.contains(&found.2) {
            return Err(wrong(format!(
                "reported context {:#x}, {} bytes, status {}; should be {:#x}, {bytes}, {statuses:?}",
                found.0, found.1, found.2, last.descriptor.context
            )));
        }
        self.settle_posting(cycle, channel, &list, found.2)?;
        check(machine, cycle, &mut list, &mut self.tally)?;
        for element in &list.elements {
            if let Some(place) = element.source.filter(|place| place.side == Side::Host) {
                self.reading.remove(&place.address);
                if !element.fails() && element.read != element.descriptor.length as usize {
                    return Err(wrong(format!("read {} of {} bytes", element.read, element.descriptor.length)));
                }
            }
            element.keeps.iter().for_each(|place| places.release(place));
            self.tally.failed += u64::from(element.fails());
        }
        self.tally.failed += u64::from(found.2 == Status::MfaRefused as u8);
        self.tally.descriptors += list.elements.len() as u64;
        self.tally.reports += 1;
        *self.tally.statuses.entry(found.2).or_default() += 1;
        Ok(list)
    }

    fn settle_posting(&mut self, cycle: u64, channel: usize, list: &List, status: u8) -> Result<(), Wrong> {
        let (Some((queue, mfa)), Some(last)) = (list.posts, list.elements.last()) else { return Ok(()) };
        let Some(postings) = self.postings.get_mut(&(queue, channel)) else { return Ok(()) };
        let Some(at) = postings.iter().position(|posting| posting.serial == last.serial) else { return Ok(()) };
        let good = status == Status::Ok as u8;
        match (postings[at].step, good) {
            (Step::Pending, true) => postings[at].step = Step::Due,
            (Step::Seen, true) | (Step::Pending | Step::Skipped, false) => {
                postings.remove(at);
            }
            (step, _) => {
                let what = format!("channel {channel}: MFA {mfa:#x}, status {status}, but it is {step:?}");
                return Err(Wrong { cycle, what });
            }
        }
        Ok(())
    }
}

/// Compares what a list copied, and closes its destinations.
fn check(machine: &mut Machine, cycle: u64, list: &mut List, tally: &mut Tally) -> Result<(), Wrong> {
    if std::mem::replace(&mut list.checked, true) {
        return Ok(());
    }
    for element in &list.elements {
        let (Some(source), Some(destination)) = (element.source, element.destination) else { continue };
        let wrong = |what: &str, address: u64| Wrong {
            cycle,
            what: format!("{source:x?} to {destination:x?}, byte {address:#x}: {what}"),
        };
        let (expected, found) = (source.bytes(machine), destination.bytes(machine));
        if expected != found {
            // What failed may have left bytes out, but not changed any, unless the host sent other bytes than its headers say.
            let lied = element.fates.contains(&(Status::Length as u8));
            let is_bad = |(e, f): (&u8, &u8)| e != f && (!element.fails() || *f != UNTOUCHED && !lied);
            if let Some(bad) = expected.iter().zip(&found).position(is_bad) {
                let what = format!("{:#04x}, should be {:#04x}", found[bad], expected[bad]);
                return Err(wrong(&what, destination.address + bad as u64));
            }
        }
        if destination.guarded {
            if let Some(address) = destination.spoiled_guard(machine) {
                return Err(wrong("a guard byte was written", address));
            }
            tally.guards += 2 * super::places::GUARD;
        }
        destination.close(machine);
        tally.bytes += if element.fails() { 0 } else { source.length as u64 };
        *tally.directions.entry((source.side == Side::Host, destination.side == Side::Host)).or_default() += 1;
        tally.chained += u64::from(!source.guarded);
    }
    Ok(())
}

impl Scoreboard {
    /// The oldest copy of the channel, if it is one of its own that must succeed, into a processor's memory.
    pub fn oldest_copy(&self, channel: usize) -> Option<(Place, Place, Completion)> {
        let list = self.lists[channel].front().filter(|list| list.elements.len() == 1 && list.posts.is_none())?;
        let element = list.elements.first().filter(|element| !element.fails())?;
        let destination = element.destination.filter(|place| matches!(place.side, Side::Core(_)))?;
        let Descriptor { context, length, .. } = element.descriptor;
        Some((element.source?, destination, Completion(u64::from(context) << 32 | u64::from(length))))
    }

    /// Changes a byte that the next report of the channel is about, or one beside it, to see that it is noticed.
    pub fn spoil(&self, machine: &mut Machine, channel: usize, guard: bool) {
        let Some(list) = self.lists[channel].front().filter(|list| !list.checked) else { return };
        let mut places = list.elements.iter().filter(|e| !e.fails()).filter_map(|element| element.destination);
        let Some(place) = places.find(|place| !guard || place.guarded && place.address > 0) else { return };
        let place = Place { address: place.address - u64::from(guard), length: 1, ..place };
        let byte = !place.bytes(machine)[0];
        place.put(machine, &[byte]);
    }
}
