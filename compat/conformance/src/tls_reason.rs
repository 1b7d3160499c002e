//! Errors of TLS in OpenSSL's words, because the expected lines are those of Python's ssl module.

use rustls::{AlertDescription, Error};

/// The end of the connection without close_notify.
pub(crate) const END_OF_FILE: &str = "EOF";
/// Payload where only close_notify was still allowed.
pub(crate) const APPLICATION_DATA_AFTER_CLOSE_NOTIFY: &str = "APPLICATION_DATA_AFTER_CLOSE_NOTIFY";

/// OpenSSL's name of the reason; `?` for one that no driver of good will causes.
pub(crate) fn reason(err: &Error) -> &'static str {
    match err {
        Error::AlertReceived(alert) => alert_reason(*alert),
        Error::InvalidMessage(_) => "WRONG_VERSION_NUMBER",
        Error::DecryptError => "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        _ => UNNAMED,
    }
}

fn alert_reason(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnexpectedMessage => "SSLV3_ALERT_UNEXPECTED_MESSAGE",
        AlertDescription::BadRecordMac => "SSLV3_ALERT_BAD_RECORD_MAC",
        AlertDescription::RecordOverflow => "TLSV1_ALERT_RECORD_OVERFLOW",
        AlertDescription::HandshakeFailure => "SSLV3_ALERT_HANDSHAKE_FAILURE",
        AlertDescription::BadCertificate => "SSLV3_ALERT_BAD_CERTIFICATE",
        AlertDescription::UnsupportedCertificate => "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        AlertDescription::CertificateRevoked => "SSLV3_ALERT_CERTIFICATE_REVOKED",
        AlertDescription::CertificateExpired => "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        AlertDescription::CertificateUnknown => "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        AlertDescription::IllegalParameter => "SSLV3_ALERT_ILLEGAL_PARAMETER",
        AlertDescription::UnknownCA => "TLSV1_ALERT_UNKNOWN_CA",
        AlertDescription::AccessDenied => "TLSV1_ALERT_ACCESS_DENIED",
        AlertDescription::DecodeError => "TLSV1_ALERT_DECODE_ERROR",
        AlertDescription::DecryptError => "TLSV1_ALERT_DECRYPT_ERROR",
        AlertDescription::ProtocolVersion => "TLSV1_ALERT_PROTOCOL_VERSION",
        AlertDescription::InsufficientSecurity => "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        AlertDescription::InternalError => "TLSV1_ALERT_INTERNAL_ERROR",
        AlertDescription::UserCanceled => "TLSV1_ALERT_USER_CANCELLED",
        AlertDescription::MissingExtension => "TLSV13_ALERT_MISSING_EXTENSION",
        AlertDescription::UnsupportedExtension => "TLSV1_UNSUPPORTED_EXTENSION",
        AlertDescription::UnrecognisedName => "TLSV1_UNRECOGNIZED_NAME",
        AlertDescription::CertificateRequired => "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        AlertDescription::NoApplicationProtocol => "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => UNNAMED,
    }
}

const UNNAMED: &str = "?";
