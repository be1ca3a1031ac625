//! Who is at the other end of the link: hosts on `smoltcp` ([`station`]) that follow scripts, and senders of frames made beforehand
//! ([`raw`]).
//!
//! Their time is the card's: cycles by [`CYCLES_PER_MICRO`]. They are called when a frame has come for them, or when they said they would
//! have something to do, and at no other time.

pub mod ping;
pub mod raw;
pub mod station;
pub mod tcp;
pub mod udp;

use crate::CLOCK_HZ;

/// A point in time or a duration, in microseconds.
pub type Micros = u64;

/// Cycles of the card's clock in a microsecond.
pub const CYCLES_PER_MICRO: u64 = CLOCK_HZ / 1_000_000;

/// Somebody on the link.
pub trait Client {
    /// Its Ethernet address.
    fn address(&self) -> [u8; 6];

    /// A frame has come.
    fn receive(&mut self, now: Micros, frame: &[u8]);

    /// Does what is due, puts the frames it sends behind `out`, and says when it wants to be called again.
    fn poll(&mut self, now: Micros, out: &mut Vec<Vec<u8>>) -> Option<Micros>;
}

/// Byte `position` of a stream that both ends know by its seed.
pub fn pattern(seed: u64, position: u64) -> u8 {
    // SplitMix64 of the eight bytes' number.
    let mut word = (seed ^ (position / 8)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (word ^ (word >> 31)).to_le_bytes()[(position % 8) as usize]
}

/// All clients, behind a switch that knows them.
#[derive(Default)]
pub struct Clients {
    clients: Vec<Box<dyn Client>>,
    /// When each wants to be called.
    due: Vec<Option<Micros>>,
    /// Frames for nobody here.
    astray: u64,
}

impl Clients {
    /// One more, called first at the next opportunity. Gives its number.
    pub fn add(&mut self, client: Box<dyn Client>) -> usize {
        self.clients.push(client);
        self.due.push(Some(0));
        self.clients.len() - 1
    }

    /// The cycle in which somebody has something to do.
    pub fn next(&self) -> Option<u64> {
        self.due.iter().flatten().min().map(|due| due.saturating_mul(CYCLES_PER_MICRO))
    }

    /// Has client `number` called at the next opportunity, because it was given something to do.
    pub fn wake(&mut self, number: usize) {
        self.due[number] = Some(0);
    }

    /// Frames for nobody here.
    pub fn astray(&self) -> u64 {
        self.astray
    }

    /// A frame comes from the card. What its receivers have to say to it, they say in the next [`poll`](Self::poll).
    pub fn receive(&mut self, cycle: u64, frame: &[u8]) {
        let now = cycle / CYCLES_PER_MICRO;
        let is_group = frame.first().is_some_and(|first| first & 1 == 1);
        let mut receivers = 0;
        for (client, due) in self.clients.iter_mut().zip(&mut self.due) {
            if is_group || frame.get(..6) == Some(&client.address()[..]) {
                client.receive(now, frame);
                *due = Some(0);
                receivers += 1;
            }
        }
        self.astray += u64::from(receivers == 0);
    }

    /// Does what is due; gives the frames that are sent.
    pub fn poll(&mut self, cycle: u64) -> Vec<Vec<u8>> {
        let now = cycle / CYCLES_PER_MICRO;
        let mut out = Vec::new();
        for (client, due) in self.clients.iter_mut().zip(&mut self.due) {
            if due.is_some_and(|due| due <= now) {
                // Nobody is called twice in a microsecond for nothing.
                *due = client.poll(now, &mut out).map(|next| next.max(now + 1));
            }
        }
        out
    }
}
