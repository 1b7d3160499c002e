//! Certificates and keys as OpenSSL makes them.

#![cfg(all(unix, feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod interop;
mod stage;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use foster_compat::{Nursery, Result, Server, SslContext, SslError, VerifyMode, create_connection, create_server};
use interop::{Folder, Peer, program, programs};
use stage::{Scripted, address, real, until};

/// What OpenSSL has made, in a folder of its own.
struct Made {
    openssl: PathBuf,
    folder: Folder,
}

impl Made {
    fn new(openssl: &Path) -> Self {
        Made { openssl: openssl.to_owned(), folder: Folder::new() }
    }

    /// Runs `openssl` with arguments that a space separates; what ends in `.pem` is a file of the folder.
    async fn run(&self, command: &str) {
        let args: Vec<_> = command
            .split(' ')
            .map(|arg| if arg.ends_with(".pem") { self.path(arg).into_os_string() } else { arg.into() })
            .collect();
        let args: Vec<&dyn AsRef<OsStr>> = args.iter().map(|arg| arg as _).collect();
        Peer::start(&self.openssl, &args).succeeds().await;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// A key and a certificate that it has signed itself: `NAME.key.pem` and `NAME.pem`.
    async fn self_signed(&self, name: &str, key: &str) {
        self.run(&format!(
            "req -x509 -newkey {key} -nodes -keyout {name}.key.pem -out {name}.pem -days 2 -subj /CN=localhost -addext \
             subjectAltName=DNS:localhost"
        ))
        .await;
    }

    /// Whether `s_client` that trusts this file accepts the server.
    async fn s_client_accepts(&self, server: &Server, trusted: &str) {
        let at = address(server).to_string();
        let ca = self.path(trusted);
        let args: [&dyn AsRef<OsStr>; 10] = [
            &"s_client",
            &"-connect",
            &at,
            &"-servername",
            &"localhost",
            &"-verify_hostname",
            &"localhost",
            &"-verify_return_error",
            &"-CAfile",
            &ca,
        ];
        let mut client = Peer::start(&self.openssl, &args);
        client.send("hello\n").await;
        client.says("\nhello\n").await;
        client.send("Q\n").await;
        client.succeeds().await;
    }

    /// `s_server` that sends lines back reversed, and where it listens.
    async fn s_server(&self, cert: &str, key: &str, more: &[&dyn AsRef<OsStr>]) -> (Peer, u16) {
        let (cert, key) = (self.path(cert), self.path(key));
        let args: [&dyn AsRef<OsStr>; 8] =
            [&"s_server", &"-accept", &"127.0.0.1:0", &"-rev", &"-cert", &cert, &"-key", &key];
        let server = Peer::start(&self.openssl, &[&args[..], more].concat());
        let port = server.port("ACCEPT 127.0.0.1:").await;
        (server, port)
    }
}

/// The quickest key to make.
const P256: &str = "ec -pkeyopt ec_paramgen_curve:prime256v1";

async fn echo_server(nursery: &Nursery, context: &SslContext) -> Result<Server> {
    create_server(nursery, Scripted::echo, "127.0.0.1", 0).ssl(context).await
}

/// Sends a line, and gets an answer.
async fn assert_answers(nursery: &Nursery, port: u16, context: &SslContext) -> Result<()> {
    let received = Rc::new(RefCell::new(Vec::new()));
    let seen = received.clone();
    let factory = || {
        Scripted::new().on_data(move |_, data| {
            seen.borrow_mut().extend_from_slice(data);
            Ok(())
        })
    };
    let (transport, _) = create_connection(nursery, factory, "localhost", port).ssl(context).await?;
    transport.write(b"hello\n")?;
    until(|| received.borrow().len() == 6 || transport.is_closing()).await;
    assert_eq!(received.borrow().len(), 6);
    transport.close();
    assert!(transport.closed().await.is_none());
    Ok(())
}

#[test]
fn a_certificate_that_signs_itself_serves_and_is_trusted_on_either_side() {
    let Some([openssl, python]) = programs(["openssl", "python3"]) else { return };
    real(async |nursery| {
        let made = Made::new(&openssl);
        for key in ["rsa:2048", P256] {
            made.self_signed("own", key).await;
            let context =
                SslContext::server().load_cert_chain(made.path("own.pem"), made.path("own.key.pem")).build()?;
            let server = echo_server(&nursery, &context).await?;
            made.s_client_accepts(&server, "own.pem").await;
            let script = r#"
sock = trusting(sys.argv[2]).wrap_socket(connect(sys.argv[1]), server_hostname="localhost")
sock.sendall(b"hello")
assert read_exactly(sock, 5) == b"hello"
sock.unwrap().close()
"#;
            let port = address(&server).port().to_string();
            Peer::python(&python, script, &[&port, &made.path("own.pem")]).succeeds().await;
            server.close();
            let (_s_server, port) = made.s_server("own.pem", "own.key.pem", &[]).await;
            let trusting = SslContext::client().load_verify_locations(made.path("own.pem")).build()?;
            assert_answers(&nursery, port, &trusting).await?;
        }
        Ok(())
    });
}

#[test]
fn a_client_shows_a_certificate_that_signs_itself_and_is_trusted_on_either_side() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let made = Made::new(&openssl);
        for name in ["server", "client", "stranger"] {
            made.self_signed(name, P256).await;
        }
        let demanding = SslContext::server()
            .load_cert_chain(made.path("server.pem"), made.path("server.key.pem"))
            .load_verify_locations(made.path("client.pem"))
            .verify_mode(VerifyMode::Required);
        let server = echo_server(&nursery, &demanding.build()?).await?;
        for version in ["-tls1_2", "-tls1_3"] {
            for (name, is_trusted) in [("client", true), ("stranger", false)] {
                let at = address(&server).to_string();
                let (cert, key) = (made.path(&format!("{name}.pem")), made.path(&format!("{name}.key.pem")));
                let args: [&dyn AsRef<OsStr>; 9] =
                    [&"s_client", &"-connect", &at, &version, &"-cert", &cert, &"-key", &key, &"-ign_eof"];
                let mut client = Peer::start(&openssl, &args);
                if is_trusted {
                    client.send("hello\n").await;
                    client.says("\nhello\n").await;
                } else {
                    let said = client.ends().await;
                    assert!(said.stderr.contains("alert"), "{said:?}");
                }
            }
        }
        server.close();
        let trusted = made.path("client.pem");
        let (_s_server, port) =
            made.s_server("server.pem", "server.key.pem", &[&"-Verify", &"1", &"-CAfile", &trusted]).await;
        let context = SslContext::client()
            .load_verify_locations(made.path("server.pem"))
            .load_cert_chain(made.path("client.pem"), made.path("client.key.pem"));
        assert_answers(&nursery, port, &context.build()?).await
    });
}

