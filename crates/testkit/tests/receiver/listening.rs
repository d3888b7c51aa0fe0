//! Addresses, shutdown and drop.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr},
};

use dynamo_trace_testkit::Receiver;
use prost::Message;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::otlp::{PATIENCE, PROTOBUF, grpc, http, request, send, span};

#[tokio::test]
async fn a_collector_listens_on_given_addresses_and_frees_them() {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let receiver = Receiver::bind(any, any).await.unwrap();
    let (first, second) = (receiver.addresses()[0], receiver.addresses()[1]);
    assert_eq!(
        receiver.endpoint(),
        format!("http://127.0.0.1:{}", first.port())
    );
    assert!(receiver.http_traces_endpoint().ends_with("/v1/traces"));
    send(&receiver, vec![span(1, 1)]).await;
    let body = request(vec![span(1, 2)]).encode_to_vec();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, second.port()));
    assert_eq!(http(loopback, "/v1/traces", PROTOBUF, &body).await.0, 200);
    assert_eq!(receiver.spans().len(), 2);

    assert!(Receiver::bind(first, second).await.is_err(), "in use");
    // neither an idle nor a silent connection keeps the port
    let _idle = grpc(&receiver).await;
    let _silent = TcpStream::connect(loopback).await.unwrap();
    receiver.shutdown().await;
    assert!(TcpStream::connect(loopback).await.is_err());
    let again = Receiver::bind(first, second).await.unwrap();
    assert_eq!(again.addresses(), [first, second]);
}

#[tokio::test]
async fn dropping_stops_it() {
    let receiver = Receiver::start().await.unwrap();
    let mut connection = TcpStream::connect(receiver.addresses()[0]).await.unwrap();
    drop(receiver);
    let mut byte = [0; 1];
    let closed = connection.read(&mut byte);
    let read = tokio::time::timeout(PATIENCE, closed).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
}

/// As a synchronous flush of an exporter does.
#[tokio::test(flavor = "current_thread")]
async fn a_caller_that_blocks_its_runtime_is_answered() {
    let receiver = Receiver::start().await.unwrap();
    let mut connection = std::net::TcpStream::connect(receiver.addresses()[0]).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    connection.write_all(request).unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
}
