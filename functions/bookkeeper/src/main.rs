//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(bookkeeper::Bookkeeper::from_config)
}
