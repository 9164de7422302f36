//! nginx, one process. This one becomes it, and leaves a child behind that announces the address as soon as nginx listens.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bench::convention::{Listen, announce, unavailable};
use bench::http::{FILE_PATH, TEXT, TEXT_PATH, TEXT_TYPE, file};
use bench::tls::certificate;
use clap::Parser;

/// The longest that nginx may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

/// Answers with a text, or with a file
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// Speak TLS, with a certificate made at start
    #[arg(long)]
    tls: bool,

    /// Only announce this address, once it can be connected to
    #[arg(long, value_name = "ADDR", hide = true)]
    wait_for: Option<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(address) = args.wait_for {
        return wait_for(address);
    }
    let Some(nginx) = find() else {
        unavailable("nginx is not installed; try: apt install nginx-light")
    };
    let folder = env::temp_dir().join(format!("sinew-bench-nginx-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    // nginx takes no port 0. This one is free, and stays so for a moment.
    let address = TcpListener::bind(args.listen.listen)?.local_addr()?;
    let path = folder.join("nginx.conf");
    fs::write(&path, configuration(&folder, address, args.tls)?)?;
    Command::new(env::current_exe()?).args(["--wait-for", &address.to_string()]).spawn()?;
    let error = Command::new(nginx).arg("-p").arg(&folder).arg("-c").arg(&path).exec();
    Err(error.into())
}

fn wait_for(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        if began.elapsed() > START_MAX {
            return Err("nginx did not start".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    announce(address);
    Ok(())
}

fn find() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("nginx")).find(|path| path.is_file())
}

fn configuration(folder: &Path, address: SocketAddr, tls: bool) -> io::Result<String> {
    let file = file()?;
    let root = file.parent().unwrap_or(&file).display();
    let folder = folder.display();
    let text = TEXT.replace('\n', "\\n");
    let ssl = if tls { " ssl" } else { "" };
    let mut listen = format!("listen {address}{ssl} backlog={};", Listen::backlog());
    if tls {
        let (certificate, key) = certificate().map_err(io::Error::other)?;
        fs::write(format!("{folder}/cert.pem"), certificate)?;
        fs::write(format!("{folder}/key.pem"), key)?;
        listen += &format!(
            "\n        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
        );
    }
    Ok(format!(
        "daemon off; master_process off; worker_rlimit_nofile 200000; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 150000; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on; tcp_nodelay on; tcp_nopush on;
    open_file_cache max=100;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        {listen}
        location = {TEXT_PATH} {{ default_type '{TEXT_TYPE}'; return 200 '{text}'; }}
        location = {FILE_PATH} {{ root {root}; }}
    }}
}}
"
    ))
}
