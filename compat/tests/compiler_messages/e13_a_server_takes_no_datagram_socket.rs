//~ expected `TcpListener`, found `UdpSocket`

#[derive(Default)]
struct Silent;

impl foster_compat::Protocol for Silent {}

fn serve(nursery: &foster_compat::Nursery, socket: std::net::UdpSocket) {
    let _ = foster_compat::create_server(nursery, Silent::default, "", 0).sock(socket);
}

fn main() {}
