//! What the card can do, measured: what `pointsman bench` prints.

pub mod copies;
pub mod messages;
pub mod registers;
