//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(loader_api_candles::CandleLoader::from_config)
}
