use foster::http::{Method, Response};
use foster::{Config, Request, run, serve};

pub(crate) fn serve_http(port: u16) {
    let config = Config::new().bind(format!("127.0.0.1:{port}")).keep_alive_max_requests(u32::MAX);
    run(serve(answer, config)).expect("the server runs until the process ends");
}

async fn answer(request: Request) -> Response {
    if *request.method() == Method::POST {
        return Response::bytes(request.into_body());
    }
    Response::text("Hello, World!")
}
