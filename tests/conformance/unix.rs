//! Unix sockets: ownership of paths, stale files, and peer credentials.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use sinew::{
    prelude::*,
    transports::{
        Address, ListenError, ReactorUnix, UnixAddr, UnixListenConfig, UnixListenError,
        endpoint::{ClientEndpoint, ServerEndpoint, quote},
    },
};

use crate::support::{Echo, RemoteEnd, Sink, World, sockets::free_path, table};

table! {
    ports:
        a_socket_file_exists_while_listening,
        a_stale_socket_file_is_replaced,
        two_servers_never_share_a_path,
        a_running_server_without_lock_is_not_replaced,
        other_files_are_not_replaced,
        a_missing_folder_is_named_in_the_error,
        a_replaced_socket_file_is_not_removed,
        the_mode_is_set_before_clients_can_connect,
        an_abstract_name_creates_no_file,
        a_path_may_be_too_long,
        connecting_to_a_dead_path_names_it,
        a_full_backlog_is_waited_for,
        peer_credentials_are_available,
        endpoints_are_on_paths_too,
        a_proxy_may_come_over_a_path;
}

fn lock_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.lock", path.display()))
}

fn connect(path: &Path) -> RemoteEnd {
    RemoteEnd::unix(UnixStream::connect(path).expect("somebody listens"))
}

fn echo(world: &World) -> impl Factory + use<> {
    let traces = world.traces.clone();
    move |_: &Peer| traces.watch(Echo)
}

fn a_socket_file_exists_while_listening(world: &World) {
    let path = free_path();
    for _ in 0..2 {
        let port = world.reactor().listen_unix(&path, echo(world)).unwrap();
        assert_eq!(port.local().path(), Some(&*path));
        assert!(path.exists() && lock_of(&path).exists());
        let mut remote = connect(&path);
        remote.send(b"hello");
        assert_eq!(world.receive(&mut remote, 5), b"hello");
        assert_eq!(port.connections(), 1, "connections");
        port.stop_listening();
        world.turn();
        assert!(!path.exists() && !lock_of(&path).exists());
        remote.send(b"still");
        assert_eq!(world.receive(&mut remote, 5), b"still");
    }
}

fn a_stale_socket_file_is_replaced(world: &World) {
    let path = free_path();
    drop(UnixListener::bind(&path).unwrap());
    // A dead process leaves only the lock file, not the lock.
    fs::write(lock_of(&path), "1\n").unwrap();
    let port = world.reactor().listen_unix(&path, echo(world)).unwrap();
    let mut remote = connect(&path);
    remote.send(b"x");
    world.receive(&mut remote, 1);
    port.stop_listening();
    world.turn();
    assert!(!path.exists() && !lock_of(&path).exists());
}

fn two_servers_never_share_a_path(world: &World) {
    let path = free_path();
    let first = world.reactor().listen_unix(&path, echo(world)).unwrap();
    let error = world.reactor().listen_unix(&path, echo(world)).unwrap_err();
    assert!(
        matches!(&error, UnixListenError::InUse { addr, holder: Some(pid) }
            if addr.path() == Some(&*path) && *pid == process::id()),
        "{error:?}"
    );
    let text = format!("{} is in use by process {}", path.display(), process::id());
    assert_eq!(error.to_string(), text);
    // The first listener is not affected.
    let mut remote = connect(&path);
    remote.send(b"x");
    world.receive(&mut remote, 1);
    first.stop_listening();
    world.turn();
    let second = world.reactor().listen_unix(&path, echo(world)).unwrap();
    second.stop_listening();
    world.turn();
}

fn a_running_server_without_lock_is_not_replaced(world: &World) {
    let path = free_path();
    let other = UnixListener::bind(&path).unwrap();
    for lock in [true, false] {
        let config = UnixListenConfig::default().lock(lock);
        let error = world.reactor().listen_unix_with(&path, config, echo(world)).unwrap_err();
        let UnixListenError::InUse { holder, .. } = &error else { panic!("{error:?}") };
        if cfg!(target_os = "linux") {
            assert_eq!(*holder, Some(process::id()));
        }
    }
    assert!(path.exists() && !lock_of(&path).exists());
    UnixStream::connect(&path).unwrap();
    drop(other);
    fs::remove_file(path).unwrap();
}

