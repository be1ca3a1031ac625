//! The part of the host's socket module that touches the card (69.5, 69.6): message frames in and out.
//!
//! A message goes by the host's DMA channel from host memory into an inbound frame, and is posted behind the copy. If the copy fails it is
//! made again, and in the end the frame is given back as UtilNOP. The state is not borrowed while a register is accessed:
//! applications may run in that time.

use abi::csr::host as csr;
use abi::dma::{Completion, Descriptor, Status as DmaStatus, control};
use abi::receive::EMPTY;
use abi::socket::reply::NoReply;
use abi::socket::{Answer, Function, MAX_WORDS, Reply, Status, Tag, target};

use super::osm::{Config, Message, Osm, State};
use super::start::Ready;
use super::steering::Steering;

/// Bytes of a message frame.
pub(super) const FRAME: u32 = 4 * MAX_WORDS as u32;
/// How often a message is copied before its frame is given back.
const TRIES: u32 = 4;
/// Kind bits of an inbound MFA.
const COMMAND: u32 = 1;
const DATA: u32 = 2;

/// A message on its way into a frame.
#[derive(Debug)]
pub(super) struct Flight {
    message: Message,
    mfa: u32,
    staging: u64,
    tries: u32,
}

impl Osm {
    /// Reads again how the card steers: its table or its hash was changed.
    pub fn read_steering(&self) {
        let steering = Steering::read(self.port());
        self.state().steering = Some(steering);
    }

    /// Looks at everything, and does what can be done towards the card; says whether there was anything. To be called again and again,
    /// and when applications have run.
    pub fn service(&self) -> bool {
        self.state().signals.all();
        self.serve()
    }

    /// As [`service`](Self::service), but looks only where the card has [interrupted](Self::interrupted).
    pub fn serve(&self) -> bool {
        let mut worked = self.take_replies();
        worked |= self.take_reports();
        let processors = self.state().processors;
        for processor in 0..processors {
            worked |= self.send_messages(processor);
        }
        worked
    }

    /// [`serve`](Self::serve) has something to do.
    pub fn has_work(&self) -> bool {
        let state = self.state();
        state.signals.replies
            || state.signals.reports && !state.flights.is_empty()
            || (0..state.processors).any(|p| state.signals.frames[p] && state.has_message(p))
    }

    /// 69.6: frames from the outbound post queue, each given back as soon as it was read.
    fn take_replies(&self) -> bool {
        // An interrupt that comes behind this says that there is more.
        if !std::mem::take(&mut self.state().signals.replies) {
            return false;
        }
        let mut worked = false;
        let frames = self.state().config.frames;
        for _ in 0..frames {
            let mfa = self.port().read(csr::I2O_OUTBOUND.at(0));
            if mfa == EMPTY {
                return worked;
            }
            worked = true;
            let Some(reply) = self.read_reply(mfa) else { continue };
            match reply {
                Ok(reply) => self.replied(&reply),
                Err(_) => self.state().counters.strays += 1,
            }
        }
        self.state().signals.replies = true;
        worked
    }

    /// The reply in an outbound frame, which goes back to the card. `None`: it is none of the host's frames.
    fn read_reply(&self, mfa: u32) -> Option<Result<Reply, NoReply>> {
        let Config { memory: base, frames, .. } = self.state().config;
        let place = mfa.wrapping_sub(base as u32);
        if place >= frames * FRAME || !place.is_multiple_of(FRAME) {
            self.state().counters.strays += 1;
            return None;
        }
        let mut bytes = [0; FRAME as usize];
        self.port().load(base + u64::from(place), &mut bytes);
        self.port().write(csr::I2O_OUTBOUND.at(0), mfa);
        Some(Reply::decode(&bytes))
    }

    fn take_reports(&self) -> bool {
        if !std::mem::take(&mut self.state().signals.reports) {
            return false;
        }
        let mut worked = false;
        while !self.state().flights.is_empty() {
            let word = self.port().read(csr::DMA_DONE.offset);
            if word == EMPTY {
                break;
            }
            let context = self.port().read(csr::DMA_CONTEXT.offset);
            worked = true;
            let status = Completion(u64::from(word)).status();
            let Some(mut flight) = self.state().flights.remove(&context) else { continue };
            if status == Some(DmaStatus::Ok) {
                let mut state = self.state();
                state.busy.remove(&flight.message.tag);
                state.staging.push(flight.staging);
            } else if status != Some(DmaStatus::MfaRefused) && flight.tries < TRIES {
                flight.tries += 1;
                self.state().counters.retried += 1;
                self.fly(flight);
            } else {
                self.abandon(&flight, status == Some(DmaStatus::MfaRefused));
            }
        }
        worked
    }

