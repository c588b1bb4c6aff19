"""Programs of a bare Debian: files, users, sudo, systemd, ufw, sshd, cloud-init and curl."""

from __future__ import annotations

import asyncio
import shlex
import time
from urllib.parse import urlsplit

from sandbox.hosts.emulated import application, webserver
from sandbox.hosts.emulated.files import ROOT, matching
from sandbox.hosts.emulated.shell import PROGRAMS, Call, execute, program, unknown

UNIT_PACKAGES = {"docker.service": "docker.io", "nginx.service": "nginx", "ssh.service": "openssh-server"}


@program("env")
async def env(call: Call) -> int:
    words = call.args
    while words and "=" in words[0]:
        words = words[1:]
    return await execute(call.again(words)) if words else 0


@program("sudo", package="sudo")
async def sudo(call: Call) -> int:
    """`sudo -n`: root may all; others exactly what the files in /etc/sudoers.d list, letter by letter."""
    if call.args[:1] != ["-n"]:
        return await unknown(call)
    words = call.args[1:]
    if call.who.name != "root" and not _listed(call, words):
        return call.fail("sudo: a password is required")
    return await execute(call.again(words, ROOT))


def _listed(call: Call, words: list[str]) -> bool:
    entry = PROGRAMS.get(words[0]) if words else None
    asked = [entry.path if entry else words[0], *words[1:]] if words else []
    for path, text in matching(call.tree, "/etc/sudoers.d", ""):
        if "." in path.rsplit("/", 1)[-1]:
            continue  # as sudo does
        for line in text.splitlines():
            user, _, rest = line.partition(" ALL=(root) NOPASSWD: ")
            if user == call.who.name and any(shlex.split(item) == asked for item in rest.split(", ")):
                return True
    return False


@program("visudo", "/usr/sbin/visudo", package="sudo", root=True)
async def visudo(call: Call) -> int:
    if call.args[:2] != ["-c", "-f"]:
        return await unknown(call)
    path = call.args[2]
    for number, line in enumerate(call.tree.read(path).decode().splitlines(), 1):
        if line and not line.startswith(("#", "Defaults")) and " ALL=(root) NOPASSWD: /" not in line:
            return call.fail(f"{path}:{number}:1: syntax error")
    call.out(f"{path}: parsed OK\n")
    return 0


@program("id")
async def whoami(call: Call) -> int:
    if call.args == ["-un"]:
        call.out(f"{call.who.name}\n")
        return 0
    if len(call.args) == 2 and call.args[0] == "-u":
        if call.args[1] not in call.state.users:
            return call.fail(f"id: '{call.args[1]}': no such user")
        call.out(f"{0 if call.args[1] == 'root' else 1000}\n")
        return 0
    return await unknown(call)


@program("useradd", "/usr/sbin/useradd", root=True)
async def useradd(call: Call) -> int:
    name = call.args[-1]
    if name in call.state.users:
        return call.fail(f"useradd: user '{name}' already exists", 9)
    call.tree.make_directory(f"/home/{name}", mode=0o700)
    call.tree.set_owner(f"/home/{name}", name, name)
    call.state.users[name] = [name]
    return 0


@program("usermod", "/usr/sbin/usermod", root=True)
async def usermod(call: Call) -> int:
    name, group = call.args[-1], call.value("--groups")
    if name not in call.state.users:
        return call.fail(f"usermod: user '{name}' does not exist", 6)
    if group == "docker" and "docker.io" not in call.state.installed:
        return call.fail("usermod: group 'docker' does not exist", 6)
    call.state.users[name] = sorted({*call.state.users[name], group})
    return 0


@program("cat")
async def cat(call: Call) -> int:
    for path in call.args:
        if path == "/proc/meminfo":
            # Kernel and firmware keep a part of what is sold.
            call.out(f"MemTotal:       {int(call.state.spec.memory_mb * 1024 * 0.97)} kB\nMemFree:  900000 kB\n")
        else:
            call.out(call.tree.read(path, call.who).decode())
    return 0


@program("install")
async def install(call: Call) -> int:
    """`install -d -m MODE [-o OWNER] [-g GROUP] PATH…`: existing folders get mode and owner as well."""
    words = list(call.args)
    if words[:2] != ["-d", "-m"]:
        return await unknown(call)
    mode, words = int(words[2], 8), words[3:]
    owner = group = ""
    while words and words[0] in ("-o", "-g"):
        if words[0] == "-o":
            owner = words[1]
        else:
            group = words[1]
        words = words[2:]
    if any(name and name not in call.state.users for name in (owner, group)):
        return call.fail(f"install: invalid user: '{owner or group}'")
    for path in words:
        missing, above = [], path
        while call.tree.find(above) is None:
            missing.append(above)
            above = above.rpartition("/")[0] or "/"
        for part in reversed(missing):
            call.tree.make_directory(part, who=call.who, mode=0o755)
        call.tree.set_mode(path, mode, who=call.who)
        if call.who.name == "root":
            call.tree.set_owner(path, owner, group)
    return 0


@program("chown")
async def chown(call: Call) -> int:
    owner, _, group = call.args[0].partition(":")
    if call.who.name != "root":
        return call.fail(f"chown: changing ownership of '{call.args[1]}': Operation not permitted")
    call.tree.set_owner(call.args[1], owner, group)
    return 0


@program("rm")
async def rm(call: Call) -> int:
    if call.args[:2] not in (["-rf", "--"], ["-f", "--"]):
        return await unknown(call)
    for path in call.args[2:]:
        if call.tree.find(path, follow=False) is not None:
            if call.args[0] == "-rf":
                call.tree.remove_tree(path, who=call.who)
            else:
                call.tree.remove(path, who=call.who)
    return 0


