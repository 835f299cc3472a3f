"""Writes small .scap traces for tests: sections, metadata blocks and events by name.

    t = Trace()
    t.iface("eth0", "10.0.0.5", "255.255.255.0")
    t.user(1000, 1000, "alice", "/home/alice", "/bin/sh")
    t.thread(100, comm="app", cwd="/home/alice", fds={0: file_fd("/dev/null")})
    t.ev("SYSCALL_OPEN_E", 100, name="a", flags=1, mode=0)
    t.ev("SYSCALL_OPEN_X", 100, fd=3, name="a", flags=1, mode=0, dev=0x801)
    t.write("x.scap")

Events come from the project's events.def, the one definition of every event. Parameters are given by
name or in order; those behind the last one given are left out of the event. A hole in between is an
error unless fill=True (default values). Values: numbers, str (a NUL is added), bytes (as they are),
None (zero length), and the results of addr4(), tuple4(), addr6(), tuple6(), addr_un(), tuple_un().
All time stamps are ns since the epoch; without ts= each event is 1000 ns after the one before it.
"""

import os
import re
import socket
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Block types.
SHB, MI, PL9, FDL2, IL2, UL2 = 0x0A0D0D0A, 0x201, 0x215, 0x218, 0x219, 0x220
EV2, EVF2, EV2_LARGE, EVF2_LARGE, EV1 = 0x216, 0x217, 0x221, 0x222, 0x204

T0 = 1700000000_000000000

FIXED = {
    "INT8": "<b", "INT16": "<h", "INT32": "<i", "INT64": "<q", "UINT8": "<B", "UINT16": "<H",
    "UINT32": "<I", "UINT64": "<Q", "ERRNO": "<q", "FD": "<q", "PID": "<q", "SYSCALLID": "<H",
    "SIGTYPE": "<B", "RELTIME": "<Q", "ABSTIME": "<Q", "PORT": "<H", "L4PROTO": "<B",
    "SOCKFAMILY": "<B", "BOOL": "<I", "FLAGS8": "<B", "FLAGS16": "<H", "FLAGS32": "<I", "UID": "<I",
    "GID": "<I", "SIGSET": "<I", "MODE": "<I", "ENUMFLAGS8": "<B", "ENUMFLAGS16": "<H",
    "ENUMFLAGS32": "<I", "FD32": "<i", "PID32": "<i", "DOUBLE": "<d",
}


class EventType:
    def __init__(self, code, enum, name, is_exit, flags, params):
        self.code, self.enum, self.name, self.is_exit = code, enum, name, is_exit
        self.large = "LARGE_PAYLOAD" in flags
        self.flags = flags
        self.params = params            # [(name, type)]
        self.params_029 = params        # as sysdig 0.29.3 has them; None if it has not
        self.flags_029 = flags


def parse_params(text):
    out = []
    for item in filter(None, (x.strip() for x in text.split(","))):
        if "=" in item.split(":")[0]:
            continue
        parts = item.split(":")
        out.append((parts[0], parts[1]))
    return out


def load_events(path=None):
    """{enum: EventType} from events.def."""
    path = path or os.environ.get("BURIN_EVENTS_DEF") or os.path.join(ROOT, "engine/event/events.def")
    table, known, last = {}, True, None
    for line in open(path):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        if line.strip() == "end029":
            known = False
            continue
        head, _, params = line.partition(" : ")
        if line[0] == "\t":
            words = head.split()
            n = next((int(w[8:]) for w in words if w.startswith("nparams=")), None)
            if " : " in line:
                last.params_029 = parse_params(params)
            elif n is not None:
                last.params_029 = last.params[:n]
            last.flags_029 = (last.flags | {w[1:] for w in words if w[0] == "+"}) - {
                w[1:] for w in words if w[0] == "-"}
            continue
        w = head.split()
        last = EventType(int(w[0]), w[1], w[2], w[3] == "<", set(w[5].split("|")) - {"-"},
                         parse_params(params))
        if not known:
            last.params_029 = None
        table[last.enum] = last
    return table


