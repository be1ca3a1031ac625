//! The one table of messages: every function, where its fields stand in request and reply, and one sentence each.

/// Some bits of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name, in capitals.
    pub name: &'static str,
    /// Its (first) word.
    pub word: usize,
    /// Lowest bit.
    pub lsb: u32,
    /// Bits: up to 32, or those of [several words](Self::ENDPOINT).
    pub width: u32,
    /// One sentence.
    pub doc: &'static str,
}

impl Place {
    /// Bits of an address with its port: five words.
    pub const ENDPOINT: u32 = 160;

    /// Words from the first to behind its last.
    pub const fn end(&self) -> usize {
        self.word + (self.lsb + self.width).div_ceil(32) as usize
    }

    /// Its bits within the word.
    pub const fn mask(&self) -> u32 {
        (u32::MAX >> (32 - self.width)) << self.lsb
    }
}

/// A function and its two messages.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Which.
    pub function: Function,
    /// One sentence.
    pub doc: &'static str,
    /// The request's fields, behind the header.
    pub request: &'static [Place],
    /// The fields of a reply that says it was done.
    pub reply: &'static [Place],
    /// A scatter-gather list of host buffers follows the request's fields.
    pub has_list: bool,
}

impl Message {
    /// Words of a request, its list not counted: where that starts.
    pub const fn request_words(&self) -> usize {
        end(self.request, super::frame::REQUEST_WORDS)
    }

    /// Words of a reply.
    pub const fn reply_words(&self) -> usize {
        end(self.reply, super::frame::REPLY_WORDS)
    }
}

const fn end(places: &[Place], header: usize) -> usize {
    let (mut end, mut i) = (header, 0);
    while i < places.len() {
        if places[i].end() > end {
            end = places[i].end();
        }
        i += 1;
    }
    end
}

/// Declares the functions, the places of their fields in a module each, and the table of them all.
macro_rules! messages {
    ($(
        $doc:literal $name:ident = $code:literal, $module:ident, list: $list:literal;
        request { $($q_doc:literal $q:ident: $q_word:literal, $q_lsb:literal, $q_width:expr;)* }
        reply { $($r_doc:literal $r:ident: $r_word:literal, $r_lsb:literal, $r_width:expr;)* }
    )+) => {
        /// What a request asks for: `XFunctionCode`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Function {
            $(#[doc = $doc] $name = $code,)+
        }

        /// Every message, by its function's number.
        pub const FUNCTIONS: &[Message] = &[$(Message {
            function: Function::$name,
            doc: $doc,
            request: &[$(calls::$module::request::$q),*],
            reply: &[$(calls::$module::reply::$r),*],
            has_list: $list,
        }),+];

        /// The fields of each function.
        pub mod calls {
            $(
                #[doc = $doc]
                pub mod $module {
                    /// In the request.
                    pub mod request {
                        #[allow(unused_imports, reason = "some have no fields")]
                        use super::super::super::Place;
                        $(
                            #[doc = $q_doc]
                            pub const $q: Place = Place {
                                name: stringify!($q), word: $q_word, lsb: $q_lsb, width: $q_width, doc: $q_doc,
                            };
                        )*
                    }
                    /// In the reply.
                    pub mod reply {
                        #[allow(unused_imports, reason = "some have no fields")]
                        use super::super::super::Place;
                        $(
                            #[doc = $r_doc]
                            pub const $r: Place = Place {
                                name: stringify!($r), word: $r_word, lsb: $r_lsb, width: $r_width, doc: $r_doc,
                            };
                        )*
                    }
                }
            )+
        }
    };
}

