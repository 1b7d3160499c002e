//! What the example servers have in common: `--host` and `--port`, and the line that says where they listen.

use std::env;
use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process;

use foster::{Address, Result, Server};

/// Where to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An option of one program alone.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    pub(crate) option: &'static str,
    /// What its value is called in the usage.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

/// The options, and the values of the program's own.
pub(crate) type Parsed<const N: usize> = (Options, [Option<String>; N]);

impl Options {
    /// Reads the arguments of the program. `--help` prints the usage and ends it; wrong arguments end it with one
    /// sentence and status 2.
    #[allow(dead_code, reason = "a program with options of its own has another")]
    pub(crate) fn from_args(name: &str, default_port: u16) -> Self {
        let (options, []) = Options::from_args_and(name, default_port, []);
        options
    }

    /// As [`from_args`](Options::from_args), with options of the program's own, and their values where they are given.
    pub(crate) fn from_args_and<const N: usize>(name: &str, default_port: u16, own: [Own; N]) -> Parsed<N> {
        match Options::parse_and(env::args_os().skip(1), default_port, own) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => {
                println!("{}", usage(name, default_port, &own));
                process::exit(0)
            }
            Err(message) => wrong_arguments(name, &message),
        }
    }

    /// The options, or `None` where help is asked for. The last one given counts.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    #[allow(dead_code, reason = "for a test")]
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>, default_port: u16) -> Result<Option<Self>, String> {
        let parsed = Options::parse_and(args, default_port, [])?;
        Ok(parsed.map(|(options, [])| options))
    }

    /// Host and port, as a server of HTTP is bound to.
    #[allow(dead_code, reason = "for servers of HTTP")]
    pub(crate) fn bind(&self) -> String {
        let Options { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    fn parse_and<const N: usize>(
        args: impl IntoIterator<Item = OsString>,
        default_port: u16,
        own: [Own; N],
    ) -> Result<Option<Parsed<N>>, String> {
        let mut options = Options { host: "127.0.0.1".to_owned(), port: default_port };
        let mut values = [const { None }; N];
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let Some(arg) = arg.to_str() else { return Err(format!("{arg:?} is not valid UTF-8")) };
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option, Some(OsString::from(value))),
                None => (arg, None),
            };
            let nth = own.iter().position(|own| own.option == option);
            match option {
                "--host" | "--port" => {}
                "--help" | "-h" => return Ok(None),
                _ if nth.is_some() => {}
                _ => return Err(format!("there is no argument {arg:?}: try --help")),
            }
            let Some(value) = value.or_else(|| args.next()) else { return Err(format!("{option} needs a value")) };
            let Some(value) = value.to_str() else { return Err(format!("{value:?} is not valid UTF-8")) };
            if let Some(nth) = nth {
                values[nth] = Some(value.to_owned());
            } else if option == "--host" {
                options.host = value.to_owned();
            } else {
                options.port =
                    value.parse().map_err(|_| format!("{value:?} is no port: a number from 0 to 65535 is"))?;
            }
        }
        Ok(Some((options, values)))
    }
}

/// Ends the program with one sentence and status 2.
pub(crate) fn wrong_arguments(name: &str, message: &str) -> ! {
    eprintln!("{name}: {message}");
    process::exit(2)
}

fn usage(name: &str, default_port: u16, own: &[Own]) -> String {
    let mut usage = format!("usage: {name} [--host HOST] [--port PORT]");
    for own in own {
        usage += &format!(" [{} {}]", own.option, own.value);
    }
    usage += &format!(
        "\n\n\
         --host HOST  where to listen: a name or an address, \"\" for all interfaces (127.0.0.1)\n\
         --port PORT  the port, 0 for a free one ({default_port})\n"
    );
    for own in own {
        usage += &format!("{} {}  {}\n", own.option, own.value, own.help);
    }
    usage + "--help       print this"
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

/// As [`announce`], of a server of HTTP, whose output nobody need read.
#[allow(dead_code, reason = "for servers of HTTP")]
pub(crate) fn announce_all(addresses: &[Address]) {
    for address in addresses {
        // Nobody is left to be told that the output is closed.
        let _ = writeln!(stdout(), "serving on {address}");
    }
}
