//! Generates the router's client and server.

fn main() -> std::io::Result<()> {
    tonic_prost_build::compile_protos("proto/router.proto")
}
