//! The device to compute on: a GPU where one is, with libtorch's CUDA half, and else the CPU; the same binary for both.
//!
//! The CUDA half registers itself when it is loaded, which is the linker's work and no safe code's.
//! So a program that finds a GPU starts itself anew with the library in `LD_PRELOAD`.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tch::{Cuda, Device};

const LIBRARY: &str = "libtorch_cuda.so";
/// The loader of shared libraries reads both: <https://man7.org/linux/man-pages/man8/ld.so.8.html>.
const PRELOAD: &str = "LD_PRELOAD";
const FOLDERS: &str = "LD_LIBRARY_PATH";
/// There wherever the driver of an Nvidia GPU is, also in a container that was given one.
const DRIVER: &str = "/dev/nvidiactl";
/// The argument of a start that only shows that all libraries are found.
const TRIAL: &str = "--loads-libraries";

/// What is known before the library is looked for.
struct Surroundings<'a> {
    has_driver: bool,
    preloaded: &'a OsStr,
    loaded: &'a str,
    folders: &'a OsStr,
}

/// How to come to a GPU.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Nothing is to be done.
    Stay(&'static str),
    /// The library is to be loaded before all others.
    Preload(PathBuf),
}

/// Loads libtorch's CUDA half where there is a GPU: the program then begins anew, and this call does not come back.
/// To be called first of all, before there are threads.
///
/// # Errors
/// What failed; the program can go on without a GPU.
pub fn load() -> io::Result<()> {
    if env::args_os().nth(1).is_some_and(|argument| argument == TRIAL) {
        std::process::exit(0);
    }
    let preloaded = env::var_os(PRELOAD).unwrap_or_default();
    let folders = env::var_os(FOLDERS).unwrap_or_default();
    let loaded = fs::read_to_string("/proc/self/maps")?;
    let has_driver = Path::new(DRIVER).exists();
    let surroundings = Surroundings { has_driver, preloaded: &preloaded, loaded: &loaded, folders: &folders };
    let library = match way(&surroundings, &Path::is_file) {
        Way::Stay(reason) => {
            tracing::info!(reason, "libtorch stays as it is");
            return Ok(());
        }
        Way::Preload(library) => library,
    };
    let program = env::current_exe()?;
    let mut first = library.clone().into_os_string();
    if !preloaded.is_empty() {
        first.push(":");
        first.push(&preloaded);
    }
    // A library that lacks one of its own ends a program before main, so another process tries it.
    let trial = Command::new(&program).arg(TRIAL).env(PRELOAD, &first).stderr(Stdio::null()).status()?;
    if !trial.success() {
        return Err(io::Error::other(format!("{} cannot be loaded", library.display())));
    }
    tracing::info!(library = %library.display(), "starting anew with libtorch's CUDA half");
    Err(Command::new(program).args(env::args_os().skip(1)).env(PRELOAD, first).exec())
}

/// The GPU if libtorch can use one, and else the CPU.
#[must_use]
pub fn device() -> Device {
    if Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu }
}

fn way(surroundings: &Surroundings<'_>, is_file: &dyn Fn(&Path) -> bool) -> Way {
    let Surroundings { has_driver, preloaded, loaded, folders } = surroundings;
    if !has_driver {
        return Way::Stay("there is no driver of a GPU");
    }
    if loaded.contains(LIBRARY) {
        return Way::Stay("its CUDA half is loaded");
    }
    if preloaded.to_string_lossy().contains(LIBRARY) {
        return Way::Stay("its CUDA half was to be loaded and is not");
    }
    let beside = loaded.lines().filter_map(|line| Path::new(line.get(line.find('/')?..)?).parent().map(Path::to_owned));
    let beside = beside.filter(|folder| is_file(&folder.join("libtorch_cpu.so")));
    let found = env::split_paths(folders).chain(beside).map(|folder| folder.join(LIBRARY)).find(|path| is_file(path));
    found.map_or(Way::Stay("its CUDA half is not there"), Way::Preload)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    const CPU: &str = "7f00-7f01 r-xp 00000000 fe:00 42    /opt/torch/lib/libtorch_cpu.so\n7f02-7f03 rw-p 00:00 0\n";
    const BOTH: &str = "7f00-7f01 r-xp 00000000 fe:00 42    /opt/torch/lib/libtorch_cuda.so\n";

    fn of(has_driver: bool, preloaded: &str, loaded: &str, folders: &str, files: &[&str]) -> Way {
        let (preloaded, folders) = (OsString::from(preloaded), OsString::from(folders));
        let surroundings = Surroundings { has_driver, preloaded: &preloaded, loaded, folders: &folders };
        way(&surroundings, &|path| files.iter().any(|file| path == Path::new(file)))
    }

    #[test]
    fn the_cuda_half_is_loaded_once_where_it_and_a_driver_are() {
        let beside = ["/opt/torch/lib/libtorch_cpu.so", "/opt/torch/lib/libtorch_cuda.so"];
        let elsewhere = ["/opt/torch/lib/libtorch_cpu.so", "/usr/lib/torch/libtorch_cuda.so"];
        let preload = |path: &str| Way::Preload(path.into());
        assert_eq!(of(true, "", CPU, "", &beside), preload(beside[1]));
        assert_eq!(of(true, "", CPU, "/tmp:/usr/lib/torch", &elsewhere), preload(elsewhere[1]));
        assert_eq!(of(true, "/usr/lib/libjemalloc.so", CPU, "", &beside), preload(beside[1]));
        assert!(matches!(of(false, "", CPU, "", &beside), Way::Stay(_)));
        assert!(matches!(of(true, "", CPU, "/tmp", &elsewhere), Way::Stay(_)));
        assert!(matches!(of(true, "", BOTH, "", &beside), Way::Stay(_)));
        assert!(matches!(of(true, beside[1], CPU, "", &beside), Way::Stay(_)));
    }
}
