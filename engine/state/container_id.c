/* Which container a cgroups text stands for. Patterns: facts, containers.md, checked against
 * 0.29.3. */
#include "state/container.h"
#include "state/state_int.h"

enum { FULL_ID = 64, SHORT_ID = 12 };

struct span {
	const char *p;
	size_t n;
};

static bool span_ends(struct span s, const char *with, size_t n)
{
	return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Exactly 64 hexadecimal digits between prefix and suffix at the end of the path. */
static bool match_id(struct span path, const char *prefix, const char *suffix,
		     struct container_match *m)
{
	size_t np = strlen(prefix), ns = strlen(suffix);

	if (path.n < np + FULL_ID + ns || !span_ends(path, suffix, ns))
		return false;
	const char *id = path.p + path.n - ns - FULL_ID;
	if (memcmp(id - np, prefix, np) != 0)
		return false;
	for (int i = 0; i < FULL_ID; i++)
		if (!is_hex(id[i]))
			return false;
	memcpy(m->id, id, SHORT_ID);
	m->id[SHORT_ID] = 0;
	m->len = SHORT_ID;
	return true;
}

static bool take_name(struct container_match *m, const char *p, size_t n)
{
	if (n == 0)
		return false;
	if (n > sizeof(m->id) - 1)
		n = sizeof(m->id) - 1;
	memcpy(m->id, p, n);
	m->id[n] = 0;
	m->len = (uint8_t)n;
	return true;
}

static const char *find_in(struct span s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what));
}

/* What follows the prefix, up to the next slash. */
static bool match_name_after(struct span path, const char *prefix, struct container_match *m)
{
	const char *at = find_in(path, prefix);

	if (!at)
		return false;
	at += strlen(prefix);
	size_t left = path.n - (size_t)(at - path.p);
	const char *slash = memchr(at, '/', left);
	return take_name(m, at, slash ? (size_t)(slash - at) : left);
}

/* ---- one engine each ---- */

static bool match_podman(struct span path, bool compat029, struct container_match *m)
{
	if (match_id(path, "/libpod-", ".scope", m) ||
	    match_id(path, "/libpod-", ".scope/container", m))
		return true;
	if (compat029)
		return false;
	/* Of a user without privileges; 0.29.3 takes these for docker. */
	return match_id(path, "/libpod-", "", m) ||
	       (match_id(path, "/", "", m) &&
		(find_in(path, "/podman-") || find_in(path, "/user.slice/user-")));
}

static bool match_docker(struct span path, bool compat029, struct container_match *m)
{
	return match_id(path, "/", "", m) || match_id(path, "/docker-", ".scope", m);
}

static bool match_cri(struct span path, bool compat029, struct container_match *m)
{
	return match_id(path, "/crio-", "", m) || match_id(path, "/cri-containerd-", ".scope", m) ||
	       match_id(path, "/crio-", ".scope", m) || match_id(path, ":cri-containerd:", "", m);
}

static bool match_lxc(struct span path, bool compat029, struct container_match *m)
{
	return match_name_after(path, "/lxc/", m) || match_name_after(path, "/lxc.payload/", m) ||
	       (!compat029 && match_name_after(path, "/lxc.payload.", m));
}

static bool match_libvirt(struct span path, bool compat029, struct container_match *m)
{
	static const char tail[] = ".libvirt-lxc", scope[] = ".scope", mark[] = "-lxc\\x2";

	if (span_ends(path, tail, sizeof(tail) - 1)) {
		const char *slash = memrchr(path.p, '/', path.n);
		const char *from = slash ? slash + 1 : path.p;
		return take_name(m, from, path.n - (size_t)(from - path.p) - (sizeof(tail) - 1));
	}
	const char *at = find_in(path, mark);
	if (!at || !span_ends(path, scope, sizeof(scope) - 1))
		return false;
	at += sizeof(mark); /* the mark and the last digit of the escape */
	const char *end = path.p + path.n - (sizeof(scope) - 1);
	return at < end && take_name(m, at, (size_t)(end - at));
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* systemd writes odd bytes of names as \xNN. */
static void unescape(struct container_match *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->len; i++) {
		const char *p = m->id + i;
		if (p[0] == '\\' && i + 3 < m->len && p[1] == 'x' && is_hex(p[2]) && is_hex(p[3])) {
			m->id[n++] = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
			i += 3;
		} else {
			m->id[n++] = *p;
		}
	}
	m->id[n] = 0;
	m->len = (uint8_t)n;
}

/* Between prefix and suffix, the suffix at the end of the path. */
static bool match_between(struct span path, const char *prefix, const char *suffix,
			  struct container_match *m)
{
	const char *at = find_in(path, prefix), *end = path.p + path.n - strlen(suffix);

	if (!at || !span_ends(path, suffix, strlen(suffix)))
		return false;
	at += strlen(prefix);
	return at < end && take_name(m, at, (size_t)(end - at));
}

/* Not known to sysdig. Virtual machines have scopes of the same form. */
static bool match_nspawn(struct span path, bool compat029, struct container_match *m)
{
	if (compat029 || find_in(path, "/machine-qemu"))
		return false;
	if (!match_between(path, "/machine.slice/systemd-nspawn@", ".service", m) &&
	    !match_between(path, "/machine.slice/systemd-nspawn@", ".service/payload", m) &&
	    !match_between(path, "/machine.slice/machine-", ".scope", m) &&
	    !match_between(path, "/machine.slice/machine-", ".scope/payload", m))
		return false;
	unescape(m);
	return true;
}

static const struct {
	uint16_t type;
	bool (*match)(struct span path, bool compat029, struct container_match *m);
} engines[] = {
	{CT_PODMAN, match_podman}, {CT_DOCKER, match_docker},	    {CT_CRI, match_cri},
	{CT_LXC, match_lxc},	   {CT_LIBVIRT_LXC, match_libvirt}, {CT_NSPAWN, match_nspawn},
};

bool container_match(struct container_match *m, const char *cgroups, size_t len, bool compat029)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		for (const char *p = cgroups, *end = cgroups + len; p < end;) {
			size_t n = strnlen(p, (size_t)(end - p));
			const char *eq = memchr(p, '=', n);
			struct span path = {eq ? eq + 1 : p, eq ? n - (size_t)(eq + 1 - p) : 0};

			if (path.n && engines[i].match(path, compat029, m)) {
				m->type = engines[i].type;
				return true;
			}
			p += n + 1;
		}
	return false;
}

size_t container_id_of(const char *cgroups, size_t len, char *out, bool compat029)
{
	struct container_match m;

	if (!container_match(&m, cgroups, len, compat029)) {
		out[0] = 0;
		return 0;
	}
	memcpy(out, m.id, m.len + 1u);
	return m.len;
}

const char *container_type_name(unsigned type, bool compat029)
{
	static const char *const names[] = {
		[CT_DOCKER] = "docker",
		[CT_LXC] = "lxc",
		[CT_LIBVIRT_LXC] = "libvirt-lxc",
		[CT_MESOS] = "mesos",
		[CT_RKT] = "rkt",
		[CT_CUSTOM] = "",
		[CT_CRI] = "cri",
		[CT_CONTAINERD] = "containerd",
		[CT_CRIO] = "cri-o",
		[CT_BPM] = "bpm",
		[CT_STATIC] = "static",
		[CT_PODMAN] = "podman",
	};

	if (compat029 && (type == CT_STATIC || type == CT_PODMAN))
		return "";
	if (type == CT_NSPAWN)
		return "systemd-nspawn";
	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}
