//! `app-client [--rounds N] [--requests N]`: what a request of a test costs, beside the same over a loopback interface.
//!
//! Client and application are on one thread, so that the time of the thread is that of both. Each runs once in each
//! round, one after the other; printed are medians over the rounds and the medians of the ratios within each round, of
//! processor time. Each request reads the body of its response.

#[path = "../../micro/src/stopwatch.rs"]
mod stopwatch;

use std::cell::RefCell;
use std::rc::Rc;

use foster::app::testing::TestClient;
use foster::app::{App, Path, Request};
use foster::http::Method;
use foster::http1::Client;
use foster::{Config, Error, Event, Nursery, Result, ValueError, open_nursery, run, serve};
use stopwatch::{Elapsed, Stopwatch};

fn main() -> Result<()> {
    let n_rounds = option("--rounds").unwrap_or(15).max(1);
    let n_requests = option("--requests").unwrap_or(20_000).max(1);
    println!("{n_rounds} rounds of {n_requests} requests; us per request, medians; ratios of processor time\n");
    run(async {
        let measured = open_nursery(async |nursery: Nursery| {
            let test = app().test_client(&nursery)?;
            let loopback = connect(&nursery).await?;
            for (name, method, body) in
                [("GET /users/1", Method::GET, 0), ("POST /echo, 16 KiB", Method::POST, 16 * 1024)]
            {
                let path = if body == 0 { "/users/1" } else { "/echo" };
                let asked = Asked { method, path, body: "x".repeat(body) };
                measure(name, &asked, &test, &loopback, n_rounds, n_requests).await?;
            }
            nursery.cancel();
            Ok(())
        });
        measured.await.map(drop).map_err(Error::from)
    })
}

fn app() -> App {
    let mut app = App::new();
    app.get("/users/<int:id>", async |Path(id): Path<i64>| id.to_string());
    app.post("/echo", async |request: Request| request.get_data().await);
    app
}

struct Asked {
    method: Method,
    path: &'static str,
    body: String,
}

/// Serves the application, and connects to it.
async fn connect(nursery: &Nursery) -> Result<Client> {
    let (address, serving) = (Rc::new(RefCell::new(None)), Event::new());
    let (found, is_serving) = (address.clone(), serving.clone());
    let server = serve(app().into_handler()?, Config::new().bind("127.0.0.1:0").keep_alive_max_requests(u32::MAX))
        .on_serving(move |server| {
            found.replace(server.addresses().first().cloned());
            is_serving.set();
        });
    nursery.start_soon(async { server.await.map(drop) });
    serving.wait().await;
    let address = address.take().ok_or_else(|| ValueError::new("the server has no address"))?;
    Ok(Client::connect(nursery, format!("http://{address}")).await?)
}

async fn measure(
    name: &str,
    asked: &Asked,
    test: &TestClient,
    loopback: &Client,
    n_rounds: usize,
    n_requests: usize,
) -> Result<()> {
    let mut times: [Vec<Elapsed>; 2] = Default::default();
    // The first round is not counted.
    for round in 0..=n_rounds {
        let of_test = {
            let stopwatch = Stopwatch::start();
            for _ in 0..n_requests {
                let request = test.request(asked.method.clone(), asked.path);
                let request = if asked.body.is_empty() { request } else { request.data(asked.body.clone()) };
                let data = request.await?.get_data().await?;
                assert!(!data.is_empty());
            }
            stopwatch.stop()
        };
        let of_loopback = {
            let stopwatch = Stopwatch::start();
            for _ in 0..n_requests {
                let request = loopback.request(asked.method.clone(), asked.path).body(asked.body.clone());
                let data = request.await?.bytes().await?;
                assert!(!data.is_empty());
            }
            stopwatch.stop()
        };
        if round > 0 {
            times[0].push(of_loopback);
            times[1].push(of_test);
        }
    }
    println!("{name}");
    let ratios = |of: &[Elapsed]| median(of.iter().zip(&times[0]).map(|(one, base)| one.ratio_to(base)).collect());
    for (who, of) in [("loopback", &times[0]), ("test client", &times[1])] {
        let each = |part: fn(&Elapsed) -> f64| median(of.iter().map(part).collect()) * 1e6 / n_requests as f64;
        let processor = each(|elapsed| elapsed.processor.as_secs_f64());
        let wall = each(|elapsed| elapsed.wall.as_secs_f64());
        println!("  {who:<12} {processor:>8.2} processor {wall:>8.2} wall {:>8.2} x", ratios(of));
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn option(name: &str) -> Option<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    Some(arguments.next()?.parse().expect("a number"))
}
