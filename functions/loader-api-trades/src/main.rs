//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(loader_api_trades::TradeLoader::from_config)
}
