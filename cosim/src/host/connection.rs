//! What sockets of all kinds share: sessions that end when their owner drops them, calls that wait, readiness.

use std::io;
use std::net::SocketAddr;

use abi::socket::{Answer, Call, Tag};

use super::error;
use super::executor::{Key, Task};
use super::osm::Osm;

/// A connection without the application that uses it: it may be handed to another one. Dropped, it is closed; if not all was read, or
/// it is not connected yet, it is reset, so that the other end learns of it.
#[derive(Debug)]
pub struct Connection {
    osm: Osm,
    tag: Tag,
}

impl Connection {
    pub(super) fn new(osm: &Osm, tag: Tag) -> Self {
        Self { osm: osm.clone(), tag }
    }

    /// Its session; the tag names the processor that it is at.
    pub fn tag(&self) -> Tag {
        self.tag
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.osm.state();
        let abort = state.session(self.tag).is_some_and(|s| s.addresses.is_none() || !s.received.is_empty());
        state.close(self.tag, abort);
    }
}

/// A socket with a session on every processor. Dropped, all are closed.
#[derive(Debug)]
pub(super) struct Everywhere {
    pub osm: Osm,
    pub group: u32,
}

impl Everywhere {
    /// No session yet.
    pub fn new(osm: &Osm) -> Self {
        let group = osm.state().new_group();
        Self { osm: osm.clone(), group }
    }

    /// Makes the sessions one after the other, bound to the same address; with port 0 the first processor chooses.
    pub fn bind(
        &self,
        task: &Task,
        local: SocketAddr,
        create: Call,
        with_buffer: bool,
        then: Option<Call>,
    ) -> io::Result<SocketAddr> {
        let mut local = local;
        let processors = self.osm.state().processors;
        for processor in 0..processors {
            let tag = {
                let mut state = self.osm.state();
                let tag = state.open(processor, Some(self.group), with_buffer).ok_or_else(error::no_room)?;
                if let Some(group) = state.groups.get_mut(&self.group) {
                    group.members.push(tag);
                }
                tag
            };
            task.call(tag, create, None)?;
            if let Answer::Bound { local: bound } = task.call(tag, Call::Bind { local }, None)? {
                local = bound;
            }
            if let Some(then) = then {
                task.call(tag, then, None)?;
            }
        }
        Ok(local)
    }

    /// Its sessions.
    pub fn members(&self) -> Vec<Tag> {
        self.osm.state().groups.get(&self.group).map(|group| group.members.clone()).unwrap_or_default()
    }
}

impl Drop for Everywhere {
    fn drop(&mut self) {
        self.osm.state().close_group(self.group, false);
    }
}

/// Something that can be waited for with others of its kind.
pub trait Source {
    /// What wakes those who wait for it.
    fn key(&self) -> Key;

    /// What it is ready for: bits of [`abi::socket::ready`].
    fn readiness(&self) -> u32;
}

/// Forgets a request that nobody waits for any more, also when the application is killed.
struct Asked<'a> {
    osm: &'a Osm,
    transaction: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.osm.forget(self.transaction);
    }
}

impl Task {
    /// Makes a request and waits for its answer.
    pub(super) fn call(&self, tag: Tag, call: Call, until: Option<u64>) -> io::Result<Answer> {
        let transaction = self.osm().ask(tag, call);
        self.answer(tag, transaction, until)
    }

    pub(super) fn answer(&self, tag: Tag, transaction: u32, until: Option<u64>) -> io::Result<Answer> {
        let asked = Asked { osm: self.osm(), transaction };
        loop {
            if let Some(answer) = asked.osm.answer(transaction) {
                return answer.map_err(error::io);
            }
            if !self.wait(&[Key::Reply(transaction), Key::Session(tag.index())], until) {
                return Err(error::timed_out());
            }
        }
    }

    /// Waits until one of the sources is ready for something of its mask; says what each is ready for. All zeros: the time is over.
    pub fn poll(&self, sources: &[(&dyn Source, u32)], until: Option<u64>) -> Vec<u32> {
        let mut keys: Vec<_> = sources.iter().map(|(source, _)| source.key()).collect();
        keys.push(Key::Buffer);
        loop {
            let ready: Vec<_> =
                sources.iter().map(|(source, mask)| source.readiness() & (mask | abi::socket::ready::ERROR)).collect();
            if ready.iter().any(|ready| *ready != 0) || !self.wait(&keys, until) {
                return ready;
            }
        }
    }
}
