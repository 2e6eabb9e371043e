//! The client and the simulator against each other, and both against recorded data.

#[cfg(test)]
mod captures;
#[cfg(test)]
mod client_faults;
#[cfg(test)]
mod client_limits;
#[cfg(test)]
mod client_windows;
#[cfg(test)]
mod feeds;
#[cfg(test)]
mod http;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod server;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod synthetic;
