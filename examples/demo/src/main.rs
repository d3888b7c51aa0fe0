//! The demo's executable; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main()
}
