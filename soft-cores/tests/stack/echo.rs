//! An application on the card that sends back what it gets, and clients on hosts that look at what comes back.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;
use soft_cores::net::session::{End, Session};
use soft_cores::net::stack::Stack;
use soft_cores::net::transport::{Options, SocketId, UseError};

use crate::world::World;

/// The server: a listener on every processor.
#[derive(Default)]
pub struct Server {
    pub listeners: Vec<SocketId>,
    /// What is still to be sent back.
    open: BTreeMap<(usize, SocketId), VecDeque<u8>>,
    /// Which processor accepted each session.
    pub accepted: BTreeMap<Session, usize>,
    /// Connections that failed.
    pub failed: usize,
}

impl Server {
    pub fn start(world: &mut World, local: End, backlog: usize, options: Options) -> Self {
        let listen = |stack: &mut Stack| stack.listen(local, backlog, options).unwrap();
        Self { listeners: world.stacks.iter_mut().map(listen).collect(), ..Self::default() }
    }

    /// Does what events say.
    pub fn serve(&mut self, world: &mut World) {
        let now = world.now;
        for (number, stack) in world.stacks.iter_mut().enumerate() {
            while let Some(event) = stack.next_event() {
                if event.socket == self.listeners[number] {
                    while let Ok((socket, session)) = stack.sockets(now, |it| it.accept(event.socket)) {
                        let before = self.accepted.insert(session, number);
                        assert!(before.is_none_or(|before| before == number), "{session:?} is on two processors");
                        self.open.insert((number, socket), VecDeque::new());
                    }
                } else {
                    self.serve_one(stack, number, event.socket, now);
                }
            }
        }
    }

    fn serve_one(&mut self, stack: &mut Stack, number: usize, socket: SocketId, now: u64) {
        let Some(pending) = self.open.get_mut(&(number, socket)) else { return };
        let mut is_over = false;
        loop {
            let mut bytes = [0; 700];
            if pending.len() < 4000 {
                match stack.sockets(now, |it| it.receive_into(now, socket, &mut bytes)) {
                    Ok(0) => is_over = true,
                    Ok(length) => pending.extend(&bytes[..length]),
                    Err(UseError::WouldBlock) => (),
                    Err(UseError::Failed(_)) => return self.fail(stack, number, socket, now),
                    Err(other) => panic!("{other}"),
                }
            }
            pending.make_contiguous();
            match stack.sockets(now, |it| it.send(now, socket, pending.as_slices().0)) {
                Ok(0) => break,
                Ok(sent) => drop(pending.drain(..sent)),
                Err(UseError::WouldBlock) => break,
                Err(UseError::Failed(_)) => return self.fail(stack, number, socket, now),
                Err(other) => panic!("{other}"),
            }
        }
        if is_over && pending.is_empty() {
            stack.sockets(now, |it| it.close(now, socket)).unwrap();
            self.open.remove(&(number, socket));
        }
    }

    fn fail(&mut self, stack: &mut Stack, number: usize, socket: SocketId, now: u64) {
        self.failed += 1;
        self.open.remove(&(number, socket));
        stack.sockets(now, |it| it.close(now, socket)).unwrap();
    }

    /// Connections that are open here.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    pub fn stop(&mut self, world: &mut World) {
        let now = world.now;
        for (stack, &listener) in world.stacks.iter_mut().zip(&self.listeners) {
            stack.sockets(now, |it| it.close(now, listener)).unwrap();
        }
    }
}

/// A client that sends so many bytes and wants them back.
pub struct Client {
    pub host: usize,
    pub socket: SocketHandle,
    seed: u8,
    length: usize,
    sent: usize,
    pub received: usize,
    /// Does not send more than this for now.
    pub pause: usize,
    pub was_reset: bool,
}

fn byte(seed: u8, at: usize) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8 ^ at as u8 ^ seed
}

impl Client {
    pub fn connect(
        world: &mut World,
        host: usize,
        to: impl Into<IpAddr>,
        port: u16,
        local: u16,
        length: usize,
    ) -> Self {
        let socket = world.hosts[host].tcp(4096);
        world.hosts[host].connect(socket, to, port, local);
        let seed = (local as u8).wrapping_mul(7) ^ host as u8;
        let (sent, received, pause) = (0, 0, usize::MAX);
        Self { host, socket, seed, length, sent, received, pause, was_reset: false }
    }

    /// Sends and compares. Says whether everything is back and the connection is over.
    pub fn go_on(&mut self, world: &mut World) -> bool {
        let stream = world.hosts[self.host].stream(self.socket);
        while stream.can_send() && self.sent < self.length.min(self.pause) {
            let rest = self.length.min(self.pause) - self.sent;
            let bytes: Vec<_> = (self.sent..self.sent + rest.min(1000)).map(|at| byte(self.seed, at)).collect();
            self.sent += stream.send_slice(&bytes).unwrap();
        }
        while stream.can_recv() {
            let (seed, received) = (self.seed, self.received);
            self.received += stream
                .recv(|bytes| {
                    let right = bytes.iter().enumerate().all(|(at, &got)| got == byte(seed, received + at));
                    assert!(right, "bytes at {received} are others");
                    (bytes.len(), bytes.len())
                })
                .unwrap();
        }
        if self.received == self.length && stream.may_send() {
            stream.close();
        }
        let is_over = matches!(stream.state(), State::Closed | State::TimeWait);
        self.was_reset |= is_over && self.received < self.length;
        is_over && self.received == self.length
    }
}

/// Goes on until all clients are done.
pub fn run_all(world: &mut World, server: &mut Server, clients: &mut [Client], limit: u64) {
    world.run(limit, |world| {
        server.serve(world);
        let mut done = 0;
        for client in clients.iter_mut() {
            done += usize::from(client.go_on(world));
            assert!(!client.was_reset, "a connection was reset at byte {}", client.received);
        }
        done == clients.len()
    });
}

impl Server {
    /// One of the open connections.
    pub fn any_open(&self) -> Option<(usize, SocketId)> {
        self.open.keys().next().copied()
    }

    /// The test has closed it.
    pub fn forget(&mut self, number: usize, socket: SocketId) {
        self.open.remove(&(number, socket));
    }
}
