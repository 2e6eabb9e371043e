//! The functions that new ones are made of are compiled, linted and tested as those will be.

// They know themselves by the names of their crates.
extern crate self as sample_function;
extern crate self as sample_listener;

#[path = "../template/command/src/lib.rs"]
mod command;
#[path = "../template/command/tests/function.rs"]
mod command_tests;
#[path = "../template/listener/src/lib.rs"]
mod listener;
#[path = "../template/listener/tests/function.rs"]
mod listener_tests;

#[expect(dead_code, reason = "a process that nobody starts here")]
#[path = "../template/command/src/main.rs"]
mod command_process;
#[expect(dead_code, reason = "a process that nobody starts here")]
#[path = "../template/listener/src/main.rs"]
mod listener_process;

pub use command::SampleFunction;
pub use listener::SampleListener;
