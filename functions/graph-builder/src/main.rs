//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(graph_builder::GraphBuilder::from_config)
}
