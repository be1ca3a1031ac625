//! Two to eight stacks on a model of the card, against hosts that are not ours: rows 67.5, 67.6, 68.2, 68.3 and 68.5.

mod connections;
mod datagrams;
mod echo;
mod floods;
mod host;
mod outward;
mod tables;
mod world;
