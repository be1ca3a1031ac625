//! The part of the host's socket module that touches the card (69.5, 69.6): message frames in and out.
//!
//! A message goes by the host's DMA channel from host memory into an inbound frame, and is posted behind the copy. If the copy fails it is
//! made again, and in the end the frame is given back as UtilNOP. The state is not borrowed while a register is accessed:
//! applications may run in that time.

use std::rc::Rc;

use abi::csr::host as csr;
use abi::dma::{Completion, DEPTH, Descriptor, Status as DmaStatus, Window, control};
use abi::receive::EMPTY;
use abi::socket::{Answer, Function, MAX_WORDS, Reply, Status, Tag, target};

use super::osm::{Config, Message, Osm, State};
use super::port::Port;
use super::steering::Steering;

/// Bytes of a message frame.
const FRAME: u32 = 4 * MAX_WORDS as u32;
const PAGE: u64 = 4096;
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
    /// Sets the card up: its outbound frames, the memory it may reach; reads how it steers.
    pub fn start(port: Rc<dyn Port>, config: Config) -> Self {
        let processors = csr::parameters::PROCESSORS.get(port.read(csr::PARAMETERS.offset)) as usize;
        let staging_at = config.memory + u64::from(config.frames * FRAME);
        let staging = (0..DEPTH as u64).map(|slot| staging_at + slot * u64::from(FRAME)).collect();
        let buffers_at = (staging_at + DEPTH as u64 * u64::from(FRAME)).next_multiple_of(PAGE);
        let bytes = u64::from(config.buffer_bytes);
        let buffers = (0..u64::from(config.buffers)).rev().map(|buffer| buffers_at + buffer * bytes).collect();
        let end = buffers_at + u64::from(config.buffers) * bytes;
        let window =
            Window { first_page: config.memory, last_page: (end - 1) / PAGE * PAGE, readable: true, writable: true };
        for processor in 0..processors {
            for (word, value) in window.words().into_iter().enumerate() {
                port.write(csr::DMA_WINDOW.at(16 * processor + word), value);
            }
        }
        port.write(csr::OUT_BASE.offset, config.memory as u32);
        port.write(csr::OUT_BASE.offset + 4, (config.memory >> 32) as u32);
        port.write(csr::OUT_FRAME_SIZE.offset, FRAME.ilog2());
        port.write(csr::OUT_FRAMES.offset, config.frames);
        for frame in 0..config.frames {
            port.write(csr::I2O_OUTBOUND.at(0), config.memory as u32 + frame * FRAME);
        }
        port.write(csr::I2O_MASK.at(0), 0);
        let mut state = State::new(config, processors, buffers, staging);
        state.steering = Some(Steering::read(&*port));
        Self::with(port, state)
    }

    /// Reads again how the card steers: its table or its hash was changed.
    pub fn read_steering(&self) {
        let steering = Steering::read(self.port());
        self.state().steering = Some(steering);
    }

    /// Does what can be done towards the card; says whether there was anything. To be called when the card interrupts, and when
    /// applications have run.
    pub fn service(&self) -> bool {
        let mut worked = self.take_replies();
        worked |= self.take_reports();
        let processors = self.state().processors;
        for processor in 0..processors {
            worked |= self.send_messages(processor);
        }
        worked
    }

    /// 69.6: frames from the outbound post queue, each given back as soon as it was read.
    fn take_replies(&self) -> bool {
        let mut worked = false;
        let frames = self.state().config.frames;
        let base = self.state().config.memory;
        for _ in 0..frames {
            let mfa = self.port().read(csr::I2O_OUTBOUND.at(0));
            if mfa == EMPTY {
                break;
            }
            worked = true;
            let mut bytes = [0; FRAME as usize];
            let address = base & !0xFFFF_FFFF | u64::from(mfa);
            self.port().load(address, &mut bytes);
            self.port().write(csr::I2O_OUTBOUND.at(0), mfa);
            match Reply::decode(&bytes) {
                Ok(reply) => self.replied(&reply),
                Err(_) => self.state().counters.strays += 1,
            }
        }
        worked
    }

    fn take_reports(&self) -> bool {
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
        while self.state().has_message(processor) {
            let mfa = self.port().read(csr::I2O_INBOUND.at(processor));
            if mfa == EMPTY {
                break;
            }
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
        let offsets = [
            csr::DMA_SOURCE.offset,
            csr::DMA_SOURCE.offset + 4,
            csr::DMA_DESTINATION.offset,
            csr::DMA_DESTINATION.offset + 4,
            csr::DMA_CONTROL.offset,
            csr::DMA_MFA.offset,
            csr::DMA_PUSH.offset,
        ];
        for (offset, word) in offsets.into_iter().zip(descriptor.words()) {
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
        self.queues[processor].iter().position(|message: &Message| !self.busy.contains(&message.tag))
    }

    fn has_message(&self, processor: usize) -> bool {
        !self.staging.is_empty() && self.position(processor).is_some()
    }

    /// The oldest message whose session has none in the air, and a place to copy it from.
    fn next_message(&mut self, processor: usize) -> Option<(Message, u64)> {
        let position = self.position(processor)?;
        let staging = self.staging.pop()?;
        let message = self.queues[processor].remove(position)?;
        let tag: Tag = message.tag;
        self.busy.insert(tag);
        Some((message, staging))
    }
}
