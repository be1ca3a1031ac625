//! Whose the live sessions are (67.5).
//!
//! Most sessions live where the [`Table`] says, and nobody need be told. The owner of one that does not, because it was
//! opened from here or because the table has changed since, tells the processor that the table names: a note *opened*,
//! answered by *known* or *refused*, and *closed* at the end, to everybody who was told. An owner never changes, so what was
//! known stays true until then, however late a note is.
//!
//! A session that is opened from here towards another processor's part of the table waits for *known* before its SYN leaves
//! ([`Opening::Wait`]), so the answer finds its way.
//!
//! When the table changes each processor tells the new targets of its sessions, and then *declares* the new table to
//! all. Notes of one processor keep their order, so who has heard all declarations knows all sessions that are for it:
//! it [is settled](Directory::is_settled).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::limits::MAX_PROCESSORS;

use super::Micros;
use super::session::Session;
use super::steering::table::{Generation, Table, is_newer};

/// Sessions in one note at most: what fits a packet of 1,500 bytes.
pub const NOTE_SESSIONS: usize = 40;

/// What a directory keeps at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions of other processors.
    pub elsewhere: usize,
    /// How long a change of the table waits for the others' declarations.
    pub patience: Micros,
}

impl Default for Limits {
    fn default() -> Self {
        Self { elsewhere: 4096, patience: 20_000 }
    }
}

/// What processors tell each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// These sessions are mine.
    Opened(Vec<Session>),
    /// They are over.
    Closed(Vec<Session>),
    /// I know that these are yours.
    Known(Vec<Session>),
    /// I cannot keep these, or they are mine.
    Refused(Vec<Session>),
    /// I have this table, and you know all sessions of mine that it gives to you.
    Declared(Generation),
}

/// A note and to whom it goes.
pub type Post = (usize, Note);

/// May a session begin?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It may.
    Ready,
    /// Not until somebody knows of it.
    Wait,
}

/// What a note from another processor changes here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Answers.
    pub posts: Vec<Post>,
    /// Own sessions that everybody who must now knows of.
    pub ready: Vec<Session>,
    /// Own sessions whose segments will not find here.
    pub refused: Vec<Session>,
    /// All declarations have been heard.
    pub settled: bool,
}

/// Notes, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions that were announced here.
    pub announced: u64,
    /// Of these, how many were refused for want of room.
    pub full: u64,
    /// And because this processor has one with the same ends.
    pub taken: u64,
    /// Changes of the table that did not hear all declarations in time.
    pub impatient: u64,
}

/// A session that lives here.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    /// Who was told, a bit each.
    told: u16,
    /// Of these, who has not answered.
    waiting: u16,
}

/// One processor's directory.
#[derive(Clone, Debug)]
pub struct Directory {
    me: usize,
    live: u16,
    limits: Limits,
    table: Table,
    own: BTreeMap<Session, Own>,
    elsewhere: BTreeMap<Session, usize>,
    declared: [Generation; MAX_PROCESSORS],
    /// Until when declarations are waited for.
    unsettled: Option<Micros>,
    counters: Counters,
}

impl Directory {
    /// Of processor `me`, where bit i of `live` says that processor i is alive; all of them have this table.
    pub fn new(me: usize, live: u16, limits: Limits, table: Table) -> Self {
        let declared = [table.generation; MAX_PROCESSORS];
        let (own, elsewhere) = Default::default();
        Self { me, live, limits, table, own, elsewhere, declared, unsettled: None, counters: Counters::default() }
    }

    /// This processor.
    pub const fn me(&self) -> usize {
        self.me
    }

    /// Whether there is such a processor.
    pub const fn is_live(&self, processor: usize) -> bool {
        processor < MAX_PROCESSORS && self.live >> processor & 1 == 1
    }