#[test]
fn a_chain_is_shown_and_followed_whatever_the_key() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let made = Made::new(&openssl);
        made.run(&format!("req -x509 -newkey {P256} -nodes -keyout root.key.pem -out root.pem -days 2 -subj /CN=root"))
            .await;
        let sign = async |name: &str, key: &str, by: &str, extension: &str| {
            made.run(&format!("req -newkey {key} -nodes -keyout {name}.key.pem -out {name}.csr.pem -subj /CN={name}"))
                .await;
            made.folder.write("extensions.pem", extension);
            made.run(&format!(
                "x509 -req -in {name}.csr.pem -CA {by}.pem -CAkey {by}.key.pem -CAcreateserial -days 2 -out {name}.pem \
                 -extfile extensions.pem"
            ))
            .await;
        };
        sign("between", P256, "root", "basicConstraints=critical,CA:TRUE").await;
        let keys = [
            ("p256", P256),
            ("p384", "ec -pkeyopt ec_paramgen_curve:secp384r1"),
            ("ed25519", "ed25519"),
            ("rsa", "rsa:2048"),
        ];
        for (name, key) in keys {
            sign(name, key, "between", "subjectAltName=DNS:localhost,IP:127.0.0.1").await;
            let read = |name: &str| std::fs::read_to_string(made.path(name)).expect("it was made");
            made.folder.write("chain.pem", &(read(&format!("{name}.pem")) + &read("between.pem")));
            let key = format!("{name}.key.pem");
            let context = SslContext::server().load_cert_chain(made.path("chain.pem"), made.path(&key)).build()?;
            let server = echo_server(&nursery, &context).await?;
            made.s_client_accepts(&server, "root.pem").await;
            server.close();
            let chain = made.path("chain.pem");
            let (_s_server, port) = made.s_server("chain.pem", &key, &[&"-cert_chain", &chain]).await;
            let trusting = SslContext::client().load_verify_locations(made.path("root.pem")).build()?;
            assert_answers(&nursery, port, &trusting).await?;
        }
        // Without the one between, nobody can follow it.
        let (_s_server, port) = made.s_server("p256.pem", "p256.key.pem", &[]).await;
        let trusting = SslContext::client().load_verify_locations(made.path("root.pem")).build()?;
        let err = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&trusting).await;
        let err = err.expect_err("the one between is missing");
        assert!(err.downcast_ref::<SslError>().is_some_and(SslError::is_certificate_verification), "{err}");
        Ok(())
    });
}

