//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(self_healer::SelfHealer::from_config)
}