    /// 69.5: takes an MFA, has the message copied to that frame, and posted.
    fn send_messages(&self, processor: usize) -> bool {
        let mut worked = false;
        while self.state().signals.frames[processor] && self.state().has_message(processor) {
            self.state().signals.frames[processor] = false;
            let mfa = self.port().read(csr::I2O_INBOUND.at(processor));
            if mfa == EMPTY {
                break;
            }
            self.state().signals.frames[processor] = true;
            let Some((message, staging)) = self.state().next_message(processor) else {
                // Only this function takes messages, so there is one; a frame that was taken must go back all the same.
                self.give_back(mfa);
                break;
            };
            self.port().store(staging, message.frame.bytes());
            self.fly(Flight { message, mfa, staging, tries: 1 });
            worked = true;
        }
        worked
    }

    fn fly(&self, flight: Flight) {
        let kind = if flight.message.function == Function::Send { DATA } else { COMMAND };
        let mut state = self.state();
        let context = state.next_flight;
        state.next_flight = context.wrapping_add(1);
        let descriptor = Descriptor {
            source: flight.staging,
            destination: u64::from(flight.mfa),
            length: flight.message.frame.bytes().len() as u32,
            flags: control::SOURCE_HOST | control::POST,
            mfa: flight.mfa | kind,
            context,
        };
        state.flights.insert(context, flight);
        drop(state);
        // The push, which is the context's, comes last.
        for (offset, word) in (csr::DMA_SOURCE.offset..).step_by(4).zip(descriptor.words()) {
            self.port().write(offset, word);
        }
    }

    /// The message cannot be brought to the card: whoever asked is told so, and the frame goes back.
    fn abandon(&self, flight: &Flight, is_frame_gone: bool) {
        let message = &flight.message;
        {
            let mut state = self.state();
            state.busy.remove(&message.tag);
            state.staging.push(flight.staging);
        }
        if !is_frame_gone {
            self.give_back(flight.mfa);
        }
        self.not_done(message);
        if message.function == Function::Send {
            let cut = self.state().cut_off(message.tag);
            cut.iter().for_each(|message| self.not_done(message));
            self.state().close(message.tag, true);
        }
    }

    /// Answers in place of the card.
    fn not_done(&self, message: &Message) {
        let (processor, function) = (message.tag.processor(), message.function as u16);
        let (status, credits, answer) = (Status::Copy, 0, Answer::None);
        let (tag, transaction) = (message.tag, message.transaction);
        self.replied(&Reply { processor, tag, transaction, function, status, credits, answer });
    }

    /// I2O: a frame that was taken and cannot be used goes back as UtilNOP.
    fn give_back(&self, mfa: u32) {
        let nop = abi::socket::Frame::nop(target((mfa >> 24) as usize));
        for (index, four) in nop.bytes().chunks_exact(4).enumerate() {
            let word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            self.port().write_card(mfa + 4 * index as u32, word);
        }
        self.port().write(csr::I2O_INBOUND.at((mfa >> 24) as usize), mfa | COMMAND);
        self.state().counters.unused += 1;
    }
}

impl State {
    fn position(&self, processor: usize) -> Option<usize> {
        let mut queue = self.queues[processor].iter();
        if self.ready[processor] == Ready::Yes {
            return queue.position(|message| !self.busy.contains(&message.tag));
        }
        queue.position(|message| message.function == Function::Reset)
    }

    fn has_message(&self, processor: usize) -> bool {
        !self.staging.is_empty() && self.position(processor).is_some()
    }

    /// The oldest message whose session has none in the air, or the processor's Reset, and a place to copy it from.
    fn next_message(&mut self, processor: usize) -> Option<(Message, u64)> {
        let position = self.position(processor)?;
        let staging = self.staging.pop()?;
        let message = self.queues[processor].remove(position)?;
        let tag: Tag = message.tag;
        self.busy.insert(tag);
        Some((message, staging))
    }
}
