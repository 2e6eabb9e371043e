//! Has the crate compiled again when the pages change, which the compiler does not see.

fn main() {
    println!("cargo::rerun-if-changed=assets");
}
