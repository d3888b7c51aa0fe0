# One image for every service of the demo: its roles, and Debian's nats-server and etcd.

FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libprotobuf-dev protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --locked --package demo

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends etcd-server nats-server \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/debug/demo /usr/local/bin/demo
USER nobody
ENTRYPOINT ["demo"]