@program("mv")
async def mv(call: Call) -> int:
    if call.args[:2] != ["-f", "--"]:
        return await unknown(call)
    call.tree.rename(call.args[2], call.args[3], who=call.who)
    return 0


@program("ln")
async def ln(call: Call) -> int:
    if call.args[0] != "-sfn":
        return await unknown(call)
    if call.tree.find(call.args[2], follow=False) is not None:
        call.tree.remove(call.args[2], who=call.who)
    call.tree.link(call.args[1], call.args[2], who=call.who)
    return 0


@program("cloud-init")
async def cloud_init(call: Call) -> int:
    if call.args != ["status", "--wait"]:
        return await unknown(call)
    while (fault := call.state.fault("cloud_init_running")) is not None:  # noqa: ASYNC110 - it ends by the clock
        await asyncio.sleep(min(1.0, max(0.0, (fault.until or time.time() + 1) - time.time())))
    call.out("status: done\n")
    return 0


@program("systemctl")
async def systemctl(call: Call) -> int:
    verb, *words = call.args
    units = [w for w in words if not w.startswith("-")]
    state = call.state
    if verb == "is-active":
        for unit in units:
            call.out("active\n" if unit in state.active else "inactive\n")
        return 0 if all(u in state.active for u in units) else 3
    if call.who.name != "root":
        return call.fail("Call to Reload failed: Interactive authentication required.")
    if verb == "daemon-reload":
        return 0
    for unit in units:
        if not _exists(call, unit):
            return call.fail(f"Failed to {verb} unit: Unit {unit} does not exist")
        if verb == "enable":
            state.enabled = sorted({*state.enabled, unit})
        if verb in ("restart", "start") or (verb == "enable" and "--now" in words):
            state.active = sorted({*state.active, unit})
        elif verb == "reload" and unit not in state.active:
            return call.fail(f"{unit} is not active, cannot reload.")
        elif verb not in ("enable", "reload"):
            return await unknown(call)
        if unit == "ssh.service":
            state.root_may_sign_in = sshd_setting(call, "permitrootlogin") != "no"
        if unit == "nginx.service":
            problem = webserver.problem_in(call.tree)
            if problem:
                return call.fail(f"Job for nginx.service failed.\n{problem}")
            call.machine.serve()
    call.machine.open_ports()
    return 0


def _exists(call: Call, unit: str) -> bool:
    package = UNIT_PACKAGES.get(unit)
    return package in call.state.installed if package else call.tree.find(f"/etc/systemd/system/{unit}") is not None


def sshd_setting(call: Call, name: str) -> str:
    """The first value wins, over the drop-ins in the order of their names."""
    for _, text in matching(call.tree, "/etc/ssh/sshd_config.d", ".conf"):
        for line in text.splitlines():
            words = line.split()
            if len(words) > 1 and words[0].lower() == name:
                return words[1]
    return {"permitrootlogin": "prohibit-password", "passwordauthentication": "yes"}.get(name, "")


@program("sshd", "/usr/sbin/sshd", root=True)
async def sshd(call: Call) -> int:
    if call.args == ["-T"]:
        for name in ("permitrootlogin", "passwordauthentication"):
            call.out(f"{name} {sshd_setting(call, name)}\n")
        return 0
    return 0 if call.args == ["-t"] else await unknown(call)


@program("ufw", "/usr/sbin/ufw", package="ufw", root=True)
async def ufw(call: Call) -> int:
    wall, words = call.state.firewall, call.args
    if words == ["status", "verbose"]:
        call.out(f"Status: {'active' if wall.active else 'inactive'}\n")
        if wall.active:
            call.out("Logging: on (low)\n")
            call.out(f"Default: {wall.incoming} (incoming), {wall.outgoing} (outgoing), deny (routed)\n")
            call.out("New profiles: skip\n\nTo                         Action      From\n--    ------      ----\n")
            for suffix in ("", " (v6)"):
                for port in wall.ports:
                    call.out(f"{f'{port}/tcp{suffix}':<27}ALLOW IN    Anywhere{suffix}\n")
        return 0
    if words[:1] == ["default"] and len(words) == 3:
        setattr(wall, words[2], words[1])
        call.out(f"Default {words[2]} policy changed to '{words[1]}'\n")
    elif words[:1] == ["allow"] and words[-1].endswith("/tcp"):
        port = int(words[-1].removesuffix("/tcp"))
        call.out("Skipping adding existing rule\n" if port in wall.ports else "Rules updated\n")
        wall.ports = sorted({*wall.ports, port})
    elif words == ["--force", "enable"]:
        wall.active = True
        call.out("Firewall is active and enabled on system startup\n")
    else:
        return await unknown(call)
    call.machine.open_ports()
    return 0


@program("curl", package="curl")
async def curl(call: Call) -> int:
    """Only to the host's own loopback, where containers publish."""
    url = urlsplit(call.args[-1])
    if url.hostname != "127.0.0.1" or url.scheme != "http":
        return await unknown(call)
    answer = application.answer(call.state, url.port or 80, "GET", url.path, b"")
    form = call.value("--write-out").replace("\\n", "\n")
    if answer is None:
        call.out(form.replace("%{http_code}", "000"))
        return call.fail(f"curl: (7) Failed to connect to 127.0.0.1 port {url.port}: Could not connect to server", 7)
    call.out(answer.body.decode() + form.replace("%{http_code}", str(answer.status)))
    return 0
