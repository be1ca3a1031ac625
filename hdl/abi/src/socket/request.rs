//! Requests: encoded by the host, decoded by the processor.

use core::net::{IpAddr, SocketAddr};

use super::calls::{
    accept, bind, cancel, close, connect, create, get_option, listen, send, set_option, shutdown, watch,
};
use super::frame::{Frame, Header, PRIVATE, REQUEST_WORDS, UTIL_NOP, VERSION, View, flags};
use super::list::{self, ELEMENT_WORDS, List};
use super::{Function, HOST_TARGET, ORGANIZATION, Status, Tag, target};

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// Streams.
    Tcp = 6,
    /// Datagrams.
    Udp = 17,
}

/// Which version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

impl Family {
    /// That of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// An option of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Opt {
    /// Small segments do not wait for acknowledgments: 0 or 1.
    NoDelay = 1,
    /// Seconds of silence before the connection is probed; 0: never.
    KeepAlive = 2,
    /// Bytes of the receive buffer.
    ReceiveBuffer = 3,
    /// Bytes of the send buffer.
    SendBuffer = 4,
    /// The address may be bound while connections of an earlier socket linger: 0 or 1.
    ReuseAddress = 5,
    /// Join a multicast group.
    Join = 6,
    /// Leave a multicast group.
    Leave = 7,
}

impl Opt {
    /// All of them, in the order of their numbers.
    pub const ALL: [Opt; 7] =
        [Opt::NoDelay, Opt::KeepAlive, Opt::ReceiveBuffer, Opt::SendBuffer, Opt::ReuseAddress, Opt::Join, Opt::Leave];

    fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&option| option as u32 == number)
    }

    /// It is about a group and has no value.
    pub const fn is_group(self) -> bool {
        matches!(self, Opt::Join | Opt::Leave)
    }
}

/// What is asked, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of messages says it")]
pub enum Call {
    Create { protocol: Protocol, family: Family },
    Bind { local: SocketAddr },
    Listen { backlog: u16 },
    Accept { tag: Tag },
    Connect { remote: SocketAddr },
    Send { remote: Option<SocketAddr>, list: List },
    Receive { list: List },
    Shutdown { receive: bool, send: bool },
    Close { abort: bool },
    SetOption { option: Opt, value: u32, group: Option<IpAddr> },
    GetOption { option: Opt },
    Status,
    Watch { mask: u32 },
    Cancel { transaction: u32 },
    Reset,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The session.
    pub tag: Tag,
    /// The host's name for the request.
    pub transaction: u32,
    /// What is asked.
    pub call: Call,
}

/// What a frame held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A frame that the host gives back unused; no answer.
    Nop,
    /// A request.
    Request(Request),
}

/// Why a frame is no request, and what its answer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Initiator context, as it stands in the message.
    pub tag: Tag,
    /// Transaction context, as it stands in the message.
    pub transaction: u32,
    /// Function, as it stands in the message.
    pub function: u16,
    /// Why.
    pub status: Status,
}

impl Call {
    /// Its function.
    pub const fn function(&self) -> Function {
        match self {
            Call::Create { .. } => Function::Create,
            Call::Bind { .. } => Function::Bind,
            Call::Listen { .. } => Function::Listen,
            Call::Accept { .. } => Function::Accept,
            Call::Connect { .. } => Function::Connect,
            Call::Send { .. } => Function::Send,
            Call::Receive { .. } => Function::Receive,
            Call::Shutdown { .. } => Function::Shutdown,
            Call::Close { .. } => Function::Close,
            Call::SetOption { .. } => Function::SetOption,
            Call::GetOption { .. } => Function::GetOption,
            Call::Status => Function::Status,
            Call::Watch { .. } => Function::Watch,
            Call::Cancel { .. } => Function::Cancel,
            Call::Reset => Function::Reset,
        }
    }

    /// Its buffers, and which way the bytes go.
    const fn list(&self) -> Option<(&List, u32)> {
        match self {
            Call::Send { list, .. } => Some((list, list::flags::OUT)),
            Call::Receive { list } => Some((list, 0)),
            _ => None,
        }
    }
}

impl Request {
    /// The request as it is sent to the processor that its tag names.
    pub fn encode(&self) -> Frame {
        let function = self.call.function();
        let fixed = function.message().request_words();
        let list = self.call.list().filter(|(list, _)| !list.elements().is_empty());
        let words = fixed + list.map_or(0, |(list, _)| list.elements().len() * ELEMENT_WORDS);
        let mut frame = Frame::new(Header {
            version: VERSION as u8,
            list_offset: if list.is_some() { fixed as u8 } else { 0 },
            flags: 0,
            words: words as u16,
            target: target(self.tag.processor()),
            initiator: HOST_TARGET,
            function: PRIVATE,
            context: self.tag.0,
            transaction: self.transaction,
        });
        frame.set_word(4, u32::from(ORGANIZATION) << 16 | function as u32);
        if let Some((list, direction)) = list {
            list.write(&mut frame, fixed, direction);
        }
        self.call.write(&mut frame);
        frame
    }

