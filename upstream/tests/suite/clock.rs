//! A clock that is ahead, for what takes a month.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Adds a number of days to the time of day, and to nothing else.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    const char *days = getenv("DAYS_AHEAD");
    if (result == 0 && clock == CLOCK_REALTIME && days) time->tv_sec += atol(days) * 86400;
    return result;
}
"#;

/// Runs a command so many days in the future. The C compiler that the build
/// needs makes the shim.
pub(crate) fn ahead(command: &mut Command, days: u32, folder: &Path) {
    command
        .env("LD_PRELOAD", shim(folder))
        .env("DAYS_AHEAD", days.to_string());
}

fn shim(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, SHIM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    let compiled = compiler.arg(&source).arg("-ldl").output().unwrap();
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    library
}