messages! {
    "Makes a session with a socket of a protocol."
    Create = 1, create, list: false;
    request {
        "IP protocol: 6 TCP, 17 UDP." PROTOCOL: 5, 0, 8;
        "4 IPv4, 6 IPv6." FAMILY: 5, 8, 8;
    }
    reply {}

    "Gives the socket its own address; port 0 chooses one."
    Bind = 2, bind, list: false;
    request { "The address; all zeros is any." LOCAL: 5, 0, Place::ENDPOINT; }
    reply { "The address with the port that it has." LOCAL: 6, 0, Place::ENDPOINT; }

    "Waits for connections; on every processor, for any of them may get one."
    Listen = 3, listen, list: false;
    request { "Connections that wait to be accepted, at most." BACKLOG: 5, 0, 16; }
    reply {}

    "Answered with the next connection. It is a new session."
    Accept = 4, accept, list: false;
    request { "The tag of the session that the connection becomes." TAG: 5, 0, 32; }
    reply {
        "The tag of the connection." TAG: 6, 0, 32;
        "The processor that owns it." PROCESSOR: 7, 0, 8;
        "The other end." REMOTE: 8, 0, Place::ENDPOINT;
        "This end." LOCAL: 13, 0, Place::ENDPOINT;
    }

    "Connects; answered when it is or is not. A datagram socket gets its one peer."
    Connect = 5, connect, list: false;
    request { "The other end." REMOTE: 5, 0, Place::ENDPOINT; }
    reply { "This end." LOCAL: 6, 0, Place::ENDPOINT; }

    "Sends what is in the host's buffers; answered when it is all in the socket's buffer. A datagram is one send."
    Send = 6, send, list: true;
    request { "To whom, from a datagram socket without a peer; else zeros." REMOTE: 5, 0, Place::ENDPOINT; }
    reply { "Bytes." LENGTH: 6, 0, 32; }

    "Receives into the host's buffers; answered when there was something, be it less than they hold."
    Receive = 7, receive, list: true;
    request {}
    reply {
        "Bytes." LENGTH: 6, 0, 32;
        "1: this is the end of the stream." END: 7, 0, 1;
        "1: the datagram was longer than the buffers." TRUNCATED: 7, 1, 1;
        "Who sent the datagram; zeros if it is a stream." REMOTE: 8, 0, Place::ENDPOINT;
    }

    "Ends a direction of a connection, sending when all that was asked before is sent."
    Shutdown = 8, shutdown, list: false;
    request {
        "1: no more will be received." RECEIVE: 5, 0, 1;
        "1: no more will be sent." SEND: 5, 1, 1;
    }
    reply {}

    "Ends a session: everything under way is answered, then this is, and the tag is free."
    Close = 9, close, list: false;
    request { "1: reset the connection and drop what is not sent; 0: send it first." ABORT: 5, 0, 1; }
    reply {}

    "Sets an option."
    SetOption = 10, set_option, list: false;
    request {
        "1 no delay, 2 keep-alive, 3 receive buffer, 4 send buffer, 5 reuse of the address, 6 join a group, 7 leave it." OPTION: 5, 0, 16;
        "0 or 1; seconds, 0 off; bytes." VALUE: 6, 0, 32;
        "The group; its port is 0." GROUP: 7, 0, Place::ENDPOINT;
    }
    reply {}

    "Reads an option; not a group."
    GetOption = 11, get_option, list: false;
    request { "As in SetOption." OPTION: 5, 0, 16; }
    reply { "As in SetOption." VALUE: 6, 0, 32; }

    "Says how the socket is."
    Status = 12, status, list: false;
    request {}
    reply {
        "0 new, 1 bound, 2 listening, 3 connecting, 4 connected, 5 over." STATE: 6, 0, 8;
        "Bytes, or datagrams, that can be received." READABLE: 7, 0, 32;
        "Bytes that can be sent." WRITABLE: 8, 0, 32;
        "This end." LOCAL: 9, 0, Place::ENDPOINT;
        "The other end; zeros if there is none." REMOTE: 14, 0, Place::ENDPOINT;
    }

    "Answered when the session is ready for something of the mask."
    Watch = 13, watch, list: false;
    request { "Bits of `ready`." MASK: 5, 0, 5; }
    reply { "What of the mask it is ready for." READY: 6, 0, 5; }

    "Ends a request that waits: it is answered with Cancelled, unless its end came first."
    Cancel = 14, cancel, list: false;
    request { "The transaction context of the other request of this session." TRANSACTION: 5, 0, 32; }
    reply { "1: there was one that waited." FOUND: 6, 0, 1; }

    "Aborts all sessions of this processor, each answering what it has under way. The tag says only which processor."
    Reset = 15, reset, list: false;
    request {}
    reply { "Sessions that there were." SESSIONS: 6, 0, 32; }
}

impl Function {
    /// The function of a number; `None` if there is none.
    pub const fn of(number: u16) -> Option<Self> {
        let index = (number as usize).wrapping_sub(1);
        if index < FUNCTIONS.len() { Some(FUNCTIONS[index].function) } else { None }
    }

    /// Its row of the table.
    pub const fn message(self) -> &'static Message {
        &FUNCTIONS[self as usize - 1]
    }
}
