//~ expected `&SslContext`, found `bool`

#[derive(Default)]
struct Silent;

impl foster_compat::Protocol for Silent {}

fn serve(nursery: &foster_compat::Nursery) {
    let _ = foster_compat::create_server(nursery, Silent::default, "127.0.0.1", 0).ssl(true);
}

fn main() {}
