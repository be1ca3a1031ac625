//! The host of the card: its socket module and its applications (¶67, ¶69).
//!
//! | module | does |
//! |---|---|
//! | [`port`] | what the host has of the card: registers and memory |
//! | [`osm`] | sessions with their tags, requests under way, buffers |
//! | [`driver`] | message frames in and out |
//! | [`steering`] | which processor a connection's packets will reach |
//! | [`executor`] | applications as coroutines |
//! | [`connection`], [`stream`], [`datagram`] | sockets for applications, shaped like `std::net` |
//! | [`error`] | statuses of the card as errors of `std::io` |
//! | [`applications`], [`http`], [`names`] | echo, sink and source; an HTTP server; a DNS-like responder |

pub mod applications;
pub mod connection;
pub mod datagram;
mod driver;
pub mod error;
pub mod executor;
pub mod http;
pub mod names;
pub mod osm;
pub mod port;
pub mod steering;
pub mod stream;

pub use connection::{Connection, Source};
pub use datagram::UdpSocket;
pub use executor::{Executor, Task};
pub use osm::{Config, Osm};
pub use port::Port;
pub use steering::Policy;
pub use stream::{TcpListener, TcpStream};