_events = None


def events():
    global _events
    if _events is None:
        _events = load_events()
    return _events


# ---- values ------------------------------------------------------------------------------------

def ip4(s):
    return socket.inet_pton(socket.AF_INET, s)


def ip6(s):
    return socket.inet_pton(socket.AF_INET6, s)


def addr4(ip, port):
    return b"\2" + ip4(ip) + struct.pack("<H", port)


def addr6(ip, port):
    return b"\x0a" + ip6(ip) + struct.pack("<H", port)


def addr_un(path):
    return b"\1" + path.encode() + b"\0"


def tuple4(sip, sport, dip, dport):
    return b"\2" + ip4(sip) + struct.pack("<H", sport) + ip4(dip) + struct.pack("<H", dport)


def tuple6(sip, sport, dip, dport):
    return b"\x0a" + ip6(sip) + struct.pack("<H", sport) + ip6(dip) + struct.pack("<H", dport)


def tuple_un(src, dst, path):
    return b"\1" + struct.pack("<QQ", src, dst) + path.encode() + b"\0"


def encode(ptype, v):
    if v is None:
        return b""
    if isinstance(v, (bytes, bytearray)):
        return bytes(v)
    if isinstance(v, str):
        return v.encode() + b"\0"
    if ptype not in FIXED:
        raise ValueError("type %s wants bytes or text, not %r" % (ptype, v))
    fmt = FIXED[ptype]
    if ptype == "DOUBLE":
        return struct.pack(fmt, v)
    size = struct.calcsize(fmt)
    return (v & ((1 << (8 * size)) - 1)).to_bytes(size, "little")


# ---- descriptors of the process list -------------------------------------------------------------

def _str(b):
    if isinstance(b, str):
        b = b.encode()
    return struct.pack("<H", len(b)) + b


def file_fd(name, flags=1, dev=0x801, ino=0):
    return (16, ino, struct.pack("<I", flags) + _str(name) + struct.pack("<I", dev))


def named_fd(kind, name, ino=0):
    """Directory 2, fifo 7, eventfd 9, unsupported 10, signalfd 11, epoll 12, inotify 13, timerfd 14,
    netlink 15, bpf 17, userfaultfd 18, io_uring 19, memfd 20, pidfd 21."""
    return (kind, ino, _str(name))


def sock4_fd(sip, sport, dip, dport, l4=2, ino=0):
    return (3, ino, ip4(sip) + ip4(dip) + struct.pack("<HHB", sport, dport, l4))


def sock6_fd(sip, sport, dip, dport, l4=2, ino=0):
    return (4, ino, ip6(sip) + ip6(dip) + struct.pack("<HHB", sport, dport, l4))


def serv4_fd(ip, port, l4=2, ino=0):
    return (5, ino, ip4(ip) + struct.pack("<HB", port, l4))


def serv6_fd(ip, port, l4=2, ino=0):
    return (6, ino, ip6(ip) + struct.pack("<HB", port, l4))


def unix_fd(src, dst, name, ino=0):
    return (8, ino, struct.pack("<QQ", src, dst) + _str(name))


# ---- traces --------------------------------------------------------------------------------------

def block(btype, body, trailer=True):
    body = body + b"\0" * (-len(body) % 4)
    total = len(body) + 12
    return struct.pack("<II", btype, total) + body + struct.pack("<I", total if trailer else 0)


