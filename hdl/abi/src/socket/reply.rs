//! Replies: encoded by the processor, decoded by the host.

use core::net::SocketAddr;

use super::calls::{accept, bind, cancel, connect, get_option, receive, reset, send, status, watch};
use super::frame::{Frame, Header, PRIVATE, REPLY_WORDS, VERSION, View, flags};
use super::{Function, HOST_TARGET, Status, Tag, target};

/// How a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// It has no address.
    New = 0,
    /// It has an address.
    Bound = 1,
    /// It waits for connections.
    Listening = 2,
    /// Its connection is on its way.
    Connecting = 3,
    /// It has another end.
    Connected = 4,
    /// Its connection is over.
    Over = 5,
}

impl State {
    const ALL: [State; 6] =
        [State::New, State::Bound, State::Listening, State::Connecting, State::Connected, State::Over];
}

/// What a reply says besides how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of messages says it")]
pub enum Answer {
    /// Nothing: the function answers nothing, or it was not done.
    None,
    Bound {
        local: SocketAddr,
    },
    Accepted {
        tag: Tag,
        processor: usize,
        remote: SocketAddr,
        local: SocketAddr,
    },
    Connected {
        local: SocketAddr,
    },
    /// Also of a send that was not done: the bytes that were sent before.
    Sent {
        length: u32,
    },
    Received {
        length: u32,
        end: bool,
        truncated: bool,
        remote: Option<SocketAddr>,
    },
    Value {
        value: u32,
    },
    Status {
        state: State,
        readable: u32,
        writable: u32,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    },
    Ready {
        ready: u32,
    },
    Cancelled {
        found: bool,
    },
    Reset {
        sessions: u32,
    },
}

/// A reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The processor's target; the host's is the initiator.
    pub processor: usize,
    /// Initiator context of the request.
    pub tag: Tag,
    /// Transaction context of the request.
    pub transaction: u32,
    /// The number of the request's function.
    pub function: u16,
    /// How it ended.
    pub status: Status,
    /// Requests that the session may have under way besides those that it has.
    pub credits: u16,
    /// What else there is to say.
    pub answer: Answer,
}

/// A frame that is no reply of a socket module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReply;

impl Reply {
    /// The reply as it is sent.
    pub fn encode(&self) -> Frame {
        let answered = Function::of(self.function).filter(|_| self.answer != Answer::None);
        let words = answered.map_or(REPLY_WORDS, |function| function.message().reply_words());
        let unread = matches!(self.status, Status::Malformed | Status::UnknownFunction | Status::WrongProcessor);
        let mut frame = Frame::new(Header {
            version: VERSION as u8,
            list_offset: 0,
            flags: flags::REPLY | flags::LAST | if unread { flags::FAIL } else { 0 },
            words: words as u16,
            target: target(self.processor),
            initiator: HOST_TARGET,
            function: PRIVATE,
            context: self.tag.0,
            transaction: self.transaction,
        });
        let bytes = if let Answer::Sent { length } = self.answer { length } else { 0 };
        frame.set_word(4, u32::from(self.status.request_status(bytes)) << 24 | self.status as u32);
        frame.set_word(5, u32::from(self.credits) << 16 | u32::from(self.function));
        self.answer.write(&mut frame);
        frame
    }

    /// The reply that a frame's bytes hold.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoReply> {
        let (view, header) = (View(bytes), Header::read(bytes));
        let words = usize::from(header.words);
        let is_reply = header.flags & (flags::REPLY | flags::WIDE_CONTEXT) == flags::REPLY;
        let is_whole = (REPLY_WORDS..=bytes.len() / 4).contains(&words);
        if u32::from(header.version) != VERSION || !is_reply || !is_whole || header.function != PRIVATE {
            return Err(NoReply);
        }
        let processor = usize::from(header.target.wrapping_sub(target(0)));
        if processor > 0xF {
            return Err(NoReply);
        }
        let status = Status::of(view.word(4) as u16).ok_or(NoReply)?;
        let function = view.word(5) as u16;
        let answer = match Function::of(function) {
            Some(function) if words >= function.message().reply_words() => Answer::read(function, status, view),
            Some(_) if status == Status::Ok => None,
            _ => Some(Answer::None),
        };
        Ok(Self {
            processor,
            tag: Tag(header.context),
            transaction: header.transaction,
            function,
            status,
            credits: (view.word(5) >> 16) as u16,
            answer: answer.ok_or(NoReply)?,
        })
    }
}

