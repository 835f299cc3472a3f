#include "state/apply_fd.h"

enum { PATH_LIMIT = 1024 }; /* of sysdig and of the trace format */

/* ---- sysdig 0.29.3
 * -------------------------------------------------------------------------------- It cleans only
 * what is appended to the base, byte by byte, and looks at dots without asking whether a component
 * begins there: "a.." climbs, "x./y" gives "xy", "..." gives "..". Found by comparing 60,000 random
 * names with it; tests/diff/crafted.py repeats that. */

struct climb {
	char *out;
	size_t n;
};

/* Takes the last component away. A single byte stays, whatever it is. */
static void climb_up(struct climb *c)
{
	if (c->n < 2)
		return;
	c->n--;
	while (c->n > 0 && c->out[c->n - 1] != '/')
		c->n--;
}

/* Handles the dots at p (end: one past the last byte); returns how many bytes of the path are done.
 */
static size_t climb_dots(struct climb *c, const char *p, const char *end)
{
	char a = p + 1 < end ? p[1] : 0;
	char b = p + 2 < end ? p[2] : 0;

	if (a == '.' && (b == '/' || b == 0)) {
		climb_up(c);
		return b ? 3 : 2;
	}
	if (a == '/')
		return 2;
	if (a == 0)
		return 1;
	c->out[c->n++] = '.';
	if (a != '.')
		return 1;
	c->out[c->n++] = '.';
	return 2;
}

static size_t join_compat(char *out, size_t n, const char *path, size_t path_len)
{
	struct climb c = {out, n};
	const char *p = path, *end = path + path_len;

	while (p < end) {
		if (*p == '.') {
			p += climb_dots(&c, p, end);
			continue;
		}
		if (*p == '/') {
			if (c.n == 0 || out[c.n - 1] != '/')
				out[c.n++] = '/';
		} else {
			out[c.n++] = *p >= 0x20 && *p <= 0x7e ? *p : '.';
		}
		p++;
	}
	if (c.n > 1 && out[c.n - 1] == '/')
		c.n--;
	return c.n;
}

/* ---- by components ---- */

/* Appends the components of text to out[0..n), which holds none that end in a slash. root: length
 * of the part that ".." may not remove (1 = "/", 0 = relative). */
static size_t add_components(char *out, size_t n, size_t root, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *q = memchr(p, '/', (size_t)(end - p));
		size_t k = (size_t)((q ? q : end) - p);

		if (k == 2 && p[0] == '.' && p[1] == '.') {
			while (n > root && out[n - 1] != '/')
				n--;
			if (n > root)
				n--;
		} else if (k && !(k == 1 && *p == '.')) {
			if (n > root)
				out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
		}
		p += k + 1;
	}
	return n;
}

static size_t join_clean(char *out, const char *base, size_t base_len, const char *path,
			 size_t path_len)
{
	bool absolute = base_len ? *base == '/' : path_len && *path == '/';
	size_t n = 0;

	if (absolute)
		out[n++] = '/';
	n = add_components(out, n, absolute, base, base_len);
	return add_components(out, n, absolute, path, path_len);
}

/* The base of a descriptor that nobody knows takes no slash in 0.29.3. */
static bool is_unknown_base(const char *base, size_t len)
{
	return len == sizeof(UNKNOWN_DIR) - 1 && memcmp(base, UNKNOWN_DIR, len) == 0;
}

size_t path_join(char *out, const char *base, size_t base_len, const char *path, size_t path_len,
		 bool compat029)
{
	if (path_len && *path == '/')
		base_len = 0;
	bool slash = base_len && base[base_len - 1] != '/' &&
		     !(compat029 && is_unknown_base(base, base_len));
	if (base_len >= PATH_LIMIT || path_len >= PATH_LIMIT ||
	    base_len + slash + path_len + 1 >= PATH_LIMIT) {
		memcpy(out, PATH_TOO_LONG, sizeof(PATH_TOO_LONG));
		return sizeof(PATH_TOO_LONG) - 1;
	}
	size_t n = 0;
	if (compat029) {
		if (base_len)
			memcpy(out, base, base_len);
		n = base_len;
		if (slash)
			out[n++] = '/';
		n = join_compat(out, n, path, path_len);
	} else {
		n = join_clean(out, base, base_len, path, path_len);
	}
	out[n] = 0;
	return n;
}

size_t path_join_at(char *out, const char *dir_name, size_t dir_len, const char *path, size_t path_len,
		    bool compat029)
{
	char base[PATH_LIMIT + 2];
	bool known = dir_name != NULL;

	if (!known) {
		dir_name = UNKNOWN_DIR;
		dir_len = sizeof(UNKNOWN_DIR) - 1;
	}
	if (dir_len > PATH_LIMIT)
		dir_len = PATH_LIMIT; /* too long in any case */
	memcpy(base, dir_name, dir_len);
	if (known)
		base[dir_len++] = '/';
	return path_join(out, base, dir_len, path, path_len, compat029);
}
