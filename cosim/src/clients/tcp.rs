//! TCP connections that follow a script, every byte held against what it should be.

use std::collections::VecDeque;
use std::net::SocketAddr;

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};

use super::{Micros, pattern};

/// What a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends so many bytes and receives so many, both at once.
    Exchange {
        /// To send.
        send: u64,
        /// To receive.
        receive: u64,
    },
    /// Says that it has no more to send.
    Shutdown,
    /// Waits until the other end says so; what comes until then counts.
    AwaitEnd,
    /// Does nothing, and takes nothing, for so long.
    Pause(Micros),
    /// Resets the connection.
    Abort,
}

/// What the other end is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// What it was sent.
    Echo,
    /// The [`pattern`] of this seed.
    Pattern(u64),
    /// Anything.
    Anything,
}

/// A connection's life.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where to; of no account to who [waits](super::station::Station::listen) to be connected to.
    pub target: SocketAddr,
    /// From which port, or at which.
    pub local_port: u16,
    /// When.
    pub start: Micros,
    /// What then, one after the other.
    pub steps: Vec<Step>,
    /// What it sends: the [`pattern`] of this seed.
    pub seed: u64,
    /// What it should get.
    pub expect: Expect,
    /// Bytes of each of its buffers: its window.
    pub buffer: usize,
    /// How long it may take in all.
    pub patience: Micros,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not over.
    Running,
    /// All steps are done.
    Done,
    /// It was reset before it was open.
    Refused,
    /// It was reset, or ended before the script does.
    Broken,
    /// This byte was not what it should be.
    WrongByte(u64),
    /// It took too long.
    TooLate,
}

/// A connection.
pub struct Connection {
    /// `None`: the other end opens it.
    target: Option<SocketAddr>,
    local_port: u16,
    start: Micros,
    patience: Micros,
    seed: u64,
    expect: Expect,
    steps: VecDeque<Step>,
    socket: SocketHandle,
    outcome: Outcome,
    begun: bool,
    opened: Option<Micros>,
    ended: Option<Micros>,
    /// Of the step that is being done: what is left to send and to receive.
    left: Option<(u64, u64)>,
    paused_until: Option<Micros>,
    /// The other end has said that it has no more to send; a reset says nothing.
    other_ended: bool,
    sent: u64,
    received: u64,
}

impl Connection {
    pub(super) fn new(script: Script, sockets: &mut SocketSet<'static>) -> Self {
        let buffer = || SocketBuffer::new(vec![0; script.buffer]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        Self {
            target: Some(script.target),
            local_port: script.local_port,
            start: script.start,
            patience: script.patience,
            seed: script.seed,
            expect: script.expect,
            steps: script.steps.into(),
            socket: sockets.add(socket),
            outcome: Outcome::Running,
            begun: false,
            opened: None,
            ended: None,
            left: None,
            paused_until: None,
            other_ended: false,
            sent: 0,
            received: 0,
        }
    }

    /// One that the other end opens.
    pub(super) fn awaited(script: Script, sockets: &mut SocketSet<'static>) -> Self {
        Self { target: None, ..Self::new(script, sockets) }
    }

    /// How it goes.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        self.outcome != Outcome::Running
    }