class Trace:
    def __init__(self, generation="029"):
        """generation "029": parameters as 0.29.3 has the event; "new": as the newest table has it."""
        self.generation = generation
        self.ts = T0
        self.cpus, self.hostname, self.boot_ts = 2, "testhost", 0
        self.sections = []
        self.section()

    def section(self):
        """A new section: the metadata calls and events that follow belong to it."""
        self.threads, self.ifaces, self.users, self.evs = [], [], [], []
        self.sections.append((self.threads, self.ifaces, self.users, self.evs))

    def thread(self, tid, pid=None, ptid=1, comm="app", exe=None, exepath=None, args="", cwd="/",
               env="", uid=0, gid=0, sid=0, vpgid=0, vtid=None, vpid=None, cgroups="", root="/",
               fdlimit=1024, flags=0, vm=(0, 0, 0), pf=(0, 0), tail=None, fds=None):
        pid = tid if pid is None else pid
        exe = "/bin/" + comm if exe is None else exe
        exepath = exe if exepath is None else exepath
        b = struct.pack("<QQQqq", tid, pid, ptid, sid, vpgid)
        b += _str(comm) + _str(exe) + _str(exepath) + _str(args) + _str(cwd)
        b += struct.pack("<QIII", fdlimit, flags, uid, gid)
        b += struct.pack("<III", *vm) + struct.pack("<QQ", *pf) + _str(env)
        b += struct.pack("<qq", tid if vtid is None else vtid, pid if vpid is None else vpid)
        b += _str(cgroups) + _str(root)
        # The five bytes that 0.29.3 writes: loginuid, exe_writable.
        b += struct.pack("<IB", 0xffffffff, 0) if tail is None else tail
        self.threads.append((tid, struct.pack("<I", len(b) + 4) + b, dict(fds or {})))
        return self

    def iface(self, name, ip, mask):
        v6 = ":" in ip
        conv = ip6 if v6 else ip4
        b = struct.pack("<HH", 4 if v6 else 3, len(name)) + conv(ip) + conv(mask)
        b += conv(ip) + name.encode()
        self.ifaces.append(struct.pack("<I", len(b)) + b)
        return self

    def user(self, uid, gid, name, home="/", shell="/bin/sh"):
        b = struct.pack("<BII", 0, uid, gid) + _str(name) + _str(home) + _str(shell)
        self.users.append(struct.pack("<I", len(b) + 4) + b)
        return self

    def group(self, gid, name):
        b = struct.pack("<BI", 1, gid) + _str(name)
        self.users.append(struct.pack("<I", len(b) + 4) + b)
        return self

    def _values(self, et, args, kw, fill):
        params = et.params
        if self.generation == "029" and et.params_029 is not None:
            params = et.params_029 + et.params[len(et.params_029):]
        vals = dict(zip((p[0] for p in params), args))
        if len(args) > len(params):
            raise ValueError("%s has %d parameters" % (et.enum, len(params)))
        for k in kw:
            if k not in (p[0] for p in params):
                raise ValueError("%s has no parameter %s" % (et.enum, k))
        vals.update(kw)
        names = [p[0] for p in params]  # one may occur in both tables: the first counts
        given = [i for i, n in enumerate(names) if n in vals and names.index(n) == i]
        out = []
        for name, ptype in params[:given[-1] + 1 if given else 0]:
            if name not in vals and not fill:
                raise ValueError("%s: parameter %s is missing" % (et.enum, name))
            default = 0 if ptype in FIXED else None
            out.append(encode(ptype, vals.get(name, default)))
        return out

    def ev(self, enum, tid, /, *args, ts=None, cpu=0, dump=None, fill=False, **kw):
        """One event. dump: dump flags (makes an EVF block)."""
        et = events()[enum]
        vals = self._values(et, args, kw, fill)
        return self.raw(et.code, tid, vals, ts=ts, cpu=cpu, dump=dump, large=et.large)

    def raw(self, code, tid, vals, ts=None, cpu=0, dump=None, large=False):
        """An event of any code with parameter bytes as given."""
        self.ts = self.ts + 1000 if ts is None else ts
        lens = b"".join(struct.pack("<I" if large else "<H", len(v)) for v in vals)
        data = b"".join(vals)
        b = struct.pack("<H", cpu) + (b"" if dump is None else struct.pack("<I", dump))
        b += struct.pack("<QqIHI", self.ts, tid, 26 + len(lens) + len(data), code, len(vals))
        kinds = (EV2_LARGE, EVF2_LARGE) if large else (EV2, EVF2)
        self.evs.append(block(kinds[dump is not None], b + lens + data))
        return self

    def block(self, btype, body, trailer=True):
        """Any block at this place among the events."""
        self.evs.append(block(btype, body, trailer))
        return self

    # Pairs of the usual calls, to keep tests short.
    def open(self, tid, fd, name, flags=1):
        self.ev("SYSCALL_OPEN_E", tid, name, flags, 0)
        return self.ev("SYSCALL_OPEN_X", tid, fd, name, flags, 0, 0x801)

    def close(self, tid, fd, res=0):
        self.ev("SYSCALL_CLOSE_E", tid, fd)
        return self.ev("SYSCALL_CLOSE_X", tid, res)

    def read(self, tid, fd, data=b"x", res=None):
        """A read names its descriptor in both events: shows what the tables hold for it."""
        self.ev("SYSCALL_READ_E", tid, fd, len(data))
        return self.ev("SYSCALL_READ_X", tid, len(data) if res is None else res, data)

    def socket(self, tid, fd, domain=2, stype=1, proto=0):
        self.ev("SOCKET_SOCKET_E", tid, domain, stype, proto)
        return self.ev("SOCKET_SOCKET_X", tid, fd)

    def bind(self, tid, fd, addr, res=0):
        self.ev("SOCKET_BIND_E", tid, fd)
        return self.ev("SOCKET_BIND_X", tid, res, addr)

    def connect(self, tid, fd, tup, res=0, addr=False):
        """addr: what newer writers put into the enter event (False = the old layout)."""
        if addr is False:
            self.ev("SOCKET_CONNECT_E", tid, fd)
        else:
            self.ev("SOCKET_CONNECT_E", tid, fd, addr)
        return self.ev("SOCKET_CONNECT_X", tid, res, tup)

    def accept(self, tid, fd, tup):
        self.ev("SOCKET_ACCEPT_5_E", tid)
        return self.ev("SOCKET_ACCEPT_5_X", tid, fd, tup, 0, 0, 0)

    def sendto(self, tid, fd, tup, data=b"x", res=None):
        self.ev("SOCKET_SENDTO_E", tid, fd, len(data), tup)
        return self.ev("SOCKET_SENDTO_X", tid, len(data) if res is None else res, data)

    def recvfrom(self, tid, fd, tup, data=b"x", res=None):
        self.ev("SOCKET_RECVFROM_E", tid, fd, len(data))
        return self.ev("SOCKET_RECVFROM_X", tid, len(data) if res is None else res, data, tup)

    def sendmsg(self, tid, fd, tup, data=b"x", res=None):
        self.ev("SOCKET_SENDMSG_E", tid, fd, len(data), tup)
        return self.ev("SOCKET_SENDMSG_X", tid, len(data) if res is None else res, data)

    def recvmsg(self, tid, fd, tup, data=b"x", res=None):
        n = len(data) if res is None else res
        self.ev("SOCKET_RECVMSG_E", tid, fd)
        return self.ev("SOCKET_RECVMSG_X", tid, n, max(n, 0), data, tup)

    def bytes(self):
        out = []
        for threads, ifaces, users, evs in self.sections:
            out.append(block(SHB, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 2, 0xffffffffffffffff)))
            host = self.hostname.encode().ljust(128, b"\0")
            out.append(block(MI, struct.pack("<IQQ128sQQQQ", self.cpus, 8 << 30, 32768, host,
                                             self.boot_ts, 0, 0, 0)))
            if ifaces:
                out.append(block(IL2, b"".join(ifaces)))
            if users:
                out.append(block(UL2, b"".join(users)))
            if threads:
                out.append(block(PL9, b"".join(t[1] for t in threads)))
            for tid, _, fds in threads:
                body = struct.pack("<Q", tid)
                for fd, (kind, ino, rest) in fds.items():
                    body += struct.pack("<IqQB", 21 + len(rest), fd, ino, kind) + rest
                out.append(block(FDL2, body))
            out.extend(evs)
        return b"".join(out)

    def write(self, path):
        with open(path, "wb") as f:
            f.write(self.bytes())
        return path
