//! Writes the folder of libtorch into what is linked here, so that it runs without `LD_LIBRARY_PATH`.

/// Overrides the folder for a release, such as `$ORIGIN/torch/lib`.
const OVERRIDE: &str = "STREAMFORGE_TORCH_RPATH";

fn main() {
    println!("cargo:rerun-if-env-changed={OVERRIDE}");
    let folder = std::env::var(OVERRIDE).or_else(|_| std::env::var("DEP_TCH_LIBTORCH_LIB"));
    if let Ok(folder) = folder {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
