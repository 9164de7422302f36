//! nginx, one process. This one becomes it, and leaves a child behind that announces the address as soon as nginx listens.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use bench::convention::{Listen, unavailable};
use bench::http::{FILE_PATH, TEXT, TEXT_PATH, TEXT_TYPE, file};
use bench::other::{announce_once, become_server, find, free_address};
use bench::tls::certificate;
use clap::Parser;

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
        return Ok(announce_once(address, || TcpStream::connect(address).is_ok())?);
    }
    let Some(nginx) = find("nginx", []) else {
        unavailable("nginx is not installed; try: apt install nginx-light")
    };
    let folder = env::temp_dir().join(format!("sinew-bench-nginx-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let address = free_address(args.listen)?;
    let path = folder.join("nginx.conf");
    fs::write(&path, configuration(&folder, address, args.tls)?)?;
    let mut command = Command::new(nginx);
    command.arg("-p").arg(&folder).arg("-c").arg(&path);
    match become_server(command, &[], address)? {}
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