    /// All others that are alive.
    pub fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let (me, live) = (self.me, self.live);
        (0..MAX_PROCESSORS).filter(move |&other| other != me && live >> other & 1 == 1)
    }

    /// The table that decides.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Whether all sessions are known that others have and the table gives to this processor.
    pub const fn is_settled(&self) -> bool {
        self.unsettled.is_none()
    }

    /// Whose a session is that is not this processor's, if somebody said.
    pub fn owner(&self, session: &Session) -> Option<usize> {
        self.elsewhere.get(session).copied()
    }

    /// Sessions here, and sessions elsewhere that are known.
    pub fn sessions(&self) -> (usize, usize) {
        (self.own.len(), self.elsewhere.len())
    }

    /// Notes, counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// A session was opened here.
    pub fn open(&mut self, session: Session) -> (Opening, Option<Post>) {
        let target = self.foreign_target(&session);
        let bit = target.map_or(0, |target| 1 << target);
        self.own.insert(session, Own { told: bit, waiting: bit });
        let post = target.map(|target| (target, Note::Opened([session].into())));
        (if post.is_some() { Opening::Wait } else { Opening::Ready }, post)
    }

    /// The processor that the card gives the session to, if it is another one.
    fn foreign_target(&self, session: &Session) -> Option<usize> {
        let target = self.table.target(session);
        (target != self.me && self.is_live(target)).then_some(target)
    }

    /// A session of this processor is over.
    pub fn close(&mut self, session: &Session) -> Vec<Post> {
        let Some(own) = self.own.remove(session) else { return Vec::new() };
        let told = (0..MAX_PROCESSORS).filter(|&other| own.told >> other & 1 == 1);
        told.map(|other| (other, Note::Closed([*session].into()))).collect()
    }

    /// The table has changed. One that is not newer is not heeded, and says nothing.
    pub fn set_table(&mut self, now: Micros, table: Table) -> Vec<Post> {
        if !is_newer(table.generation, self.table.generation) {
            return Vec::new();
        }
        self.table = table;
        let mut posts = self.announce_all();
        let declared = Note::Declared(self.table.generation);
        posts.extend(self.others().map(|other| (other, declared.clone())));
        self.unsettled = Some(now.saturating_add(self.limits.patience));
        self.settle();
        posts
    }

    /// Tells of all sessions that have a target which does not know of them.
    fn announce_all(&mut self) -> Vec<Post> {
        let mut news: BTreeMap<usize, Vec<Session>> = BTreeMap::new();
        for (session, own) in &mut self.own {
            let target = self.table.target(session);
            let is_foreign = target != self.me && target < MAX_PROCESSORS && self.live >> target & 1 == 1;
            if is_foreign && own.told >> target & 1 == 0 {
                own.told |= 1 << target;
                own.waiting |= 1 << target;
                news.entry(target).or_default().push(*session);
            }
        }
        let notes = |(to, sessions): (usize, Vec<Session>)| {
            let parts: Vec<_> = sessions.chunks(NOTE_SESSIONS).map(|part| (to, Note::Opened(part.to_vec()))).collect();
            parts
        };
        news.into_iter().flat_map(notes).collect()
    }

    /// Says whether this was the last declaration.
    fn settle(&mut self) -> bool {
        let newest = self.table.generation;
        let settled = self.unsettled.is_some()
            && self.others().all(|other| !is_newer(newest, self.declared.get(other).copied().unwrap_or(newest)));
        if settled {
            self.unsettled = None;
        }
        settled
    }

    /// Another processor says something.
    pub fn receive(&mut self, from: usize, note: &Note) -> Outcome {
        match note {
            _ if from == self.me || !self.is_live(from) => Outcome::default(),
            Note::Opened(sessions) => self.opened(from, sessions),
            Note::Closed(sessions) => {
                for session in sessions {
                    // Somebody else may have opened it again.
                    if self.owner(session) == Some(from) {
                        self.elsewhere.remove(session);
                    }
                }
                Outcome::default()
            }
            Note::Known(sessions) => Outcome { ready: self.answered(from, sessions), ..Outcome::default() },
            Note::Refused(sessions) => {
                let refused: Vec<_> = sessions.iter().copied().filter(|it| self.own.contains_key(it)).collect();
                self.answered(from, &refused);
                Outcome { refused, ..Outcome::default() }
            }
            Note::Declared(generation) => {
                if is_newer(*generation, self.declared[from]) {
                    self.declared[from] = *generation;
                }
                Outcome { settled: self.settle(), ..Outcome::default() }
            }
        }
    }

    fn opened(&mut self, from: usize, sessions: &[Session]) -> Outcome {
        let (mut known, mut refused) = (Vec::new(), Vec::new());
        for &session in sessions {
            self.counters.announced += 1;
            let is_taken = self.own.contains_key(&session);
            let is_full = !self.elsewhere.contains_key(&session) && self.elsewhere.len() >= self.limits.elsewhere;
            self.counters.taken += u64::from(is_taken);
            self.counters.full += u64::from(is_full && !is_taken);
            if is_taken || is_full {
                refused.push(session);
            } else {
                self.elsewhere.insert(session, from);
                known.push(session);
            }
        }
        let notes = [(known, Note::Known as fn(_) -> _), (refused, Note::Refused as fn(_) -> _)];
        let said = notes.into_iter().filter(|(list, _)| !list.is_empty());
        Outcome { posts: said.map(|(list, note)| (from, note(list))).collect(), ..Outcome::default() }
    }

    /// Own sessions that waited for this answer alone.
    fn answered(&mut self, from: usize, sessions: &[Session]) -> Vec<Session> {
        let mut ready = Vec::new();
        for session in sessions {
            if let Some(own) = self.own.get_mut(session) {
                let waited = own.waiting != 0;
                own.waiting &= !(1 << from);
                if waited && own.waiting == 0 {
                    ready.push(*session);
                }
            }
        }
        ready
    }

    /// Gives up waiting for declarations if it is time. Says whether it did.
    pub fn poll(&mut self, now: Micros) -> bool {
        let is_over = self.unsettled.is_some_and(|until| until <= now);
        if is_over {
            self.unsettled = None;
            self.counters.impatient += 1;
        }
        is_over
    }

    /// When [`poll`](Self::poll) has something to do.
    pub const fn next_deadline(&self) -> Option<Micros> {
        self.unsettled
    }
}

#[cfg(test)]
mod tests;
