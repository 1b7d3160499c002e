//! What the example servers have in common: `--host` and `--port`, and the line that says where they listen.

use std::env;
use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process;

use foster::{Result, Server};

/// Where to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Options {
    /// Reads the arguments of the program. `--help` prints the usage and ends it; wrong arguments end it with one
    /// sentence and status 2.
    pub(crate) fn from_args(name: &str, default_port: u16) -> Self {
        match Options::parse(env::args_os().skip(1), default_port) {
            Ok(Some(options)) => options,
            Ok(None) => {
                println!("{}", usage(name, default_port));
                process::exit(0)
            }
            Err(message) => {
                eprintln!("{name}: {message}");
                process::exit(2)
            }
        }
    }

    /// The options, or `None` where help is asked for. The last one given counts.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>, default_port: u16) -> Result<Option<Self>, String> {
        let mut options = Options { host: "127.0.0.1".to_owned(), port: default_port };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let Some(arg) = arg.to_str() else { return Err(format!("{arg:?} is not valid UTF-8")) };
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option, Some(OsString::from(value))),
                None => (arg, None),
            };
            match option {
                "--host" | "--port" => {}
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("there is no argument {arg:?}: try --help")),
            }
            let Some(value) = value.or_else(|| args.next()) else { return Err(format!("{option} needs a value")) };
            let Some(value) = value.to_str() else { return Err(format!("{value:?} is not valid UTF-8")) };
            if option == "--host" {
                options.host = value.to_owned();
            } else {
                options.port =
                    value.parse().map_err(|_| format!("{value:?} is no port: a number from 0 to 65535 is"))?;
            }
        }
        Ok(Some(options))
    }
}

fn usage(name: &str, default_port: u16) -> String {
    format!(
        "usage: {name} [--host HOST] [--port PORT]\n\n\
         --host HOST  where to listen: a name or an address, \"\" for all interfaces (127.0.0.1)\n\
         --port PORT  the port, 0 for a free one ({default_port})\n\
         --help       print this"
    )
}

/// Prints where the server listens, a line for each socket.
#[allow(dead_code, reason = "own_nursery prints it in its own words")]
pub(crate) fn announce(server: &Server) -> Result<()> {
    for socket in server.sockets() {
        // Unlike println this does not panic where nobody reads the output.
        writeln!(stdout(), "serving on {}", socket.getsockname()?)?;
    }
    Ok(())
}