impl Answer {
    fn write(&self, frame: &mut Frame) {
        match *self {
            Answer::None => {}
            Answer::Bound { local } => frame.set_endpoint(&bind::reply::LOCAL, Some(local)),
            Answer::Accepted { tag, processor, remote, local } => {
                frame.set(&accept::reply::TAG, tag.0);
                frame.set(&accept::reply::PROCESSOR, processor as u32);
                frame.set_endpoint(&accept::reply::REMOTE, Some(remote));
                frame.set_endpoint(&accept::reply::LOCAL, Some(local));
            }
            Answer::Connected { local } => frame.set_endpoint(&connect::reply::LOCAL, Some(local)),
            Answer::Sent { length } => frame.set(&send::reply::LENGTH, length),
            Answer::Received { length, end, truncated, remote } => {
                frame.set(&receive::reply::LENGTH, length);
                frame.set(&receive::reply::END, u32::from(end));
                frame.set(&receive::reply::TRUNCATED, u32::from(truncated));
                frame.set_endpoint(&receive::reply::REMOTE, remote);
            }
            Answer::Value { value } => frame.set(&get_option::reply::VALUE, value),
            Answer::Status { state, readable, writable, local, remote } => {
                frame.set(&status::reply::STATE, state as u32);
                frame.set(&status::reply::READABLE, readable);
                frame.set(&status::reply::WRITABLE, writable);
                frame.set_endpoint(&status::reply::LOCAL, local);
                frame.set_endpoint(&status::reply::REMOTE, remote);
            }
            Answer::Ready { ready } => frame.set(&watch::reply::READY, ready),
            Answer::Cancelled { found } => frame.set(&cancel::reply::FOUND, u32::from(found)),
            Answer::Reset { sessions } => frame.set(&reset::reply::SESSIONS, sessions),
        }
    }

    /// `None`: a field is nothing that there is. What was not done answers nothing, but how much was sent.
    fn read(function: Function, status: Status, view: View<'_>) -> Option<Self> {
        if status != Status::Ok && function != Function::Send {
            return Some(Answer::None);
        }
        Some(match function {
            Function::Bind => Answer::Bound { local: view.endpoint(&bind::reply::LOCAL).ok()?? },
            Function::Accept => Answer::Accepted {
                tag: Tag(view.get(&accept::reply::TAG)),
                processor: view.get(&accept::reply::PROCESSOR) as usize,
                remote: view.endpoint(&accept::reply::REMOTE).ok()??,
                local: view.endpoint(&accept::reply::LOCAL).ok()??,
            },
            Function::Connect => Answer::Connected { local: view.endpoint(&connect::reply::LOCAL).ok()?? },
            Function::Send => Answer::Sent { length: view.get(&send::reply::LENGTH) },
            Function::Receive => Answer::Received {
                length: view.get(&receive::reply::LENGTH),
                end: view.get(&receive::reply::END) == 1,
                truncated: view.get(&receive::reply::TRUNCATED) == 1,
                remote: view.endpoint(&receive::reply::REMOTE).ok()?,
            },
            Function::GetOption => Answer::Value { value: view.get(&get_option::reply::VALUE) },
            Function::Status => Answer::Status {
                state: *State::ALL.get(view.get(&status::reply::STATE) as usize)?,
                readable: view.get(&status::reply::READABLE),
                writable: view.get(&status::reply::WRITABLE),
                local: view.endpoint(&status::reply::LOCAL).ok()?,
                remote: view.endpoint(&status::reply::REMOTE).ok()?,
            },
            Function::Watch => Answer::Ready { ready: view.get(&watch::reply::READY) },
            Function::Cancel => Answer::Cancelled { found: view.get(&cancel::reply::FOUND) == 1 },
            Function::Reset => Answer::Reset { sessions: view.get(&reset::reply::SESSIONS) },
            _ => Answer::None,
        })
    }
}