    /// The request that a frame's bytes hold, for processor `processor`.
    ///
    /// # Errors
    /// It is none; the error has what its answer needs.
    pub fn decode(bytes: &[u8], processor: usize) -> Result<Decoded, Refused> {
        let (view, header) = (View(bytes), Header::read(bytes));
        let code = view.word(4);
        let (tag, transaction, function) = (Tag(header.context), header.transaction, code as u16);
        let refused = |status| Refused { tag, transaction, function, status };
        if header.function == UTIL_NOP {
            return Ok(Decoded::Nop);
        }
        let words = usize::from(header.words);
        let is_whole = (REQUEST_WORDS..=bytes.len() / 4).contains(&words);
        let is_request = header.flags & (flags::REPLY | flags::FAIL | flags::WIDE_CONTEXT) == 0;
        if u32::from(header.version) != VERSION || !is_whole || !is_request {
            return Err(refused(Status::Malformed));
        }
        if header.function != PRIVATE || code >> 16 != u32::from(ORGANIZATION) {
            return Err(refused(Status::UnknownFunction));
        }
        let function = Function::of(function).ok_or(refused(Status::UnknownFunction))?;
        if header.target != target(processor) || tag.processor() != processor {
            return Err(refused(Status::WrongProcessor));
        }
        let message = function.message();
        let start = usize::from(header.list_offset);
        let list_is_behind = start == 0 || message.has_list && start >= message.request_words();
        if words < message.request_words() || !list_is_behind {
            return Err(refused(Status::Malformed));
        }
        let call = Call::read(function, view, start, words).ok_or(refused(Status::Malformed))?;
        Ok(Decoded::Request(Request { tag, transaction, call }))
    }
}

impl Call {
    fn write(&self, frame: &mut Frame) {
        match *self {
            Call::Create { protocol, family } => {
                frame.set(&create::request::PROTOCOL, protocol as u32);
                frame.set(&create::request::FAMILY, family as u32);
            }
            Call::Bind { local } => frame.set_endpoint(&bind::request::LOCAL, Some(local)),
            Call::Listen { backlog } => frame.set(&listen::request::BACKLOG, u32::from(backlog)),
            Call::Accept { tag } => frame.set(&accept::request::TAG, tag.0),
            Call::Connect { remote } => frame.set_endpoint(&connect::request::REMOTE, Some(remote)),
            Call::Send { remote, .. } => frame.set_endpoint(&send::request::REMOTE, remote),
            Call::Shutdown { receive, send } => {
                frame.set(&shutdown::request::RECEIVE, u32::from(receive));
                frame.set(&shutdown::request::SEND, u32::from(send));
            }
            Call::Close { abort } => frame.set(&close::request::ABORT, u32::from(abort)),
            Call::SetOption { option, value, group } => {
                frame.set(&set_option::request::OPTION, option as u32);
                frame.set(&set_option::request::VALUE, value);
                frame.set_endpoint(&set_option::request::GROUP, group.map(|group| SocketAddr::new(group, 0)));
            }
            Call::GetOption { option } => frame.set(&get_option::request::OPTION, option as u32),
            Call::Watch { mask } => frame.set(&watch::request::MASK, mask),
            Call::Cancel { transaction } => frame.set(&cancel::request::TRANSACTION, transaction),
            Call::Receive { .. } | Call::Status | Call::Reset => {}
        }
    }

    /// `None`: an argument is none that there is.
    fn read(function: Function, view: View<'_>, start: usize, end: usize) -> Option<Self> {
        Some(match function {
            Function::Create => {
                let protocol = match view.get(&create::request::PROTOCOL) {
                    6 => Protocol::Tcp,
                    17 => Protocol::Udp,
                    _ => return None,
                };
                let family = match view.get(&create::request::FAMILY) {
                    4 => Family::V4,
                    6 => Family::V6,
                    _ => return None,
                };
                Call::Create { protocol, family }
            }
            Function::Bind => Call::Bind { local: view.endpoint(&bind::request::LOCAL).ok()?? },
            Function::Listen => Call::Listen { backlog: view.get(&listen::request::BACKLOG) as u16 },
            Function::Accept => Call::Accept { tag: Tag(view.get(&accept::request::TAG)) },
            Function::Connect => Call::Connect { remote: view.endpoint(&connect::request::REMOTE).ok()?? },
            Function::Send => {
                let list = List::read(view, start, end, list::flags::OUT).ok()?;
                Call::Send { remote: view.endpoint(&send::request::REMOTE).ok()?, list }
            }
            Function::Receive => Call::Receive { list: List::read(view, start, end, 0).ok()? },
            Function::Shutdown => Call::Shutdown {
                receive: view.get(&shutdown::request::RECEIVE) == 1,
                send: view.get(&shutdown::request::SEND) == 1,
            },
            Function::Close => Call::Close { abort: view.get(&close::request::ABORT) == 1 },
            Function::SetOption => {
                let option = Opt::of(view.get(&set_option::request::OPTION))?;
                let group = view.endpoint(&set_option::request::GROUP).ok()?.map(|address| address.ip());
                if option.is_group() != group.is_some_and(|group| group.is_multicast()) {
                    return None;
                }
                Call::SetOption { option, value: view.get(&set_option::request::VALUE), group }
            }
            Function::GetOption => Call::GetOption { option: Opt::of(view.get(&get_option::request::OPTION))? },
            Function::Status => Call::Status,
            Function::Watch => Call::Watch { mask: view.get(&watch::request::MASK) },
            Function::Cancel => Call::Cancel { transaction: view.get(&cancel::request::TRANSACTION) },
            Function::Reset => Call::Reset,
        })
    }
}
