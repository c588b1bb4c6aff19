"""nginx: the sites as files, read and checked like `nginx -t` does, and the servers that come of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.hosts.emulated.files import Tree, matching
from sandbox.hosts.emulated.shell import Call, program, unknown

_TOKEN = re.compile(r"#[^\n]*|\"[^\"]*\"|'[^']*'|[{};]|[^\s{};\"'#]+")
KNOWN = frozenset(
    [
        "listen",
        "server_name",
        "server_tokens",
        "return",
        "location",
        "ssl_certificate",
        "ssl_certificate_key",
        "ssl_protocols",
        "ssl_ciphers",
        "ssl_prefer_server_ciphers",
        "ssl_session_cache",
        "ssl_session_timeout",
        "ssl_session_tickets",
        "add_header",
        "client_max_body_size",
        "proxy_http_version",
        "proxy_connect_timeout",
        "proxy_read_timeout",
        "proxy_set_header",
        "proxy_pass",
        "http2",
        "map",
        "server",
        "server_names_hash_bucket_size",
        "root",
        "default_type",
        "try_files",
        "default",
        '""',
        "upgrade",
        "close",
    ]
)


class ConfigError(Exception):
    """What `nginx -t` would print."""


@dataclass
class Directive:
    words: list[str]
    block: list[Directive] | None = None


@dataclass
class Site:
    """One `server` block as it is served."""

    names: list[str] = field(default_factory=list)
    ports: dict[int, bool] = field(default_factory=dict)  # port -> TLS
    default: bool = False
    chain: bytes = b""
    key: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    locations: list[tuple[str, list[str]]] = field(default_factory=list)  # prefix -> proxy_pass, return or root


def parse(text: str, path: str) -> list[Directive]:
    tokens = [t for t in _TOKEN.findall(text) if not t.startswith("#")]
    found, rest = _block(tokens, 0, path, depth=0)
    if rest != len(tokens):
        raise ConfigError(f'unexpected "}}" in {path}')
    return found


def _block(tokens: list[str], at: int, path: str, depth: int) -> tuple[list[Directive], int]:
    found: list[Directive] = []
    words: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token == "}":
            if words or depth == 0:
                raise ConfigError(f'unexpected "}}" in {path}')
            return found, at
        if token not in "{;":
            words.append(token if token == '""' else token.strip("\"'"))
            continue
        if not words:
            raise ConfigError(f'unexpected "{token}" in {path}')
        if words[0] not in KNOWN:
            raise ConfigError(f'unknown directive "{words[0]}" in {path}')
        directive = Directive(words)
        if token == "{":
            directive.block, at = _block(tokens, at, path, depth + 1)
        found.append(directive)
        words = []
    if words or depth:
        raise ConfigError(f'unexpected end of file, expecting "}}" or ";" in {path}')
    return found, at


def load(tree: Tree) -> list[Site]:
    """Every server of the enabled sites. ConfigError where nginx would refuse."""
    sites: list[Site] = []
    variables = {"$host", "$remote_addr", "$proxy_add_x_forwarded_for", "$scheme", "$http_upgrade", "$request_uri",
                 "$uri"}  # fmt: skip
    for folder, suffix in (("/etc/nginx/conf.d", ".conf"), ("/etc/nginx/sites-enabled", "")):
        for path, text in matching(tree, folder, suffix):
            for directive in parse(text, path):
                if directive.words[0] == "map":
                    variables.add(directive.words[2])
                elif directive.words[0] == "server" and directive.block is not None:
                    sites.append(_site(tree, directive.block, path, variables))
    taken = [port for site in sites if site.default for port in site.ports]
    if len(taken) != len(set(taken)):
        raise ConfigError("a duplicate default server")
    return sites


def _site(tree: Tree, block: list[Directive], path: str, variables: set[str]) -> Site:
    site = Site()
    _check_variables(block, variables, path)
    for directive in block:
        name, *values = directive.words
        if name == "listen":
            port = int(values[0].rsplit(":", 1)[-1])
            site.ports[port] = site.ports.get(port, False) or "ssl" in values
            site.default |= "default_server" in values
        elif name == "server_name":
            site.names = values
        elif name == "add_header":
            site.headers.append((values[0], values[1]))
        elif name == "return":
            site.locations.append(("/", ["return", *values]))
        elif name == "location" and directive.block is not None:
            inner = next(d.words for d in directive.block if d.words[0] in ("proxy_pass", "return", "root"))
            site.locations.append((values[-1], inner))
        elif name == "ssl_certificate":
            site.chain = _file(tree, values[0], "certificate")
        elif name == "ssl_certificate_key":
            site.key = _file(tree, values[0], "certificate key")
    if any(site.ports.values()):
        _check_pair(site, path)
    return site


def _check_variables(block: list[Directive], variables: set[str], path: str) -> None:
    for directive in block:
        for word in directive.words:
            for variable in re.findall(r"\$\w+", word):
                if variable not in variables:
                    raise ConfigError(f'unknown "{variable[1:]}" variable in {path}')
        _check_variables(directive.block or [], variables, path)


def _file(tree: Tree, path: str, what: str) -> bytes:
    node = tree.find(path)
    if node is None:
        raise ConfigError(f'cannot load {what} "{path}": BIO_new_file() failed (No such file or directory)')
    return node.data


def _check_pair(site: Site, path: str) -> None:
    if not site.chain or not site.key:
        raise ConfigError(f'no "ssl_certificate" is defined for the "listen ... ssl" directive in {path}')
    try:
        leaf, key = x509.load_pem_x509_certificate(site.chain), load_pem_private_key(site.key, None)
    except ValueError as error:
        raise ConfigError(f"cannot load certificate: PEM_read_bio_X509_AUX() failed in {path}") from error
    if leaf.public_key() != key.public_key():
        raise ConfigError(f"SSL_CTX_use_PrivateKey failed (key values mismatch) in {path}")


def problem_in(tree: Tree) -> str:
    try:
        load(tree)
    except ConfigError as error:
        return str(error)
    return ""


@program("nginx", "/usr/sbin/nginx", package="nginx", root=True)
async def nginx(call: Call) -> int:
    if call.args != ["-t"]:
        return await unknown(call)
    if problem := problem_in(call.tree):
        call.err(f"nginx: [emerg] {problem}\n")
        return call.fail("nginx: configuration file /etc/nginx/nginx.conf test failed")
    call.err("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n")
    call.err("nginx: configuration file /etc/nginx/nginx.conf test is successful\n")
    return 0