#[test]
fn keys_are_taken_in_each_form_that_openssl_writes_and_a_password_is_refused_in_words() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let made = Made::new(&openssl);
        made.self_signed("rsa", "rsa:2048").await;
        made.run("rsa -in rsa.key.pem -traditional -out rsa.old.pem").await;
        made.run("ecparam -name prime256v1 -genkey -out ec.old.pem").await;
        made.run(
            "req -x509 -key ec.old.pem -out ec.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
        )
        .await;
        let read = |name: &str| std::fs::read_to_string(made.path(name)).expect("it was made");
        assert!(read("rsa.old.pem").contains("BEGIN RSA PRIVATE KEY"));
        assert!(
            read("ec.old.pem").contains("BEGIN EC PARAMETERS") && read("ec.old.pem").contains("BEGIN EC PRIVATE KEY")
        );
        // Key and certificate in one file, in either order.
        made.folder.write("both.pem", &(read("rsa.old.pem") + &read("rsa.pem")));
        made.folder.write("ec.both.pem", &(read("ec.pem") + &read("ec.old.pem")));
        for (cert, key) in [
            ("rsa.pem", "rsa.key.pem"),
            ("rsa.pem", "rsa.old.pem"),
            ("ec.pem", "ec.old.pem"),
            ("both.pem", "both.pem"),
            ("ec.both.pem", "ec.both.pem"),
        ] {
            let context = SslContext::server().load_cert_chain(made.path(cert), made.path(key)).build()?;
            let server = echo_server(&nursery, &context).await?;
            made.s_client_accepts(&server, cert).await;
            server.close();
        }
        made.run("rsa -in rsa.key.pem -aes256 -passout pass:secret -out rsa.locked.pem").await;
        let locked = SslContext::server().load_cert_chain(made.path("rsa.pem"), made.path("rsa.locked.pem")).build();
        let err = locked.expect_err("there is nobody to ask for the password");
        assert!(err.to_string().contains("password"), "{err}");
        let other = SslContext::server().load_cert_chain(made.path("ec.pem"), made.path("rsa.key.pem")).build();
        let err = other.expect_err("they do not fit");
        assert!(err.to_string().starts_with("the own certificate and key cannot be used: "), "{err}");
        Ok(())
    });
}

#[test]
fn what_openssl_makes_without_further_options_is_refused_in_words() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let made = Made::new(&openssl);
        // The name is the common name alone.
        made.run(&format!(
            "req -x509 -newkey {P256} -nodes -keyout ca.key.pem -out ca.pem -days 2 -subj /CN=localhost"
        ))
        .await;
        let (_s_server, port) = made.s_server("ca.pem", "ca.key.pem", &[]).await;
        let trusting = SslContext::client().load_verify_locations(made.path("ca.pem"));
        let err = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&trusting.build()?).await;
        let err = err.expect_err("it is not a name of the certificate's");
        assert!(err.to_string().contains("not valid for any names (according to its subjectAltName"), "{err}");
        let any_name = SslContext::client().load_verify_locations(made.path("ca.pem")).check_hostname(false);
        assert_answers(&nursery, port, &any_name.build()?).await?;
        // A certificate of version 1, because it has no extensions.
        made.run(&format!("req -newkey {P256} -nodes -keyout old.key.pem -out old.csr.pem -subj /CN=localhost")).await;
        made.run("x509 -req -in old.csr.pem -CA ca.pem -CAkey ca.key.pem -CAcreateserial -days 2 -out old.pem").await;
        let old = SslContext::server().load_cert_chain(made.path("old.pem"), made.path("old.key.pem")).build();
        let version = "a certificate of version 3 is needed, with extensions such as subjectAltName";
        let err = old.expect_err("its version is too old").to_string();
        assert_eq!(err, format!("the own certificate and key cannot be used: {version}"));
        let (_s_server, port) = made.s_server("old.pem", "old.key.pem", &[]).await;
        let trusting = SslContext::client().load_verify_locations(made.path("ca.pem")).check_hostname(false);
        let err = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&trusting.build()?).await;
        let err = err.expect_err("its version is too old").to_string();
        assert_eq!(err, format!("certificate verify failed: {version}"));
        Ok(())
    });
}
