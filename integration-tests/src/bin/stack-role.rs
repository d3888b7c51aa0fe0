//! The demo's executable under a name that the tests of this package can start.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main()
}
