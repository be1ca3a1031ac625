//! One to five stacks on a model of the card, against hosts that are not ours: rows 67.2, 67.5, 67.6 and 68.3.

mod connections;
mod datagrams;
mod echo;
mod floods;
mod host;
mod hostile;
mod outward;
mod tables;
mod world;
