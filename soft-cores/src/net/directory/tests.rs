use super::*;
use crate::net::session::End;
use abi::limits::RETA_ENTRIES;

fn session(port: u16) -> Session {
    let local = End::new("10.0.0.1".parse().unwrap(), 80);
    Session { local, remote: End::new("10.0.0.2".parse().unwrap(), port) }
}

fn table(generation: Generation, target: u8) -> Table {
    Table { generation, entries: [target; RETA_ENTRIES], ..Table::reset(4) }
}

/// Of processor 1 of 3, where all sessions are for `target`.
fn directory(target: u8) -> Directory {
    Directory::new(1, 0b111, Limits { elsewhere: 2, patience: 100 }, table(0, target))
}

fn opened(ports: &[u16]) -> Note {
    Note::Opened(ports.iter().map(|&port| session(port)).collect())
}

#[test]
fn a_session_that_lives_where_the_table_says_is_nobodys_business() {
    let mut directory = directory(1);
    assert_eq!(directory.open(session(1)), (Opening::Ready, None));
    assert_eq!(directory.sessions(), (1, 0));
    assert_eq!(directory.close(&session(1)), []);
    assert_eq!(directory.sessions(), (0, 0));
}

#[test]
fn row_67_5_a_session_opened_elsewhere_waits_until_its_target_knows() {
    let mut directory = directory(2);
    assert_eq!(directory.open(session(1)), (Opening::Wait, Some((2, opened(&[1])))));
    // Another processor's answer is none.
    assert_eq!(directory.receive(0, &Note::Known([session(1)].into())).ready, []);
    assert_eq!(directory.receive(2, &Note::Known([session(1)].into())).ready, [session(1)]);
    assert_eq!(directory.receive(2, &Note::Known([session(1)].into())).ready, []);
    assert_eq!(directory.close(&session(1)), [(2, Note::Closed([session(1)].into()))]);
}

#[test]
fn row_67_5_a_new_table_is_told_to_the_new_targets_and_then_declared() {
    let mut directory = directory(1);
    directory.open(session(1));
    directory.open(session(2));
    let posts = directory.set_table(0, table(1, 2));
    assert_eq!(posts, [(2, opened(&[1, 2])), (0, Note::Declared(1)), (2, Note::Declared(1))]);
    // Processor 2 has been told; only 0 has not.
    assert_eq!(directory.set_table(0, table(2, 2)), [(0, Note::Declared(2)), (2, Note::Declared(2))]);
    let posts = directory.set_table(0, table(3, 0));
    assert_eq!(posts, [(0, opened(&[1, 2])), (0, Note::Declared(3)), (2, Note::Declared(3))]);
    let mut told: Vec<_> = directory.close(&session(1)).into_iter().map(|(to, _)| to).collect();
    told.sort_unstable();
    assert_eq!(told, [0, 2]);
    // An old table changes nothing.
    assert_eq!(directory.set_table(0, table(2, 1)), []);
    assert_eq!(directory.table().generation, 3);
}

#[test]
fn many_sessions_are_told_in_notes_of_bounded_length() {
    let mut directory = directory(1);
    for port in 1..=100 {
        directory.open(session(port));
    }
    let posts = directory.set_table(0, table(1, 0));
    let lengths: Vec<_> = posts
        .iter()
        .filter_map(|(_, note)| match note {
            Note::Opened(sessions) => Some(sessions.len()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [40, 40, 20]);
}

#[test]
fn settled_is_who_has_heard_everybodys_declaration() {
    let mut directory = directory(1);
    assert!(directory.is_settled());
    directory.set_table(50, table(1, 1));
    assert!(!directory.is_settled());
    assert!(!directory.receive(0, &Note::Declared(1)).settled);
    assert!(!directory.receive(2, &Note::Declared(0)).settled);
    assert!(!directory.is_settled());
    assert!(directory.receive(2, &Note::Declared(1)).settled);
    assert!(directory.is_settled());
    // Who declared before this processor had the table is not asked again.
    directory.receive(0, &Note::Declared(2));
    directory.receive(2, &Note::Declared(3));
    directory.set_table(60, table(2, 1));
    assert!(directory.is_settled());
    assert_eq!(directory.counters().impatient, 0);
}

#[test]
fn patience_ends() {
    let mut directory = directory(1);
    directory.set_table(50, table(1, 1));
    assert_eq!(directory.next_deadline(), Some(150));
    assert!(!directory.poll(149));
    assert!(!directory.is_settled());
    assert!(directory.poll(150));
    assert!(directory.is_settled());
    assert_eq!((directory.next_deadline(), directory.counters().impatient), (None, 1));
    assert!(!directory.poll(151));
}

#[test]
fn others_sessions_are_kept_until_their_owner_closes_them() {
    let mut directory = directory(1);
    let outcome = directory.receive(0, &opened(&[1]));
    assert_eq!(outcome.posts, [(0, Note::Known([session(1)].into()))]);
    assert_eq!(directory.owner(&session(1)), Some(0));
    directory.receive(2, &Note::Closed([session(1)].into()));
    assert_eq!(directory.owner(&session(1)), Some(0));
    // Opened again by another one, before the first one's note has come.
    directory.receive(2, &opened(&[1]));
    directory.receive(0, &Note::Closed([session(1)].into()));
    assert_eq!(directory.owner(&session(1)), Some(2));
    directory.receive(2, &Note::Closed([session(1)].into()));
    assert_eq!((directory.owner(&session(1)), directory.sessions()), (None, (0, 0)));
}

#[test]
fn what_has_no_room_or_lives_here_is_refused() {
    let mut directory = directory(1);
    directory.open(session(9));
    let outcome = directory.receive(0, &opened(&[9, 1, 2, 3]));
    let known = Note::Known([session(1), session(2)].into());
    assert_eq!(outcome.posts, [(0, known), (0, Note::Refused([session(9), session(3)].into()))]);
    let counters = Counters { announced: 4, full: 1, taken: 1, impatient: 0 };
    assert_eq!((directory.sessions(), directory.counters()), ((1, 2), counters));
    // What is known already needs no room.
    assert_eq!(directory.receive(0, &opened(&[2])).posts, [(0, Note::Known([session(2)].into()))]);
}

#[test]
fn a_refusal_is_about_own_sessions_only() {
    let mut directory = directory(2);
    directory.open(session(1));
    let outcome = directory.receive(2, &Note::Refused([session(1), session(5)].into()));
    assert_eq!((outcome.refused, outcome.ready), ([session(1)].into(), Vec::new()));
}

#[test]
fn notes_from_nowhere_change_nothing() {
    let mut directory = directory(1);
    for from in [1, 3, 15, 16, usize::MAX] {
        assert_eq!(directory.receive(from, &opened(&[1])), Outcome::default());
        assert_eq!(directory.receive(from, &Note::Declared(9)), Outcome::default());
    }
    assert_eq!(directory.sessions(), (0, 0));
}