fn a_missing_folder_is_named_in_the_error(world: &World) {
    let folder = free_path();
    let path = folder.join("web.sock");
    for lock in [true, false] {
        let config = UnixListenConfig::default().lock(lock);
        let error = world.reactor().listen_unix_with(&path, config, echo(world)).unwrap_err();
        let text = format!(
            "could not listen on {}: the directory {} does not exist",
            path.display(),
            folder.display()
        );
        assert_eq!(error.to_string(), text);
    }
    assert!(!folder.exists());
}

fn other_files_are_not_replaced(world: &World) {
    let path = free_path();
    fs::write(&path, "precious").unwrap();
    let error = world.reactor().listen_unix(&path, echo(world)).unwrap_err();
    assert!(matches!(&error, UnixListenError::NotASocket { path: there } if *there == path));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert!(!lock_of(&path).exists());
    fs::remove_file(path).unwrap();
}

fn a_replaced_socket_file_is_not_removed(world: &World) {
    let path = free_path();
    let port = world.reactor().listen_unix(&path, echo(world)).unwrap();
    let aside = free_path();
    fs::rename(&path, &aside).unwrap();
    fs::write(&path, "another's").unwrap();
    port.stop_listening();
    world.turn();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
    fs::remove_file(path).unwrap();
    fs::remove_file(aside).unwrap();
}

fn the_mode_is_set_before_clients_can_connect(world: &World) {
    for mode in [0o600, 0o660, 0o666] {
        let path = free_path();
        let config = UnixListenConfig::default().mode(mode);
        let port = world.reactor().listen_unix_with(&path, config, echo(world)).unwrap();
        let there = fs::symlink_metadata(&path).unwrap();
        assert_eq!(there.permissions().mode() & 0o777, mode);
        assert_eq!(there.uid(), fs::metadata("/proc/self").map_or(there.uid(), |own| own.uid()));
        port.stop_listening();
        world.turn();
    }
}

fn an_abstract_name_creates_no_file(world: &World) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let name = format!("\0sinew-{:?}-{}", world.reactor().engine(), process::id());
    let port = world.reactor().listen_unix(name.as_str(), echo(world)).unwrap();
    assert!(port.local().to_string().starts_with("@sinew-"));
    let error = world.reactor().listen_unix(name.as_str(), echo(world)).unwrap_err();
    assert!(
        matches!(&error, UnixListenError::InUse { holder, .. } if *holder == Some(process::id())),
        "{error:?}"
    );
    let traces = world.traces.clone();
    let connecting =
        world.reactor().connect_unix(name.as_str(), move |_: &Peer| traces.watch(Sink));
    world.until("the connection", || connecting.is_settled());
    let connection = connecting.take().unwrap().unwrap();
    let Peer::Unix(peer) = connection.transport().peer() else { panic!("it is a Unix socket") };
    assert_eq!(peer.addr, UnixAddr::from(name));
}

fn a_path_may_be_too_long(world: &World) {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
    let error = world.reactor().listen_unix(&path, echo(world)).unwrap_err();
    assert!(matches!(&error, UnixListenError::TooLong { addr } if addr.path() == Some(&*path)));
    assert!(!lock_of(&path).exists());
    let traces = world.traces.clone();
    let connecting = world.reactor().connect_unix(&path, move |_: &Peer| traces.watch(Sink));
    world.until("the error", || connecting.is_settled());
    let error = connecting.take().unwrap().unwrap_err();
    assert!(matches!(&error, ConnectError::TooLong { addr } if addr.path() == Some(&*path)));
}

fn connecting_to_a_dead_path_names_it(world: &World) {
    let path = free_path();
    for is_stale in [false, true] {
        if is_stale {
            drop(UnixListener::bind(&path).unwrap());
        }
        let traces = world.traces.clone();
        let connecting = world.reactor().connect_unix(&path, move |_: &Peer| traces.watch(Sink));
        world.until("the error", || connecting.is_settled());
        let error = connecting.take().unwrap().unwrap_err();
        assert_eq!(error.is_refused(), is_stale);
        let ConnectError::ConnectUnix { addr, source } = &error else { panic!("{error:?}") };
        assert_eq!(addr.path(), Some(&*path));
        assert_eq!(source.kind() == io::ErrorKind::NotFound, !is_stale);
    }
    fs::remove_file(path).unwrap();
}

