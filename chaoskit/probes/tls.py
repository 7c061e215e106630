"""How an HTTPS endpoint is verified, from the experiment's ``tls`` to a context of the standard library."""

import ssl

from chaoskit.domain.connection import Tls
from chaoskit.probes.wire import BoundedTlsSocket, CannotAsk


def tls_context(tls: Tls) -> ssl.SSLContext:
    """A client context for ``tls``. Raises CannotAsk when a file of it is missing or is no certificate or key."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise CannotAsk(f"tls.ca_file {tls.ca_file} cannot be used ({_why(error)})") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        _present(context, tls.cert_file, tls.key_file)
    context.sslsocket_class = BoundedTlsSocket
    return context


def _present(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    try:
        # A key with a passphrase would make OpenSSL ask at the terminal; an empty answer makes it fail instead.
        context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ssl.SSLError) as error:
        files = cert_file if key_file is None else f"{cert_file} with tls.key_file {key_file}"
        raise CannotAsk(f"tls.cert_file {files} cannot be used ({_why(error)})") from error


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not a PEM file").lower().replace("_", " ")
    return (error.strerror or type(error).__name__).lower()
