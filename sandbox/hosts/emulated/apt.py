"""dpkg and apt: package lists, locks held by others, and installations that were cut off in the middle."""

from __future__ import annotations

from sandbox.hosts.emulated.shell import Call, program, unknown
from sandbox.lab.aptrepo import MORE_PACKAGES, SETUP_PACKAGES

# What the lab's repository offers to real hosts, and what a Debian host has from its birth.
OFFERED = frozenset([*SETUP_PACKAGES, *MORE_PACKAGES, "ca-certificates", "curl", "sudo"])
STARTED = {"docker.io": "docker.service", "nginx": "nginx.service"}
FOLDERS = {
    "docker.io": ["/etc/docker"],
    "nginx": ["/etc/nginx", "/etc/nginx/conf.d", "/etc/nginx/sites-available", "/etc/nginx/sites-enabled"],
}
NGINX_DEFAULT = b"server {\n listen 80 default_server;\n server_name _;\n return 404;\n}\n"


def _locked(call: Call, lock: str) -> int | None:
    if call.state.fault("dpkg_lock") is None:
        return None
    if call.argv[0] == "dpkg":
        return call.fail("dpkg: error: dpkg frontend lock was locked by another process with pid 812", 2)
    return call.fail(f"E: Could not get lock {lock}. It is held by process 812 (apt-get)", 100)


@program("dpkg-query")
async def dpkg_query(call: Call) -> int:
    if call.args[:2] != ["-W", "-f"]:
        return await unknown(call)
    status = 0
    for name in call.args[3:]:
        if name in call.state.half_installed:
            call.out(f"{name} iF \n")
        elif name in call.state.installed:
            call.out(f"{name} ii \n")
        else:
            status = call.fail(f"dpkg-query: no packages found matching {name}")
    return status


@program("dpkg", root=False)
async def dpkg(call: Call) -> int:
    state = call.state
    if call.args == ["--audit"]:
        if state.half_installed:
            call.out("The following packages are only half configured, probably due to problems\n")
            call.out("".join(f" {name}\n" for name in state.half_installed))
        return 0
    if call.args[-2:] != ["--configure", "-a"]:
        return await unknown(call)
    if (locked := _locked(call, "")) is not None:
        return locked
    for name in state.half_installed:
        call.out(f"Setting up {name} ...\n")
    configure(call, state.half_installed)
    state.half_installed = []
    return 0


@program("apt-cache")
async def apt_cache(call: Call) -> int:
    if call.args[:1] != ["policy"]:
        return await unknown(call)
    name = call.args[1]
    candidate = "1.0-1" if name in OFFERED and call.state.lists_known else "(none)"
    call.out(f"{name}:\n  Installed: (none)\n  Candidate: {candidate}\n")
    return 0


@program("apt-get", root=True)
async def apt_get(call: Call) -> int:
    words = [w for w in _without_options(call.args) if not w.startswith("-")]
    state = call.state
    if words == ["update"]:
        if (locked := _locked(call, "/var/lib/apt/lists/lock")) is not None:
            return locked
        state.lists_known = True
        call.out("Hit:1 trixie InRelease\nReading package lists...\n")
        return 0
    if words[:1] != ["install"]:
        return await unknown(call)
    if state.half_installed:
        return call.fail("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
                         100)  # fmt: skip
    if (locked := _locked(call, "/var/lib/dpkg/lock-frontend")) is not None:
        return locked
    call.out("Reading package lists...\nBuilding dependency tree...\n")
    wanted = [name for name in words[1:] if name not in state.installed]
    for name in wanted:
        if name not in OFFERED or not state.lists_known:
            return call.fail(f"E: Unable to locate package {name}", 100)
    if call.tree.full and wanted:
        return call.fail(f"dpkg: error processing archive {wanted[0]}.deb (--unpack): cannot copy extracted data: "
                         "failed to write (No space left on device)", 100)  # fmt: skip
    for name in wanted:
        call.out(f"Setting up {name} (1.0-1) ...\n")
    configure(call, wanted)
    return 0


def cut_off(call: Call) -> None:
    """The connection went away while packages were unpacked: they lie there, half configured."""
    words = [w for w in _without_options(call.args) if not w.startswith("-")]
    if "install" in words:
        wanted = [n for n in words[words.index("install") + 1 :] if n not in call.state.installed and n in OFFERED]
        call.state.half_installed = wanted


def configure(call: Call, names: list[str]) -> None:
    state, tree = call.state, call.tree
    state.installed = sorted({*state.installed, *names})
    for name in names:
        for folder in FOLDERS.get(name, []):
            if tree.find(folder) is None:
                tree.make_directory(folder)
        if name == "nginx" and tree.find("/etc/nginx/sites-available/default") is None:
            tree.write("/etc/nginx/sites-available/default", NGINX_DEFAULT)
            tree.link("/etc/nginx/sites-available/default", "/etc/nginx/sites-enabled/default")
        if name in STARTED:
            state.active = sorted({*state.active, STARTED[name]})
            state.enabled = sorted({*state.enabled, STARTED[name]})
    if "nginx" in names:
        call.machine.serve()
    call.machine.open_ports()


def _without_options(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "-o":
            skip = True
        else:
            kept.append(word)
    return kept
