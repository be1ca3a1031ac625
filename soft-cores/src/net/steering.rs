//! The transport decision (¶67, ¶68): which processor handles what the IP layer delivers.
//!
//! **TCP** goes to its owner (67.5). Who has the session has it; who was told whose it is sends it there; else it is new, or
//! nobody's, and the [`Table`] says whose it would be. Decisions are made by tables of different generations while a change
//! spreads. So a segment that was sent on carries the generation it was decided by: a receiver whose table is older
//! [holds](Verdict::Hold) it until it has that one, a receiver whose table is newer decides again by its own. Generations
//! only grow, so a segment does not go in circles; [`MAX_HOPS`] says so where a processor does not keep to this.
//!
//! **The window.** A processor that a new table gives a live session to may see its segments before the owner's note. It
//! holds segments of sessions that it does not know until all others have declared that they told it everything, or
//! [`Limits::patience`](super::directory::Limits::patience) is over. Then what it does not know does not exist.
//!
//! **Connectionless** datagrams stay, unless this processor is over its threshold and another one is not (67.6, 68.3, 68.5).
//! One that was handed over stays where it is, however busy.

use super::directory::Directory;
use super::session::Session;

pub mod hash;
pub mod table;

use table::{Generation, Table};

/// How often a segment is sent on at most. Each time but one a newer table decides, and tables do not change so often.
pub const MAX_HOPS: u8 = 7;

/// A way that a segment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The table that the last processor decided by.
    pub generation: Generation,
    /// How many processors have sent it on.
    pub hops: u8,
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This processor handles it.
    Here,
    /// That one does.
    To(usize),
    /// Nobody can say yet.
    Hold,
}

/// Why it goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The session lives here.
    Own,
    /// It is known whose the session is.
    Directory,
    /// The table names this processor for it.
    TableHere,
    /// The table names another processor for it.
    TableThere,
    /// The table names a processor that there is not.
    NoProcessor,
    /// It was sent on too often.
    Hops,
    /// It was decided by a table that this processor does not have yet.
    TableAwaited,
    /// Others have not said yet whose sessions are theirs.
    NotesAwaited,
    /// It has waited long enough.
    Patience,
    /// A datagram, and this processor has time for it.
    Connectionless,
    /// A datagram that was handed over to this processor.
    HandedOver,
    /// A datagram, and this processor is too busy.
    Balanced,
    /// A datagram, this processor is too busy, and so are all others.
    AllBusy,
}

/// What is known of the load (68.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// This processor is under its threshold.
    NotNeeded,
    /// It is over it, and this one is not.
    From(usize),
    /// All are over it.
    Nobody,
}

/// Where a segment of a session goes that `is_own`, if it lives here. `step` is nothing if it came from the network.
pub fn segment(directory: &Directory, session: &Session, is_own: bool, step: Option<Step>) -> (Verdict, Cause) {
    if is_own {
        return (Verdict::Here, Cause::Own);
    }
    if step.is_some_and(|step| step.hops >= MAX_HOPS) {
        return (Verdict::Here, Cause::Hops);
    }
    if let Some(owner) = directory.owner(session) {
        return (Verdict::To(owner), Cause::Directory);
    }
    let table: &Table = directory.table();
    if step.is_some_and(|step| table::is_newer(step.generation, table.generation)) {
        return (Verdict::Hold, Cause::TableAwaited);
    }
    match table.target(session) {
        target if target == directory.me() && directory.is_settled() => (Verdict::Here, Cause::TableHere),
        target if target == directory.me() => (Verdict::Hold, Cause::NotesAwaited),
        target if directory.is_live(target) => (Verdict::To(target), Cause::TableThere),
        _ => (Verdict::Here, Cause::NoProcessor),
    }
}

/// Where a connectionless datagram goes. `help` is asked only if it matters.
pub fn datagram(handed_over: bool, help: impl FnOnce() -> Help) -> (Verdict, Cause) {
    if handed_over {
        return (Verdict::Here, Cause::HandedOver);
    }
    match help() {
        Help::NotNeeded => (Verdict::Here, Cause::Connectionless),
        Help::From(other) => (Verdict::To(other), Cause::Balanced),
        Help::Nobody => (Verdict::Here, Cause::AllBusy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::directory::{Limits, Note};
    use crate::net::session::End;
    use abi::limits::RETA_ENTRIES;

    fn session(port: u16) -> Session {
        let local = End::new("10.0.0.1".parse().unwrap(), 80);
        Session { local, remote: End::new("10.0.0.2".parse().unwrap(), port) }
    }

    /// All sessions belong to processor `target`.
    fn table(generation: Generation, target: u8) -> Table {
        Table { generation, entries: [target; RETA_ENTRIES], ..Table::reset(4) }
    }

    fn directory(target: u8) -> Directory {
        Directory::new(1, 0b1111, Limits::default(), table(0, target))
    }

    #[test]
    fn row_67_5_a_session_is_handled_where_it_lives() {
        let directory = directory(2);
        assert_eq!(segment(&directory, &session(9), true, None), (Verdict::Here, Cause::Own));
        assert_eq!(segment(&directory, &session(9), false, None), (Verdict::To(2), Cause::TableThere));
    }

    #[test]
    fn row_67_5_what_others_said_goes_before_the_table() {
        let mut directory = directory(1);
        directory.receive(3, &Note::Opened([session(9)].into()));
        assert_eq!(segment(&directory, &session(9), false, None), (Verdict::To(3), Cause::Directory));
        assert_eq!(segment(&directory, &session(8), false, None), (Verdict::Here, Cause::TableHere));
    }

    #[test]
    fn a_processor_that_there_is_not_gets_nothing() {
        for target in [4, 15, 200] {
            assert_eq!(segment(&directory(target), &session(9), false, None), (Verdict::Here, Cause::NoProcessor));
        }
    }

    #[test]
    fn a_segment_waits_for_the_table_that_it_was_decided_by() {
        let mut directory = directory(2);
        let step = |generation| Some(Step { generation, hops: 1 });
        assert_eq!(segment(&directory, &session(9), false, step(1)), (Verdict::Hold, Cause::TableAwaited));
        // By the same or an older one the own table decides.
        assert_eq!(segment(&directory, &session(9), false, step(0)), (Verdict::To(2), Cause::TableThere));
        directory.set_table(0, table(1, 1));
        assert_eq!(segment(&directory, &session(9), false, step(1)), (Verdict::Hold, Cause::NotesAwaited));
        for other in [0, 2, 3] {
            directory.receive(other, &Note::Declared(1));
        }
        assert_eq!(segment(&directory, &session(9), false, step(1)), (Verdict::Here, Cause::TableHere));
    }

    #[test]
    fn segments_do_not_go_in_circles() {
        let step = |hops| Some(Step { generation: 0, hops });
        assert_eq!(segment(&directory(2), &session(9), false, step(6)).0, Verdict::To(2));
        assert_eq!(segment(&directory(2), &session(9), false, step(7)), (Verdict::Here, Cause::Hops));
    }

    #[test]
    fn row_68_3_a_datagram_is_handed_over_once_and_only_if_that_helps() {
        assert_eq!(datagram(false, || Help::NotNeeded), (Verdict::Here, Cause::Connectionless));
        assert_eq!(datagram(false, || Help::From(2)), (Verdict::To(2), Cause::Balanced));
        assert_eq!(datagram(false, || Help::Nobody), (Verdict::Here, Cause::AllBusy));
        assert_eq!(datagram(true, || Help::From(2)), (Verdict::Here, Cause::HandedOver));
    }
}