    /// Bytes given to the stack to send, and taken from it.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent, self.received)
    }

    /// When it was open, and when it was over.
    pub fn times(&self) -> (Option<Micros>, Option<Micros>) {
        (self.opened, self.ended)
    }

    pub(super) fn due(&self) -> Option<Micros> {
        if self.is_done() {
            return None;
        }
        let end = self.start + self.patience;
        Some(if self.begun { self.paused_until.map_or(end, |until| until.min(end)) } else { self.start })
    }

    fn end(&mut self, outcome: Outcome, now: Micros) {
        self.outcome = outcome;
        self.ended = Some(now);
    }

    pub(super) fn step(&mut self, now: Micros, sockets: &mut SocketSet, interface: &mut Interface) -> bool {
        if self.is_done() || now < self.start {
            return false;
        }
        let socket = sockets.get_mut::<Socket>(self.socket);
        if !self.begun {
            self.begun = true;
            let is_begun = match self.target {
                Some(target) => socket.connect(interface.context(), target, self.local_port).is_ok(),
                None => socket.listen(self.local_port).is_ok(),
            };
            if !is_begun {
                self.end(Outcome::Refused, now);
            }
            return true;
        }
        if now >= self.start + self.patience {
            socket.abort();
            self.end(Outcome::TooLate, now);
            return true;
        }
        if self.opened.is_none() {
            match socket.state() {
                State::Listen | State::SynSent | State::SynReceived => return false,
                State::Closed => {
                    self.end(Outcome::Refused, now);
                    return true;
                }
                _ => self.opened = Some(now),
            }
        }
        self.other_ended |=
            matches!(socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        let mut moved = false;
        while !self.is_done() && self.advance(now, socket) {
            moved = true;
        }
        moved
    }

    /// Does what can be done of the next step; says whether something was.
    fn advance(&mut self, now: Micros, socket: &mut Socket) -> bool {
        let Some(&step) = self.steps.front() else {
            self.end(Outcome::Done, now);
            return true;
        };
        let over = match step {
            Step::Exchange { send, receive } => {
                let left = self.left.unwrap_or((send, receive));
                let (now_left, alive) = self.exchange(socket, left);
                self.left = Some(now_left);
                if self.is_done() {
                    return true;
                }
                if now_left != (0, 0) {
                    if !alive {
                        self.end(Outcome::Broken, now);
                    }
                    return now_left != left || !alive;
                }
                true
            }
            Step::Shutdown => {
                socket.close();
                true
            }
            Step::AwaitEnd => {
                let ended = !socket.may_recv();
                let (left, _) = self.exchange(socket, (0, u64::MAX));
                if self.is_done() {
                    return true;
                }
                if ended && left.1 == u64::MAX && !self.other_ended {
                    self.end(Outcome::Broken, now);
                    return true;
                }
                if !ended || left.1 != u64::MAX {
                    return left.1 != u64::MAX;
                }
                true
            }
            Step::Pause(time) => {
                let until = *self.paused_until.get_or_insert(now + time);
                if now < until {
                    return false;
                }
                self.paused_until = None;
                true
            }
            Step::Abort => {
                socket.abort();
                true
            }
        };
        if over {
            self.left = None;
            self.steps.pop_front();
        }
        over
    }

    /// Sends and receives as much as is possible; says what is left, and whether the rest can still come.
    fn exchange(&mut self, socket: &mut Socket, (mut send, mut receive): (u64, u64)) -> ((u64, u64), bool) {
        while send > 0 && socket.can_send() {
            let room = (socket.send_capacity() - socket.send_queue()).min(send as usize);
            let bytes: Vec<u8> = (0..room as u64).map(|k| pattern(self.seed, self.sent + k)).collect();
            let Ok(count @ 1..) = socket.send_slice(&bytes) else { break };
            self.sent += count as u64;
            send -= count as u64;
        }
        while receive > 0 && socket.can_recv() {
            let most = receive;
            let taken = socket.recv(|bytes| {
                let count = (bytes.len() as u64).min(most) as usize;
                (count, bytes[..count].to_vec())
            });
            let Ok(bytes) = taken else { break };
            if bytes.is_empty() {
                break;
            }
            if let Some(wrong) = self.first_wrong(&bytes) {
                self.outcome = Outcome::WrongByte(wrong);
                break;
            }
            self.received += bytes.len() as u64;
            receive -= bytes.len() as u64;
        }
        let alive = (send == 0 || socket.may_send()) && (receive == 0 || socket.may_recv());
        ((send, receive), alive)
    }

    fn first_wrong(&self, bytes: &[u8]) -> Option<u64> {
        let seed = match self.expect {
            Expect::Echo => self.seed,
            Expect::Pattern(seed) => seed,
            Expect::Anything => return None,
        };
        let position = |k: usize| self.received + k as u64;
        bytes.iter().enumerate().find(|(k, byte)| **byte != pattern(seed, position(*k))).map(|(k, _)| position(k))
    }
}
