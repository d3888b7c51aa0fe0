# One image for every service of the demo: its roles, and Debian's nats-server and etcd.

FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --package demo \
    && cp target/debug/demo /usr/local/bin/demo

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends etcd-server nats-server \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/demo /usr/local/bin/demo
USER nobody
ENTRYPOINT ["demo"]
