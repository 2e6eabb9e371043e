//! Rebuilds the copies of the manifests inside the binary when the manifests change.

fn main() {
    for folder in ["knative", "triggers", "scaledobjects"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
}
