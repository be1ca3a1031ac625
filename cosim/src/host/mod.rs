//! The host of the card: its socket module and its applications (¶67, ¶69).
//!
//! | module | does |
//! |---|---|
//! | [`computer`] | all of it on the simulated bus, as a system's host |
//! | [`bus`] | the port on the simulated root complex |
//! | [`port`] | what the host has of the card: registers and memory |
//! | [`start`] | what the module finds, clears and sets up |
//! | [`interrupts`] | MSI-X: vectors, moderation, where to look |
//! | [`osm`] | sessions with their tags, requests under way, buffers |
//! | `driver` | message frames in and out |
//! | [`steering`] | which processor a connection's packets will reach |
//! | [`executor`] | applications as coroutines |
//! | [`connection`], [`stream`], [`datagram`] | sockets for applications, shaped like `std::net` |
//! | [`error`] | statuses of the card as errors of `std::io` |
//! | [`applications`], [`http`], [`names`] | echo, sink and source; an HTTP server; a DNS-like responder |

pub mod applications;
pub mod bus;
pub mod computer;
pub mod connection;
pub mod datagram;
mod driver;
pub mod error;
pub mod executor;
pub mod http;
pub mod interrupts;
pub mod names;
pub mod osm;
pub mod port;
pub mod start;
pub mod steering;
pub mod stream;

pub use bus::BusError;
pub use computer::{Computer, ComputerConfig, ComputerError, Mode};
pub use connection::{Connection, Source};
pub use datagram::UdpSocket;
pub use executor::{Executor, ExecutorError, Spawner, Task};
pub use interrupts::Moderation;
pub use osm::{Config, Osm};
pub use port::Port;
pub use start::StartError;
pub use steering::Policy;
pub use stream::{TcpListener, TcpStream};