fn a_full_backlog_is_waited_for(world: &World) {
    let path = free_path();
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let traces = world.traces.clone();
    let factory = SharedFactory::new(move |_: &Peer| traces.watch(Sink));
    let config = ConnectConfig::default().timeout(Duration::from_millis(50));
    let waiting = world.reactor().connect_unix(&path, factory.clone());
    let cancelled = world.reactor().connect_unix(&path, factory.clone());
    let impatient = world.reactor().connect_unix_with(&path, config, factory);
    cancelled.cancel();
    world.until("the timeout", || impatient.is_settled() && cancelled.is_settled());
    let error = impatient.take().unwrap().unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(!waiting.is_settled());
    listener.accept().unwrap();
    world.until("room", || waiting.is_settled());
    assert!(waiting.take().unwrap().is_ok());
    assert_eq!(world.reactor().stats().timers, 0, "nothing is left of those that failed");
    fs::remove_file(path).unwrap();
}

fn peer_credentials_are_available(world: &World) {
    let path = free_path();
    let port = world.reactor().listen_unix(&path, echo(world)).unwrap();
    let traces = world.traces.clone();
    let connecting = world.reactor().connect_unix(&path, move |_: &Peer| traces.watch(Sink));
    world.until("both", || connecting.is_settled() && port.connections() == 1);
    let connection = connecting.take().unwrap().unwrap();
    let all = world.traces.all();
    let accepted = all.iter().map(|trace| trace.transport()).find(|t| t != connection.transport());
    for (transport, expected) in [
        (connection.transport().clone(), UnixAddr::from(&path)),
        (accepted.expect("the accepted one"), UnixAddr::Unnamed),
    ] {
        let Peer::Unix(peer) = transport.peer() else { panic!("{:?}", transport.peer()) };
        assert_eq!(peer.addr, expected);
        assert!(Peer::Unix(peer.clone()).ip().is_none());
        if cfg!(target_os = "linux") {
            let credentials = peer.credentials.expect("Linux tells");
            assert_eq!(credentials.pid, Some(process::id()));
            assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
            assert_eq!(credentials.gid, rustix::process::getegid().as_raw());
            let text =
                format!("{expected} (process {} of user {})", process::id(), credentials.uid);
            assert_eq!(peer.to_string(), text);
        }
    }
}

fn endpoints_are_on_paths_too(world: &World) {
    let path = free_path();
    let text = format!("unix:{}:mode=600", quote(path.to_str().unwrap()));
    let server: ServerEndpoint = text.parse().unwrap();
    let port = server.listen(world.reactor(), echo(world)).unwrap();
    assert_eq!(port.local(), Address::Unix((&path).into()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let taken = server.listen(world.reactor(), echo(world)).unwrap_err();
    assert!(matches!(taken, ListenError::Unix(UnixListenError::InUse { .. })), "{taken}");

    // The address that a listener prints is a client endpoint.
    let client: ClientEndpoint = port.to_string().parse().unwrap();
    let connect = || {
        let traces = world.traces.clone();
        client.connect(world.reactor(), move |_: &Peer| traces.watch(Sink))
    };
    let connecting = connect();
    world.until("both", || connecting.is_settled() && port.connections() == 1);
    let connection = connecting.take().unwrap().unwrap();
    let Peer::Unix(peer) = connection.transport().peer() else { panic!("{client}") };
    assert_eq!(peer.addr, UnixAddr::from(&path));

    port.stop_listening();
    world.turn();
    assert!(!path.exists());
    let connecting = connect();
    world.until("the failure", || connecting.is_settled());
    let error = connecting.take().unwrap().unwrap_err().to_string();
    assert!(error.starts_with(&format!("could not connect to {}: ", path.display())), "{error}");
}

/// Everyone who may connect to the path is trusted.
fn a_proxy_may_come_over_a_path(world: &World) {
    let path = free_path();
    let text = format!("proxy:unix:{}", quote(path.to_str().unwrap()));
    let server: ServerEndpoint = text.parse().unwrap();
    let port = server.listen(world.reactor(), echo(world)).unwrap();
    let mut remote = connect(&path);
    remote.send(b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nhello");
    assert_eq!(world.receive(&mut remote, 5), b"hello");
    let peer = world.traces.last().transport().peer();
    assert_eq!(peer.to_string(), "192.0.2.1:56324");
    assert!(matches!(peer.proxied().unwrap().via(), Peer::Unix(_)));
    assert_eq!(port.connections(), 1, "connections");
}
