//! Compiles.

async fn serve() -> ! {
    loop {
        foster_compat::sleep_forever().await;
    }
}

fn start(nursery: &foster_compat::Nursery) {
    nursery.start_soon(async {});
    nursery.start_soon(serve());
    nursery.start_soon(async {
        "42".parse::<u8>()?;
        Ok(())
    });
}

fn main() {}
